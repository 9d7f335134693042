import json
import re
import shutil
from dataclasses import asdict, replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from gliocast.anatomy import AnatomyEstimate, Match
from gliocast.cohort import DigitalPatient, Truth
from gliocast.core import MODALITIES, RESEARCH_NOTICE, Anatomy, Density, Posterior, Silence
from gliocast.data import read_patient
from gliocast.observation import misfit
from gliocast.pipeline import (
    Beginning,
    Choices,
    Ending,
    Findings,
    Options,
    Stopwatch,
    TargetChoices,
    Tissue,
    deliver,
    plan_targets,
    run,
    run_demo,
    simulate_to_folder,
)
from gliocast.pipeline.cohort_report import report_cohort
from gliocast.pipeline.cohort_results import read_results
from gliocast.pipeline.failures import write_failure
from gliocast.pipeline.methods import Fit, find_method
from gliocast.pipeline.reporting import remake_report
from gliocast.planning import Barriers
from gliocast.problem import (
    EXCEEDED_DENSITIES,
    GrownSamples,
    PredictiveCheck,
    PredictiveMaps,
    PredictiveStatistic,
    outline_problem,
)
from gliocast.report.cohort import PatientResult

PAGE = Path(__file__).resolve().parents[2] / "docs" / "outputs.md"
TRUTH = Truth(seed=(28.0, 10.0, 20.0))
NUM_SAMPLES = 50


def make_findings(patient):
    """Results of a patient without the minute that it takes to compute them."""
    visit = patient.visits[0]
    tissue = visit.brain.astype(np.float32)
    anatomy = Anatomy(tissue, 0 * tissue, 0 * tissue, visit.brain, visit.grid)
    points = visit.grid.world_from_voxel(np.moveaxis(np.indices(visit.grid.shape), 0, -1))
    radius = np.linalg.norm(points - np.array(TRUTH.seed), axis=-1)
    data = (tissue / (1 + np.exp((radius - 15) / 4))).astype(np.float32)
    density = Density(data, visit.grid, standard_deviation=0.1 * data)
    problem, _ = outline_problem(visit.labels, anatomy)
    parameters = problem.parameters
    mode = np.array([TRUTH.identifiable()[parameter.name] for parameter in parameters])
    samples = mode * np.random.default_rng(0).normal(1, 0.01, (NUM_SAMPLES, len(mode)))
    weights = np.full(NUM_SAMPLES, 1 / NUM_SAMPLES)
    posterior = Posterior(
        parameters,
        samples,
        weights,
        np.zeros(NUM_SAMPLES),
        mode,
        diagnostics={"log_posterior": -1.0, "evaluations": 2.0, "flat_directions": 0.0},
        log_evidence=-3.0,
        stages={"acceptance": np.array([0.3, np.nan])},
    )
    method = find_method("laplace")
    planes = [np.broadcast_to(index == 20, visit.grid.shape) for index in np.indices(visit.grid.shape)]
    barriers = Barriers({"falx": planes[0], "tentorium": planes[2]}, visit.grid)
    exceedance = {level: (data > level).astype(np.float32) for level in EXCEEDED_DENSITIES}
    return Findings(
        visit=visit,
        anatomy=AnatomyEstimate(anatomy, Match(0.7, 0.98), cached=True),
        prior=problem.prior,
        fit=Fit(posterior, method, method.settings()),
        density=density,
        maps=PredictiveMaps(data, 0.1 * data, exceedance),
        check=PredictiveCheck(
            (PredictiveStatistic("core volume", "ml", 8.0, np.arange(40.0), two_sided=True),),
            {"core": (data > TRUTH.t1c_threshold).astype(np.float32)},
            visit.grid,
        ),
        misfit=misfit(visit.labels, data, TRUTH.t1c_threshold, TRUTH.flair_threshold),
        planned=plan_targets(visit.labels, anatomy, density, TargetChoices(margin_mm=15.0), barriers=barriers),
        warnings=(),
        barriers=barriers,
        grown=GrownSamples(posterior.mode[None], (density,)),
    )


