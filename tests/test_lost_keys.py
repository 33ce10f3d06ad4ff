"""What is owed while the key of its token is missing stays owed, and comes to an end when the key is back."""

from datetime import timedelta

import pytest
from django.template.loader import render_to_string
from django.utils import timezone

from connect_ui.conversation.settle import exchange_owed
from connect_ui.models import ConnectSession
from flatpeak_app.operations import needs
from flatpeak_app.web.vault import KEY_MISSING
from tariffs import flatpeak
from tariffs.erasure import erase
from tariffs.models import Erasure

pytestmark = pytest.mark.django_db


@pytest.fixture
def owed(walk, monkeypatch):
    """Alice's conversation, which is over, and whose exchange We got no answer."""

    def fail(*told):
        raise flatpeak.Unavailable("GET /connect/tariff/token: no answer")

    with monkeypatch.context() as broken:
        broken.setattr(flatpeak, "exchange", fail)
        walk.fixed()
    return ConnectSession.objects.get()


def test_an_erasure_without_its_key_stays_open_and_is_shown_until_the_key_is_back(owed, settings, sandbox):
    owed.delete()
    [lost], keys, before = Erasure.objects.all(), settings.TOKEN_KEYS, sandbox.counts["exchange"]
    settings.TOKEN_KEYS = ["another key of the same length as most"]
    assert erase(lost) is False
    assert (Erasure.objects.get().done_at, sandbox.counts["exchange"]) == (None, before)
    [case] = needs.deletions(timezone.now() + timedelta(days=2)).cases
    assert case.said == KEY_MISSING
    settings.TOKEN_KEYS = [*settings.TOKEN_KEYS, *keys]
    assert erase(Erasure.objects.get())
    assert Erasure.objects.filter(kind=Erasure.Kind.LOCATION, done_at=None).exists()


def test_an_exchange_without_its_key_stays_owed_and_is_shown_until_the_key_is_back(owed, settings, sandbox):
    keys, before = settings.TOKEN_KEYS, sandbox.counts["exchange"]
    settings.TOKEN_KEYS = ["another key of the same length as most"]
    assert exchange_owed(owed) is False
    assert sandbox.counts["exchange"] == before
    [case] = needs.exchanges(timezone.now() + timedelta(hours=2)).cases
    assert case.said == KEY_MISSING
    settings.TOKEN_KEYS = [*settings.TOKEN_KEYS, *keys]
    assert exchange_owed(ConnectSession.objects.get())
    assert ConnectSession.objects.get().state == ConnectSession.State.CONNECTED


@pytest.mark.parametrize("matter", ["exchanges", "deletions"])
def test_the_admin_says_what_to_do_about_the_missing_key(matter):
    assert f"{KEY_MISSING}: we can’t decrypt the token" in render_to_string(f"admin/connect_ui/to_do/{matter}.html")
