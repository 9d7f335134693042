import pickle

import pytest

from gliocast.core import ConvergenceError, InputError


@pytest.mark.parametrize("kind", [InputError, ConvergenceError])
def test_an_error_comes_back_from_another_process_as_it_was(kind):
    error = kind("file a.nii", expected="one", got="two", advice="do three")
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is kind
    assert str(again) == str(error) == "file a.nii: expected one, got two; do three"
    assert (again.subject, again.expected, again.got, again.advice) == ("file a.nii", "one", "two", "do three")
