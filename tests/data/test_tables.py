"""JSON files of objects."""

import pytest

from gliocast.data import read_table, write_json


def test_what_was_written_is_read(tmp_path):
    content = {"unit": "mm²", "values": [0.1, None], "inner": {"kept": True}}
    write_json(tmp_path / "a.json", content)
    assert read_table(tmp_path / "a.json") == content
    assert (tmp_path / "a.json").read_text(encoding="utf-8").endswith("}\n")


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_a_number_without_a_word_in_json_is_refused_and_nothing_written(number, tmp_path):
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "a.json", {"value": number})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", ["[1]", "3", "{", ""])
def test_anything_but_an_object_is_refused(text, tmp_path):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(ValueError, match=r"no object|Expect"):
        read_table(tmp_path / "a.json")
