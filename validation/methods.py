"""All inverse methods side by side on one patient: parameters, evidence, fit, cost, and their marginals in one figure.

    python validation/methods.py ../shared/data/tcga-fg-6692 --out methods-6692
    python validation/methods.py --methods laplace npe          (a synthetic patient, whose truth is known)

Writes methods.md (the table that is printed), methods.tsv (a row per method and parameter), marginals.png and a
posterior per method (METHOD.nc). Real patients have no truth: what can be seen is whether the methods agree.
"""

import argparse
import csv
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from gliocast.cohort import Truth, make_digital_patient
from gliocast.core import Patient
from gliocast.data import read_patient, whole_folder, write_posterior
from gliocast.data.atlas import load_mni152
from gliocast.pipeline import Findings, Options, Stopwatch, personalize
from gliocast.pipeline.methods import METHODS
from gliocast.report.marginals import compare_marginals
from gliocast.report.style import figure_style, to_png


class Notes:
    """Plays the Monitor role: notes only, on stderr, so that the table alone is printed."""

    def begin(self, stage: str) -> None:
        pass

    def advance(self, fraction: float) -> None:
        pass

    def note(self, message: str) -> None:
        print(message, file=sys.stderr, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("patient", type=Path, nargs="?", help="folder with t1, t1c, t2, flair and seg")
    parser.add_argument("--out", type=Path, default=Path("methods"))
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=list(METHODS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--labels", default=None)
    options = parser.parse_args()
    patient, truth = load(options.patient, options.labels, options.seed)
    with whole_folder(options.out) as folder:
        found, seconds = {}, {}
        for name in options.methods:
            watch, since = Stopwatch(Notes()), time.perf_counter()
            found[name] = personalize(patient, Options(method=name, seed=options.seed), watch)
            watch.stop()
            seconds[name] = watch.seconds["fit"]
            print(f"{name}: {time.perf_counter() - since:.0f} s in all", file=sys.stderr, flush=True)
        table = markdown(found, seconds, truth)
        (folder / "methods.md").write_text(table, encoding="utf-8")
        write_tsv(folder / "methods.tsv", found, truth)
        for name, findings in found.items():
            write_posterior(folder / f"{name}.nc", findings.posterior, seed=options.seed)
        first = next(iter(found.values()))
        with figure_style():
            posteriors = {name: findings.posterior for name, findings in found.items()}
            figure = compare_marginals(posteriors, prior=first.prior, truth=truth)
            (folder / "marginals.png").write_bytes(to_png(figure, dpi=200))
    for findings in found.values():
        findings.fit.forget()
    print(table)


def load(folder: Path | None, labels: str | None, seed: int) -> tuple[Patient, Mapping[str, float] | None]:
    """A patient, and the truth where there is one."""
    if folder is not None:
        return replace(read_patient(folder, labels=labels), id="patient"), None
    digital = make_digital_patient(load_mni152(), Truth(), np.random.default_rng(seed))
    return digital.patient, digital.truth.identifiable()


def markdown(found: Mapping[str, Findings], seconds: Mapping[str, float], truth: Mapping[str, float] | None) -> str:
    """Parameters with their 95 % intervals, a column per method, and below how each one fared."""
    first = next(iter(found.values())).posterior
    heading = ["parameter", *found, *(["truth"] if truth else [])]
    rows = []
    for column, parameter in enumerate(first.parameters):
        cells = [f"{parameter.name} [{parameter.unit}]"]
        for findings in found.values():
            posterior = findings.posterior
            low, high = posterior.interval()[column]
            cells.append(f"{posterior.mode[column]:.3g} ({low:.3g} to {high:.3g})")
        rows.append([*cells, *([f"{truth[parameter.name]:.3g}"] if truth else [])])
    for label, figure in figures(seconds).items():
        rows.append([label, *(figure(name, findings) for name, findings in found.items()), *([""] if truth else [])])
    lines = [heading, ["---"] * len(heading), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def figures(seconds: Mapping[str, float]) -> dict:
    """What is said of each method, by label: functions of its name and findings."""

    def cost(_: str, findings: Findings) -> str:
        said = findings.posterior.diagnostics
        return f"{said.get('evaluations', said.get('simulations', float('nan'))):.0f}"

    def overlap(_: str, findings: Findings) -> str:
        core = findings.misfit.core_dice
        return f"{'–' if core is None else f'{core:.3f}'} / {findings.misfit.whole_dice:.3f}"

    def evidence(_: str, findings: Findings) -> str:
        value = findings.posterior.log_evidence
        return "–" if value is None else f"{value:.1f}"

    def misfit(_: str, findings: Findings) -> str:
        value = findings.posterior.diagnostics.get("misfit_percentile")
        return "–" if value is None else f"{value:.0f}"

    return {
        "Dice of core / whole tumor": overlap,
        "burden [ml]": lambda _, findings: f"{findings.density.burden() / 1000:.1f}",
        "log-evidence [nat]": evidence,
        "effective samples": lambda _, findings: f"{findings.posterior.effective_sample_size:.0f}",
        "simulations nearer than the scan [%]": misfit,
        "solves": cost,
        "seconds of the fit": lambda name, _: f"{seconds[name]:.0f}",
    }


def write_tsv(path: Path, found: Mapping[str, Findings], truth: Mapping[str, float] | None) -> None:
    """A row per method and parameter."""
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, delimiter="\t", lineterminator="\n")
        table.writerow(["method", "parameter", "unit", "mode", "mean", "sd", "low_95", "high_95", "truth"])
        for name, findings in found.items():
            posterior = findings.posterior
            for column, parameter in enumerate(posterior.parameters):
                numbers = (
                    posterior.mode[column],
                    posterior.mean[column],
                    posterior.standard_deviation[column],
                    *posterior.interval()[column],
                )
                true = "" if truth is None else f"{truth[parameter.name]:.6g}"
                table.writerow([name, parameter.name, parameter.unit, *(f"{x:.6g}" for x in numbers), true])


if __name__ == "__main__":
    main()
