"""The picture in the README, cut out of a demo's report.

make demo && .venv/bin/python docs/make_images.py demo-report/report.html
"""

import argparse
import base64
import io
import re
from pathlib import Path

from PIL import Image

WIDTH = 900
#: Figures of the report that the picture shows, in order: scans with density, target volumes.
FIGURES = (0, 3)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("report", type=Path)
    page = parser.parse_args().report.read_text(encoding="utf-8")
    encoded = re.findall(r"data:image/png;base64,([A-Za-z0-9+/=]+)", page)
    parts = [Image.open(io.BytesIO(base64.b64decode(encoded[number]))).convert("RGB") for number in FIGURES]
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
