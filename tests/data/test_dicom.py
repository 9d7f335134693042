"""DICOM series: geometry and values against SimpleITK and the standard's equation, and what is refused."""

import gzip
import shutil

import nibabel as nib
import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from pydicom.uid import JPEG2000Lossless, JPEGLosslessSV1, RLELossless, generate_uid
from tests.data.dicom_phantom import ORIENTATIONS, PATIENT, Phantom, images, save, write_phantom

from gliocast.core import InputError
from gliocast.data.dicom import read_series

LPS = np.array([-1, -1, 1])


def refusal(folder):
    """The one line with which a series is refused; nothing of the patient stands in it."""
    with pytest.raises(InputError) as caught:
        read_series(folder)
    message = str(caught.value)
    assert message.isprintable()
    assert message.startswith(f"series {folder.name}")
    assert str(folder.parent) not in message
    assert not any(secret in message for secret in ("DOE", "MRN-4711", "JANE"))
    return message


@pytest.fixture
def spoil(tmp_path):
    """The function `spoil(change, **phantom) -> message`: refusal of a series whose datasets were changed."""

    def call(change, **options):
        return refusal(write_phantom(tmp_path / "scan", Phantom(**options), change))

    return call


@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (1.5, 2.0, 3.0)], ids=["square", "oblong"])
def test_voxels_lie_where_the_standard_s_equation_puts_them(tmp_path, orientation, spacing):
    phantom = Phantom(orientation=orientation, spacing=spacing)
    series = read_series(write_phantom(tmp_path / "scan", phantom))
    for index in ((0, 0, 0), (39, 0, 0), (0, 31, 0), (0, 0, 17), (7, 11, 13)):
        # positions are written to a millionth of a millimeter, cosines to 1e-8
        np.testing.assert_allclose(series.grid.world_from_voxel(index) * LPS, phantom.world(*index), atol=1e-4)
        np.testing.assert_allclose(
            series.patient_points(np.array([index[:2]]), index[2])[0], phantom.world(*index), atol=1e-4
        )
    assert np.linalg.det(series.grid.affine) > 0
    np.testing.assert_array_equal(series.volume.data, phantom.values())


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_values_and_places_are_those_that_simpleitk_reads(tmp_path, orientation):
    folder = write_phantom(tmp_path / "scan", Phantom(orientation=orientation, slope=0.5, intercept=-7, modality="CT"))
    series = read_series(folder)
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder)))
    image = reader.Execute()
    for point in np.random.default_rng(1).integers(0, series.grid.shape, (50, 3)):
        world = series.grid.world_from_voxel(point) * LPS
        there = image.TransformPhysicalPointToContinuousIndex(world.tolist())
        np.testing.assert_allclose(there, np.rint(there), atol=1e-3)
        assert image[tuple(round(value) for value in there)] == series.volume.data[tuple(point)]


def test_rescaling_is_applied_image_by_image(tmp_path):
    def change(datasets):
        for image in datasets:
            image.RescaleSlope, image.RescaleIntercept = image.InstanceNumber * 0.25, -image.InstanceNumber

    phantom = Phantom()
    series = read_series(write_phantom(tmp_path / "scan", phantom, change))
    number = np.arange(1, phantom.shape[2] + 1)
    np.testing.assert_allclose(series.volume.data, phantom.values() * (number * 0.25) - number)


def test_signed_pixels_keep_their_sign(tmp_path):
    def change(datasets):
        for image in datasets:
            image.PixelRepresentation = 1
            image.PixelData = (np.frombuffer(image.PixelData, "<u2").astype("<i2") - 1000).tobytes()

    series = read_series(write_phantom(tmp_path / "scan", Phantom(), change))
    np.testing.assert_array_equal(series.volume.data, Phantom().values().astype(int) - 1000)


def test_series_refers_to_every_image_at_its_place(tmp_path):
    phantom = Phantom(orientation="oblique")
    folder = write_phantom(tmp_path / "scan", phantom)
    series = read_series(folder)
    found = {image.SOPInstanceUID: image for image in map(pydicom.dcmread, folder.iterdir())}
    assert len(series.slices) == len(found) == phantom.shape[2]
    for index, entry in enumerate(series.slices):
        image = found[entry.sop_instance_uid]
        assert entry.sop_class_uid == image.SOPClassUID
        np.testing.assert_allclose(entry.position, image.ImagePositionPatient)
        assert image.InstanceNumber == index + 1
    first = next(iter(found.values()))
    assert (series.study_uid, series.series_uid) == (first.StudyInstanceUID, first.SeriesInstanceUID)
    assert (series.frame_uid, series.modality) == (first.FrameOfReferenceUID, "MR")
    assert series.pixel_spacing == phantom.spacing[:2]
    assert series.identity == PATIENT
    assert series.warnings == ()


