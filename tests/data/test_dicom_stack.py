"""Series that lack slices and look whole, and images that were thrown together."""

import pytest
from tests.data.dicom_phantom import Phantom, write_phantom

from gliocast.core import InputError
from gliocast.data.dicom import read_series


def warnings_of(folder, change):
    return read_series(write_phantom(folder / "scan", Phantom(), change)).warnings


def set_all(**values):
    def change(datasets):
        for image in datasets:
            for name, value in values.items():
                setattr(image, name, value)

    return change


def every_other(**values):
    def change(datasets):
        set_all(SliceThickness="", **values)(datasets)
        return datasets[::2]

    return change


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (every_other(SpacingBetweenSlices="3"), "slices are 6 mm apart, and 3 mm by their headers"),
        (every_other(), "9 images are numbered from 2 to 18"),
        (lambda datasets: datasets[:-1], "17 images are numbered from 2 to 18"),
        (lambda datasets: datasets[:-3], "15 images are numbered from 4 to 18"),
    ],
    ids=["stated distance", "numbers with gaps", "first is missing", "three are missing"],
)
def test_slices_that_may_be_missing_bring_one_warning(tmp_path, change, said):
    assert warnings_of(tmp_path, change) == (f"{said}: are all of them there?",)


@pytest.mark.parametrize(
    "change",
    [
        set_all(SpacingBetweenSlices="3"),
        set_all(SpacingBetweenSlices="3.3"),  # as some scanners write a gap
        set_all(SpacingBetweenSlices="0"),
        set_all(InstanceNumber=1),
        set_all(InstanceNumber=None),
    ],
)
def test_series_that_is_whole_brings_none(tmp_path, change):
    assert warnings_of(tmp_path, change) == ()


def test_numbers_from_zero_bring_none(tmp_path):
    def change(datasets):
        for number, image in enumerate(datasets):
            image.InstanceNumber = number

    assert warnings_of(tmp_path, change) == ()


def test_images_of_two_patients_in_one_series_are_refused_and_nobody_is_named(tmp_path):
    def change(datasets):
        for image in datasets[:9]:
            image.PatientID, image.PatientName = "MRN-0815", "ROE^RICHARD"

    with pytest.raises(InputError, match="got another patient in file") as caught:
        read_series(write_phantom(tmp_path / "scan", Phantom(), change))
    assert not any(word in str(caught.value) for word in ("ROE", "MRN", "DOE"))