@pytest.fixture(scope="module")
def results(small_patient_template, tmp_path_factory):
    """Folders as `gliocast run` and `gliocast demo` write them."""
    patient = read_patient(small_patient_template, labels="brats-2021")
    findings = make_findings(patient)
    digital = DigitalPatient(patient, TRUTH, findings.anatomy.anatomy, findings.density)

    def stages(patient, options, monitor):
        for stage in ("anatomy", "fit", "density", "plan", "forecast"):
            monitor.begin(stage)
        return findings

    out = tmp_path_factory.mktemp("results")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(deliver, "personalize", stages)
        run_demo(digital, out / "demo", options=Options(keep_samples=True), monitor=watch("patient"))
        patch.setattr("gliocast.report.html.make_figures", lambda _: {})  # those of the demo are the same and one more
        run(patient, out / "run", monitor=watch("read"))
        unread = replace(findings.visit, labels=replace(findings.visit.labels, path=None))  # the network made them
        findings = replace(findings, visit=unread)
        run(patient, out / "segmented", monitor=watch("read"))
    return out


def watch(first_stage):
    """A monitor as the command line passes it: the first stage is already over when the pipeline begins."""
    stopwatch = Stopwatch(Silence())
    stopwatch.begin(first_stage)
    return stopwatch


def page_of(verb):
    """The part of the page about `gliocast run` and `gliocast demo`, or about `gliocast simulate`."""
    about_run, about_simulate = PAGE.read_text(encoding="utf-8").split("\n# What `gliocast simulate` writes\n")
    return about_simulate if verb == "simulate" else about_run


