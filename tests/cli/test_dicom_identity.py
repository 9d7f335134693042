"""A word planted in every element, file name and folder name of a series: none of what is written holds it."""

import gzip
import json
import struct

import nibabel as nib
import numpy as np
import pydicom
import pytest
from pydicom import Dataset
from pydicom.uid import ExplicitVRLittleEndian
from tests.data.dicom_phantom import Phantom, write_phantom

#: Elements of text that scanners, archives and people write names into.
PLACES = (
    *("PatientName", "OtherPatientNames", "PatientID", "IssuerOfPatientID", "PatientComments", "PatientAddress"),
    *("AdditionalPatientHistory", "Occupation", "MilitaryRank", "StudyDescription", "SeriesDescription"),
    *("ImageComments", "InstitutionName", "InstitutionAddress", "ProtocolName", "OperatorsName", "DeviceSerialNumber"),
    *("PerformingPhysicianName", "RequestedProcedureDescription", "ReferringPhysicianName", "DerivationDescription"),
    *("AccessionNumber", "StudyID", "StationName", "Manufacturer", "ManufacturerModelName", "SoftwareVersions"),
    *("ContrastBolusAgent", "PositionReferenceIndicator"),
)
#: Elements that a series is refused by.
CHECKED_PLACES = ("Modality", "PhotometricInterpretation", "TransferSyntaxUID")
DATES = ("PatientBirthDate", "StudyDate", "SeriesDate", "AcquisitionDate", "ContentDate")
WORD, DAY, WEIGHT, HIDDEN_UID = "ZEBRA", "19570203", "77.7123", "1.2.3.777777"
PHANTOM = Phantom(orientation="oblique", shape=(44, 36, 20), spacing=(1.5, 2.0, 3.0))


def plant(datasets):
    for image in datasets:
        for name in PLACES:
            setattr(image, name, f"{WORD} {name}"[:16])
        for name in DATES:
            setattr(image, name, DAY)
        image.PatientWeight, image.ImageType = WEIGHT, ["ORIGINAL", "PRIMARY", WORD]
        image.private_block(0x0029, f"{WORD} PRIVATE", create=True).add_new(1, "LO", WORD)
        code, reference = Dataset(), Dataset()
        code.CodeMeaning = WORD
        image.ProcedureCodeSequence = [code]
        reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID = "1.2.3", HIDDEN_UID
        image.ReferencedImageSequence = [reference]


@pytest.fixture
def planted(tmp_path):
    """The series, in a folder and in files that have the patient's name; and a plan on its grid."""
    folder = write_phantom(tmp_path / f"{WORD}-1", PHANTOM, plant)
    for path in list(folder.iterdir()):
        path.rename(folder / f"{WORD}-{path.name}")
    return folder


def leaks(path):
    content = path.read_bytes()
    if path.name.endswith(".gz"):
        content = gzip.decompress(content)
    return [word for word in (WORD, DAY, WEIGHT, HIDDEN_UID) if word.encode() in content]


def test_no_output_holds_what_names_the_patient(planted, tmp_path, gliocast):
    pytest.importorskip("highdicom")
    out, plan = tmp_path / "out", tmp_path / "plan"
    plan.mkdir()
    said = [gliocast("convert", planted, "--out", out / "t1.nii.gz")]
    affine = nib.load(out / "t1.nii.gz").affine
    away = np.linalg.norm((np.moveaxis(np.indices(PHANTOM.shape), 0, -1) - (20, 18, 10)) * (2, 1.5, 3), axis=-1)
    for name, radius in (("gtv", 9), ("ctv_standard", 17), ("ctv_model", 16)):
        nib.save(nib.Nifti1Image((away < radius).astype(np.uint8), affine), plan / f"{name}.nii.gz")
    nib.save(nib.Nifti1Image((0.8 * (away < 17)).astype(np.float32), affine), plan / "density.nii.gz")
    for kind in ("rtstruct", "seg", "density"):
        said.append(gliocast("export", kind, plan, "--series", planted, "--out", out / f"{kind}.dcm"))
    assert [outcome.code for outcome in said] == [0] * 4
    assert not any(WORD in outcome.out + outcome.err for outcome in said)
    written = sorted(out.iterdir())
    assert len(written) == 5
    assert {path.name: leaks(path) for path in written} == {path.name: [] for path in written}
    for path in out.glob("*.dcm"):
        assert not any(element.tag.is_private for element in pydicom.dcmread(path).iterall())
    header = nib.load(out / "t1.nii.gz").header
    assert not any(header[name].item() for name in ("descrip", "aux_file", "db_name", "intent_name"))
    assert len(header.extensions) == 0


