"""The pages for readers: each link, anchor, command and path that they name exists."""

import re
import subprocess
import tomllib
from collections import Counter
from functools import cache
from pathlib import Path

import pytest
from django.core.management import get_commands

from tests.programs import ROOT

FILES = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False).stdout.split()
PAGES = [ROOT / name for name in FILES if name.endswith(".md")]
FOLDERS = {name.split("/")[0] for name in FILES if "/" in name}
every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def text_of(page: Path) -> str:
    """The page without blocks of code, where brackets and # mean something else."""
    return re.sub(r"^```.*?^```|^ {4}.*?$", "", page.read_text(), flags=re.M | re.S)


@cache
def anchors(page: Path) -> set[str]:
    """What GitHub makes of the headings: lower case, hyphens for spaces, no punctuation, a number for a second one."""
    found, seen = set(), Counter()
    for heading in re.findall(r"^#+ (.+)$", text_of(page), re.M):
        slug = re.sub(r"[^\w\- ]", "", re.sub(r"\[(.*?)\]\(.*?\)", r"\1", heading).lower()).replace(" ", "-")
        found.add(f"{slug}-{seen[slug]}" if seen[slug] else slug)
        seen[slug] += 1
    return found


@every_page
def test_every_link_leads_to_a_file_and_a_heading_that_exist(page):
    text = text_of(page)
    links = re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r'(?:src|href)="([^"]+)"', text)
    broken = []
    for link in links:
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if ":" not in link and not (target.exists() and (not anchor or anchor in anchors(target))):
            broken.append(link)
    assert broken == []


@every_page
def test_every_command_that_a_page_names_exists(page):
    text = page.read_text()
    targets = re.search(r"^\.PHONY: (.+)$", (ROOT / "Makefile").read_text(), re.M)[1].split()
    made = set(re.findall(r"(?:`|^ {4}|[A-Z_]+=\S+ )make (\w+)", text, re.M))
    assert made - set(targets) == set()
    assert set(re.findall(r"manage\.py (\w+)", text)) - set(get_commands()) == set()


@every_page
def test_every_path_that_a_page_names_exists(page):
    told = re.findall(r"`([\w.-]+/[\w./-]*)`", page.read_text())
    ours = {path for path in told if path.split("/")[0] in FOLDERS}
    assert {path for path in ours if not (ROOT / path).exists()} == set()


def test_the_picture_has_every_layer_that_the_linter_checks():
    contract = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"][0]
    layers = [layer.strip().replace(".", "/") for row in contract["layers"] for layer in row.split(":")]
    picture = re.search(r"```mermaid\nflowchart TD(.*?)```", (ROOT / "docs" / "architecture.md").read_text(), re.S)[1]
    assert [layer for layer in layers if layer.removeprefix("flatpeak_app/") not in picture] == []


def test_all_pages_are_looked_at():
    assert {"README.md", "docs/architecture.md", "docs/configuration.md", "docs/operations.md"} <= set(FILES)
