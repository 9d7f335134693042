import stat
from pathlib import Path

import pytest

from gliocast.core import InputError
from gliocast.data import whole_file, whole_folder


def snapshot(folder):
    return {str(path.relative_to(folder)): path.read_text() if path.is_file() else None for path in folder.rglob("*")}


def fill(folder, text="new"):
    (folder / "sub").mkdir()
    (folder / "report.html").write_text(text)
    (folder / "sub" / "density.txt").write_text(text)


def interrupted(opener, path, write, error):
    with opener(path) as stage:
        write(stage)
        raise error


NEW = {"report.html": "new", "sub": None, "sub/density.txt": "new"}


def test_new_folder_appears_whole_with_its_parents(tmp_path):
    target = tmp_path / "a" / "b"
    with whole_folder(target) as stage:
        fill(stage)
        assert stage.name.startswith(".")
        assert not (tmp_path / "a").exists()
        assert stage.stat().st_dev == tmp_path.stat().st_dev
    assert snapshot(target) == NEW
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_new_folder_has_ordinary_permissions(tmp_path):
    (tmp_path / "ordinary").mkdir()
    with whole_folder(tmp_path / "new") as stage:
        fill(stage)
    modes = {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("ordinary", "new")}
    assert len(modes) == 1


def test_files_are_moved_into_a_folder_that_exists(tmp_path):
    (tmp_path / "report.html").write_text("old")
    (tmp_path / "other.txt").write_text("mine")
    with whole_folder(tmp_path) as stage:
        fill(stage)
        assert (tmp_path / "report.html").read_text() == "old"
    assert snapshot(tmp_path) == NEW | {"other.txt": "mine"}


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("name", ["new/deep", "existing"])
def test_any_exception_leaves_everything_as_it_was(tmp_path, error, name):
    (tmp_path / "existing").mkdir()
    (tmp_path / "existing" / "report.html").write_text("old")
    before = snapshot(tmp_path)
    with pytest.raises(error):
        interrupted(whole_folder, tmp_path / name, fill, error)
    assert snapshot(tmp_path) == before


def test_failure_in_the_middle_of_the_move_is_undone(tmp_path):
    (tmp_path / "report.html").write_text("old")
    (tmp_path / "z.txt").mkdir()
    before = snapshot(tmp_path)
    context = whole_folder(tmp_path)
    stage = context.__enter__()
    fill(stage)
    (stage / "z.txt").write_text("can't replace a folder")
    with pytest.raises(InputError, match="directory"):
        context.__exit__(None, None, None)
    assert snapshot(tmp_path) == before


def test_target_that_appears_meanwhile_is_merged_into(tmp_path):
    with whole_folder(tmp_path / "out") as stage:
        fill(stage)
        (tmp_path / "out").mkdir()
        (tmp_path / "out" / "other.txt").write_text("mine")
    assert snapshot(tmp_path / "out") == NEW | {"other.txt": "mine"}


def test_place_that_cannot_be_written_is_refused_at_entry(tmp_path):
    (tmp_path / "file").write_text("old")
    before = snapshot(tmp_path)
    (tmp_path / "circle").symlink_to(tmp_path / "circle")
    bad = [tmp_path / "file", tmp_path / "file" / "x" / "y", "a\0b", tmp_path / ("n" * 300)]
    bad += ["/proc/x", "/proc/x/y"] if Path("/proc/self").exists() else []
    for opener in (whole_folder, whole_file):
        for path in bad if opener is whole_folder else bad[1:]:
            with pytest.raises(InputError) as caught:
                opener(path).__enter__()
            assert str(caught.value).isprintable()
    (tmp_path / "circle").unlink()
    assert snapshot(tmp_path) == before


def test_relative_target_survives_a_change_of_the_working_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with whole_folder("out") as stage:
        fill(stage)
        monkeypatch.chdir("/")
    assert snapshot(tmp_path / "out") == NEW


def test_file_appears_whole_and_keeps_its_name_meanwhile(tmp_path):
    target = tmp_path / "a" / "density.nii.gz"
    for text in ("first", "second"):
        with whole_file(target) as path:
            assert path.name == "density.nii.gz"
            path.write_text(text)
        assert snapshot(tmp_path) == {"a": None, "a/density.nii.gz": text}


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_failed_file_leaves_the_old_one(tmp_path, error):
    target = tmp_path / "plan.txt"
    target.write_text("old")
    for path in (target, tmp_path / "new" / "plan.txt"):
        with pytest.raises(error):
            interrupted(whole_file, path, lambda stage: stage.write_text("new"), error)
    assert snapshot(tmp_path) == {"plan.txt": "old"}


def test_file_never_replaces_a_folder_or_device(tmp_path):
    for path in (tmp_path, "/dev/null"):
        with pytest.raises(InputError):
            whole_file(path).__enter__()
    assert Path("/dev/null").is_char_device()
