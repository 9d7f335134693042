"""Names of results against the pattern of the BIDS specification, and whose they are."""

import re
from pathlib import Path

import pytest

from gliocast.core import SCHEMAS, InputError
from gliocast.data.bids import (
    KINDS,
    Naming,
    Subject,
    image_sidecar,
    kind_of,
    link_to,
    lookup_table,
    plain_of,
    raw_dataset_of,
    subject_of,
    uri_of,
)

#: Everything that `gliocast run` and `gliocast plan` write.
TARGETS = ("gtv", "gtv_edema", *(f"{v}_{t}" for v in ("ctv", "ptv") for t in ("standard", "model", "boost")))
PLAIN = (*KINDS, *TARGETS, *(f"density_above_{level}" for level in ("0.01", "0.1", "0.5")))

#: Order of the entities that a name may hold (schema of BIDS 1.11, rules.entities), and which of them the
#: specification allows beside a suffix of derivatives (rules.files.deriv.imaging, anat).
ORDER = ("sub", "ses", "acq", "ce", "rec", "run", "space", "atlas", "seg", "scale", "res", "label", "desc")
ALLOWED = {
    "mask": {"space", "res", "label", "desc"},
    "probseg": {"space", "atlas", "seg", "scale", "res", "label", "desc"},
    "dseg": {"space", "atlas", "seg", "scale", "res", "desc"},
    "density": {"space", "desc"},  # gliocast's own
}


@pytest.mark.parametrize("plain", PLAIN)
@pytest.mark.parametrize("subject", [Subject("01"), Subject("A7", "pre")], ids=["subject", "session"])
def test_names_have_the_entities_of_the_specification_in_its_order(plain, subject):
    name = f"{subject.stem}{kind_of(plain).ending}"
    assert re.fullmatch(r"sub-[A-Za-z0-9]+(_[a-z]+-[A-Za-z0-9]+)*_[A-Za-z0-9]+\.nii\.gz", name)
    *entities, suffix = name.removesuffix(".nii.gz").split("_")
    keys = [entity.split("-")[0] for entity in entities]
    assert keys == [key for key in ORDER if key in keys]
    assert set(keys) - {"sub", "ses"} <= ALLOWED[suffix]


def test_no_two_images_have_one_name_and_each_is_found_by_it():
    kinds = {plain: kind_of(plain) for plain in PLAIN}
    assert len({kind.ending for kind in kinds.values()}) == len(PLAIN)
    assert {plain: plain_of(kind.entities, kind.suffix) for plain, kind in kinds.items()} == {p: p for p in PLAIN}


def test_names_are_those_of_the_page():
    page = (Path(__file__).resolve().parents[2] / "docs" / "outputs.md").read_text(encoding="utf-8")
    table = page.split("| plain name |")[1].split("\n\n")[0]
    named = {}
    for left, right in re.findall(r"^\| (`[^|]+) \| (`[^|]+) \|$", table, re.MULTILINE):
        named |= dict(zip(re.findall("`([^`]+)`", left), re.findall("`([^`]+)`", right), strict=False))
    levels = {"density_above_0.1", "density_above_0.5"}  # and so on
    assert named == {
        p: kind_of(p).ending.removeprefix("_space-orig").removesuffix(".nii.gz") for p in {*PLAIN} - levels
    }


def test_tissue_has_the_labels_that_the_specification_reserves():
    endings = [kind_of(plain).ending for plain in ("white_matter", "gray_matter", "csf")]
    assert endings == [f"_space-orig_label-{label}_probseg.nii.gz" for label in ("WM", "GM", "CSF")]


def test_a_source_is_an_image_or_a_scan():
    known = {*PLAIN, "t1", "t1c", "t2", "flair"}
    assert all(set(kind_of(plain).sources) <= known for plain in PLAIN)


@pytest.mark.parametrize("name", ["notes", "ctv_a-b", "density_above_x", "density_no_treatment_180d", "../gtv"])
def test_what_gliocast_doesnt_write_has_no_name(name):
    assert kind_of(name) is None


@pytest.mark.parametrize(("entities", "suffix"), [("label-WM", "mask"), ("label-L_desc-high", "probseg"), ("a", "b")])
def test_names_of_others_stand_for_nothing(entities, suffix):
    assert plain_of(entities, suffix) is None


@pytest.mark.parametrize("label", ["", "a_b", "a-b", "../up", "DOE JANE", "é", "01\n", "²"])
@pytest.mark.parametrize("field", ["subject", "session"])
def test_labels_are_letters_and_digits(label, field):
    with pytest.raises(InputError, match=f"{field}: expected a label of letters and digits"):
        Naming(**{field: label})


