"""No text uses a word that the glossary, `docs/words.md`, says to avoid."""

import re
from pathlib import Path

import pytest

from tests import catalogs
from tests.test_reading_age import LANGUAGES

GLOSSARY = Path(__file__).parent.parent / "docs/words.md"


def rows():
    lines = re.findall(r"^\| (.*) \|$", GLOSSARY.read_text(), re.MULTILINE)
    return [[cell.strip() for cell in line.split(" |")] for line in lines if not line.startswith(("English", "---"))]


def avoided(language):
    """The words that a language avoids, from cells such as "en: plan; fr: tarif, forfait"."""
    lists = [found[1] for *_, last in rows() for found in [re.search(rf"\b{language}: ([^;]+)", last)] if found]
    return [word.strip() for each in lists for word in each.split(",")]


def texts(language):
    """All texts of a language that are ours, as they stand; without markup, addresses and names of placeholders."""
    for message in catalogs.extracted() if language == "en" else catalogs.stored(language):
        if all(file == "django-allauth" for file, _ in message.locations):
            continue  # the English is theirs
        said = message.id if language == "en" else message.string
        for text in [said] if isinstance(said, str) else said:
            yield re.sub(r"<[^>]*>|%\(\w+\)[sd]|{\w+}|\b\S+\.\S+", " ", text)


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_text_has_a_word_to_avoid(language):
    words = avoided(language)
    assert len(words) > 10
    # Not in capitals: IMPORT is a parameter's value.
    either = [re.escape(form) for word in words for form in (word, word[0].upper() + word[1:])]
    wrong = re.compile(rf"\b({'|'.join(either)})\b")
    assert [text for text in texts(language) if wrong.search(text)] == []


def test_few_texts_name_flatpeak():
    named = [text for text in texts("en") if "FlatPeak" in text]
    private = re.compile(r"delet|share|read|access|account|keep", re.IGNORECASE)
    assert [text for text in named if not private.search(text)] == []


def test_each_row_of_the_glossary_has_three_languages():
    assert len(rows()) > 15
    assert [row for row in rows() if len(row) != 5 or not all(row[:3])] == []


def test_only_who_deletes_an_account_is_offered_to_keep_it():
    templates = GLOSSARY.parent.parent / "templates"
    offers = [each for each in templates.rglob("*.html") if '"Keep my account"' in each.read_text()]
    assert [str(each.relative_to(templates)) for each in offers] == ["account/delete.html"]
