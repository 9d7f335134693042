"""What a copy that failed, a screen or a slip leaves in the folder of a series, and what messages quote of it."""

import os
import re
import signal
from pathlib import Path

import pytest
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    RLELossless,
    SecondaryCaptureImageStorage,
)
from tests.data.dicom_phantom import Phantom, images, save, write_phantom

from gliocast.core import InputError
from gliocast.data.dicom import read_series

#: A word that stands for a patient's name wherever it is put.
NAME = "ZEBRA^ANNA"
LONG_UID = "1." + 63 * "2"


def refusal(folder):
    with pytest.raises(InputError) as caught:
        read_series(folder)
    message = str(caught.value)
    assert message.isprintable()
    assert "ZEBRA" not in message
    return message


@pytest.fixture
def last(tmp_path):
    """The last image of a series whose files have no endings, as scanners write them: nothing else shows its loss."""
    for path in write_phantom(tmp_path / "scan").iterdir():
        path.rename(path.with_suffix(""))
    return tmp_path / "scan" / "IM0017"


@pytest.mark.parametrize(
    ("spoil", "got"),
    [
        (lambda path: path.write_bytes(b""), "an empty file"),
        (lambda path: path.write_bytes(path.read_bytes()[:100]), "nothing but zeros"),
        (lambda path: path.write_bytes(bytes(path.stat().st_size)), "nothing but zeros"),
        (lambda path: (path.unlink(), path.symlink_to(path.with_name("absent"))), "a link that leads nowhere"),
    ],
    ids=["empty", "its beginning", "zeros", "broken link"],
)
def test_what_a_failed_copy_leaves_is_refused_by_name(last, spoil, got):
    spoil(last)
    assert f"(IM0017): expected readable DICOM, got {got}; copy the series again" in refusal(last.parent)


def test_pipe_is_passed_over_and_not_waited_for(last):
    """Whoever opens one waits for who writes into it, forever."""
    digest = read_series(last.parent).digest
    os.mkfifo(last.with_name("IM0018.dcm"))

    def give_up(*_):
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(20)
    try:
        assert read_series(last.parent).digest == digest
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def test_linked_files_and_folders_are_read(tmp_path):
    real = write_phantom(tmp_path / "real")
    linked = tmp_path / "linked"
    linked.mkdir()
    for path in real.iterdir():
        (linked / path.name).symlink_to(path)
    (tmp_path / "folder").symlink_to(real)
    for folder in (linked, tmp_path / "folder"):
        assert read_series(folder).digest == read_series(real).digest


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian])
def test_every_uncompressed_syntax_gives_the_same_values(tmp_path, syntax):
    phantom = Phantom()
    for image in images(phantom):
        if syntax == ExplicitVRBigEndian:
            image.PixelData = b"".join(
                image.PixelData[i + 1 : i + 2] + image.PixelData[i : i + 1] for i in range(0, len(image.PixelData), 2)
            )
        save(image, tmp_path / "scan" / f"{image.InstanceNumber}.dcm", syntax)
    assert (read_series(tmp_path / "scan").volume.data == phantom.values()).all()


@pytest.mark.parametrize("ending", ["", ".txt", ".nii.gz"])
def test_compressed_file_is_found_whatever_its_name(tmp_path, ending):
    from pydicom import dcmread

    folder = write_phantom(tmp_path / "scan", Phantom(shape=(16, 16, 3)))
    dataset = dcmread(folder / "IM0001.dcm")
    dataset.compress(RLELossless)
    (folder / "IM0001.dcm").unlink()
    dataset.save_as(folder / f"IM0001{ending}")
    assert "got transfer syntax RLE Lossless; decompress" in refusal(folder)


def set_all(**values):
    def change(datasets):
        for image in datasets:
            for name, value in values.items():
                setattr(image, name, value)

    return change


def set_raw(**values):
    """Values as pydicom would not take them."""

    def change(datasets):
        for image in datasets:
            for name, value in values.items():
                if name not in image:
                    setattr(image, name, 1)
                image[name]._value = value

    return change


@pytest.mark.filterwarnings("ignore::UserWarning")  # of pydicom, while the bad series is written
@pytest.mark.parametrize(
    ("change", "said"),
    [
        (set_all(ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"]), "expected a scan, got a localizer"),
        (set_all(SOPClassUID=SecondaryCaptureImageStorage), "a picture of a screen (secondary capture)"),
        (set_all(PhotometricInterpretation="MONOCHROME1"), "gray values (MONOCHROME2), got MONOCHROME1"),
        (set_all(Rows=0), "no Rows"),
        (
            set_raw(FrameOfReferenceUID=LONG_UID),
            "up to 64 digits and points as FrameOfReferenceUID, got something else",
        ),
        (set_raw(FrameOfReferenceUID=NAME), "digits and points as FrameOfReferenceUID, got something else"),
        (set_raw(StudyInstanceUID=NAME), "digits and points as StudyInstanceUID, got something else"),
        (set_raw(PixelSpacing=NAME), "readable DICOM"),
        (set_raw(RescaleSlope=NAME), "readable DICOM"),
        (set_raw(SliceThickness=NAME), "readable DICOM"),
    ],
)
def test_what_is_no_scan_is_refused_and_its_values_are_not_quoted(tmp_path, change, said):
    assert said in refusal(write_phantom(tmp_path / "scan", Phantom(), change))


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_number_of_a_series_is_said_only_if_it_is_one(tmp_path):
    def change(datasets):
        set_raw(SeriesNumber=NAME)(datasets)
        datasets[0].SeriesInstanceUID = "1.2.3"

    assert "MR series without number (17 files)" in refusal(write_phantom(tmp_path / "scan", Phantom(), change))


@pytest.mark.parametrize("value", [NAME, "", None])
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_number_of_an_image_that_is_none_does_no_harm(tmp_path, value):
    series = read_series(write_phantom(tmp_path / "scan", Phantom(), set_raw(InstanceNumber=value)))
    assert series.warnings == ()


def test_every_reason_is_one_line_without_what_pydicom_quotes(tmp_path):
    folder = write_phantom(tmp_path / f"scan of {NAME}".replace("^", "-"))
    path = Path(folder) / "IM0004.dcm"
    path.write_bytes(path.read_bytes()[:-700])
    with pytest.raises(InputError) as caught:
        read_series(folder)
    assert not re.search(r"'[A-Za-z]", caught.value.got)
