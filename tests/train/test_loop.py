import json

import pytest
import torch
from torch import nn

from gliocast.core import ConvergenceError, InputError
from gliocast.train import TrainOptions, load_checkpoint, save_checkpoint, train


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


def test_training_reduces_the_error_far_below_that_of_knowing_nothing(tmp_path):
    averaged = train(
        network(), squared_error, options=TrainOptions(num_steps=1500, learning_rate=2e-2), folder=tmp_path, key="a"
    )
    assert float(squared_error(averaged, 10**6)["error"].detach()) < 0.2  # the mean of x y has an error of 1


def test_interrupted_and_resumed_equals_uninterrupted_to_the_bit(tmp_path):
    options = TrainOptions(num_steps=60, checkpoint_every_s=0.0)

    def interrupted(net, step):
        if step == 37:
            raise KeyboardInterrupt
        return squared_error(net, step)

    whole = train(network(), squared_error, options=options, folder=tmp_path / "whole", key="a")
    with pytest.raises(KeyboardInterrupt):
        train(network(), interrupted, options=options, folder=tmp_path / "parts", key="a")
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
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [10, 20]
    assert lines[0]["size"] > 0
    assert "error" in lines[0]


def test_the_rate_rises_then_falls_to_its_end():
    options = TrainOptions(num_steps=100, learning_rate=1.0, warm_up=0.1, final_rate=0.01)
    rates = [options.rate(step) for step in range(100)]
    assert rates[0] == pytest.approx(0.1)
    assert max(rates) == pytest.approx(1.0, abs=1e-3)
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert rates[-1] == pytest.approx(0.01, abs=1e-3)


def test_a_damaged_checkpoint_is_refused(tmp_path):
    path = tmp_path / "checkpoint.safetensors"
    save_checkpoint(path, {"a": torch.ones(3)}, key="k", state={"step": 1})
    assert load_checkpoint(path, key="k")[1] == {"step": 1}
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(InputError, match="damaged"):
        load_checkpoint(path, key="k")
