"""How the posterior was found, and what it leaves open, as text."""

import numpy as np

from gliocast.core import Posterior
from gliocast.inference.identifiability import LEAST_RATIO, prior_ratios, sentences, uninformed_directions
from gliocast.report.content import ReportContent
from gliocast.report.naming import pretty

#: Stages shown of a long run, the first and the last ones [1].
MAX_STAGES = 24
#: Diagnostics that the page shows where a method gives them, and what it calls them.
SHOWN_DIAGNOSTICS = {
    "effective_samples": "independent samples that they are worth",
    "log_evidence_error": "standard error of the log-evidence [nat]",
    "evaluations": "evaluations of the likelihood",
    "simulations": "simulations",
    "observation_distance": "distance of the observation from the simulations (1 = as among these)",
    "misfit_percentile": "simulations of the posterior nearer to the rest than the observation is [%]",
}


def method_table(content: ReportContent) -> list[tuple[str, str]]:
    """Rows of (what, value): the method, its samples, evidence, and what it says of itself."""
    posterior = content.posterior
    rows = [("method", content.method or posterior.method)] if content.method or posterior.method else []
    rows.append(("posterior samples", f"{len(posterior.samples)}"))
    rows.append(("effective sample size", f"{posterior.effective_sample_size:.0f}"))
    if posterior.log_evidence is not None:
        rows.append(("log-evidence [nat]", _plain(posterior.log_evidence)))
    found = posterior.diagnostics
    return rows + [(label, _plain(found[name])) for name, label in SHOWN_DIAGNOSTICS.items() if name in found]


def stage_table(posterior: Posterior) -> tuple[list[str], list[list[str]]]:
    """Headings and rows of what went on from stage to stage; of a long run only both ends."""
    if not posterior.stages:
        return [], []
    headings = ["stage", *(name.replace("_", " ") for name in posterior.stages)]
    columns = [np.asarray(values, dtype=float) for values in posterior.stages.values()]
    rows = [[f"{number}", *map(_plain, row)] for number, row in enumerate(zip(*columns, strict=True), start=1)]
    if len(rows) > MAX_STAGES:
        half = MAX_STAGES // 2
        rows = [*rows[:half], ["…"] * len(headings), *rows[-half:]]
    return headings, rows


def ratios_to_prior(content: ReportContent) -> list[float | None]:
    """Posterior over prior standard deviation of each parameter, None where no prior is known."""
    if content.prior is None:
        return [None] * len(content.posterior.parameters)
    return [float(ratio) for ratio in prior_ratios(content.posterior, content.prior)]


def open_questions(content: ReportContent) -> list[str] | None:
    """A sentence for each combination of parameters that the scan hardly informs; None where no prior is known."""
    if content.prior is None:
        return None
    return [pretty(text) for text in sentences(uninformed_directions(content.posterior, content.prior))]


def open_threshold() -> str:
    """From which ratio on a combination counts as hardly informed."""
    return f"{100 * LEAST_RATIO:.0f} %"


def _plain(value: float) -> str:
    """A number as short as four digits allow, with a true minus sign; nothing where there is none."""
    if not np.isfinite(value):
        return "–"
    text = f"{value:.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    return text.replace("-", "−") if "e" not in text else f"{value:.1e}".replace("-", "−")
