"""The page of a cohort and its figure; what it does in a browser is tested where there is one."""

import re
import shutil
from dataclasses import replace
from importlib.util import find_spec
from io import BytesIO

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from gliocast.core import RESEARCH_NOTICE
from gliocast.report.cohort import CohortContent, Failure
from gliocast.report.cohort_figure import LEVEL_COLORS, _swarm, cohort_figure
from gliocast.report.cohort_page import make_cohort_report

from .cohort_case import HOSTILE, make_cohort, patient

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
in_browser = pytest.mark.skipif(
    CHROMIUM is None or find_spec("playwright") is None, reason="no Chromium, or no extra `browser`"
)


@pytest.fixture(scope="module")
def report():
    return make_cohort_report(make_cohort())


def text_of(page):
    body = re.sub(r"<(script|style)>.*?</\1>", "", page, flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", body).split())


def test_page_counts_and_begins_with_who_has_no_result(report):
    text = text_of(report.page)
    assert text.count(RESEARCH_NOTICE) == 2
    assert re.findall(r'<div class="(\w+)(?: none)?"><dt>.*?</dt><dd>(\d+)</dd>', report.page) == [
        ("all", "6"), ("failed", "2"), ("fail", "1"), ("review", "2"), ("pass", "1")
    ]  # fmt: skip
    assert text.index("read: no t1 there") < text.index("core Dice 0.70") < text.index("good")
    assert "The core differs: Dice 0.70." in text


def test_page_is_the_same_on_every_run_and_needs_nothing_else(report):
    assert make_cohort_report(make_cohort()) == report
    links = re.findall(r'(?:src|href)="(?!data:)([^"]+)"', report.page)
    assert len(links) == 4
    assert all(link.startswith("./") and link.endswith("/report.html") for link in links)
    assert "default-src &#39;none&#39;" in report.page


def test_names_of_folders_are_text(report):
    assert "<img src=x" not in report.page
    assert "&lt;img src=x onerror=alert(1)&gt;" in report.page


def test_differences_are_a_warning():
    mixed = CohortContent((), (patient("A"), patient("B", settings={**patient("A").settings, "method": "npe"})))
    assert "method: laplace (1), npe (1)" in text_of(make_cohort_report(mixed).page)
    older = CohortContent((), (patient("A"), patient("B", settings={"model": "Fisher-Kolmogorov"})))
    assert "barriers: kept to (1), not told (1)" in text_of(make_cohort_report(older).page)
    assert "run alike" not in text_of(make_cohort_report(make_cohort()).page)


def test_where_nobody_ran_there_is_no_figure():
    report = make_cohort_report(CohortContent((Failure("A", "read", "no t1"),), ()))
    assert report.figure is None
    assert "Distributions" not in report.page
    assert "patient 1 without a result 1 fail: don't use the model 0" in text_of(report.page).replace("&#39;", "'")


def test_a_share_that_is_not_all_is_not_shown_as_all():
    text = text_of(make_cohort_report(CohortContent((), (patient("A", covered_model=1 - 1e-9),))).page)
    assert ("100.0" in text, "&gt;99.999" in text) == (False, True)


@pytest.mark.parametrize("num", [1, 2, 7, 80])
def test_figure_shows_any_number_of_patients(num):
    """Dots of the color of each verdict are there, and next to nothing is drawn over the edge."""
    generator = np.random.default_rng(num)
    levels = ["fail", "review", "pass"]
    patients = tuple(
        patient(f"{k}", level=levels[k % 3], dice={"core": 0.7, "whole": float(generator.uniform(0.5, 1))})
        for k in range(num)
    )
    png, webp = cohort_figure(CohortContent((), patients))
    images = [np.asarray(Image.open(BytesIO(data)).convert("RGB")).astype(int) for data in (png, webp)]
    assert (images[0] == images[1]).all()
    assert images[0].shape[1] == 1400
    for level in levels[:num]:
        color = [int(LEVEL_COLORS[level][k : k + 2], 16) for k in (1, 3, 5)]
        assert (np.abs(images[0] - color).max(axis=-1) < 8).sum() > 20
    assert (images[0][:, [0, -1]] == 255).all()


def test_figure_does_without_cores_and_without_parameters():
    bare = patient("A", dice={"whole": 0.8}, hd95_mm={}, estimates=())
    assert cohort_figure(CohortContent((), (bare, replace(bare, name="B"))))[0].startswith(b"\x89PNG")


def test_dots_do_not_hide_each_other():
    axes = Figure(figsize=(3, 3)).subplots()
    axes.set(xlim=(-0.5, 0.5), ylim=(0, 1))
    values = np.random.default_rng(0).uniform(0.3, 0.7, 30)
    values[:5] = 0.5
    size = 5.0
    offsets = _swarm(axes, values, size)
    places = axes.transData.transform(np.column_stack([offsets, values]))
    apart = np.linalg.norm(places[:, None] - places, axis=-1)[np.triu_indices(len(values), 1)]
    assert apart.min() >= size * axes.get_figure().dpi / 72
    assert np.abs(offsets).max() <= 0.31


@pytest.fixture(scope="module")
def page_file(report, tmp_path_factory):
    path = tmp_path_factory.mktemp("cohort") / "cohort.html"
    path.write_text(report.page, encoding="utf-8")
    for name in ("good", HOSTILE):
        (path.parent / name).mkdir()
        (path.parent / name / "report.html").write_text(f"<title>{len(name)}</title>")
    return path


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=CHROMIUM)
        yield opened
        opened.close()


