"""How much a forecast on coarser voxels differs from that on the scan's own: what `gliocast forecast` writes of both.

    gliocast forecast REPORT --out own; gliocast forecast REPORT --spacing 2 --out coarse
    python validation/forecast_voxels.py own coarse

Each row is a scenario: relative difference of the burden on the last day and at its least, and of the visible volume
on the last day; none where that is below a milliliter, of which a voxel is a large part.
"""

import argparse
import csv
from collections import defaultdict
from pathlib import Path

import numpy as np

#: Visible volumes below this aren't compared [ml].
LEAST_ML = 1.0


def curves(folder: Path) -> dict[str, np.ndarray]:
    """Burden and visible volume on each day [ml], (num_days, 2), by scenario and sensitivities."""
    rows = defaultdict(list)
    with (folder / "forecast.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            assumed = [f"{name.split()[0]} {row[name]}" for name in ("alpha [1/Gy]", "kappa [1/d]") if row[name]]
            rows[", ".join([row["scenario"], *assumed])].append([float(row["burden [ml]"]), float(row["visible [ml]"])])
    return {name: np.array(values) for name, values in rows.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("own", type=Path)
    parser.add_argument("coarse", type=Path)
    options = parser.parse_args()
    own, coarse = curves(options.own), curves(options.coarse)
    print(
        "| scenario | burden at the end, ml | coarser, % | least burden, ml | coarser, % | visible, ml | coarser, % |"
    )
    print("|---|---|---|---|---|---|---|")
    for name, (mine, other) in ((name, (own[name], coarse[name])) for name in own):
        pairs = [(mine[-1, 0], other[-1, 0]), (mine[:, 0].min(), other[:, 0].min()), (mine[-1, 1], other[-1, 1])]
        cells = []
        for number, (a, b) in enumerate(pairs):
            small = number == 2 and min(a, b) < LEAST_ML
            cells += [f"{a:.3g}", "" if small else f"{100 * (b / a - 1):+.1f}"]
        print(f"| {name} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