def test_order_of_file_names_and_instance_numbers_does_not_matter(tmp_path):
    def shuffle(datasets):
        order = np.random.default_rng(3).permutation(len(datasets))
        for number, image in enumerate(datasets):
            image.InstanceNumber = int(order[number])
        return [datasets[i] for i in order]

    series = read_series(write_phantom(tmp_path / "scan", Phantom(), shuffle))
    np.testing.assert_array_equal(series.volume.data, Phantom().values())


def test_positions_rounded_to_a_hundredth_are_even(tmp_path):
    def change(datasets):
        for image in datasets:
            image.ImagePositionPatient = [f"{value:.2f}" for value in image.ImagePositionPatient]

    phantom = Phantom(orientation="oblique", spacing=(1, 1, 1.1234))
    series = read_series(write_phantom(tmp_path / "scan", phantom, change))
    assert series.grid.spacing[2] == pytest.approx(1.1234, abs=0.02 / 17)


def test_other_files_and_a_dicomdir_are_passed_over(tmp_path):
    folder = write_phantom(tmp_path / "scan")
    (folder / "README.txt").write_text("not an image")
    (folder / "more").mkdir()
    shutil.copy(folder / "IM0000.dcm", folder / "._IM0000.dcm")
    directory = images(Phantom(shape=(8, 8, 1)))[0]
    directory.SOPClassUID = "1.2.840.10008.1.3.10"
    save(directory, folder / "DICOMDIR")
    assert read_series(folder).grid.shape == Phantom().shape


def test_slices_thinner_than_they_are_apart_bring_a_warning(tmp_path):
    def every_other(datasets):
        return datasets[::2]

    (warning,) = read_series(write_phantom(tmp_path / "scan", Phantom(), every_other)).warnings
    assert warning == "slices are 3 mm thick and 6 mm apart: are all of them there?"


def test_missing_folder_and_file_in_its_place_are_refused(tmp_path):
    assert "no such folder" in refusal(tmp_path / "absent")
    (tmp_path / "file").write_text("x")
    assert "got a file" in refusal(tmp_path / "file")


@pytest.mark.parametrize("names", [(), ("scan.nii.gz", "notes.txt")])
def test_folder_without_dicom_is_refused(tmp_path, names):
    folder = tmp_path / "scan"
    folder.mkdir()
    for name in names:
        (folder / name).write_bytes(gzip.compress(b"x"))
    assert ("none among" if names else "got no file") in refusal(folder)


def test_two_series_are_refused_and_counted(tmp_path):
    folder = write_phantom(tmp_path / "scan")
    for image in images(Phantom(shape=(40, 32, 4))):
        image.SeriesInstanceUID, image.SeriesNumber = "1.2.3", 6
        save(image, folder / f"other-{image.InstanceNumber}.dcm")
    message = refusal(folder)
    assert "expected one series, got 2: MR series 5 (18 files), MR series 6 (4 files); move all but one" in message


def drop(*positions):
    return lambda datasets: [image for index, image in enumerate(datasets) if index not in positions]


def test_missing_slice_is_refused_and_named(spoil):
    message = spoil(drop(6))
    assert "expected slices 3 mm apart without gaps, got 6 mm between slices 11 and 12 of 17" in message


def test_several_missing_slices_are_refused(spoil):
    assert "without gaps" in spoil(drop(3, 4, 9))


def test_one_slice_is_refused(spoil):
    assert "at least two slices" in spoil(lambda datasets: datasets[:1])


def test_two_images_at_one_position_are_refused(spoil):
    def change(datasets):
        again = images(Phantom())
        for image in again:
            image.SOPInstanceUID = generate_uid()
        return datasets + again

    message = spoil(change)
    assert "expected one image at each position, got two at one" in message
    assert "18 times; keep one echo" in message


def test_copy_of_a_file_is_refused(spoil):
    assert "each image once, got 20 files of 18 images" in spoil(lambda datasets: datasets + datasets[:2])


def set_one(**values):
    def change(datasets):
        for name, value in values.items():
            setattr(datasets[5], name, value)

    return change


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (set_one(ImageOrientationPatient=["1", "0", "0", "0", "0.9848", "0.1736"]), "another orientation"),
        (set_one(FrameOfReferenceUID="1.2.3.4"), "another frame of reference"),
        (set_one(StudyInstanceUID="1.2.3.4"), "another study"),
        (set_one(PixelSpacing=["1.5", "1.9"]), "another pixel spacing"),
        (set_one(Rows=16, Columns=80), "another size"),
        (set_one(Modality="CT"), "another modality"),
    ],
)
def test_image_that_differs_from_the_others_is_refused(spoil, change, said):
    message = spoil(change)
    assert said in message
    assert "IM0005.dcm" in message


