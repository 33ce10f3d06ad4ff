"""The texts of the site: each goes through gettext, and each has its German and its French."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from django.conf import settings
from django.template.base import Lexer, TokenType

from tests import catalogs

LANGUAGES = [code for code, _ in settings.LANGUAGES if code != settings.LANGUAGE_CODE]
TEMPLATES = [path for path in catalogs.sources() if path.suffix != ".py"]


def texts(language):
    """Each text with its translation, each form of a plural by itself: (text, number of the form, translation)."""
    for message in catalogs.stored(language):
        if message.id and message.pluralizable:
            yield from ((message.id[min(n, 1)], n, message.string[n]) for n in range(len(message.string)))
        elif message.id:
            yield message.id, None, message.string


# --- The catalogs


def test_the_languages_that_are_offered_are_those_that_have_a_catalog():
    assert catalogs.languages() == sorted(LANGUAGES)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_catalog_is_what_make_messages_makes_of_the_sources(language):
    assert catalogs.as_po(catalogs.updated(language)).decode() == catalogs.path_of(language).read_text(), (
        "make messages"
    )
    assert catalogs.as_mo(catalogs.stored(language)) == catalogs.path_of(language, "mo").read_bytes(), "make messages"


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_translation_is_missing_or_doubtful(language):
    assert catalogs.missing(catalogs.stored(language)) == []


def placeholders(text):
    return sorted(re.findall(r"%\(\w+\)s|%[sd]|%%|(?<!%){\w+}", text))


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_translation_has_the_placeholders_of_its_text(language):
    wrong = [text for text, form, said in texts(language) if set(placeholders(text)) != set(placeholders(said))]
    assert wrong == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_translation_has_the_tags_and_the_edges_of_its_text(language):
    def shape(text):
        return sorted(re.findall(r"<[^>]+>", text)), text.count("\n"), text[:1].isspace(), text[-1:].isspace()

    units = {"c", "p", "¢"}  # which have no space before them in English
    wrong = [text for text, _, said in texts(language) if text not in units and shape(text) != shape(said)]
    assert wrong == []


def reading_grade(text):
    """The American school year whose pupils can read it, by the Automated Readability Index; they are five or six older."""
    words = re.findall(r"[\w’'-]+", text)
    sentences = re.findall(r"[.?!:;](?=\s|$)", text)
    return 4.71 * len("".join(words)) / len(words) + 0.5 * len(words) / max(len(sentences), 1) - 21.43


def test_a_reader_of_twelve_understands_every_page():
    """Where each template and module stands for a page; sentences of six words and more, for a short one has no grade."""
    said = {}
    for message in catalogs.stored("de"):
        for text in [message.id] if isinstance(message.id, str) else message.id:
            plain = re.sub(r"%\(\w+\)s|%[sd]|{\w+}", "ten", re.sub(r"<[^>]+>", "", text))
            if len(plain.split()) >= 6 and plain.rstrip().endswith((".", "?")):
                for place, _ in message.locations:
                    said.setdefault(place, []).append(plain)
    grades = {place: reading_grade(" ".join(texts)) for place, texts in said.items()}
    assert {place: grade for place, grade in grades.items() if grade > 7} == {}
    hard = [text for texts in said.values() for text in texts if reading_grade(text) > 10]
    assert hard == []
    assert reading_grade("Utilisation of the aforementioned tariff structure necessitates authentication.") > 15


def test_missing_finds_what_is_not_translated_and_what_is_doubtful():
    catalog = catalogs.Catalog(locale="de")
    catalog.add("One", "Eins")
    catalog.add("Two", "")
    catalog.add("Three", "Drei", flags=["fuzzy"])
    catalog.add(("%(n)s hour", "%(n)s hours"), ("%(n)s Stunde", ""))
    assert catalogs.missing(catalog) == ["Two", "Three", "('%(n)s hour', '%(n)s hours')"]


def test_french_has_its_spaces_before_marks_and_inside_quotes():
    wrong = [said for _, _, said in texts("fr") if re.search(r"[^\s'\d][:;?!»](?=\s|$)|[ ][:;?!»]|«(?!\xa0)", said)]
    assert wrong == []


def test_nobody_is_addressed_as_a_friend():
    assert [said for _, _, said in texts("de") if re.search(r"\b([Dd]u|[Dd]ir|[Dd]ich|[Dd]ein\w*)\b", said)] == []
    assert [said for _, _, said in texts("fr") if re.search(r"\b([Tt]u|[Tt]oi|[Tt]on|[Tt]es)\b", said)] == []


# --- The templates

SHOWN = {"alt", "aria-label", "aria-description", "aria-placeholder", "placeholder", "title", "content", "label"}
NAMES = {
    "FlatPeak Connect",
    "evcc",
    "Home Assistant",
    "kWh",
    "CSV",
    "JSON",
    "–",
    "width=device-width, initial-scale=1",
    "light dark",
}


class Shown(HTMLParser):
    """Collects what people read: texts between tags, and attributes that are shown or read out. Not code for programs."""

    def __init__(self):
        super().__init__()
        self.found, self.code = [], False

    def note(self, text):
        for name in NAMES:
            text = text.replace(name, "")
        if re.search(r"[^\W\d_]{2}", text):
            self.found.append(" ".join(text.split()))

    def handle_data(self, data):
        if not self.code:
            self.note(data)

    def handle_endtag(self, tag):
        self.code &= tag != "pre"

    def handle_starttag(self, tag, attributes):
        self.code |= tag == "pre"
        http = dict(attributes).get("http-equiv")
        for name, value in attributes:
            if (
                value
                and (name in SHOWN or (tag == "input" and name == "value"))
                and not http
                and not value.startswith("#")
            ):
                self.note(value)


def hard_coded(source):
    """The texts of a template that are not marked for translation."""
    page, found, inside = [], [], ""
    for token in Lexer(source).tokenize():
        words = token.split_contents() if token.token_type == TokenType.BLOCK else []
        if inside:
            inside = "" if words[:1] == [f"end{inside}"] else inside
        elif words and words[0] in ("blocktranslate", "comment"):
            inside = words[0]
        elif token.token_type == TokenType.TEXT:
            page.append(token.contents)
        elif words and words[0] not in ("translate", "load"):
            literals = re.findall(r"""(?<!_\()["']([^"']*)["']""", token.contents)
            found += [text for text in literals if re.search(r"[A-Z]?[a-z’]+ [a-z]|^[A-Z][a-z]+$", text)]
    parser = Shown()
    parser.feed("".join(page))
    parser.close()
    return found + parser.found


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(settings.BASE_DIR / "templates")))
def test_a_template_has_no_text_that_is_not_marked_for_translation(path):
    assert hard_coded(path.read_text()) == []


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("<h1>Hello there</h1>", ["Hello there"]),
        ("<p>{% translate 'Hello' %} there</p>", ["there"]),
        ('<a aria-label="Close it">{{ name }}</a>', ["Close it"]),
        ('<input placeholder="Your name" value="{{ name }}">', ["Your name"]),
        ('{% include "a.html" with words="Try again" %}', ["Try again"]),
        ('{% firstof name "Somebody" %}', ["Somebody"]),
        ("{% if a %}Yes{% else %}{% blocktranslate %}No{% endblocktranslate %}{% endif %}", ["Yes"]),
        ('{% include "a.html" with words=_("Try again") %}{% url "home" %}', []),
        ('<p class="why">{{ price }} kWh – {% translate "Good morning" %}</p>', []),
    ],
)
def test_a_text_that_is_not_marked_is_found(source, found):
    assert hard_coded(source) == found


# --- The styles


def test_the_styles_name_no_side_that_changes_with_the_direction_of_the_writing():
    css = Path(settings.BASE_DIR, "static/css/app.css").read_text()
    sides = (
        r"(?:margin|padding|border)-(?:left|right)|(?:^|[{;\s])(?:left|right)\s*:|text-align:\s*(?:left|right)|float:"
    )
    assert re.findall(sides, css) == []
