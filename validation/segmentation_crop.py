"""Tables 1 and 2 of the segmentation paper: what a cube around the middle of the scans keeps of each class.

    python validation/segmentation_crop.py FOLDER --edge 128

FOLDER holds patients as BraTS lays them out, real ones or digital ones. The paper keeps 96.99 % of label 1, 95.96 % of
label 2 and 95.61 % of label 4 of BraTS 2020.
"""

import argparse
from pathlib import Path

from gliocast.data import read_patient
from gliocast.pipeline.patient_folders import list_visits
from gliocast.segmentation.classes import CLASSES
from gliocast.segmentation.examples import Example
from gliocast.segmentation.retention import retention

#: Share that the paper's crop keeps [%].
PAPER = {"necrosis": 96.99, "edema": 95.96, "enhancing": 95.61}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--edge", type=int, default=128)
    options = parser.parse_args()
    visits = list_visits(options.folder)
    kept = retention((Example.of(read_patient(path).visits[0]) for path in visits), options.edge)
    print(f"\n## {len(visits)} patients, a cube of {options.edge} voxels around the middle\n")
    print("| class | share of the scans, % | of the cube, % | voxels in the scans | in the cube | kept, % | paper, % |")
    print("|---|---|---|---|---|---|---|")
    of_whole, of_cube = (100 * part / part.sum() for part in (kept.whole, kept.cropped))
    for number, name in enumerate(CLASSES):
        print(
            f"| {name} | {of_whole[number]:.2f} | {of_cube[number]:.2f} | {kept.whole[number]:,.0f} "
            f"| {kept.cropped[number]:,.0f} | {100 * kept.retained[number]:.2f} | {PAPER.get(name, '')} |"
        )


if __name__ == "__main__":
    main()
