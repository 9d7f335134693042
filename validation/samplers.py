"""Do samplers find posteriors and evidences that are known? A table of analytic targets and every inverse method.

Each method runs with its defaults and several seeds; the worst counts. A bound is the claim that a row is held to;
where a method claims nothing (a Gaussian approximation of a crescent), its figures are told without a bound. Saves
nothing.

    python validation/samplers.py              # all, about a minute
    python validation/samplers.py tmcmc        # those whose name holds a word
"""

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from analytic_targets import AnalyticTarget, Banana, LinearGaussian, PeakOnPlateau, TwoModes

from gliocast.core import Posterior
from gliocast.inference import Reference, TMCMCOptions, laplace, tmcmc

SEEDS = range(4)

TARGETS: dict[str, Callable[[], AnalyticTarget]] = {
    "linear-Gaussian": LinearGaussian,
    "banana": Banana,
    "two modes": TwoModes,
    "peak on a plateau": PeakOnPlateau,
}


@dataclass(frozen=True)
class Bound:
    """What is claimed, for the worst parameter and seed.

    Args:
        mean: error of a mean [posterior standard deviations].
        deviation: error of a standard deviation, as a share of it.
        evidence: error of the log-evidence [nat]; None where the method gives none.
    """

    mean: float
    deviation: float
    evidence: float | None


@dataclass(frozen=True)
class Sampler:
    """A method, and what it claims of which target; a target that isn't named is one it claims nothing of."""

    run: Callable[[AnalyticTarget, np.random.Generator], Posterior]
    claims: dict[str, Bound | None]


def run_laplace(target: AnalyticTarget, generator: np.random.Generator) -> Posterior:
    dim = len(target.mean)
    return laplace(target, start=np.full(dim, 0.5), spread=np.ones(dim), generator=generator)


def run_from_laplace(target: AnalyticTarget, generator: np.random.Generator) -> Posterior:
    first = run_laplace(target, generator)
    posterior = tmcmc(target, generator=generator, start=Reference.from_posterior(target.prior, first))
    return _with_evaluations(posterior, first.diagnostics["evaluations"])


def run_tmcmc(move: str) -> Callable[[AnalyticTarget, np.random.Generator], Posterior]:
    return lambda target, generator: tmcmc(target, generator=generator, options=TMCMCOptions(move=move))


# Samples worth 1,000 know a mean to 0.03 standard deviations; the worst of sixteen lies near 2.5 times that. The random
# walk's are worth a few hundred, those of the published method a few dozen.
# On a plateau with a peak every run from the prior knows the evidence to a nat or two only, whatever it states.
TIGHT, FAIR, LOOSE = Bound(0.12, 0.10, 0.25), Bound(0.25, 0.15, 0.35), Bound(0.9, 0.6, 1.0)

PLATEAU = {"peak on a plateau": Bound(0.15, 0.12, 2.5)}

#: A new method enters here: a function, and a claim for each target.
SAMPLERS = {
    "laplace": Sampler(run_laplace, {"linear-Gaussian": Bound(0.12, 0.10, None)}),
    "tmcmc plain": Sampler(run_tmcmc("plain"), {**dict.fromkeys(TARGETS, LOOSE), "peak on a plateau": None}),
    "tmcmc adaptive": Sampler(run_tmcmc("adaptive"), {**dict.fromkeys(TARGETS, FAIR), "peak on a plateau": None}),
    "tmcmc crank-nicolson": Sampler(run_tmcmc("crank-nicolson"), {**dict.fromkeys(TARGETS, TIGHT), **PLATEAU}),
    "laplace, then tmcmc": Sampler(run_from_laplace, {"linear-Gaussian": TIGHT, "peak on a plateau": TIGHT}),
}

COLUMNS = (
    "target",
    "sampler",
    "error of means / sd",
    "error of sds",
    "error of log-evidence (stated)",
    "samples worth",
    "evaluations",
    "seconds",
    "holds",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("words", nargs="*", help="run only samplers whose name holds one of these")
    words = parser.parse_args().words
    chosen = {name: sampler for name, sampler in SAMPLERS.items() if not words or any(word in name for word in words)}
    if not chosen:
        parser.error(f"no such sampler; there are {', '.join(SAMPLERS)}")
    print(f"| {' | '.join(COLUMNS)} |\n{'|---' * len(COLUMNS)}|")
    failed = 0
    for target_name, make in TARGETS.items():
        for name, sampler in chosen.items():
            row, holds = _row(make(), sampler.run, sampler.claims.get(target_name))
            print(f"| {target_name} | {name} | {row} |", flush=True)
            failed += not holds
    print(f"\n{failed} failed" if failed else "\nnone failed")
    sys.exit(1 if failed else 0)


def _row(target: AnalyticTarget, run: Callable, bound: Bound | None) -> tuple[str, bool]:
    """The cells after the names, and whether the bounds hold."""
    since = time.perf_counter()
    posteriors = [run(target, np.random.default_rng(seed)) for seed in SEEDS]
    seconds = (time.perf_counter() - since) / len(SEEDS)
    scale = target.standard_deviation
    mean = max(np.abs((p.mean - target.mean) / scale).max() for p in posteriors)
    deviation = max(np.abs(p.standard_deviation / scale - 1).max() for p in posteriors)
    cells = [_cell(mean, bound and bound.mean), _cell(deviation, bound and bound.deviation)]
    holds = bound is None or (mean < bound.mean and deviation < bound.deviation)
    if any(p.log_evidence is None for p in posteriors):
        cells.append("none")
    else:
        error = max(abs(p.log_evidence - target.log_evidence) for p in posteriors)
        stated = np.median([p.diagnostics.get("log_evidence_error", np.nan) for p in posteriors])
        cells.append(f"{_cell(error, bound and bound.evidence)} ({stated:.2f})")
        holds &= bound is None or bound.evidence is None or error < bound.evidence
    worth = np.median([p.diagnostics.get("effective_samples", p.effective_sample_size) for p in posteriors])
    evaluations = np.mean([p.diagnostics["evaluations"] for p in posteriors])
    verdict = "told" if bound is None else "yes" if holds else "NO"
    return " | ".join([*cells, f"{worth:.0f}", f"{evaluations:,.0f}", f"{seconds:.1f}", verdict]), bool(holds)


def _cell(value: float, bound: float | None) -> str:
    return f"{value:.3f}" if bound is None else f"{value:.3f} < {bound:g}"


def _with_evaluations(posterior: Posterior, before: float) -> Posterior:
    """The same, with the evaluations of what went before it counted too."""
    total = posterior.diagnostics["evaluations"] + before
    return replace(posterior, diagnostics={**posterior.diagnostics, "evaluations": total})


if __name__ == "__main__":
    main()
