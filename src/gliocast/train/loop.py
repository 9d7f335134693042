"""The training loop: AdamW, warm-up and cosine, clipped gradients, averaged weights, exact resume.

A batch depends on its number alone. So weights, averages, moments of the optimizer, states of the generators that
dropout draws from and the number of the step are the whole state: a run that was interrupted and goes on ends with the
weights of one that was not, bit for bit on a CPU with the same number of threads and processes.

Processes that torchrun started, and that met in `open_runtime`, share each step: its micro-batches are dealt to them in
turn, and their gradients averaged.
"""

import json
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, nullcontext
from dataclasses import asdict
from pathlib import Path

import torch
from torch import Tensor, nn

from gliocast.core import ConvergenceError, InputError
from gliocast.train.log import Log
from gliocast.train.options import TrainOptions
from gliocast.train.run import Run
from gliocast.train.runtime import Runtime
from gliocast.train.whole import write_whole

_CHECKPOINT, _CONFIG = "checkpoint.safetensors", "config.json"


def train(
    network: nn.Module,
    losses: Callable[[nn.Module, int], Mapping[str, Tensor]],
    *,
    options: TrainOptions,
    folder: Path,
    key: str,
    validate: Callable[[nn.Module], Mapping[str, float]] | None = None,
    validate_every: int = 1000,
    select: str | None = None,
    progress: Callable[[float, Mapping[str, float]], None] | None = None,
    config: Mapping[str, object] | None = None,
) -> nn.Module:
    """Minimize the sum of the losses; go on from the folder's checkpoint where there is one.

    Args:
        network: what to train, on its device; changed in place.
        losses: of the network on a micro-batch, by name, always the same names. Of a step these come next to each
            other, so that with one process and no accumulation a micro-batch has the number of its step.
        options: how to train.
        folder: checkpoint, log and configuration. All processes read it; the first one writes.
        key: of what the run depends on besides the options; a checkpoint of another key is refused.
        validate: figures of the averaged network, which is in evaluation mode, by name. Every process calls it; those
            of the first count.
        validate_every: steps between validations.
        select: the figure that chooses the weights, the larger the better; None takes the last weights.
        progress: called with the share that is done and the smoothed losses.
        config: what the caller wants to be written with the options, as JSON can write it.

    Returns:
        The network with averaged weights.

    Raises:
        ConvergenceError: the loss or its gradient is nan; the last checkpoint stays.
        InputError: the options make no sense together, or a file can't be read or written.
    """
    _require_figure(select, validate is not None, options)
    folder.mkdir(parents=True, exist_ok=True)
    runtime = Runtime.current(next(network.parameters()).device)
    chosen = key if select is None else f"{key}; {select} every {validate_every}"
    run = Run(network.train(), options=options, path=folder / _CHECKPOINT, key=chosen, runtime=runtime)
    run.resume()
    with ExitStack() as at_end:
        log = None
        if runtime.is_first:
            _describe(folder / _CONFIG, run, key, select, config)
            log = Log(folder, step=run.step, tensorboard=options.tensorboard)
            at_end.callback(log.close)
        saved = time.monotonic()
        while not run.is_over:
            due = _step(run, losses, due=time.monotonic() - saved > options.checkpoint_every_s)
            if progress is not None and runtime.is_first:
                progress(run.step / options.num_steps, run.smooth)
            if run.step % validate_every == 0 or run.step == options.num_steps:
                figures = dict(validate(run.averaged)) if validate is not None else {}
                if log is not None:
                    log.append({"step": run.step, **run.smooth, **figures})
                if select is not None:
                    run.best.consider(_figure(figures, select, runtime), run.step, run.averaged)
            if due or run.is_over:
                run.save()
                saved = time.monotonic()
    return run.result()


def _step(run: Run, losses: Callable[[nn.Module, int], Mapping[str, Tensor]], *, due: bool) -> bool:
    """Take a step; whether a checkpoint is due, as the first process says."""
    network, options, runtime = run.network, run.options, run.runtime
    for group in run.optimizer.param_groups:
        group["lr"] = options.rate(run.step)
    run.optimizer.zero_grad(set_to_none=True)
    sums: dict[str, Tensor] = {}
    for part in range(options.accumulate):
        number = (run.step * options.accumulate + part) * runtime.world_size + runtime.rank
        lower = torch.autocast(runtime.device.type, torch.bfloat16) if options.mixed_precision else nullcontext()
        with lower:
            found = losses(network, number)
        (torch.stack(list(found.values())).sum() / options.accumulate).backward()
        for name, loss in found.items():
            share = loss.detach() / options.accumulate
            sums[name] = sums[name] + share if name in sums else share
    means = torch.stack(list(sums.values()))
    if runtime.world_size > 1:
        due = _meet(run, means, due=due)
    _require_finite(means.sum(), "loss", run.step)
    norm = nn.utils.clip_grad_norm_(network.parameters(), options.clip)
    _require_finite(norm, "gradient", run.step)
    run.optimizer.step()
    run.advance(dict(zip(sums, means.tolist(), strict=True)))
    return due


def _meet(run: Run, means: Tensor, *, due: bool) -> bool:
    """Average gradients and losses over the processes, in one message, and take the first one's buffers.

    What no process has a gradient of is left without one, for weights decay where a gradient is zero. Losses are
    looked at only afterwards, so that all processes end together when one of them is nan.
    """
    runtime, device = run.runtime, means.device
    trained = [parameter for parameter in run.network.parameters() if parameter.requires_grad]
    notes = torch.tensor([due and runtime.is_first, *(p.grad is not None for p in trained)], device=device).float()
    gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in trained]
    runtime.average([*gradients, means, notes])
    due, *has_gradient = (notes > 0).tolist()
    for parameter, gradient, has in zip(trained, gradients, has_gradient, strict=True):
        parameter.grad = gradient if has else None
    runtime.share(list(run.network.buffers()))
    return due


def _figure(figures: Mapping[str, float], select: str, runtime: Runtime) -> float:
    """The figure that selects, as the first process has it."""
    if select not in figures:
        raise InputError(
            "training", expected=f"{select} among the figures", got=", ".join(figures) or "none", advice="select one"
        )
    figure = torch.tensor([float(figures[select])], dtype=torch.float64, device=runtime.device)
    runtime.share([figure])
    return float(figure)


def _describe(path: Path, run: Run, key: str, select: str | None, config: Mapping[str, object] | None) -> None:
    """Write what the run is."""
    described = {
        "options": asdict(run.options),
        "key": key,
        "select": select,
        "torch": torch.__version__,
        "world_size": run.runtime.world_size,
        "num_threads": torch.get_num_threads(),
        "device": str(run.runtime.device),
        "config": dict(config or {}),
    }
    write_whole(path, (json.dumps(described, indent=2, default=str) + "\n").encode())


def _require_figure(select: str | None, validates: bool, options: TrainOptions) -> None:
    if select is not None and not validates:
        raise InputError("training", expected="a validation", got=f"none to select {select} of", advice="give one")
    if select is None and options.patience is not None:
        raise InputError(
            "training",
            expected="a figure to be patient for",
            got="none",
            advice="select one, or leave patience out",
        )


def _require_finite(value: Tensor, name: str, step: int) -> None:
    if not torch.isfinite(value):
        raise ConvergenceError(
            "training",
            expected=f"a finite {name}",
            got=f"{float(value.detach())} in step {step}",
            advice="lower the learning rate, or compute in float32",
        )
