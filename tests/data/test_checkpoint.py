import json

import numpy as np
import pytest

from gliocast.core import InputError
from gliocast.data import Checkpoint, generator_state, load_checkpoint, restore_generator, save_checkpoint

RUN = {"options": "a", "seed": "b"}
STAND = Checkpoint({"points": np.array([[0.1, -np.inf], [np.pi, 2.0]]), "rows": np.arange(3)}, {"height": 0.1 + 0.2})


def test_what_was_saved_comes_back_to_the_bit(tmp_path):
    save_checkpoint(tmp_path / "new" / "run.npz", STAND, run=RUN)
    back = load_checkpoint(tmp_path / "new" / "run.npz", run=RUN)
    assert back.meta == STAND.meta
    assert {name: values.tobytes() for name, values in back.arrays.items()} == {
        name: values.tobytes() for name, values in STAND.arrays.items()
    }
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["run.npz"]


def test_no_file_is_no_checkpoint(tmp_path):
    assert load_checkpoint(tmp_path / "run.npz", run=RUN) is None


def test_another_run_is_refused_by_what_differs(tmp_path):
    save_checkpoint(tmp_path / "run.npz", STAND, run=RUN)
    with pytest.raises(InputError, match=r"differs in data, seed; .*delete"):
        load_checkpoint(tmp_path / "run.npz", run={**RUN, "seed": "c", "data": "d"})


@pytest.mark.parametrize("share", [0.0, 0.3, 0.99])
def test_a_truncated_file_is_refused(tmp_path, share):
    path = tmp_path / "run.npz"
    save_checkpoint(path, STAND, run=RUN)
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(InputError, match=r"run\.npz: expected a whole checkpoint, got a damaged file; delete it"):
        load_checkpoint(path, run=RUN)


def test_a_flipped_bit_is_noticed_wherever_it_is(tmp_path):
    path = tmp_path / "run.npz"
    save_checkpoint(path, STAND, run=RUN)
    whole = path.read_bytes()
    for position in range(0, len(whole), 41):
        path.write_bytes(whole[:position] + bytes([whole[position] ^ 4]) + whole[position + 1 :])
        try:
            back = load_checkpoint(path, run=RUN)
        except InputError:
            continue
        # bits that mean nothing (dates of the archive's members) may flip
        np.testing.assert_array_equal(back.arrays["points"], STAND.arrays["points"])
        assert back.meta == STAND.meta


def test_a_changed_array_in_a_sound_archive_is_noticed(tmp_path):
    path = tmp_path / "run.npz"
    save_checkpoint(path, STAND, run=RUN)
    with np.load(path) as archive:
        arrays = dict(archive)
    arrays["points"][0, 0] += 1e-12
    np.savez(path, **arrays)
    with pytest.raises(InputError, match="damaged"):
        load_checkpoint(path, run=RUN)


def test_another_kind_of_file_is_refused(tmp_path):
    path = tmp_path / "run.npz"
    np.save(path.open("wb"), np.arange(3))
    with pytest.raises(InputError, match="damaged"):
        load_checkpoint(path, run=RUN)
    np.savez(path, checkpoint=np.array([{}], dtype=object))
    with pytest.raises(InputError, match="damaged"):
        load_checkpoint(path, run=RUN)
    with pytest.raises(InputError, match="can be read"):
        load_checkpoint(tmp_path, run=RUN)


def test_an_interrupted_save_leaves_the_last_one(tmp_path, monkeypatch):
    path = tmp_path / "run.npz"
    save_checkpoint(path, STAND, run=RUN)

    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("os.fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        save_checkpoint(path, Checkpoint({}, {}), run=RUN)
    assert load_checkpoint(path, run=RUN).meta == STAND.meta
    assert [entry.name for entry in tmp_path.iterdir()] == ["run.npz"]


@pytest.mark.parametrize("kind", [np.random.PCG64, np.random.MT19937, np.random.Philox, np.random.SFC64])
def test_a_generator_goes_on_where_it_was(kind):
    first = np.random.Generator(kind(3))
    first.standard_normal(7)
    state = json.loads(json.dumps(generator_state(first)))
    second = np.random.Generator(kind(4))
    restore_generator(second, state)
    np.testing.assert_array_equal(first.random(9), second.random(9))


def test_the_state_of_another_kind_of_generator_is_refused():
    state = generator_state(np.random.default_rng(0))
    with pytest.raises(InputError, match="MT19937"):
        restore_generator(np.random.Generator(np.random.MT19937(0)), state)
