"""`make shots` joins its pictures to sheets that somebody can look through."""

import subprocess
import sys

import pytest
from PIL import Image

from tests import sheets
from tests.programs import ROOT

RED, BLUE = (200, 30, 30), (30, 30, 200)


@pytest.fixture
def shots(tmp_path):
    """Ten states on a phone and two on a desktop: one page is red and much longer than the screen."""
    for name in (*(f"state {number}" for number in range(9)), "state x, long"):
        path = tmp_path / "de phone light" / f"{name}.png"
        path.parent.mkdir(exist_ok=True)
        Image.new("RGB", (360, 9000) if "long" in name else (360, 740), RED if "long" in name else BLUE).save(path)
    for name in ("home", "sign-in"):
        path = tmp_path / "fr desktop dark" / f"{name}.png"
        path.parent.mkdir(exist_ok=True)
        Image.new("RGB", (1280, 900), BLUE).save(path)
    return tmp_path


def test_each_language_and_screen_has_a_sheet_of_all_its_states(shots):
    assert [made.name for made in sheets.main(shots)] == ["de phone light.png", "fr desktop dark.png"]
    phone = Image.open(shots / "de phone light.png")
    width, height = sheets.SCREENS["phone"][1]
    step, row = width + sheets.GAP, height + sheets.LABEL + sheets.GAP
    assert phone.size == (9 * step + sheets.GAP, 2 * row + sheets.GAP)
    in_the_thumbnail = (sheets.GAP + width // 2, sheets.GAP + sheets.LABEL + height // 2)
    assert phone.getpixel(in_the_thumbnail) == BLUE
    assert phone.getpixel((in_the_thumbnail[0], in_the_thumbnail[1] + row)) == RED
    label = phone.crop((sheets.GAP, row, sheets.GAP + width, row + sheets.LABEL))
    assert len(set(label.get_flattened_data())) > 2  # the ground and the letters
    assert Image.open(shots / "fr desktop dark.png").size[0] == 2 * (450 + sheets.GAP) + sheets.GAP


def test_a_thumbnail_is_large_enough_to_read():
    for (left, right), (width, _) in sheets.SCREENS.values():
        assert width / (right - left) >= 0.6


def test_make_shots_makes_the_sheets(shots):
    planned = subprocess.run(["make", "-n", "shots"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert "bin/python -m tests.sheets var/shots" in planned
    ran = subprocess.run(
        [sys.executable, "-m", "tests.sheets", shots], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert ran.stdout.startswith("2 sheets of all pictures:\n")
