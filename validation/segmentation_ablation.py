"""What residual blocks, squeeze and excitation, and the label of healthy brain are each good for: the paper's open end.

    gliocast cohort simulate --patients 100 --out cohort --seed 101
    python validation/segmentation_ablation.py cohort --out runs --steps 600

Trains all eight networks on the same windows of the same digital patients with the same budget, one that two cores can
bear: half the channels of the shipped network, windows of 96 voxels. Dice on patients held back, over the window around
the middle, averaged weights of the last step; differences of each part are means over the four pairs of networks that
differ in it alone. Go on at any time: what is trained stays. Synthetic data throughout.
"""

import argparse
import json
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np

from gliocast.pipeline.train_segmentation import train_segmentation
from gliocast.segmentation.recipe import SegmentationTraining

PARTS = ("residual", "squeeze and excitation", "healthy brain")
REGIONS = ("WT", "TC", "ET", "dice")


def variant(residual: bool, weighed: bool, healthy: bool, steps: int, seed: int) -> SegmentationTraining:
    small = SegmentationTraining.of_size("small")
    network = replace(small.network, channels=(8, 16, 32, 64, 64), residual=residual, squeeze_excitation=weighed)
    optimization = replace(small.optimization, num_steps=steps)
    training = replace(small, network=network, edge=96, optimization=optimization, seed=seed)
    return training.with_brain() if healthy else training


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cohort", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--seeds", type=int, default=1, help="networks of each kind")
    options = parser.parse_args()
    shared = options.out / "examples"
    shared.mkdir(parents=True, exist_ok=True)
    found: dict[tuple[bool, ...], np.ndarray] = {}
    for choice in product((True, False), repeat=3):
        scores = []
        for seed in range(options.seeds):
            folder = options.out / ("".join("y" if part else "n" for part in choice) + f"-{seed}")
            folder.mkdir(exist_ok=True)
            if not (folder / "examples").exists():
                (folder / "examples").symlink_to(shared.resolve(), target_is_directory=True)
            train_segmentation(variant(*choice, options.steps, seed), options.cohort, folder)
            last = json.loads((folder / "log.jsonl").read_text().splitlines()[-1])
            scores.append([last[name] for name in REGIONS])
        found[choice] = np.mean(scores, axis=0)
        print(choice, found[choice].round(3), flush=True)
    report(found, options.steps, options.seeds)


def report(found: dict[tuple[bool, ...], np.ndarray], steps: int, seeds: int) -> None:
    print(f"\n## {steps} steps, {seeds} of each kind\n")
    print("| residual | squeeze and excitation | healthy brain | WT | TC | ET | mean |")
    print("|---|---|---|---|---|---|---|")
    for choice, scores in found.items():
        marks = " | ".join("yes" if part else "no" for part in choice)
        print(f"| {marks} | " + " | ".join(f"{score:.3f}" for score in scores) + " |")
    print("\n| with it less without it | WT | TC | ET | mean |\n|---|---|---|---|---|")
    for place, name in enumerate(PARTS):
        pairs = [
            found[choice] - found[(*choice[:place], False, *choice[place + 1 :])] for choice in found if choice[place]
        ]
        print(f"| {name} | " + " | ".join(f"{change:+.3f}" for change in np.mean(pairs, axis=0)) + " |")


if __name__ == "__main__":
    main()