def test_tilted_gantry_is_refused(spoil):
    def change(datasets):
        for image in datasets:
            x, y, z = image.ImagePositionPatient
            image.ImagePositionPatient = [x, float(y) + 0.2 * float(z), z]

    assert "tilted gantry" in spoil(change)


def set_all(**values):
    def change(datasets):
        for image in datasets:
            for name, value in values.items():
                setattr(image, name, value)

    return change


def remove_all(*names):
    def change(datasets):
        for image in datasets:
            for name in names:
                delattr(image, name)

    return change


@pytest.mark.filterwarnings("ignore:Invalid value:UserWarning")  # of pydicom, while the bad series is written
@pytest.mark.parametrize(
    ("change", "said"),
    [
        (set_all(NumberOfFrames=18), "multi-frame"),
        (set_all(Modality="US"), "expected MR or CT images, got modality US"),
        (set_all(PhotometricInterpretation="PALETTE COLOR"), "gray values"),
        (set_all(ImageOrientationPatient=["1", "0", "0", "0.2", "0.98", "0"]), "at right angles"),
        (set_all(ImageOrientationPatient=["0"] * 6), "at right angles"),
        (set_all(PixelSpacing=["0", "0"]), "a pixel spacing between"),
        (set_all(PixelSpacing=["1", "nan"]), "2 numbers as PixelSpacing"),
        (set_all(ImagePositionPatient=["1", "2"]), "3 numbers as ImagePositionPatient"),
        (set_all(RescaleSlope="0"), "rescaled by 0"),
        (remove_all("PixelData"), "no pixel data"),
        (remove_all("ImagePositionPatient"), "no ImagePositionPatient"),
        (remove_all("FrameOfReferenceUID", "PixelSpacing"), "no FrameOfReferenceUID, PixelSpacing"),
        (set_all(PixelData=b"\0" * 100), "expected readable DICOM"),
    ],
)
def test_series_that_is_no_plain_scan_is_refused(spoil, change, said):
    assert said in spoil(change)


@pytest.mark.parametrize("syntax", [JPEG2000Lossless, JPEGLosslessSV1, RLELossless])
def test_compressed_pixels_are_refused_by_the_name_of_their_syntax(tmp_path, syntax):
    folder = tmp_path / "scan"
    for image in images(Phantom(shape=(16, 16, 3))):
        image.PixelData = pydicom.encaps.encapsulate([b"\0" * 64])
        image["PixelData"].VR = "OB"
        save(image, folder / f"{image.InstanceNumber}.dcm", syntax)
    message = refusal(folder)
    assert f"expected uncompressed pixels, got transfer syntax {syntax.name}; decompress" in message


def test_truncated_file_is_refused(tmp_path):
    folder = write_phantom(tmp_path / "scan")
    path = folder / "IM0004.dcm"
    path.write_bytes(path.read_bytes()[:-700])
    assert "IM0004.dcm" in refusal(folder)


def test_file_that_only_claims_to_be_dicom_is_refused(tmp_path):
    folder = write_phantom(tmp_path / "scan")
    (folder / "IM0004.dcm").write_bytes(b"no longer what it was" * 30)
    assert "(IM0004.dcm): expected readable DICOM" in refusal(folder)


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_converted_scan_opens_in_itk_where_the_series_does(tmp_path, orientation):
    from gliocast.pipeline.convert import convert_series

    folder = write_phantom(tmp_path / "scan", Phantom(orientation=orientation))
    convert_series(folder, tmp_path / "scan.nii.gz")
    image, converted = (
        sitk.ReadImage(sorted(map(str, folder.iterdir()))[::-1]),
        sitk.ReadImage(tmp_path / "scan.nii.gz"),
    )
    for index in ((0, 0, 0), (39, 31, 17), (7, 11, 13)):
        np.testing.assert_allclose(
            converted.TransformIndexToPhysicalPoint(index), image.TransformIndexToPhysicalPoint(index), atol=1e-3
        )
        assert converted[index] == image[index]
    qform, sform = (getattr(nib.load(tmp_path / "scan.nii.gz"), f"get_{form}")() for form in ("qform", "sform"))
    np.testing.assert_allclose(qform, sform, atol=1e-3)
