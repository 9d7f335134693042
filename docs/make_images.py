"""The picture in the README, cut out of a demo's report.

make demo && .venv/bin/python docs/make_images.py demo-report/figures
"""

import argparse
from pathlib import Path

from PIL import Image

WIDTH = 900
#: Figures of the report that the picture shows, in order: scans with density, target volumes.
FIGURES = ("montage.png", "ctv.png")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("figures", type=Path)
    folder = parser.parse_args().figures
    parts = [Image.open(folder / name).convert("RGB") for name in FIGURES]
    parts = [part.resize((WIDTH, round(part.height * WIDTH / part.width)), Image.Resampling.LANCZOS) for part in parts]
    sheet = Image.new("RGB", (WIDTH, sum(part.height for part in parts)), "white")
    top = 0
    for part in parts:
        sheet.paste(part, (0, top))
        top += part.height
    target = Path(__file__).parent / "images" / "report.png"
    target.parent.mkdir(exist_ok=True)
    sheet.save(target, optimize=True)
    print(f"{target.name}: {sheet.size[0]}x{sheet.size[1]}, {target.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