@pytest.fixture
def page(browser, page_file):
    """The open page; what it said and asked for is on its lists."""
    context = browser.new_context(offline=True, viewport={"width": 1280, "height": 900})
    opened = context.new_page()
    opened.said, opened.requested = [], []
    opened.on("console", lambda message: opened.said.append(message.text))
    opened.on("pageerror", lambda error: opened.said.append(str(error)))
    opened.on("request", lambda request: opened.requested.append(request.url))
    opened.goto(page_file.as_uri())
    yield opened
    context.close()


def names_on(page):
    return page.locator(".patients tbody th").all_text_contents()


def sort_by(page, title, nth=0):
    page.locator(".patients thead button", has_text=title).nth(nth).click()


@in_browser
def test_page_opens_without_a_complaint_and_asks_for_nothing(page, page_file):
    assert page.said == []
    assert [url for url in page.requested if not url.startswith("data:")] == [page_file.as_uri()]
    assert page.locator("#distributions img").evaluate("image => image.naturalWidth") == 1400


@in_browser
def test_a_click_on_a_head_sorts_who_has_a_result(page):
    assert names_on(page) == ["Y", "Z", "10", HOSTILE, "fair", "good"]
    sort_by(page, "GTV")
    assert names_on(page)[:2] == ["Y", "Z"]
    assert names_on(page)[4:] == ["10", HOSTILE]
    sort_by(page, "GTV")
    assert names_on(page)[2:4] == [HOSTILE, "10"]
    sort_by(page, "core")
    assert names_on(page)[2:] == [HOSTILE, "fair", "good", "10"]  # who has none stays last
    sort_by(page, "core")
    assert names_on(page)[2:] == ["good", "fair", HOSTILE, "10"]
    assert page.locator("th[aria-sort=descending]").count() == page.locator("th[aria-sort]").count() == 1
    sort_by(page, "Verdict")
    assert names_on(page)[2:] == ["10", HOSTILE, "fair", "good"]


@in_browser
def test_links_lead_to_the_patients_reports(page):
    page.get_by_role("link", name=HOSTILE).click()
    assert page.title() == str(len(HOSTILE))


@in_browser
def test_reasons_unfold(page):
    reason = page.locator(".why p").first
    assert not reason.is_visible()
    page.locator(".why summary").first.click()
    assert reason.is_visible()


@in_browser
@pytest.mark.parametrize(("media", "width"), [("screen", 1280), ("print", 1047)])
def test_table_fits_a_laptop_and_a_sheet_of_paper(page, media, width):
    """A4 across without margins is 277 mm, 1047 px."""
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(media=media)
    wide, seen = page.locator(".wide").evaluate("place => [place.scrollWidth, place.clientWidth]")
    assert wide <= seen
