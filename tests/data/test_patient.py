import hashlib

import nibabel as nib
import numpy as np
import pytest

from gliocast.core import MODALITIES, InputError, Patient
from gliocast.data import brain_mask, describe, read_patient, read_patient_files, read_volume, require_brain


@pytest.fixture
def change(save_nifti):
    """A function that rewrites the voxels of a file."""

    def rewrite(path, edit, affine=None):
        image = nib.load(path)
        array = np.asarray(image.dataobj).copy()
        result = edit(array)
        return save_nifti(path, array if result is None else result, image.affine if affine is None else affine)

    return rewrite


def same(array):
    return array


def refusal(folder, labels="brats-2021"):
    with pytest.raises(InputError) as caught:
        read_patient(folder, labels=labels)
    assert str(caught.value).isprintable()
    assert str(folder) not in str(caught.value)
    return str(caught.value)


def test_patient_holds_raw_intensities_with_their_paths(small_patient_folder):
    patient = read_patient(small_patient_folder, labels="brats-2021")
    assert isinstance(patient, Patient)
    assert (patient.id, patient.warnings) == ("patient-small", ())
    (visit,) = patient.visits
    assert tuple(visit.scans) == MODALITIES
    for modality, scan in visit.scans.items():
        path = small_patient_folder / f"{modality}.nii.gz"
        assert scan.path == path
        assert scan.volume.data.dtype == np.float32
        np.testing.assert_array_equal(scan.volume.data, np.asarray(nib.load(path).dataobj))
    np.testing.assert_array_equal(visit.brain, visit["t1"].volume.data != 0)


def test_files_named_one_by_one_are_the_same_patient(small_patient_folder):
    files = {key: str(small_patient_folder / f"{key}.nii.gz") for key in (*MODALITIES, "seg")}
    patient = read_patient_files(**files, labels="brats-2021", id="pseudonym")
    assert patient.id == "pseudonym"
    np.testing.assert_array_equal(patient.visits[0].brain, read_patient(small_patient_folder).visits[0].brain)


def test_reading_changes_no_input(small_patient_folder):
    def digests():
        return {path: hashlib.sha256(path.read_bytes()).digest() for path in small_patient_folder.iterdir()}

    before = digests()
    read_patient(small_patient_folder)
    assert digests() == before


def test_guess_of_the_labels_is_a_warning(small_patient_folder):
    assert any("brats-2021" in warning for warning in read_patient(small_patient_folder).warnings)


def test_swapped_labels_are_a_warning(small_patient_folder):
    warnings = read_patient(small_patient_folder, labels="swapped").warnings
    assert any("swapped" in warning and "T1c" in warning for warning in warnings)


def test_description_says_what_was_understood(small_patient_folder):
    text = "\n".join(describe(read_patient(small_patient_folder)))
    for words in ("56x64x50 at 3x3x3 mm", "LPS", "brats-2021 (1 necrosis", "enhancing 7.", "brain 14"):
        assert words in text
    assert "cavity" not in text


def test_shifted_grid_is_refused_by_name_with_both_grids(small_patient_folder, change, small_patient_affine):
    shifted = small_patient_affine.copy()
    shifted[0, 3] += 5
    # t1 is the first one read: the odd one out is still the one named
    change(small_patient_folder / "t1.nii.gz", same, shifted)
    message = refusal(small_patient_folder)
    assert message.startswith("t1 (t1.nii.gz): expected the grid of t1c (56x64x50")
    assert "origin (82.5, 94.5" in message
    assert "origin (87.5, 94.5" in message


def test_cropped_segmentation_is_refused_by_name(small_patient_folder, change):
    change(small_patient_folder / "seg.nii.gz", lambda array: array[:-1])
    assert refusal(small_patient_folder).startswith("seg (seg.nii.gz): expected the grid of t1 ")


def test_grids_whose_short_descriptions_agree_are_told_apart(small_patient_folder, change, small_patient_affine):
    sheared = small_patient_affine.copy()
    sheared[0, 1] = 0.01
    change(small_patient_folder / "t2.nii.gz", same, sheared)
    assert "affine [[-3.0, 0.01, 0.0" in refusal(small_patient_folder)


def test_head_with_skull_is_refused(small_patient_folder, change):
    for modality in MODALITIES:
        change(small_patient_folder / f"{modality}.nii.gz", lambda array: array + np.int16(3))
    assert "not skull-stripped; run a brain extraction first" in refusal(small_patient_folder)


def test_brain_mask_as_segmentation_is_refused(small_patient_folder, change):
    brain = np.asarray(nib.load(small_patient_folder / "t1.nii.gz").dataobj) != 0
    change(small_patient_folder / "seg.nii.gz", lambda _: brain.astype(np.uint8))
    assert "less than 50% of the brain, got labels over 100%" in refusal(small_patient_folder)


def test_lesion_outside_of_the_brain_is_refused(small_patient_folder, change):
    change(small_patient_folder / "seg.nii.gz", lambda array: np.roll(array, 14, axis=2))
    assert "expected a tumor inside the brain" in refusal(small_patient_folder)


def test_lesion_partly_outside_of_the_brain_is_a_warning(small_patient_folder, change):
    change(small_patient_folder / "seg.nii.gz", lambda array: np.roll(array, 7, axis=2))
    warnings = read_patient(small_patient_folder, labels="brats-2021").warnings
    assert any("lies outside of the brain" in warning for warning in warnings)


def test_label_map_as_scan_is_refused(small_patient_folder, change):
    seg = np.asarray(nib.load(small_patient_folder / "seg.nii.gz").dataobj)
    change(small_patient_folder / "t2.nii.gz", lambda array: seg + (array != 0))
    assert refusal(small_patient_folder).startswith("t2 (t2.nii.gz): expected the gray values of a scan")


def test_one_image_as_two_modalities_and_a_cut_scan_are_warnings(small_patient_folder, change):
    (small_patient_folder / "t2.nii.gz").write_bytes((small_patient_folder / "t1.nii.gz").read_bytes())
    change(small_patient_folder / "flair.nii.gz", lambda array: array[..., :20].fill(0))
    warnings = read_patient(small_patient_folder, labels="brats-2021").warnings
    assert "t1 and t2 are the same image" in warnings
    assert any("flair is zero in" in warning for warning in warnings)


def test_warning_about_all_headers_is_given_once(small_patient_folder):
    for path in small_patient_folder.iterdir():
        image = nib.load(path)
        image.header["qform_code"] = image.header["sform_code"] = 0
        nib.save(nib.Nifti1Image(np.asarray(image.dataobj), None, image.header), path)
    (warning,) = read_patient(small_patient_folder, labels="brats-2021").warnings
    assert warning.startswith("t1, t1c, t2, flair, seg: the header has no orientation")


def test_real_patients_are_read_without_surprise(shared_data):
    for name, brain in (("tcga-fg-6692", "1603 ml"), ("tcga-du-7294", "1246 ml")):
        patient = read_patient(shared_data / name, labels="brats-2021")
        assert patient.warnings == ()
        assert any(brain in line for line in describe(patient))


def test_real_native_scans_are_refused(shared_data):
    folder = shared_data / "tcga-fg-6692-native"
    files = {modality: folder / f"{modality}.nii.gz" for modality in MODALITIES}
    with pytest.raises(InputError, match="expected the grid of"):
        read_patient_files(**files, seg=shared_data / "tcga-fg-6692" / "seg.nii.gz")
    t1 = read_volume(files["t1"], "t1")
    with pytest.raises(InputError, match="not skull-stripped"):
        require_brain(brain_mask([t1]), t1.grid, t1)
