"""Stored connect tokens: encrypted, found by a digest, and wiped at the end of the conversation."""

from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from connect_ui.models import ConnectSession
from flatpeak_app.web import vault

pytestmark = pytest.mark.django_db

TOKEN = "cot_" + 24 * "5"


@pytest.fixture
def kept(alice):
    return ConnectSession.objects.create(
        user=alice, connect_token=TOKEN, expires_at=timezone.now() + timedelta(days=1), direction="IMPORT"
    )


def test_what_is_stored_does_not_tell_the_token(kept):
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM connect_ui_connectsession")
        assert TOKEN not in str(cursor.fetchone())
    assert ConnectSession.objects.get().connect_token == TOKEN
    assert vault.encrypted(TOKEN) != vault.encrypted(TOKEN)


def test_a_token_finds_its_session_and_another_one_none(kept):
    assert ConnectSession.of_token(TOKEN) == kept
    assert ConnectSession.of_token("") is None
    assert ConnectSession.of_token(TOKEN[:-1]) is None


def test_keys_are_rotated_by_putting_a_new_one_in_front(kept, settings):
    old = settings.TOKEN_KEYS
    settings.TOKEN_KEYS = ["new", *old]
    found = ConnectSession.of_token(TOKEN)
    assert found.connect_token == TOKEN
    found.connect_token = TOKEN
    found.save()
    settings.TOKEN_KEYS = ["new"]
    assert ConnectSession.of_token(TOKEN).connect_token == TOKEN


def test_a_token_whose_key_is_gone_is_none_and_the_session_is_over_for_connect(walk, settings):
    walk.by_hand()
    settings.TOKEN_KEYS = ["another"]
    assert walk.session.connect_token == ""
    walk.answer(cost="28.15")
    assert walk.session.state == ConnectSession.State.EXPIRED


def test_the_token_is_wiped_when_it_has_been_exchanged(walk):
    walk.fixed()
    assert (walk.session.state, walk.session.encrypted_token) == ("connected", "")
    walk.get("/connect/callback/", data={"fp_cot": walk.token})
    assert walk.route == "session_complete"


def test_the_token_is_wiped_when_connect_calls_it_expired(walk):
    walk.to_providers().provider("Test: token expires here")
    assert (walk.session.state, walk.session.encrypted_token) == ("expired", "")


def test_a_token_whose_exchange_is_owed_is_kept(walk, monkeypatch):
    from tariffs import flatpeak

    def down(*told):
        raise flatpeak.Unavailable("GET /connect/tariff/token: no answer")

    monkeypatch.setattr(flatpeak, "exchange", down)
    walk.fixed()
    assert (walk.session.state, walk.session.connect_token) == ("owed", walk.token)
