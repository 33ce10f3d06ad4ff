"""`make shots`: join the pictures of each language, screen and colour scheme to one sheet of labelled thumbnails.

    python -m tests.sheets var/shots

makes `var/shots/en-gb phone light.png` of the pictures in the folder `var/shots/en-gb phone light`.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

# By screen: the part of a picture between two sides, which holds the page's column, and the thumbnail's size in pixels.
# Small enough for a hundred on a sheet, and large enough to read.
SCREENS = {"phone": ((0, 360), (300, 640)), "desktop": ((300, 980), (450, 520))}
COLUMNS = {"phone": 9, "desktop": 6}
LABEL, GAP = 28, 12
GROUND, INK = "#77807c", "#ffffff"


def main(folder: Path) -> Iterator[Path]:
    """Yield the path of each sheet that was made."""
    for pictures in sorted(path for path in folder.iterdir() if path.is_dir()):
        made = pictures.with_name(f"{pictures.name}.png")
        sheet(sorted(pictures.glob("*.png")), pictures.name.split()[1]).save(made, optimize=True)
        yield made


def sheet(pictures: list[Path], screen: str) -> Image.Image:
    (left, right), (width, height) = SCREENS[screen]
    columns = min(COLUMNS[screen], len(pictures))
    rows = -(-len(pictures) // columns)
    size = (columns * (width + GAP) + GAP, rows * (height + LABEL + GAP) + GAP)
    made = Image.new("RGB", size, GROUND)
    draw, font = ImageDraw.Draw(made), ImageFont.load_default(size=16)
    for number, path in enumerate(pictures):
        x = GAP + number % columns * (width + GAP)
        y = GAP + number // columns * (height + LABEL + GAP)
        draw.text((x, y), path.stem, INK, font)
        with Image.open(path) as picture:
            scale = width / (right - left)
            part = picture.convert("RGB").crop((left, 0, right, min(picture.height, round(height / scale))))
        made.paste(part.resize((width, round(part.height * scale)), Image.Resampling.LANCZOS), (x, y + LABEL))
    return made


if __name__ == "__main__":
    made = list(main(Path(sys.argv[1])))
    print(f"{len(made)} sheets of all pictures:", *made, sep="\n")