def words_of(text):
    return set(re.findall(r"`([^`]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL)))


@pytest.fixture(scope="module")
def words():
    """Everything that the page sets as code about `gliocast run` and `gliocast demo`."""
    return words_of(page_of("run"))


def keys_of(content):
    """Every key of a JSON file, however deep; versions, hashes, settings and stages are keyed by what they are of."""
    for key, value in content.items():
        yield key
        parts = value if isinstance(value, list) else [value]
        for part in parts:
            if isinstance(part, dict) and key not in ("versions", "inputs", "settings", "stages"):
                yield from keys_of(part)


@pytest.mark.parametrize("kind", ["run", "demo"])
def test_every_file_that_is_written_is_on_the_page(results, words, kind):
    names = {path.name for path in (results / kind).rglob("*") if path.is_file()}
    tables = {f"{name}.json" for name in ("parameters", "plan", "provenance", "verdict")}
    documented = words | tables | {"posterior.nc", "report.html"}
    assert names <= documented


def test_every_file_on_the_page_is_written(results, words):
    names = {path.name for kind in ("demo", "segmented") for path in (results / kind).rglob("*")}
    assert {word for word in words if re.fullmatch(r"[\w.]+\.(nii\.gz|nc)", word)} <= names


@pytest.mark.parametrize("name", ["parameters", "plan", "provenance", "verdict"])
def test_every_json_key_is_on_the_page(results, words, name):
    content = json.loads((results / "demo" / f"{name}.json").read_text(encoding="utf-8"))
    assert set(keys_of(content)) <= words


def test_images_have_the_dtype_and_the_geometry_that_the_page_says(results, small_patient_template):
    page = page_of("run").split("## In `gliocast demo` only")[0]
    rows = dict(re.findall(r"^\| `([\w.]+\.nii\.gz)` \| (\w+) \|", page, re.MULTILINE))
    assert set(rows) == {path.name for path in (results / "segmented").glob("*.nii.gz")}
    assert set(rows) - {path.name for path in (results / "run").glob("*.nii.gz")} == {"segmentation.nii.gz"}
    t1 = nib.load(small_patient_template / "t1.nii.gz")
    for name, dtype in rows.items():
        image = nib.load(results / "segmented" / name)
        assert image.get_data_dtype() == np.dtype(dtype), name
        assert image.shape == t1.shape
        for form in ("qform", "sform"):
            ours, theirs = (getattr(part.header, f"get_{form}")(coded=True) for part in (image, t1))
            assert ours[1] == theirs[1]
            np.testing.assert_array_equal(ours[0], theirs[0])


def test_provenance_holds_the_options_stages_and_inputs_that_the_page_names(results):
    content = json.loads((results / "run" / "provenance.json").read_text(encoding="utf-8"))
    assert content["options"] == asdict(deliver.Options())
    assert list(content["seconds"]) == ["read", "anatomy", "fit", "density", "plan", "forecast", "write", "report"]
    assert set(content["inputs"]) == {*MODALITIES, "seg"}
    assert isinstance(content["warnings"], list)


def test_only_the_seed_has_no_typical_range(results):
    rows = json.loads((results / "run" / "parameters.json").read_text(encoding="utf-8"))["parameters"]
    assert {name for name, row in rows.items() if row["typical"] is None} == {"seed_x", "seed_y", "seed_z"}


@pytest.mark.parametrize("kind", ["run", "demo"])
def test_every_json_file_holds_the_notice(results, kind):
    for path in (results / kind).glob("*.json"):
        assert json.loads(path.read_text(encoding="utf-8"))["notice"] == RESEARCH_NOTICE


def test_no_output_names_the_patient_or_a_path(results, small_patient_template):
    for path in (results / "run").glob("*"):
        if path.suffix in (".json", ".html"):
            text = path.read_text(encoding="utf-8")
            assert small_patient_template.name not in text
            assert str(small_patient_template) not in text


def as_before_verdicts(folder, copy):
    """A copy of results as versions left them that wrote no verdict: with a report in layout 2, without outlook."""
    shutil.copytree(folder, copy)
    (copy / "verdict.json").unlink()
    arrays = dict(np.load(copy / "report.npz"))
    record = json.loads(bytes(arrays["tree"]))
    record["layout"] = 2
    del record["content"]["fields"]["outlook"]
    arrays["tree"] = np.frombuffer(json.dumps(record).encode(), dtype=np.uint8)
    np.savez(copy / "report.npz", **arrays)
    return copy


@pytest.mark.parametrize("kind", ["run", "demo", "segmented"])
def test_a_cohort_reads_what_a_run_wrote(results, kind, tmp_path):
    found = read_results(results / kind)
    assert isinstance(found, PatientResult)
    tables = {name: json.loads((results / kind / f"{name}.json").read_text()) for name in ("plan", "verdict")}
    assert (found.level, found.ctv_ml) == (tables["verdict"]["level"], tables["plan"]["standard_ml"])
    assert set(found.hd95_mm) == set(found.dice) == {"core", "whole"}
    assert found.segmentation == {"run": "given", "segmented": "network", "demo": "given"}[kind]
    assert read_results(as_before_verdicts(results / kind, tmp_path / kind)) == found


def test_a_report_is_made_again_of_what_an_older_version_saved(results, tmp_path):
    older = as_before_verdicts(results / "run", tmp_path / "older")
    assert 'id="outlook"' not in remake_report(older).read_text(encoding="utf-8")
    assert (older / "verdict.json").read_bytes() == (results / "run" / "verdict.json").read_bytes()


def test_columns_of_a_cohorts_table_are_on_the_page(results, tmp_path, words):
    for kind in ("run", "segmented"):
        shutil.copytree(results / kind, tmp_path / kind)
    report_cohort(tmp_path)
    head = (tmp_path / "cohort.tsv").read_text(encoding="utf-8").splitlines()[0].split("\t")
    parameters = json.loads((results / "run" / "parameters.json").read_text(encoding="utf-8"))["parameters"]
    own = [name.split(" ")[0] for name in head if not name.startswith(tuple(parameters))]
    assert set(own) <= words
    assert {"cohort.tsv", "cohort.html", "cohort.png", "failure.json"} <= words


def test_what_is_written_of_a_failure_is_on_the_page(words, tmp_path):
    write_failure(tmp_path, stage="read", reason="none", kind="InputError", version="0.1.0")
    content = json.loads((tmp_path / "failure.json").read_text(encoding="utf-8"))
    assert content["notice"] == RESEARCH_NOTICE
    assert set(content) <= words


@pytest.fixture(scope="module")
def grown(small_patient_template, small_patient_arrays, small_patient_affine, save_nifti, tmp_path_factory):
    """Folders as `gliocast simulate` writes them: of several models, from several beginnings to several ends."""
    folder = tmp_path_factory.mktemp("grown")
    brain = small_patient_arrays["t1"] > 0
    paths = {name: folder / f"{name}.nii.gz" for name in ("white", "gray", "cavity", "dose")}
    ball = np.linalg.norm(np.indices(brain.shape) - np.reshape([18, 28, 31], (3, 1, 1, 1)), axis=0) < 4
    arrays = {"white": 0.9 * brain, "gray": 0.1 * brain, "cavity": ball, "dose": 60 * brain}
    for name, path in paths.items():
        save_nifti(path, arrays[name].astype(np.float32), small_patient_affine)
    treatments = [
        {"kind": "resection", "day": 4, "cavity": "cavity.nii.gz"},
        {"kind": "radiotherapy", "days": [5, 6], "dose": "dose.nii.gz", "alpha": 0.05},
        {"kind": "chemotherapy", "days": [5, 6], "kill_rate": 0.1, "half_life": 0.1},
    ]
    (folder / "treatments.json").write_text(json.dumps({"treatments": treatments}))
    tissue, seeds = Tissue(paths["white"], paths["gray"]), Beginning(seeds=(TRUTH.seed,))
    cases = {
        "series": Choices(tissue=tissue, beginning=seeds, ending=Ending(every=4, days=(8,)), frames=2),
        "treated": Choices(
            tissue=tissue,
            beginning=Beginning(seeds=(TRUTH.seed,), point=True),
            ending=Ending(days=(8,)),
            frames=0,
            treatments=folder / "treatments.json",
        ),
        "stopped": Choices(
            tissue=tissue,
            beginning=Beginning(initial=folder / "series" / "one.nii.gz"),
            ending=Ending(until_volume=2, level=0.1),
            frames=0,
        ),
        "necrotic": Choices(
            model="proliferative-necrotic", tissue=tissue, beginning=seeds, ending=Ending(days=(8,)), frames=0
        ),
    }
    for name, choices in cases.items():
        simulate_to_folder(folder / name, choices=choices, monitor=Silence())
        if name == "series":
            image = nib.load(folder / "series" / "density.nii.gz")
            save_nifti(folder / "series" / "one.nii.gz", np.float32(image.dataobj)[..., 0], small_patient_affine)
    (folder / "series" / "one.nii.gz").unlink()
    return [folder / name for name in cases]


#: What only the model with mass effect writes.
MASS_EFFECT = {"displacement.nii.gz", "white_matter.nii.gz", "gray_matter.nii.gz", "csf.nii.gz"}


def test_every_file_of_a_simulation_is_on_the_page_and_the_other_way_round(grown):
    written = {path.name for folder in grown for path in folder.iterdir()}
    listed = {word for word in words_of(page_of("simulate")) if re.fullmatch(r"\w+\.(nii\.gz|gif|png|json)", word)}
    assert listed == written | MASS_EFFECT


def test_every_json_key_of_a_simulation_is_on_the_page(grown):
    """Treatments are described on a page of their own."""
    words = words_of(page_of("simulate")) | words_of((PAGE.parent / "treatments.md").read_text(encoding="utf-8"))
    for folder in grown:
        for path in folder.glob("*.json"):
            content = json.loads(path.read_text(encoding="utf-8"))
            assert content["notice"] == RESEARCH_NOTICE
            assert set(simulation_keys(content)) <= words


def simulation_keys(content):
    """Every key, however deep; parameters, versions and hashes are keyed by what they are of."""
    for key, value in content.items():
        yield key
        parts = value if isinstance(value, list) else [*value.values()] if key == "parameters" else [value]
        for part in parts:
            if isinstance(part, dict) and key not in ("versions", "inputs"):
                yield from simulation_keys(part)


def test_images_of_a_simulation_have_the_dtype_that_the_page_says(grown):
    for names, dtype in re.findall(r"^\| ([^|]*\.nii\.gz[^|]*) \| (\w+) \|", page_of("simulate"), re.MULTILINE):
        for name in words_of(names) - MASS_EFFECT:
            written = [folder / name for folder in grown if (folder / name).exists()]
            assert written
            assert {nib.load(path).get_data_dtype() for path in written} == {np.dtype(dtype)}
