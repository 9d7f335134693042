"""How alike scans of one patient, altered, and scans of different patients look to the check before an export.

    python validation/likeness.py PATIENT PATIENT ...

Patients' folders with scans on grids of one shape, in the frame of one atlas, where heads of different people lie as
alike as they ever do. Printed are Spearman's correlations of fingerprints: of each scan with itself after it was
altered (they should lie above the limit), and of the scans of any two patients (below).
"""

import argparse
from itertools import combinations, product
from pathlib import Path

import numpy as np
from scipy import ndimage

from gliocast.core import MODALITIES, Visit, Volume
from gliocast.data import read_patient
from gliocast.data.likeness import ALIKE, fingerprint, likeness

#: Width of the smoothing [mm], contrast of the field from corner to corner [1], noise over the highest value [1].
SMOOTHING_MM, FIELD, NOISE = 1.0, 4.0, 0.05


def altered(scan: Volume, generator: np.random.Generator) -> dict[str, np.ndarray]:
    """What may lie between a series and the scan that is planned on."""
    data, widths = scan.data, [SMOOTHING_MM / h for h in scan.grid.spacing]
    ramp = np.indices(data.shape).sum(axis=0) / (sum(data.shape) - 3)
    noisy = data + NOISE * data.max() * generator.standard_normal(data.shape)
    return {
        f"smoothed by {SMOOTHING_MM:g} mm": ndimage.gaussian_filter(data, widths),
        f"field of {FIELD:g} from corner to corner": data * FIELD**ramp,
        f"noise of {NOISE:.0%}": np.where(data > 0, np.maximum(noisy, 1e-3), 0),
        "gray values turned by a power of 0.6": np.sign(data) * np.abs(data) ** 0.6,
        "moved by a voxel": np.roll(data, 1, axis=0),
    }


def prints(visit: Visit) -> dict[str, str]:
    """Fingerprints of the scans of a visit."""
    return {name: fingerprint(visit[name].volume, visit.brain) for name in MODALITIES}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("patients", type=Path, nargs="+")
    options = parser.parse_args()
    generator = np.random.default_rng(0)
    visits = [read_patient(folder).visits[0] for folder in options.patients]
    known = [prints(visit) for visit in visits]
    found: dict[str, list[float]] = {}
    for visit, own in zip(visits, known, strict=True):
        for name in MODALITIES:
            for what, data in altered(visit[name].volume, generator).items():
                other = fingerprint(Volume(data.astype(np.float32), visit.grid))
                found.setdefault(what, []).append(likeness(own[name], other) or 0.0)
        for a, b in combinations(MODALITIES, 2):
            found.setdefault("another scan of the patient", []).append(likeness(own[a], own[b]) or 0.0)
    for first, second in combinations(known, 2):
        pairs = product(first.values(), second.values())
        best = max(likeness(a, b) or 0.0 for a, b in pairs)
        found.setdefault("another patient, the most alike of all scans", []).append(best)
    print(f"{len(visits)} patients; what is more alike than {ALIKE:g} passes\n")
    print("| a scan beside | pairs | least | median | most | pass |\n|---|---|---|---|---|---|")
    for what, values in found.items():
        passed = sum(value > ALIKE for value in values)
        print(
            f"| {what} | {len(values)} | {min(values):.2f} | {np.median(values):.2f} | {max(values):.2f} | {passed} |"
        )


if __name__ == "__main__":
    main()
