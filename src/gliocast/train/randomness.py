"""States of the global generators that networks draw from, such as for dropout, as tensors."""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor


def random_states(device: torch.device) -> dict[str, Tensor]:
    """States of torch's generators, of the CPU and of a GPU where that is the device, and of numpy's."""
    _, words, *rest = np.random.get_state(legacy=True)  # noqa: NPY002  # what others' code draws from
    states = {"torch": torch.get_rng_state(), "numpy": torch.tensor([*words, *rest], dtype=torch.float64)}
    if device.type == "cuda":
        states["cuda"] = torch.cuda.get_rng_state(device)
    return states


def restore_random_states(states: Mapping[str, Tensor], device: torch.device) -> None:
    """Put states of before back; a generator that there is none of goes on as it is."""
    if "torch" in states:
        torch.set_rng_state(states["torch"])
    if "numpy" in states:
        *words, position, has_normal, normal = states["numpy"].tolist()  # words have 32 bits: exact as doubles
        state = ("MT19937", np.array(words, np.uint32), int(position), int(has_normal), normal)
        np.random.set_state(state)  # noqa: NPY002
    if "cuda" in states and device.type == "cuda":
        torch.cuda.set_rng_state(states["cuda"], device)
