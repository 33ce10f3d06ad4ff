"""A language that nobody translated: each text of ours in Arabic letters, which are written from right to left.

What is still in Latin letters on a page is a name, or a text that did not go through gettext.
"""

import re
from html.parser import HTMLParser

from django.utils.translation import trans_real

KEPT = re.compile(r"(%\(\w+\)[sd]|%[%sd]|{\w+}|<[^>]+>|&#?\w+;|FlatPeak|kWh|CO₂)")
LETTERS = str.maketrans("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", "ابتدهفجحيكلمنوقرسطعغشظصضخث" * 2)


class Arabic(trans_real.DjangoTranslation):
    """Django's and allauth's own Arabic, and for what they do not know the letters of the English."""

    def __init__(self):
        super().__init__("ar")

    def gettext(self, message):
        known = super().gettext(message)
        return self.letters(message) if known == message else known

    def ngettext(self, one, many, n):
        return self.letters(one if n == 1 else many)

    def letters(self, message):
        context, _, text = message.rpartition("\x04")
        if context.startswith("pattern"):
            return text
        parts = KEPT.split(text)
        return "".join(part if n % 2 else part.translate(LETTERS) for n, part in enumerate(parts))


class Words(HTMLParser):
    """The words in Latin letters that a page shows or reads out; not its names of providers, places and people."""

    ATTRIBUTES = {"alt", "aria-label", "placeholder", "title"}

    def __init__(self):
        super().__init__()
        self.found, self.open = set(), []

    def note(self, text):
        self.found |= set(re.findall(r"[A-Za-z]{3,}", text))

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        if tag not in ("meta", "link", "input", "br", "hr", "img", "path", "rect", "line", "stop"):
            self.open.append((tag, "lang" in given and tag != "html", given.get("class", "")))
        for name in self.ATTRIBUTES & set(given):
            self.note(given[name] or "")

    def handle_endtag(self, tag):
        while self.open and self.open.pop()[0] != tag:
            pass

    def handle_data(self, text):
        other = any(foreign or tag in ("script", "style", "code") for tag, foreign, _ in self.open)
        if not other and not any(c in ("choice-name", "choice-more", "logo") for *_, c in self.open):
            self.note(text)


def latin(html):
    parser = Words()
    parser.feed(html)
    parser.close()
    return parser.found
