# ruff: noqa: NPY002  # the global generator is what has to be kept
import json
import resource
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from torch import nn

from gliocast.core import ConvergenceError, InputError
from gliocast.train import TrainOptions, train


def network():
    torch.manual_seed(3)
    return nn.Sequential(nn.Linear(2, 32), nn.Tanh(), nn.Linear(32, 1))


def squared_error(net, step):
    """Of a fixed function, on points that depend on the step alone."""
    generator = torch.Generator().manual_seed(step)
    points = torch.randn(32, 2, generator=generator)
    return {"error": (net(points)[:, 0] - points[:, 0] * points[:, 1]).square().mean()}


def weights_of(net):
    return torch.cat([parameter.flatten() for parameter in net.parameters()])


def rows_of(folder):
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def until(last, losses=squared_error):
    """The losses, interrupted after some micro-batches."""

    def interrupted(net, number):
        if number == last:
            raise KeyboardInterrupt
        return losses(net, number)

    return interrupted


def test_training_reduces_the_error_far_below_that_of_knowing_nothing(tmp_path):
    averaged = train(
        network(), squared_error, options=TrainOptions(num_steps=1500, learning_rate=2e-2), folder=tmp_path, key="a"
    )
    assert float(squared_error(averaged, 10**6)["error"].detach()) < 0.2  # the mean of x y has an error of 1


def test_interrupted_and_resumed_equals_uninterrupted_to_the_bit(tmp_path):
    options = TrainOptions(num_steps=60, checkpoint_every_s=0.0)
    whole = train(network(), squared_error, options=options, folder=tmp_path / "whole", key="a")
    with pytest.raises(KeyboardInterrupt):
        train(network(), until(37), options=options, folder=tmp_path / "parts", key="a")
    resumed = train(network(), squared_error, options=options, folder=tmp_path / "parts", key="a")
    assert torch.equal(weights_of(whole), weights_of(resumed))


def test_a_run_of_another_kind_is_not_resumed(tmp_path):
    options = TrainOptions(num_steps=2)
    train(network(), squared_error, options=options, folder=tmp_path, key="a")
    with pytest.raises(InputError, match="another run"):
        train(network(), squared_error, options=options, folder=tmp_path, key="b")


def test_a_loss_that_is_nan_ends_the_run_and_keeps_the_last_checkpoint(tmp_path):
    options = TrainOptions(num_steps=10, checkpoint_every_s=0.0)

    def breaks(net, step):
        return {"error": squared_error(net, step)["error"] * (float("nan") if step == 4 else 1.0)}

    with pytest.raises(ConvergenceError, match="finite loss, got nan in step 4"):
        train(network(), breaks, options=options, folder=tmp_path, key="a")
    resumed = train(network(), squared_error, options=options, folder=tmp_path, key="a")
    assert torch.isfinite(weights_of(resumed)).all()


def test_the_log_has_one_line_of_figures_per_validation(tmp_path):
    train(
        network(),
        squared_error,
        options=TrainOptions(num_steps=20),
        folder=tmp_path,
        key="a",
        validate=lambda net: {"size": float(weights_of(net).norm())},
        validate_every=10,
    )
    lines = rows_of(tmp_path)
    assert [line["step"] for line in lines] == [10, 20]
    assert lines[0]["size"] > 0
    assert "error" in lines[0]


def test_a_network_that_draws_random_numbers_resumes_to_the_bit(tmp_path):
    options = TrainOptions(num_steps=20, checkpoint_every_s=0.0)

    def drawing():
        np.random.seed(4)
        return nn.Sequential(network(), nn.Dropout(0.0), nn.Linear(1, 8), nn.Dropout(0.5), nn.Linear(8, 1))

    def noisy(net, step):
        return {"error": squared_error(net, step)["error"] * np.random.uniform(0.5, 1.5)}

    whole = train(drawing(), noisy, options=options, folder=tmp_path / "whole", key="a")
    with pytest.raises(KeyboardInterrupt):
        train(drawing(), until(11, noisy), options=options, folder=tmp_path / "parts", key="a")
    torch.randn(5)
    np.random.uniform(size=5)
    resumed = train(drawing(), noisy, options=options, folder=tmp_path / "parts", key="a")
    assert torch.equal(weights_of(whole), weights_of(resumed))
    assert (tmp_path / "parts" / "log.csv").read_bytes() == (tmp_path / "whole" / "log.csv").read_bytes()