def test_subject_and_session_come_from_names_of_files_first_and_of_folders_then():
    assert subject_of(Path("sub-02_ses-a_T1w.nii.gz")) == Subject("02", "a")
    assert subject_of(Path("/raw/sub-03/anat/sub-02_T1w.nii.gz")) == Subject("02")
    assert subject_of(Path("/raw/sub-03/ses-b/anat/t1.nii.gz")) == Subject("03", "b")
    assert subject_of(Path("/raw/sub-03/t1.nii.gz")) == Subject("03")


@pytest.mark.parametrize(
    "path", ["/DOE-JANE/t1.nii.gz", "/sub-03/a/b/t1.nii.gz", "/ses-1/t1.nii.gz", "/x/sub-_T1w.nii"]
)
def test_no_other_folder_or_name_is_a_label(path):
    assert subject_of(Path(path)) is None
    assert Naming().of([Path(path)]) == Subject("01")


def test_what_the_user_says_stands_over_what_files_are_called():
    path = Path("sub-02_ses-a_T1w.nii.gz")
    assert Naming().of([path, None]) == Subject("02", "a")
    assert Naming(session="b").of([path]) == Subject("02", "b")
    assert Naming("7").of([path]) == Subject("7", "a")
    assert Naming("7", "b").of([path]) == Subject("7", "b")
    assert Naming("7").of([Path("t1.nii.gz"), path]) == Subject("7", "a")


@pytest.mark.parametrize(
    ("naming", "path", "assumed"),
    [
        (Naming(), "t1.nii.gz", True),
        (Naming(session="a"), "t1.nii.gz", True),
        (Naming("01"), "t1.nii.gz", False),
        (Naming(session="b"), "sub-02_T1w.nii.gz", False),
    ],
)
def test_a_label_that_neither_user_nor_files_say_is_assumed(naming, path, assumed):
    assert naming.of([Path(path)]).assumed is assumed


def test_files_of_two_subjects_are_refused():
    paths = [Path(f"/raw/sub-{n}/anat/sub-{n}_T1w.nii.gz") for n in ("01", "02")]
    with pytest.raises(InputError, match="one subject and session, got sub-01, sub-02"):
        Naming().of(paths)
    assert Naming("3").of(paths) == Subject("3")


@pytest.mark.parametrize("others", ["sub-01_ses-b_T2w.nii.gz", "sub-01_T2w.nii.gz"])
def test_files_of_two_sessions_are_refused_unless_the_session_is_said(others):
    paths = [Path("sub-01_ses-a_T1w.nii.gz"), Path(others)]
    for naming in (Naming(), Naming("3")):
        with pytest.raises(InputError, match=r"got sub-01.*sub-01_ses-.*--subject and --session"):
            naming.of(paths)
    assert Naming(session="c").of(paths) == Subject("01", "c")
    assert Naming("3", "c").of(paths) == Subject("3", "c")


# Where things come from


def test_a_file_is_named_by_its_dataset_and_no_other_path_is():
    raw, out = Path("/home/jane/raw"), Path("/home/jane/raw/derivatives/gliocast")
    scan = raw / "sub-01/ses-1/anat/sub-01_ses-1_T1w.nii.gz"
    assert uri_of(scan, out) == "bids:raw:sub-01/ses-1/anat/sub-01_ses-1_T1w.nii.gz"
    assert (raw_dataset_of(scan), link_to(raw, out)) == (raw, "../..")
    own = out / "sub-01/anat/sub-01_space-orig_desc-mode_density.nii.gz"
    assert uri_of(own, out) == "bids::sub-01/anat/sub-01_space-orig_desc-mode_density.nii.gz"
    elsewhere = Path("/home/jane/results")
    assert link_to(raw, elsewhere) is None
    assert uri_of(scan, elsewhere) is None
    for path in (raw / "sub-01/anat/t1.nii.gz", raw / "DOE/sub-01_T1w.nii.gz", raw / "sub-02/anat/sub-01_T1w.nii.gz"):
        assert uri_of(path, out) is None


def test_sidecars_say_what_the_specification_asks():
    mask = image_sidecar(kind_of("gtv"), reference=None, sources=[])
    assert (mask["Type"], mask["SpatialReference"]) == ("Lesion", "orig")
    assert "Sources" not in mask
    tissue = image_sidecar(kind_of("csf"), reference="bids:raw:a", sources=["bids:raw:a"])
    assert (tissue["SpatialReference"], tissue["Sources"], tissue["Units"]) == ("bids:raw:a", ["bids:raw:a"], "1")
    assert image_sidecar(kind_of("density"), reference=None, sources=[])["SkullStripped"] is True


def test_a_lookup_table_lists_the_numbers_of_the_schema():
    assert lookup_table(SCHEMAS["brats-2021"]).splitlines() == [
        "index\tname\tabbreviation\tmapping",
        "1\tnecrosis\tNCR\t7",
        "2\tedema\tED\t7",
        "4\tenhancing\tET\t7",
    ]
    assert "4\tcavity\tRC\t7\n" in lookup_table(SCHEMAS["brats-2024"])
