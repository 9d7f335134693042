"""Learn-Morph-Infer as printed, on patients: outlines morphed to the atlas, inferred and simulated there, morphed back.

Real patients have no true density; what can be seen is how well some level of it matches each outline.

    python validation/morph_infer_in_atlas.py tcga-fg-6692 tcga-du-7294
"""

import argparse
import time
from pathlib import Path

import numpy as np

from gliocast.anatomy import estimate_anatomy
from gliocast.core import dice
from gliocast.data import read_patient
from gliocast.data.atlas import load_mni152
from gliocast.pipeline.morph_infer import morph_infer_in_atlas


def best(density: np.ndarray, outline: np.ndarray, levels: np.ndarray) -> str:
    overlap, level = max((dice(density > level, outline), level) for level in levels)
    return f"{overlap:.3f} (density {level:.2f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("patients", type=Path, nargs="+", help="folders with t1, t1c, t2, flair and seg")
    print("| patient | Dice of the core | of the whole tumor | seconds after registration |\n|---|---|---|---|")
    for folder in parser.parse_args().patients:
        visit = read_patient(folder).visits[0]
        estimate = estimate_anatomy(visit, load_mni152())
        since = time.perf_counter()
        density = morph_infer_in_atlas(visit.labels, estimate).data
        seconds = time.perf_counter() - since
        core = best(density, visit.labels.core, np.arange(0.5, 0.86, 0.05))
        whole = best(density, visit.labels.whole, np.arange(0.05, 0.51, 0.05))
        print(f"| {folder.name} | {core} | {whole} | {seconds:.1f} |", flush=True)


if __name__ == "__main__":
    main()
