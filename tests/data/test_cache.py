import hashlib

import numpy as np
import pytest

from gliocast.data import cache_folder, content_key, file_hash, load_arrays, store_arrays

KEY = content_key("test")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("GLIOCAST_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_arrays_come_back_as_stored(cache):
    warp = np.asfortranarray(np.random.default_rng(0).standard_normal((4, 5, 6)).astype(np.float32))
    mask = np.array(True)
    assert load_arrays(KEY) is None
    store_arrays(KEY, warp=warp, mask=mask)
    loaded = load_arrays(KEY)
    assert loaded is not None
    assert list(loaded) == ["warp", "mask"]
    np.testing.assert_array_equal(loaded["warp"], warp)
    assert (loaded["warp"].dtype, loaded["mask"].dtype) == (np.float32, bool)
    assert [path.name for path in cache.iterdir()] == [f"{KEY}.npz"]


@pytest.mark.parametrize("damage", ["truncated", "garbage", "empty", "flipped"])
def test_damaged_entry_counts_as_absent_and_is_removed(cache, damage):
    store_arrays(KEY, values=np.arange(1000))
    (entry,) = cache.iterdir()
    content = bytearray(entry.read_bytes())
    flipped = content.copy()
    flipped[len(content) // 2] ^= 1
    entry.write_bytes({"truncated": content[:-50], "garbage": b"x" * 500, "empty": b"", "flipped": flipped}[damage])
    assert load_arrays(KEY) is None
    assert not entry.exists()


def test_pickled_entry_is_never_loaded(cache):
    cache.mkdir()
    np.savez(cache / f"{KEY}.npz", values=np.array([{"a": 1}], dtype=object))
    assert load_arrays(KEY) is None


def test_cache_that_cannot_be_written_is_no_error(cache, monkeypatch):
    cache.write_text("a file in its place")
    store_arrays(KEY, values=np.arange(3))
    assert load_arrays(KEY) is None
    for variable in ("GLIOCAST_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr("pathlib.Path.home", lambda: (_ for _ in ()).throw(RuntimeError("no home")))
    store_arrays(KEY, values=np.arange(3))
    assert load_arrays(KEY) is None


def test_failed_write_leaves_nothing(cache, monkeypatch):
    def fail(*_, **__):
        raise OSError("disk full")

    monkeypatch.setattr(np, "savez", fail)
    store_arrays(KEY, values=np.arange(3))
    assert list(cache.iterdir()) == []


def test_folder_follows_the_environment(tmp_path, monkeypatch, cache):
    assert cache_folder() == cache
    monkeypatch.delenv("GLIOCAST_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder() == tmp_path / "xdg" / "gliocast"
    for value in ("", "relative"):
        monkeypatch.setenv("XDG_CACHE_HOME", value)
        monkeypatch.setenv("HOME", str(tmp_path))
        assert cache_folder() == tmp_path / ".cache" / "gliocast"


def test_equal_content_has_equal_keys():
    array = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    assert content_key(array, 1.5, "a") == content_key(np.asfortranarray(array), np.float64(1.5), "a")
    assert content_key((1, 2)) == content_key([1, 2])
    assert len(KEY) == 64


def test_different_content_has_different_keys():
    array = np.arange(4)
    parts = [
        *[(array,), (array + 1,), (array.reshape(2, 2),), (array.astype(np.int32),), (array[:0],), (np.array(3),)],
        *[("ab",), ("a", "b"), ("a", ("b",)), (("a", "b"),), ("",), (), ("str 1 a",)],
        *[(1,), (1.0,), ("1",), (True,), (None,), (float("nan"),), (-0.0,), (0.0,)],
    ]
    assert len({content_key(*part) for part in parts}) == len(parts)


def test_part_without_meaning_as_content_is_refused():
    for part in (object(), {"a": 1}, np.array([object()])):
        with pytest.raises(TypeError):
            content_key(part)


def test_file_hash_is_sha256(tmp_path):
    (tmp_path / "file").write_bytes(b"abc")
    assert file_hash(tmp_path / "file") == hashlib.sha256(b"abc").hexdigest()
