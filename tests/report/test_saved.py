import json
from dataclasses import fields, is_dataclass, replace

import numpy as np
import pytest

from gliocast.core import InputError
from gliocast.data import write_volume
from gliocast.observation import Misfit
from gliocast.planning import CoverageBand
from gliocast.report import SAVED, load_content, make_report, save_content


@pytest.fixture(scope="module")
def content(case, make_content, prior, maps, check, outlook, truth):
    """A report that shows everything there is to show."""
    plain = make_content(case)
    curve = plain.curve
    ends = (np.stack([0.9 * share, share]) for share in (curve.covered_by_margin, curve.covered_by_density))
    return replace(
        plain,
        band=CoverageBand(*ends, 48),
        prior=prior,
        maps=maps,
        check=check,
        outlook=outlook,
        replicated=check.shares_on(case.visit.grid),
        misfit=Misfit(None, 0.8, 1.0, 2.0, 3.0, 2, 1, 0.4),
        truth=truth,
        warnings=("one",),
    )


@pytest.fixture
def folder(content, tmp_path):
    """With the images that a run writes beside it."""
    images = {"density.nii.gz": content.density.data, "gtv.nii.gz": content.plan["gtv"]}
    for name, data in images.items():
        write_volume(tmp_path / name, data.astype(np.float32), content.visit.grid)
    save_content(tmp_path / SAVED, content, images=images)
    return tmp_path


def assert_same(a, b, where="content"):
    assert type(a) is type(b) or isinstance(a, list | tuple | dict), where
    if isinstance(a, np.ndarray):
        assert a.dtype == b.dtype, where
        np.testing.assert_array_equal(a, b, err_msg=where)
    elif is_dataclass(a):
        for field in fields(a):
            assert_same(getattr(a, field.name), getattr(b, field.name), f"{where}.{field.name}")
    elif isinstance(a, dict):
        assert list(a) == list(b), where
        for key in a:
            assert_same(a[key], b[key], f"{where}[{key}]")
    elif isinstance(a, list | tuple):
        assert len(a) == len(b), where
        for n, (one, other) in enumerate(zip(a, b, strict=True)):
            assert_same(one, other, f"{where}[{n}]")
    else:
        assert a == b, where


def test_what_was_saved_is_what_was_shown(content, folder):
    assert_same(content, load_content(folder))


@pytest.mark.parametrize("name", ["density.nii.gz", SAVED])
def test_a_missing_file_is_named(folder, name):
    (folder / name).unlink()
    with pytest.raises(InputError, match=name.removesuffix(".nii.gz")):
        load_content(folder)


def test_no_folder_is_an_error(tmp_path):
    with pytest.raises(InputError, match="no folder of that name"):
        load_content(tmp_path / "none")


def test_an_image_of_another_patient_is_refused(folder, content):
    grid = content.visit.grid.crop((1, 0, 0), content.visit.grid.shape)
    write_volume(folder / "density.nii.gz", content.density.data[1:], grid)
    with pytest.raises(InputError, match="another grid"):
        load_content(folder)


@pytest.mark.parametrize("damage", ["cut", "layout", "class", "field"])
def test_damage_is_an_error_and_runs_nothing(folder, damage):
    path = folder / SAVED
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:-2000])
    else:
        arrays = dict(np.load(path))
        record = json.loads(bytes(arrays["tree"]))
        if damage == "layout":
            record["layout"] = 99
        elif damage == "class":
            record["content"] = {"class": "Popen", "fields": {"args": "true"}}
        else:
            record["content"]["fields"]["surprise"] = 1
        arrays["tree"] = np.frombuffer(json.dumps(record).encode(), dtype=np.uint8)
        np.savez(path, **arrays)
    with pytest.raises(InputError, match="results"):
        load_content(folder)


def test_what_was_saved_before_there_was_an_outlook_is_shown_without_one(folder, content):
    """As layout 2 had it: the same fields but one."""
    path = folder / SAVED
    arrays = dict(np.load(path))
    record = json.loads(bytes(arrays["tree"]))
    record["layout"] = 2
    del record["content"]["fields"]["outlook"]
    arrays["tree"] = np.frombuffer(json.dumps(record).encode(), dtype=np.uint8)
    np.savez(path, **arrays)
    assert_same(replace(content, outlook=None), load_content(folder))


def test_paths_are_not_saved(content, folder, tmp_path):
    named = replace(content.visit.labels, path=tmp_path / "DOE_JANE.nii.gz")
    save_content(folder / SAVED, replace(content, visit=replace(content.visit, labels=named)), images={})
    assert b"DOE_JANE" not in bytes(np.load(folder / SAVED)["tree"])
    assert load_content(folder).visit.labels.path is None


def test_same_content_gives_same_bytes(content, folder, tmp_path):
    save_content(tmp_path / "again.npz", content, images={})
    save_content(tmp_path / "twice.npz", content, images={})
    assert (tmp_path / "again.npz").read_bytes() == (tmp_path / "twice.npz").read_bytes()


def test_page_is_made_again_to_the_byte(content, folder, monkeypatch):
    """Without figures, which take seconds and show what is the same."""
    monkeypatch.setattr("gliocast.report.html.make_figures", lambda _: {})
    assert make_report(content).page == make_report(load_content(folder)).page
