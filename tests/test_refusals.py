"""What the customer is told where FlatPeak refuses without naming a field."""

import pytest

from connect_ui import refusals
from tariffs.flatpeak import Rejected, Unavailable
from tariffs.flatpeak.errors import MAX_MESSAGE
from tests.test_forms import FIELD_OF_CODE

FOR_PEOPLE = "This address is not served yet."


def said(status, message=FOR_PEOPLE, code="never_heard_of", retry_after=None):
    return refusals.sentence(Rejected("Connect", status, {"code": code, "message": message}, retry_after))


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (401, "could not send your answer"),
        (403, "could not send your answer"),
        (409, "were not ready"),
        (429, "busy right now"),
    ],
)
def test_what_is_not_about_the_answer_is_said_in_our_words(status, words):
    assert words in said(status)
    assert FOR_PEOPLE not in said(status)


@pytest.mark.parametrize("status", [200, 400, 404, 422])
def test_what_is_about_the_answer_is_quoted(status):
    assert said(status).startswith(f"We could not use this answer: “{FOR_PEOPLE}” ")


@pytest.mark.parametrize(
    "message",
    [
        "",
        "Not Found",
        "postal_address.city must not be empty.",
        "Send {a: b}.",
        "Not <b>this</b>.",
        "It is \u202eturned.",
        "One.\nTwo.",
        "A" + "x" * 400 + ".",
        ["A list."],
    ],
)
def test_what_is_not_written_for_people_is_not_quoted(message):
    assert said(422, message) == refusals.NO_REASON


def test_every_code_that_flatpeak_documents_has_a_sentence_of_ours():
    codes = {code for codes in FIELD_OF_CODE.values() for code in codes} | {"action_missing", "action_invalid"}
    assert codes <= set(refusals.CODES)
    assert all(said(422, code=code) == refusals.CODES[code] for code in codes)


@pytest.mark.parametrize("status", [401, 403, 409])
def test_a_code_of_ours_is_said_whatever_its_status(status):
    assert said(status, code="city_missing") == refusals.CODES["city_missing"]


def test_a_message_has_an_end():
    assert len(Rejected("Connect", 422, {"message": "x" * 5000}).message) == MAX_MESSAGE


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (None, "a minute"),
        (1, "a second"),
        (7, "7 seconds"),
        (60, "a minute"),
        (61, "2 minutes"),
        (3600, "an hour"),
        (86400, "24 hours"),
    ],
)
def test_a_429_says_when_to_try_again(seconds, words):
    assert said(429, retry_after=seconds).endswith(f"Try again in {words}.")


@pytest.mark.parametrize(
    "error", [Unavailable("Connect"), *(Rejected("Connect", s, {}) for s in (401, 403, 409, 422, 429))]
)
def test_each_says_what_happened_what_is_kept_and_what_to_do(error):
    words = refusals.sentence(error)
    assert words.startswith("We")
    assert "We kept what you entered. " in words
    assert "try again" in words.lower()
