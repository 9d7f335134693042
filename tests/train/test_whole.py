import pytest

from gliocast.core import InputError
from gliocast.train.whole import write_whole


def test_a_file_is_replaced_as_a_whole_or_stays_with_nothing_beside_it(tmp_path):
    path = tmp_path / "file"
    write_whole(path, b"one")
    write_whole(path, b"two")
    assert path.read_bytes() == b"two"
    (tmp_path / "folder").mkdir()
    with pytest.raises(InputError, match="output folder: expected a place that can be written"):
        write_whole(tmp_path / "folder", b"three")
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["file", "folder"]