def test_two_micro_batches_of_half_the_size_make_the_same_step(tmp_path):
    asked = []

    def halves(net, number):
        asked.append(number)
        points = torch.randn(32, 2, generator=torch.Generator().manual_seed(number // 2))[number % 2 :: 2]
        return {"error": (net(points)[:, 0] - points[:, 0] * points[:, 1]).square().mean()}

    options = TrainOptions(num_steps=20, learning_rate=1e-2)
    whole = train(network(), squared_error, options=options, folder=tmp_path / "one", key="a")
    options = TrainOptions(num_steps=20, learning_rate=1e-2, accumulate=2)
    parts = train(network(), halves, options=options, folder=tmp_path / "two", key="a")
    assert asked == list(range(40))
    torch.testing.assert_close(weights_of(parts), weights_of(whole), rtol=1e-4, atol=1e-6)  # rounding of 20 steps
    error = [rows_of(tmp_path / name)[-1]["error"] for name in ("one", "two")]
    assert error[0] == pytest.approx(error[1], rel=1e-4)


def test_running_statistics_are_taken_over_by_the_averaged_network(tmp_path):
    normed = nn.Sequential(nn.BatchNorm1d(2), nn.Linear(2, 1))
    averaged = train(normed, squared_error, options=TrainOptions(num_steps=5), folder=tmp_path, key="a")
    assert torch.equal(averaged[0].running_var, normed[0].running_var)
    assert int(averaged[0].num_batches_tracked) == 5
    assert not averaged.training
    assert not torch.equal(averaged[1].weight, normed[1].weight)


def grades(kept, of=(1.0, 3.0, 2.0, float("nan"), 2.5, 9.0)):
    """A validation with figures that are known beforehand; keeps the weights it was shown."""

    def validate(net):
        kept.append(weights_of(net).clone())
        return {"dice": of[len(kept) - 1]}

    return validate


def test_the_weights_with_the_best_figure_are_kept_and_found_again(tmp_path):
    kept = []
    choices = {"options": TrainOptions(num_steps=50), "folder": tmp_path, "key": "a", "select": "dice"}
    averaged = train(network(), squared_error, **choices, validate=grades(kept), validate_every=10)
    assert len(kept) == 5
    assert torch.equal(weights_of(averaged), kept[1])
    again = train(network(), until(0), **choices, validate=grades([]), validate_every=10)  # no step is taken
    assert torch.equal(weights_of(again), kept[1])


def test_a_run_ends_early_after_its_patience_resumed_or_not(tmp_path):
    options = TrainOptions(num_steps=60, patience=3, checkpoint_every_s=0.0)
    choices = {"options": options, "key": "a", "select": "dice", "validate_every": 10}
    kept, parts = [], []
    whole = train(network(), squared_error, **choices, folder=tmp_path / "whole", validate=grades(kept))
    assert len(kept) == 5  # the second was the best, three more were tried
    assert torch.equal(weights_of(whole), kept[1])
    with pytest.raises(KeyboardInterrupt):
        train(network(), until(43), **choices, folder=tmp_path / "parts", validate=grades(parts))
    resumed = train(network(), squared_error, **choices, folder=tmp_path / "parts", validate=grades(parts))
    assert torch.equal(weights_of(resumed), weights_of(whole))
    assert [row["step"] for row in rows_of(tmp_path / "parts")] == [10, 20, 30, 40, 50]


@pytest.mark.parametrize(
    ("options", "select", "validate", "match"),
    [
        (TrainOptions(num_steps=1), "dice", None, "none to select dice of"),
        (TrainOptions(num_steps=1), "dice", lambda net: {"iou": 1.0}, "expected dice among the figures, got iou"),
        (TrainOptions(num_steps=1, patience=2), None, lambda net: {"iou": 1.0}, "a figure to be patient for"),
    ],
)
def test_a_selection_that_makes_no_sense_is_refused(tmp_path, options, select, validate, match):
    choices = {"options": options, "select": select, "validate": validate}
    with pytest.raises(InputError, match=match):
        train(network(), squared_error, folder=tmp_path, key="a", **choices)


def test_the_configuration_lies_beside_the_run(tmp_path):
    options = TrainOptions(num_steps=2, accumulate=3)
    choices = {"folder": tmp_path, "key": "a", "config": {"patients": 7, "folder": tmp_path}}
    train(network(), squared_error, options=options, **choices)
    written = json.loads((tmp_path / "config.json").read_text())
    assert (written["options"]["accumulate"], written["key"], written["config"]["patients"]) == (3, "a", 7)
    assert (written["torch"], written["world_size"], written["device"]) == (torch.__version__, 1, "cpu")
    with pytest.raises(InputError, match="another run"):
        train(network(), squared_error, options=TrainOptions(num_steps=3), folder=tmp_path, key="b")
    assert json.loads((tmp_path / "config.json").read_text()) == written


@contextmanager
def space(num_bytes):
    """No file can become larger, as on a disk that is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (num_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_without_space_the_last_checkpoint_stays_whole_and_nothing_else_is_left(tmp_path):
    options = TrainOptions(num_steps=20, checkpoint_every_s=0.0)
    with pytest.raises(KeyboardInterrupt):
        train(network(), until(10), options=options, folder=tmp_path, key="a")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with (
        space(4096),
        pytest.raises(InputError, match=r"free some space.*; the run goes on from its last checkpoint") as e,
    ):
        train(network(), squared_error, options=options, folder=tmp_path, key="a")
    assert "\n" not in str(e.value)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    resumed = train(network(), squared_error, options=options, folder=tmp_path, key="a")
    whole = train(network(), squared_error, options=options, folder=tmp_path / "whole", key="a")
    assert torch.equal(weights_of(resumed), weights_of(whole))
