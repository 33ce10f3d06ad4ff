"""The outline of a page: its elements with their attributes and words, one a line, without what is only for the eyes.

Outlines stand in tests/outlines/, a file for each group of pages. After a change of a page that is meant, write them anew:
`OUTLINES=write pytest -n 0 tests/test_outlines.py`, and read the difference.
"""

import difflib
import os
import re
from html.parser import HTMLParser
from pathlib import Path

FOLDER = Path(__file__).parent / "outlines"
EMPTY = {"br", "hr", "img", "input", "link", "meta"}
LOOKS = {"class", "style", "width", "height"}
PLAIN = {"div", "span", "tbody"}  # have a line only with an attribute


class Outline(HTMLParser):
    def __init__(self):
        super().__init__()
        self.lines, self.open, self.skipped, self.chosen, self.rows = [], [], "", [], 0
        self.ended = False  # the last line's element has ended, so text begins a line

    def handle_starttag(self, tag, attributes):
        if self.skipped:
            return
        kept = {name: value for name, value in attributes if name not in LOOKS}
        if tag in ("script", "style", "svg"):
            self.skipped = tag
            kept.pop("viewbox", "")
        if tag == "style" or (tag == "script" and "src" not in kept):
            return
        if tag == "table":
            self.rows = 0
        if tag == "tr":  # of a long table the first rows are enough, and those that are marked
            self.rows += 1
            if self.rows > 3 and not kept:
                self.skipped = tag
                return
        if kept.get("name") == "csrfmiddlewaretoken":
            tag, kept = "input", {"csrf": None}
        if tag == "option":  # of a long list what is chosen is enough
            if "selected" not in kept:
                return
            self.chosen.append(f"{kept['value']!r}")
            return
        line = " ".join([tag, *(name if value in (None, "") else f'{name}="{value}"' for name, value in kept.items())])
        if kept or tag not in PLAIN:
            self.lines.append("  " * sum(self.open_lines()) + line)
            self.ended = tag in EMPTY
        if tag not in EMPTY:
            self.open.append((tag, bool(kept) or tag not in PLAIN))

    def open_lines(self):
        return [has_line for _, has_line in self.open]

    def handle_endtag(self, tag):
        if self.skipped:
            if tag != self.skipped:
                return
            self.skipped = ""
            if not self.open or self.open[-1][0] != tag:
                return
        if tag == "option" or tag in EMPTY:
            return
        assert self.open, f"</{tag}> ends nothing"
        begun, has_line = self.open.pop()
        assert begun == tag, f"<{begun}> is ended by </{tag}>"
        self.ended = self.ended or has_line
        if tag == "select":
            self.lines[-1] += f": {', '.join(self.chosen)}"
            self.chosen = []

    def handle_data(self, data):
        words = re.sub(r"\s+", " ", data).strip()
        if not words or self.skipped or (self.open and self.open[-1][0] == "select"):
            return
        if self.ended or not self.lines:
            self.lines.append("  " * sum(self.open_lines()) + f"| {words}")
            self.ended = False
        else:
            self.lines[-1] += f" | {words}"


def outline(html, part="main"):
    """The outline of a part of a page, without identities that differ in each run.

    That of its main part begins with its title, and with where it goes without a script.
    """
    [inner] = re.findall(rf"<{part}\b.*</{part}>", html, re.DOTALL)
    if part == "main":
        inner = "".join(re.findall("<title>.*?</title>|<noscript>.*?</noscript>", html.partition("<body")[0])) + inner
    inner = re.sub(r'<p class="note error offline".*?</p>', "", inner)  # on every page
    parser = Outline()
    parser.feed(inner)
    parser.close()
    assert not parser.open, parser.open
    text = "\n".join(parser.lines)
    text = re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:PORT", text)
    text = re.sub(r"Reference: [0-9a-f]{32}", "Reference: REFERENCE", text)
    return re.sub(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "UUID", text)


def differences(before, after):
    """The lines that only one of two outlines has."""
    lines = list(difflib.unified_diff(before.splitlines(), after.splitlines(), n=0, lineterm=""))[2:]
    return "\n".join(line for line in lines if not line.startswith("@@"))


def hold(group, name, text):
    """Compare an outline with the one in the file of its group."""
    file = FOLDER / f"{group}.txt"
    text = text.strip()
    parts = re.split(r"^=== (.*)\n", file.read_text() if file.exists() else "", flags=re.MULTILINE)[1:]
    stored = dict(zip(parts[::2], parts[1::2], strict=True))
    if os.environ.get("OUTLINES") == "write":
        stored[name] = text and text + "\n"
        FOLDER.mkdir(exist_ok=True)
        file.write_text("".join(f"=== {each}\n{stored[each]}" for each in sorted(stored)))
    changed = differences(stored.get(name, ""), text)
    assert not changed, f"{name} differs from tests/outlines/{group}.txt:\n{changed}"
