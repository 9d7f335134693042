"""Tables of volumes: what is read, and how each fault is named."""

import numpy as np
import pytest

from gliocast.core import InputError, VolumeCourse
from gliocast.data import ColumnNames, read_volumes

GOOD = "day,volume_mm3\n-21,5200\n0,4800.5\n41,0\n"


@pytest.fixture
def table(tmp_path):
    def write(text, name="volumes.csv"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


def test_plain_table_is_one_patient(table):
    (course,) = read_volumes(table(GOOD))
    assert course.number == 1
    np.testing.assert_array_equal(course.days, [-21, 0, 41])
    np.testing.assert_array_equal(course.volumes, [5200, 4800.5, 0])


@pytest.mark.parametrize(
    "text",
    [
        GOOD.replace("\n", "\r\n"),
        "\ufeff" + GOOD,
        GOOD.replace("0,4800.5\n", "\n 0 , 4.8005e3 \n,\n"),
        "note,T_days,Lesion_vol\n" + "".join(f'"a, b",{row}\n' for row in GOOD.splitlines()[1:]),
    ],
    ids=["windows", "byte order mark", "blanks", "other names and a quoted comma"],
)
def test_what_spreadsheets_write_reads_the_same(table, text):
    (course,) = read_volumes(table(text))
    np.testing.assert_array_equal(course.days, [-21, 0, 41])
    np.testing.assert_array_equal(course.volumes, [5200, 4800.5, 0])


MANY = "Pt_hashID,T_days,Lesion_vol\nb,0,1\na,0,2\nb,1,3\na,1,4\nb,2,5\na,2,6\n"


def test_patients_may_alternate_and_are_numbered_in_the_order_of_the_file(table):
    first, second = read_volumes(table(MANY))
    assert (first.number, second.number) == (1, 2)
    np.testing.assert_array_equal(first.volumes, [1, 3, 5])
    np.testing.assert_array_equal(second.volumes, [2, 4, 6])


def test_one_patient_of_many_keeps_its_number_and_others_arent_checked(table):
    (course,) = read_volumes(table(MANY.replace("b,1,3", "b,1,-3")), patient="a")
    assert course.number == 2


def test_columns_can_be_named(table):
    path = table("who,when,how much\nx,0,1\nx,1,2\nx,2,3\n")
    (course,) = read_volumes(path, columns=ColumnNames(day="when", volume="how much", patient="who"))
    np.testing.assert_array_equal(course.volumes, [1, 2, 3])


def test_faulty_patients_can_be_left_out_with_their_fault(table):
    faults = []
    (course,) = read_volumes(table(MANY.replace("b,1,3", "b,1,-3")), on_fault=faults.append)
    assert course.number == 2
    assert ["line 4" in str(fault) for fault in faults] == [True]


FAULTS = {
    "empty file": ("", "expected a header, got an empty file"),
    "header alone": ("day,volume_mm3\n", "at least one row below the header"),
    "no volume": (
        "day,size\n0,1\n",
        "line 1: expected one column named volume_mm3 or Lesion_vol, got none among day, size",
    ),
    "case differs": (GOOD.replace("day", "Day"), "line 1: expected one column named day or days or T_days, got none"),
    "two day columns": ("day,T_days,volume_mm3\n0,0,1\n", "got 2 among day, T_days, volume_mm3"),
    "semicolons": (GOOD.replace(",", ";"), "line 1: expected one column named day"),
    "decimal comma": (GOOD.replace("4800.5", "4800,5"), "line 3: expected 2 cells, as the header has, got 3"),
    "short row": ("day,volume_mm3,x\n0,1,\n1,2\n", "line 3: expected 3 cells, as the header has, got 2"),
    "text": (GOOD.replace("4800.5", "about 5"), "line 3: expected a volume, a number, got 'about 5'"),
    "text as day": (GOOD.replace("-21", "baseline"), "line 2: expected a day, a number, got 'baseline'"),
    "underscore": (GOOD.replace("4800.5", "4_800"), "line 3: expected a volume, a number, got '4_800'"),
    "empty cell": (GOOD.replace("4800.5", ""), "line 3: expected a volume, a number, got an empty cell"),
    "nan": (GOOD.replace("4800.5", "NaN"), "line 3: expected a volume, a number, got 'NaN'"),
    "infinite": (GOOD.replace("41", "inf"), "line 4: expected a day, a number, got 'inf'"),
    "negative": (GOOD.replace("4800.5", "-1"), r"line 3: expected a volume of 0 to 1e\+07 mm\^3, got -1"),
    "wrong unit": (GOOD.replace("4800.5", "4.8e9"), r"line 3: expected a volume of 0 to 1e\+07 mm\^3, got 4.8e\+09"),
    "same day": (
        GOOD.replace("41", "0"),
        r"line 4: expected one row for each day of a patient, got day 0 again \(line 3\)",
    ),
    "unsorted": (GOOD.replace("41", "-5"), r"line 4: expected a day after 0 \(line 3\), got -5; sort the rows"),
    "two visits": (
        GOOD.replace("41,0\n", ""),
        "line 3: expected at least 3 visits of each patient, got 2 of patient 1",
    ),
    "no patient": (MANY.replace("a,1", ",1"), "line 5: expected a patient, got an empty cell"),
    "not text": (b"\xff\xfe" + GOOD.encode("utf-16-le"), "expected text in UTF-8"),
    "open quote": (GOOD + '"50,1\n', "expected a CSV file that can be read"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_is_named_with_its_line(table, fault):
    text, message = FAULTS[fault]
    with pytest.raises(InputError, match=message) as caught:
        read_volumes(table(text))
    assert str(caught.value).isprintable()
    assert str(caught.value).startswith("table volumes.csv")


def test_patient_who_isnt_there_is_refused_without_listing_the_others(table):
    with pytest.raises(InputError, match="rows of the patient asked for") as caught:
        read_volumes(table(MANY.replace("a,", "jane,")), patient="c")
    assert "jane" not in str(caught.value)


def test_no_fault_message_names_a_patient(table):
    with pytest.raises(InputError, match="line 4") as caught:
        read_volumes(table(MANY.replace("b,", "jane,").replace("jane,1,3", "jane,1,-3")))
    assert "jane" not in str(caught.value)


def test_table_of_faults_alone_is_refused(table):
    with pytest.raises(InputError, match="faults in all 1"):
        read_volumes(table(GOOD.replace("4800.5", "-1")), on_fault=lambda fault: None)


@pytest.mark.parametrize("name", ["missing.csv", ".", "a\0b"])
def test_file_that_isnt_there_is_refused(tmp_path, name):
    with pytest.raises(InputError, match="a CSV file that can be read"):
        read_volumes(tmp_path / name)


@pytest.mark.parametrize(
    ("days", "volumes"), [([0, 1], [1]), ([1, 0], [1, 1]), ([0, 1], [1, -1]), ([0, np.nan], [1, 1])]
)
def test_a_course_is_ascending_days_with_volumes(days, volumes):
    with pytest.raises(InputError, match="patient 1"):
        VolumeCourse(1, np.array(days, dtype=float), np.array(volumes, dtype=float))
