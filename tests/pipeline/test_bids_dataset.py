"""What `gliocast run --bids` writes, and that everything that reads results reads it."""

import json
import re
import shutil
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path
from urllib.parse import unquote

import nibabel as nib
import numpy as np
import pytest
from tests.docs.test_outputs import make_findings

from gliocast.core import RESEARCH_NOTICE, InputError
from gliocast.data import Naming, file_hash, find_results, read_patient
from gliocast.pipeline import Options, deliver, remake_report, report_page, run
from gliocast.pipeline.cohort_report import report_cohort
from gliocast.report.figures import FigureEntry

#: How BIDS calls the scans of the small patient.
NAMES = {"t1": "T1w", "t1c": "ce-gadolinium_T1w", "t2": "T2w", "flair": "FLAIR", "seg": "desc-tumor_dseg"}
SECRET = "DOE-JANE-1957"

#: Stands for the figures, which take their time.
DRAWN = {"drawn": FigureEntry(1, b"as png", b"as webp", "what it shows", "what it means")}


@pytest.fixture(scope="module")
def data(small_patient_template, tmp_path_factory):
    """A raw dataset with derivatives of two subjects, one of them in a session; the other has no names of BIDS."""
    raw = tmp_path_factory.mktemp("study") / SECRET
    scans = raw / "sub-07" / "ses-pre" / "anat"
    scans.mkdir(parents=True)
    for key, name in NAMES.items():
        shutil.copy(small_patient_template / f"{key}.nii.gz", scans / f"sub-07_ses-pre_{name}.nii.gz")
    plain = shutil.copytree(small_patient_template, raw / "sourcedata" / SECRET)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("gliocast.report.html.make_figures", lambda _: DRAWN)
        for folder, naming in ((scans.parent, Naming()), (plain, Naming("08"))):
            patient = read_patient(folder, labels="brats-2021")
            findings = make_findings(patient)
            if folder == plain:  # the network made the segmentation
                findings = replace(
                    findings, visit=replace(findings.visit, labels=replace(findings.visit.labels, path=None))
                )
            patch.setattr(deliver, "personalize", lambda *_, findings=findings: findings)
            options = Options(keep_samples=True)
            run(findings_patient(patient, findings), raw / "derivatives" / "gliocast", options=options, naming=naming)
            assert report_page(patient, raw / "derivatives" / "gliocast", naming).is_file()
    return raw


def findings_patient(patient, findings):
    return replace(patient, visits=(findings.visit,))


@pytest.fixture
def dataset(data, tmp_path):
    """A copy of the derivatives, to be changed."""
    return shutil.copytree(data / "derivatives" / "gliocast", tmp_path / "gliocast")


def sidecar(path):
    return json.loads(path.with_name(path.name.replace(".nii.gz", ".json")).read_text())


def test_every_file_is_where_the_specification_wants_it(data):
    out = data / "derivatives" / "gliocast"
    at_root = {"dataset_description.json", "README.md", ".bidsignore", "sub-07", "sub-08"}
    assert {path.name for path in out.iterdir()} == at_root
    for folder, stem in ((out / "sub-07" / "ses-pre", "sub-07_ses-pre"), (out / "sub-08", "sub-08")):
        for path in (path for path in folder.rglob("*") if path.is_file()):
            if path.parent == folder / "figures":
                continue
            assert path.name.startswith(f"{stem}_")
            assert path.parent == (folder / "anat" if "_space-orig_" in path.name else folder)
        assert [path.name for path in (folder / "figures").iterdir()] == ["drawn.png"]
        others = {path.name.removeprefix(f"{stem}_") for path in folder.iterdir() if path.is_file()}
        json_files = {f"{name}.json" for name in ("parameters", "plan", "provenance", "verdict")}
        assert others == {*json_files, "posterior.nc", "report.html", "report.npz"}


def test_every_image_has_a_sidecar_that_says_what_it_is(data):
    out = data / "derivatives" / "gliocast"
    images = list(out.rglob("*.nii.gz"))
    assert len(images) > 30
    for path in images:
        content = sidecar(path)
        assert content["notice"] == RESEARCH_NOTICE
        assert len(content["Description"]) > 3
        assert "SpatialReference" in content
        assert ("Units" in content) == (np.asarray(nib.load(path).dataobj).dtype == np.float32)
        for uri in content.get("Sources", []):
            _, where, inner = uri.split(":")
            assert ({"": out, "raw": data}[where] / inner).is_file()


