"""Images that are written open in ITK (ITK-SNAP, 3D Slicer) where the T1 lies, however it lies."""

from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
from scipy.spatial.transform import Rotation
from tests.docs.test_outputs import TRUTH, make_findings

from gliocast.core import Anatomy, Density, Grid, Silence, block_mean
from gliocast.data import Naming, find_results, open_series, read_patient, write_volume
from gliocast.pipeline import PlanFiles, TargetChoices, deliver, plan_to_folder, run
from gliocast.pipeline.deliver import Options
from gliocast.problem import GrownSamples

#: From RAS, which NIfTI and gliocast speak, to LPS, which ITK does.
LPS = np.array([-1.0, -1.0, 1.0])
QFORM_CODE, SFORM_CODE = 1, 2
#: Points that ITK finds of the header's single-precision numbers [mm].
TOLERANCE = 1e-3


def oblique(arrays, affine):
    """The head turned about all axes around its tumor."""
    turn = np.eye(4)
    turn[:3, :3] = Rotation.from_euler("xyz", (17, -11, 23), degrees=True).as_matrix()
    center = np.array(TRUTH.seed)
    turn[:3, 3] = center - turn[:3, :3] @ center
    return arrays, turn @ affine


def anisotropic(arrays, affine):
    """Every second slice."""
    return {name: array[:, :, ::2] for name, array in arrays.items()}, affine @ np.diag([1.0, 1.0, 2.0, 1.0])


def left_handed(arrays, affine):
    """One axis runs the other way: a negative determinant."""
    flip = np.diag([-1.0, 1.0, 1.0, 1.0])
    flip[0, 3] = arrays["t1"].shape[0] - 1
    return {name: array[::-1] for name, array in arrays.items()}, affine @ flip


def permuted(arrays, affine):
    """Slices are sagittal."""
    order = [2, 0, 1]
    return {name: array.transpose(order) for name, array in arrays.items()}, affine[:, [*order, 3]]


def all_of_it(arrays, affine):
    """Thick slices, permuted, left-handed and oblique."""
    for change in (anisotropic, permuted, left_handed, oblique):
        arrays, affine = change(arrays, affine)
    return arrays, affine


CHANGES = {change.__name__: change for change in (oblique, anisotropic, left_handed, permuted, all_of_it)}


