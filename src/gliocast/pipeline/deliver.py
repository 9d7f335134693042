"""Findings to files: images, tables and the report, as a whole or not at all."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from gliocast.cohort import DigitalPatient
from gliocast.core import Density, Monitor, Patient, Silence, Visit, dice
from gliocast.data import (
    Naming,
    Results,
    lay_out,
    open_series,
    whole_results,
    write_json,
    write_like,
    write_posterior,
    write_volume,
)
from gliocast.data.results import DENSITY, PAGE, PARAMETERS, PLAN, POSTERIOR, PROVENANCE
from gliocast.pipeline.personalize import Findings, Options, personalize
from gliocast.pipeline.plan_origin import origin_of
from gliocast.pipeline.plan_targets import plan_record
from gliocast.pipeline.record import parameters, provenance
from gliocast.pipeline.reporting import report_content, write_report
from gliocast.pipeline.stopwatch import Stopwatch

#: Draws of the prior that lie beside those of the posterior [1], and what sets their seed apart from the fit's.
_NUM_PRIOR, _PRIOR_STREAM = 1000, 1

#: Densities at which a demonstration compares estimate and truth [1].
_DEMO_LEVELS = (0.01, 0.1, 0.8)

_TRUE_DENSITY, _SAMPLES = "true_density.nii.gz", "density_samples.nii.gz"
_SEGMENTATION = "segmentation.nii.gz"

#: Folder of a demonstration's scans.
_SYNTHETIC = "synthetic-patient"


def run(
    patient: Patient,
    out: Path,
    *,
    options: Options | None = None,
    naming: Naming | None = None,
    monitor: Monitor | None = None,
) -> Findings:
    """Everything for one patient, written to a folder that appears as a whole or not at all.

    Args:
        patient: with one visit.
        out: folder to write.
        options: what was chosen.
        naming: of the results in a BIDS derivatives dataset; None for gliocast's own layout.
        monitor: told of the stages.
    """
    return _deliver(patient, out, options or Options(), monitor or Silence(), digital=None, naming=naming)


def report_page(patient: Patient, out: Path, naming: Naming | None = None) -> Path:
    """Where `run` with the same arguments puts its page."""
    subject = naming.of(input_files(patient.visits[0]).values()) if naming is not None else None
    return lay_out(out, subject).path(PAGE)


def input_files(visit: Visit) -> dict[str, Path | None]:
    """Files that a visit was read from, by modality, and of the segmentation; None for what was made in memory."""
    return {**{modality: scan.path for modality, scan in visit.scans.items()}, "segmentation": visit.labels.path}


def run_demo(
    digital: DigitalPatient, out: Path, *, options: Options | None = None, monitor: Monitor | None = None
) -> Findings:
    """The same for a digital patient, whose truth is shown beside the estimate."""
    return _deliver(digital.patient, out, options or Options(), monitor or Silence(), digital=digital)


def agreement(findings: Findings, digital: DigitalPatient) -> dict[str, float]:
    """How near an estimate came to the truth of a digital patient."""
    estimate = findings.estimate
    seed = np.array([estimate[f"seed_{axis}"] for axis in "xyz"])
    result = {"seed error [mm]": float(np.linalg.norm(seed - np.array(digital.truth.seed)))}
    for level in _DEMO_LEVELS:
        result[f"density Dice at {level:g}"] = dice(findings.density.data > level, digital.density.data > level)
    return result


def _deliver(
    patient: Patient,
    out: Path,
    options: Options,
    monitor: Monitor,
    *,
    digital: DigitalPatient | None,
    naming: Naming | None = None,
) -> Findings:
    watch = monitor if isinstance(monitor, Stopwatch) else Stopwatch(monitor)
    inputs = input_files(patient.visits[0])
    subject = naming.of(inputs.values()) if naming is not None else None
    with whole_results(out, subject, inputs=inputs.values()) as results:
        findings = personalize(patient, options, watch)
        watch.begin("write")
        images = _images(findings)
        for name, data in images.items():
            _write_image(results.path(name), data, findings.visit)
        _write_posterior(findings, options.seed, results)
        written = list(images)
        if options.keep_samples and findings.grown is not None:
            _write_samples(findings.grown.densities, results.path(_SAMPLES))
            written.append(_SAMPLES)
        results.describe(written, inputs=inputs, schema=findings.visit.labels.schema)
        if digital is not None:
            _write_digital(digital, results.folder)
            images[_TRUE_DENSITY] = digital.density.data
        watch.begin("report")
        record = provenance(findings, options)
        near = agreement(findings, digital) if digital else None
        record["seconds"] = dict(watch.seconds)
        content = report_content(findings, record, digital=digital, agreement=near)
        write_report(results, content, images=images)
        watch.stop()
        record["seconds"] = dict(watch.seconds)
        origin = origin_of(findings.visit, results.path(DENSITY), _segmentation_file(findings.visit, results))
        write_json(results.path(PARAMETERS), parameters(findings, options, content.truth))
        write_json(results.path(PLAN), plan_record(findings.planned, content.comparison, results, origin))
        write_json(results.path(PROVENANCE), record)
    findings.planned.say_alarms(watch)
    findings.fit.forget()
    return findings


def _segmentation_file(visit: Visit, results: Results) -> Path | None:
    """Where the segmentation lies: as given, as the network's was written, as a demonstration's; None for nowhere."""
    places = (visit.labels.path, results.path(_SEGMENTATION), results.folder / _SYNTHETIC / "seg.nii.gz")
    return next((path for path in places if path is not None and path.is_file()), None)


def _images(findings: Findings) -> dict[str, np.ndarray]:
    """NIfTI outputs by plain file name."""
    anatomy = findings.anatomy.anatomy
    deviation = findings.density.standard_deviation
    assert deviation is not None  # predict always gives one
    volumes = {
        "density": findings.density.data,
        "density_sd": deviation,
        "density_mean": findings.maps.mean,
        **{f"density_above_{level:g}": share for level, share in findings.maps.exceedance.items()},
        **findings.plan.volumes,
        **(findings.barriers.masks if findings.barriers is not None else {}),
        "white_matter": anatomy.white_matter,
        "gray_matter": anatomy.gray_matter,
        "csf": anatomy.csf,
    }
    if findings.visit.labels.path is None and findings.visit["t1"].path is not None:  # the network's
        volumes["segmentation"] = findings.visit.labels.data
    return {f"{name}.nii.gz": data for name, data in volumes.items()}


def _write_posterior(findings: Findings, seed: int, results: Results) -> None:
    generator = np.random.default_rng([seed, _PRIOR_STREAM])
    prior_samples = findings.prior.sample(_NUM_PRIOR, generator)
    write_posterior(results.path(POSTERIOR), findings.posterior, prior_samples=prior_samples, seed=seed)


def _write_samples(samples: Sequence[Density], path: Path) -> None:
    """Densities of posterior samples on the inference grid, one after the other."""
    numbers = tuple(float(number) for number in range(len(samples)))
    with open_series(path, samples[0].grid, days=numbers) as append:
        for sample in samples:
            append(sample.data)


def _write_image(path: Path, data: np.ndarray, visit: Visit) -> None:
    """On the T1's grid, header geometry included."""
    source = visit["t1"].path
    data = data.astype(np.uint8 if data.dtype in (bool, np.uint8) else np.float32)
    if source is None:
        write_volume(path, data, visit.grid)
    else:
        write_like(path, data, source)


def _write_digital(digital: DigitalPatient, folder: Path) -> None:
    """The synthetic scans, segmentation and true density, for whoever wants to try the stages on their own."""
    inner = folder / _SYNTHETIC
    inner.mkdir()
    visit = digital.patient.visits[0]
    for modality, scan in visit.scans.items():
        write_volume(inner / f"{modality}.nii.gz", scan.volume.data.astype(np.int16), visit.grid)
    write_volume(inner / "seg.nii.gz", visit.labels.data, visit.grid)
    write_volume(folder / _TRUE_DENSITY, digital.density.data, visit.grid)
