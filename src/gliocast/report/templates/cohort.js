"use strict";
// Rows of patients who ran are sorted by a click on the head of a column; those without a value stay last.
const table = document.querySelector(".patients"), body = table.querySelector("tbody.ran");
const heads = [...table.querySelectorAll("th[data-column]")];
const order = (row, column) => row.cells[column].dataset.order ?? row.cells[column].textContent.trim();
function compare(a, b) {
  const [x, y] = [Number(a), Number(b)];
  return Number.isNaN(x) || Number.isNaN(y) ? a.localeCompare(b, "en", { numeric: true }) : x - y;
}
function sortBy(head) {
  const column = Number(head.dataset.column), descending = head.getAttribute("aria-sort") === "ascending";
  heads.forEach((other) => other.removeAttribute("aria-sort"));
  head.setAttribute("aria-sort", descending ? "descending" : "ascending");
  const rows = [...body.rows], known = rows.filter((row) => order(row, column) !== "");
  known.sort((a, b) => (descending ? -1 : 1) * compare(order(a, column), order(b, column)));
  body.append(...known, ...rows.filter((row) => order(row, column) === ""));
}
if (body) heads.forEach((head) => head.querySelector("button").addEventListener("click", () => sortBy(head)));