@pytest.fixture(scope="module", params=CHANGES)
def written(request, small_patient_arrays, small_patient_affine, tmp_path_factory):
    """Folder of the scans, and folders that `run` and `plan` wrote, in both layouts."""
    folder = tmp_path_factory.mktemp(request.param)
    (folder / "scans").mkdir()
    arrays, affine = CHANGES[request.param](small_patient_arrays, small_patient_affine)
    for name, array in arrays.items():
        image = nib.Nifti1Image(np.ascontiguousarray(array), affine)
        image.set_qform(affine, QFORM_CODE)
        image.set_sform(affine, SFORM_CODE)
        image.header.set_xyzt_units("mm", "sec")
        nib.save(image, folder / "scans" / f"{name}.nii.gz")
    patient = read_patient(folder / "scans", labels="brats-2021")
    findings = make_findings(patient)
    factors = tuple(2 if n % 2 == 0 else 1 for n in findings.visit.grid.shape)
    coarse = Density(block_mean(findings.density.data, factors), findings.visit.grid.coarsen(factors))
    brain = findings.visit.brain
    tissue = Anatomy(*(np.float32(share) * brain for share in (0.8, 0.1, 0.1)), brain, findings.visit.grid)
    unsegmented = replace(findings.visit, labels=replace(findings.visit.labels, path=None))
    findings = replace(
        findings,
        visit=unsegmented,
        anatomy=replace(findings.anatomy, anatomy=tissue),
        grown=GrownSamples(findings.posterior.mode[None], (coarse, coarse)),
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(deliver, "personalize", lambda *_: findings)
        patch.setattr(deliver, "write_report", lambda *_, **__: None)
        for layout, naming in (("plain", None), ("bids", Naming())):
            run(patient, folder / layout, options=Options(keep_samples=True), naming=naming)
            path = find_results(folder / layout).path
            maps = tuple(path(f"{name}.nii.gz") for name in ("white_matter", "gray_matter", "csf"))
            barriers = (path("falx.nii.gz"), path("tentorium.nii.gz"))
            files = PlanFiles(path("density.nii.gz"), path("segmentation.nii.gz"), maps, *barriers)
            choices = TargetChoices(guideline="rtog")
            plan_to_folder(folder / f"{layout}-plan", files, choices, labels=None, naming=naming, monitor=Silence())
    return folder


def images_of(folder):
    """Images by plain name, of both layouts and verbs."""
    for place in ("plain", "bids", "plain-plan", "bids-plan"):
        results = find_results(folder / place)
        names = results.images()
        assert len(names) == len(list(results.folder.rglob("*.nii.gz"))) >= 8
        for name in names:
            yield name, results.path(name)


def test_itk_opens_every_image_where_the_t1_lies(written):
    reference = sitk.ReadImage(str(written / "scans" / "t1.nii.gz"))
    affine = nib.load(written / "scans" / "t1.nii.gz").affine
    generator = np.random.default_rng(0)
    for name, path in images_of(written):
        image = sitk.ReadImage(str(path))
        if name == "density_samples.nii.gz":
            continue
        assert image.GetSize() == reference.GetSize(), name
        for part in ("Origin", "Spacing", "Direction"):
            assert getattr(image, f"Get{part}")() == getattr(reference, f"Get{part}")(), name
        for index in generator.integers(0, image.GetSize(), size=(20, 3)).tolist():
            point = np.array(image.TransformIndexToPhysicalPoint(index)) * LPS
            np.testing.assert_allclose(point, affine[:3, :3] @ index + affine[:3, 3], atol=TOLERANCE)


def test_forms_and_codes_are_those_of_the_t1(written):
    reference = nib.load(written / "scans" / "t1.nii.gz")
    for name, path in images_of(written):
        if name == "density_samples.nii.gz":
            continue
        image = nib.load(path)
        assert (image.header["qform_code"], image.header["sform_code"]) == (QFORM_CODE, SFORM_CODE), name
        for form in ("get_qform", "get_sform"):
            np.testing.assert_array_equal(getattr(image, form)(), getattr(reference, form)())


def test_samples_on_coarser_voxels_lie_in_the_same_head(written):
    affine, shape = (nib.load(written / "scans" / "t1.nii.gz").affine, sitk.ReadImage(str(written / "scans/t1.nii.gz")))
    samples = sitk.ReadImage(str(written / "plain" / "density_samples.nii.gz"))
    assert samples.GetDimension() == 4
    factors = np.round(np.array(shape.GetSize()) / samples.GetSize()[:3])
    for index in ((0, 0, 0), (3, 5, 7)):
        point = np.array(samples.TransformIndexToPhysicalPoint([*index, 0]))[:3] * LPS
        middle = np.array(index) * factors + (factors - 1) / 2  # of the block of voxels
        np.testing.assert_allclose(point, affine[:3, :3] @ middle + affine[:3, 3], atol=TOLERANCE)


@pytest.mark.parametrize("seed", range(3))
def test_itk_finds_the_axes_orthonormal_of_any_rotation(seed, tmp_path):
    """Of images whose grid is that of no file; single precision leaves hundredths of a millimeter."""
    generator = np.random.default_rng(seed)
    for turn in Rotation.random(20, random_state=generator).as_matrix():
        affine = np.eye(4)
        signs = generator.choice([-1.0, 1.0], 3)
        affine[:3, :3] = turn * signs * generator.uniform(0.2, 10, 3)
        affine[:3, 3] = generator.normal(0, 100, 3)
        grid = Grid((16, 17, 18), affine)
        data = np.zeros(grid.shape, dtype=np.float32)
        write_volume(tmp_path / "volume.nii.gz", data, grid)
        with open_series(tmp_path / "series.nii.gz", grid, days=(0.0, 1.0)) as append:
            append(data)
            append(data)
        for name in ("volume", "series"):
            image = sitk.ReadImage(str(tmp_path / f"{name}.nii.gz"))
            index = [15, 16, 17, *[0] * (image.GetDimension() - 3)]
            point = np.array(image.TransformIndexToPhysicalPoint(index))[:3] * LPS
            np.testing.assert_allclose(point, grid.world_from_voxel(index[:3]), atol=0.05)
