"""What training images of four scans of 128^3 cost, beside TorchIO's transforms where it is installed."""

from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import torch
from benchmarks.bench import Bench, clock, line, table

from gliocast.segmentation.augment import Augmentation, augmented

#: Of a brain's box, and of a window [voxels].
_SHAPE, _EDGE = (144, 178, 140), 128

#: What each may cost [s].
_MOST = 0.3


def run(bench: Bench) -> None:
    """Print what each transform adds to a window that is only cut out and standardized."""
    generator = torch.Generator().manual_seed(0)
    scans = torch.rand(4, *_SHAPE, generator=generator).half()
    classes = (torch.rand(_SHAPE, generator=generator) > 0.3).to(torch.uint8)
    peers = _peers(scans) if find_spec("torchio") else {}
    plain = Augmentation.none()
    kinds = {
        "affine": replace(plain, affine=1.0),
        "elastic": replace(plain, elastic=1.0),
        "receive fields": replace(plain, field=1.0),
        "bent contrasts": replace(plain, gamma=1.0),
        "all of them": replace(plain, affine=1.0, elastic=1.0, field=1.0, gamma=1.0),
    }

    def job(kind: Augmentation) -> Callable[[], object]:
        middle = np.array(_SHAPE) / 2
        drawn = np.random.default_rng(0)
        return lambda: augmented(scans, classes, center=middle, edge=_EDGE, augmentation=kind, generator=drawn)

    base = clock(job(plain), bench.repeats).median
    print(f"\n## Training images, 4 x {_EDGE}^3; {base:.2f} s to cut out and standardize; at most {_MOST} s for each\n")
    table("transform", "adds, s", "TorchIO, s", "ratio")
    for name, kind in kinds.items():
        added = max(clock(job(kind), bench.repeats).median - base, 0.0)
        peer = clock(peers[name], bench.repeats).median if name in peers else None
        line(name, f"{added:.2f}", "not installed" if peer is None else f"{peer:.2f}", _ratio(peer, added))


def _ratio(peer: float | None, own: float) -> str:
    return "" if peer is None or own == 0 else f"{peer / own:.1f}"


def _peers(scans: torch.Tensor) -> dict[str, Callable[[], object]]:
    """TorchIO's own transforms of a window."""
    import torchio

    x, y, z = ((size - _EDGE) // 2 for size in _SHAPE)
    window = scans[:, x : x + _EDGE, y : y + _EDGE, z : z + _EDGE].float()
    image = torchio.Subject(image=torchio.ScalarImage(tensor=window))
    affine = torchio.RandomAffine(scales=(0.6, 1.4), degrees=15, translation=5, isotropic=True)
    elastic, field, gamma = torchio.RandomElasticDeformation(), torchio.RandomBiasField(), torchio.RandomGamma()
    return {
        "affine": lambda: affine(image),
        "elastic": lambda: elastic(image),
        "receive fields": lambda: field(image),
        "bent contrasts": lambda: gamma(image),
        "all of them": lambda: gamma(field(elastic(affine(image)))),
    }