def test_scans_of_the_dataset_around_are_sources_and_others_stay_unnamed(data):
    out = data / "derivatives" / "gliocast"
    assert json.loads((out / "dataset_description.json").read_text())["DatasetLinks"] == {"raw": "../.."}
    known = sidecar(find_results(out / "sub-07").path("white_matter.nii.gz"))
    scan = "bids:raw:sub-07/ses-pre/anat/sub-07_ses-pre_T1w.nii.gz"
    assert (known["SpatialReference"], known["Sources"]) == (scan, [scan])
    unknown = sidecar(find_results(out / "sub-08").path("white_matter.nii.gz"))
    assert unknown["SpatialReference"] == "orig"
    assert "Sources" not in unknown


def test_cohort_report_lists_subjects_and_sessions(dataset):
    found = report_cohort(dataset)
    assert [result.name for result in found.results] == ["sub-07/ses-pre", "sub-08"]
    assert all((dataset / unquote(result.link)).is_file() for result in found.results)
    assert found.results[0].segmentation == "given"


def test_a_segmentation_by_the_network_comes_with_a_table_of_its_labels(data):
    path = find_results(data / "derivatives" / "gliocast" / "sub-08").path("segmentation.nii.gz")
    assert path.name == "sub-08_space-orig_desc-tumor_dseg.nii.gz"
    rows = path.with_name(path.name.replace(".nii.gz", ".tsv")).read_text().splitlines()
    listed = {int(row.split("\t")[0]) for row in rows[1:]}
    assert listed >= set(np.unique(nib.load(path).get_fdata()).astype(int)) - {0}


def test_nothing_names_the_patient_or_a_path(data):
    for path in (data / "derivatives").rglob("*"):
        if path.is_file() and path.suffix in (".json", ".html", ".tsv", ".md", ".bidsignore"):
            text = path.read_text(encoding="utf-8")
            assert SECRET not in text
            assert str(data.parent) not in text


def test_files_that_the_specification_doesnt_know_are_listed_for_validators(data):
    out = data / "derivatives" / "gliocast"
    patterns = (out / ".bidsignore").read_text().split()
    known = re.compile(r"_(mask|probseg|dseg)\.(nii\.gz|json|tsv)$")
    paths = [path.relative_to(out) for path in out.glob("sub-*/**/*") if path.is_file()]
    assert sum(path.parent.name == "figures" for path in paths) == 2
    for path in paths:  # as in .gitignore: a pattern without a slash is for any file or folder on the way
        ignored = any(fnmatchcase(part, pattern) for part in path.parts for pattern in patterns)
        assert ignored != bool(known.search(path.name)), path


def test_the_plan_lists_the_targets_by_the_names_they_have(data):
    results = find_results(data / "derivatives" / "gliocast" / "sub-07")
    files = json.loads(results.path("plan.json").read_text())["files"]
    assert [results.plain(name) for name in files] == [
        f"{name}.nii.gz" for name in ("gtv", "ctv_standard", "ptv_standard", "ctv_model", "ptv_model")
    ]
    for name, digest in files.items():
        assert file_hash(results.folder / name) == digest


def test_the_report_is_made_again_to_the_byte(dataset):
    page = find_results(dataset / "sub-07").path("report.html")
    before = page.read_bytes()
    page.write_text("")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("gliocast.report.html.make_figures", lambda _: DRAWN)
        assert remake_report(dataset / "sub-07" / "ses-pre") == page
        assert page.read_bytes() == before
        with pytest.raises(InputError, match="got sub-07/ses-pre, sub-08; name the folder of one"):
            remake_report(dataset)


def test_a_report_with_another_image_than_its_own_is_refused(dataset):
    results = find_results(dataset / "sub-07")
    shutil.copy(results.path("ctv_model.nii.gz"), results.path("gtv.nii.gz"))
    with pytest.raises(InputError, match=r"another gtv\.nii\.gz than the report's"):
        remake_report(dataset / "sub-07")


def test_a_result_is_a_scan_of_no_patient(dataset):
    """Nobody runs on results by mistake: they aren't found among scans."""
    with pytest.raises(InputError, match="no t1, t1c, t2, flair"):
        read_patient(dataset / "sub-08")


def test_results_of_both_layouts_are_the_same(data, small_patient_template, tmp_path):
    patient = read_patient(small_patient_template, labels="brats-2021")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("gliocast.report.html.make_figures", lambda _: DRAWN)
        patch.setattr(deliver, "personalize", lambda *_: make_findings(patient))
        run(patient, tmp_path / "plain")
    ours, theirs = find_results(tmp_path / "plain"), find_results(data / "derivatives" / "gliocast" / "sub-07")
    assert ours.images() == sorted(set(theirs.images()) - {"density_samples.nii.gz"})
    for name in [*ours.images(), "parameters.json", "posterior.nc"]:
        assert ours.path(name).read_bytes() == theirs.path(name).read_bytes(), name
    assert Path(ours.folder) == tmp_path / "plain"