@pytest.mark.filterwarnings("ignore::UserWarning")  # of pydicom, while the bad series is written
@pytest.mark.parametrize("name", CHECKED_PLACES)
@pytest.mark.parametrize("word", [f"{WORD}^JANE", f"1.2.840.10008.{WORD}", HIDDEN_UID])
def test_no_message_quotes_what_is_no_term_of_the_standard(name, word, tmp_path, refused):
    def change(datasets):
        for image in datasets:
            setattr(image, name, word)

    if name == "TransferSyntaxUID":
        folder = write_phantom(tmp_path / "series", PHANTOM)
        for path in folder.iterdir():
            padded = ExplicitVRLittleEndian.encode() + b"\0" * (len(ExplicitVRLittleEndian) % 2)
            content, length = path.read_bytes(), len(word) + len(word) % 2
            old = struct.pack("<HH2sH", 2, 0x10, b"UI", len(padded)) + padded
            new = struct.pack("<HH2sH", 2, 0x10, b"UI", length) + word.encode().ljust(length, b"\0")
            start = content.index(b"\x02\x00\x00\x00UL") + 8  # how long the meta information is
            grown = struct.unpack_from("<I", content, start)[0] + len(new) - len(old)
            content = content[:start] + struct.pack("<I", grown) + content[start + 4 :]
            assert content.count(old) == 1
            path.write_bytes(content.replace(old, new))
    else:
        folder = write_phantom(tmp_path / "series", PHANTOM, change)
    message = refused("convert", folder, "--out", tmp_path / "t1.nii.gz", "-q")
    assert f"got {'modality ' * (name == 'Modality')}another;" in message
    assert word not in message


@pytest.mark.parametrize(("name", "term"), [("Modality", "PT"), ("PhotometricInterpretation", "YBR_FULL")])
def test_terms_of_the_standard_are_quoted(name, term, tmp_path, refused):
    def change(datasets):
        for image in datasets:
            setattr(image, name, term)

    folder = write_phantom(tmp_path / "series", PHANTOM, change)
    assert term in refused("convert", folder, "--out", tmp_path / "t1.nii.gz", "-q")


def test_modality_of_several_series_is_quoted_only_if_it_is_one(tmp_path, refused):
    def change(datasets):
        datasets[0].SeriesInstanceUID, datasets[0].Modality = "1.2.3", WORD

    message = refused("convert", write_phantom(tmp_path / "series", PHANTOM, change), "--out", tmp_path / "t1.nii.gz")
    assert "another series 5 (1 files)" in message
    assert WORD not in message


def test_pixels_that_may_show_the_name_are_converted_on_request_alone(tmp_path, gliocast, refused):
    def change(datasets):
        datasets[3].BurnedInAnnotation = "YES"

    folder, out = write_phantom(tmp_path / "series", PHANTOM, change), tmp_path / "t1.nii.gz"
    assert "text burned into them" in refused("convert", folder, "--out", out, "-q")
    assert gliocast("convert", folder, "--out", out, "--keep-identity", "-q").code == 0
    assert json.loads((tmp_path / "t1.json").read_text())["identity"]["PatientName"] == "DOE^JANE"


def test_slices_that_may_be_missing_are_said_however_quiet(tmp_path, gliocast):
    folder = write_phantom(tmp_path / "series", PHANTOM, lambda datasets: datasets[:-1])
    outcome = gliocast("convert", folder, "--out", tmp_path / "t1.nii.gz", "--quiet")
    assert (outcome.code, outcome.out) == (0, "")
    assert outcome.err == "WARNING: 19 images are numbered from 2 to 20: are all of them there?\n"
    assert "19 images" in json.loads((tmp_path / "t1.json").read_text())["warnings"][0]
