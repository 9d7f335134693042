"""Pictures in README and docs, cut out of a demo's report.

make demo && .venv/bin/python docs/make_images.py demo-report/figures
"""

import argparse
from pathlib import Path

from PIL import Image

#: Width of each picture [pixels], and the figures of the report that it shows, in order.
PICTURES = {"report.png": (900, ("montage.png", "ctv.png")), "outlook.png": (1100, ("outlook.png",))}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("figures", type=Path)
    folder = parser.parse_args().figures
    for name, (width, figures) in PICTURES.items():
        parts = [Image.open(folder / figure).convert("RGB") for figure in figures]
        sizes = [(width, round(part.height * width / part.width)) for part in parts]
        sheet = Image.new("RGB", (width, sum(height for _, height in sizes)), "white")
        top = 0
        for part, size in zip(parts, sizes, strict=True):
            sheet.paste(part.resize(size, Image.Resampling.LANCZOS), (0, top))
            top += size[1]
        target = Path(__file__).parent / "images" / name
        target.parent.mkdir(exist_ok=True)
        sheet.save(target, optimize=True)
        print(f"{name}: {sheet.size[0]}x{sheet.size[1]}, {target.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
