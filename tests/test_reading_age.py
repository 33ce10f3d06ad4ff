"""The words of the site are for a reader of twelve: known formulas over each page's sentences, in each language."""

import re
from collections import defaultdict

import pyphen
import pytest
from django.conf import settings

from tests import catalogs

LANGUAGES = [code.partition("-")[0] for code, _ in settings.LANGUAGES]
ENOUGH = 20  # words; of fewer, one long word decides
HARD = {
    "en": "Subsequent to authentication, tariff configurations necessitate administrative verification by the organisation.",
    "de": "Tarifkonfigurationen erfordern nach erfolgreicher Authentifizierung eine administrative Verifizierungsmassnahme.",
    "fr": "Postérieurement à l'authentification, les configurations tarifaires nécessitent une vérification administrative.",
}


def fits_twelve_years(text, language):
    words = re.findall(r"\w[\w'’-]*", text)
    length = len(words) / len(re.findall(r"[.?!](?=\s|$)", text))
    hyphens = pyphen.Pyphen(lang={"en": "en_GB", "de": "de_DE", "fr": "fr_FR"}[language])
    # Hyphens are put where syllables meet, though not after a word's first letter or before its last.
    syllables = [len(hyphens.positions(word)) + 1 for word in words]
    of_each = sum(syllables) / len(words)
    if language == "fr":  # Kandel and Moles: from 100, which is very easy, down; 70 to 80 at twelve years
        return 207 - 1.015 * length - 73.6 * of_each >= 70
    # Both give a year of school, of which the seventh begins at twelve.
    if language == "en":  # Flesch and Kincaid
        return 0.39 * length + 11.8 * of_each - 15.59 <= 7
    long = 100 * sum(count >= 3 for count in syllables) / len(words)
    short = 100 * sum(count == 1 for count in syllables) / len(words)
    wide = 100 * sum(len(word) > 6 for word in words) / len(words)
    return 0.1935 * long + 0.1672 * length + 0.1297 * wide - 0.0327 * short - 0.875 <= 7  # the first formula of Vienna


def sentences(language):
    """What each of the sources says in whole sentences, somebody's name in the place of what is filled in."""
    found = defaultdict(list)
    for message in catalogs.extracted() if language == "en" else catalogs.stored(language):
        said = message.id if language == "en" else message.string
        text = said if isinstance(said, str) else said[1]
        text = " ".join(re.sub(r"<[^>]*>|[“”«»„]", "", re.sub(r"%\(\w+\)[sd]|%[sd]|{\w+}", "Bob", text)).split())
        if re.search(r"\s\S+[.?!]$", text):
            for file, _ in message.locations:
                found[file].append(text)
    return {file: " ".join(texts) for file, texts in found.items()}


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_reader_of_twelve_understands_every_page(language):
    said = {file: text for file, text in sentences(language).items() if len(text.split()) >= ENOUGH}
    assert len(said) > 20
    assert {file: text for file, text in said.items() if not fits_twelve_years(text, language)} == {}


@pytest.mark.parametrize("language", LANGUAGES)
def test_hard_words_would_be_found(language):
    assert not fits_twelve_years(HARD[language], language)
