"""From a patient's scans to a density, two target volumes and a report, stage by stage.

    python examples/quickstart.py PATIENT --out results

PATIENT is a folder with t1, t1c, t2, flair and seg as NIfTI files: skull-stripped, on one grid, named plainly or as in
BraTS. `gliocast run` does the same and writes more (docs/outputs.md); this file shows the pieces. For research only.
"""

import argparse
from pathlib import Path

import numpy as np

from gliocast.anatomy import estimate_anatomy
from gliocast.core import RESEARCH_NOTICE, GliocastError, Patient, Posterior
from gliocast.data import describe, read_patient, whole_folder, write_like
from gliocast.data.atlas import load_mni152
from gliocast.growth import FisherKolmogorov, Simulator, SingleScan
from gliocast.inference import laplace
from gliocast.observation import misfit
from gliocast.planning import compare_plans, coverage_curve, make_plan
from gliocast.problem import outline_problem
from gliocast.report import ReportContent, render_report


def main() -> None:
    """Read the arguments, run the stages, write the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("patient", type=Path, help="folder with t1, t1c, t2, flair and seg")
    parser.add_argument("--out", type=Path, default=Path("gliocast-quickstart"), help="folder for the results")
    parser.add_argument("--margin", type=float, default=15.0, help="margin of the standard CTV around the GTV [mm]")
    parser.add_argument("--seed", type=int, default=0, help="seed of the random generator")
    parser.add_argument("--labels", help="label schema, such as brats-2021; guessed with a warning if not given")
    options = parser.parse_args()

    # Files to a checked patient. Nothing is resampled: scans on different grids are refused.
    patient = read_patient(options.patient, labels=options.labels)
    print(*describe(patient), *patient.warnings, sep="\n")

    # The folder appears when the block ends without an error, or not at all; what can't be written fails here, at once.
    with whole_folder(options.out) as folder:
        personalize(patient, folder, margin_mm=options.margin, seed=options.seed)
    print(f"report: {(options.out / 'report.html').resolve()}")
    print(RESEARCH_NOTICE)


def personalize(patient: Patient, folder: Path, *, margin_mm: float, seed: int) -> None:
    """All stages from a patient to files in a folder that exists."""
    visit = patient.visits[0]

    # Tissue probabilities: the MNI152 atlas registered to the T1 with the lesion masked out. Slow once, then cached.
    estimate = estimate_anatomy(visit, load_mni152())
    anatomy = estimate.anatomy
    print(f"anatomy: {estimate.quality}")

    # The inverse problem on 2 mm voxels: sqrt(D_w T), sqrt(rho T), seed and visibility thresholds, given the outlines.
    simulator = Simulator(FisherKolmogorov(diffusivity_ratio=10.0))
    problem, guess = outline_problem(visit.labels, anatomy, simulator=simulator)
    generator = np.random.default_rng(seed)
    posterior = laplace(problem, start=guess.point, spread=guess.spread, generator=generator)
    print_parameters(posterior)

    # The density at the posterior mode, with its standard deviation. The mode is solved once more on the scan's own
    # grid, with the simulator's full accuracy and all threads; inference makes do with less of both.
    density = problem.predict(posterior, anatomy, forward=SingleScan(simulator))

    # What the fit leaves unexplained. A patient without core has one threshold, of FLAIR.
    fitted = dict(zip((p.name for p in posterior.parameters), posterior.mode, strict=True))
    names = {"t1c": "t1c_threshold", "flair": "flair_threshold"}
    thresholds = {modality: float(fitted[name]) for modality, name in names.items() if name in fitted}
    left = misfit(visit.labels, density.data, thresholds.get("t1c"), thresholds["flair"])

    # GTV + margin, and the voxels of highest density, exactly as many.
    plan = make_plan(visit.labels, anatomy, density, margin_mm=margin_mm)
    comparison = compare_plans(plan, density, visit.labels)
    print(
        f"CTV {comparison.standard_ml:.1f} ml; expected burden covered: "
        f"standard {100 * comparison.covered_by_standard:.2f} %, model {100 * comparison.covered_by_model:.2f} %"
    )

    # Images take the geometry of the T1's header, and nothing else of it.
    images = {"density": density.data, "ctv_standard": plan["ctv_standard"], "ctv_model": plan["ctv_model"]}
    reference = visit["t1"].path
    assert reference is not None  # the scans came from files
    for name, data in images.items():
        write_like(folder / f"{name}.nii.gz", data, reference)

    page = ReportContent(
        visit=visit,
        anatomy=anatomy,
        density=density,
        posterior=posterior,
        thresholds=thresholds,
        outline_dice={"whole": left.whole_dice} | ({} if left.core_dice is None else {"core": left.core_dice}),
        plan=plan,
        comparison=comparison,
        curve=coverage_curve(density, visit.labels, anatomy),
        warnings=patient.warnings,
        provenance={"seed": seed},
        unexplained=left.sentences(),
    )
    (folder / "report.html").write_text(render_report(page), encoding="utf-8")


def print_parameters(posterior: Posterior) -> None:
    """Mode and 95 % interval of every parameter."""
    rows = zip(posterior.parameters, posterior.mode, posterior.interval(0.95), strict=True)
    for parameter, mode, (lower, upper) in rows:
        print(f"{parameter.name:<18s} {mode:8.3f}  ({lower:.3f} to {upper:.3f}) {parameter.unit}")


if __name__ == "__main__":
    try:
        main()
    except GliocastError as error:  # bad input, a failed quality check, no convergence: one line of advice each
        raise SystemExit(f"quickstart: {error}") from None
