"""Every time on a page names its zone, or says how long ago it was."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from django.core import mail

from tariffs.models import Erasure
from tariffs.times import until

pytestmark = pytest.mark.django_db

PASSWORD = "correct horse battery"


@pytest.mark.parametrize(
    ("hours", "said"),
    [(4, "16:00"), (11, "23:00"), (12, "midnight"), (12.5, "tomorrow 00:30"), (36, "Wed 25 Nov 00:00")],
)
def test_the_end_of_a_time_names_its_day_and_midnight_is_that_of_today(hours, said):
    noon = datetime(2026, 11, 23, 12, tzinfo=UTC)
    assert until(noon + timedelta(hours=hours), noon, UTC) == said


def test_a_summary_names_the_zone_of_its_times(walk):
    walk.to_providers().provider("Octopus Energy").log_in_at_provider()
    assert re.search(r"All times are in London \(UTC(\+01:00)?\)\.", walk.text)


def test_a_summary_without_times_names_none(walk):
    walk.by_hand().answer(cost="28.15").name_and_term()
    assert "All times" not in walk.text


def test_prices_by_time_of_day_are_asked_for_in_the_locations_time(walk):
    walk.by_hand(structure="TIME_OF_DAY")
    assert "Use the local time at the address." in walk.text


@pytest.mark.parametrize("path", ["/connect/", "/locations/"])
def test_when_a_conversation_was_begun_is_told_by_how_long_ago(walk, later, path):
    walk.by_hand()
    later(hours=3)
    assert "Ecotricity, 3 hours ago" in walk.get(path).text


def test_a_mail_about_a_change_names_the_zone_of_its_time(client, alice, monkeypatch):
    monkeypatch.setattr("django.utils.timezone.now", lambda: datetime(2026, 11, 23, 12, 30, tzinfo=UTC))
    client.post("/account/login/", {"login": alice.email, "password": PASSWORD})
    new = "staple battery horse correct"
    client.post("/account/password/change/", {"oldpassword": PASSWORD, "password1": new, "password2": new})
    assert "When: 23 November 2026, 12:30 UTC\n" in mail.outbox[-1].body


@pytest.mark.parametrize(
    "path", ["", "tariffs/tariff/", "connect_ui/connectsession/", "connect_ui/connectsession/funnel/"]
)
def test_each_page_of_the_admin_names_the_zone_of_its_times(client, charlie, settings, path):
    settings.STAFF_MFA = False
    client.force_login(charlie)
    assert "All times are in UTC" in client.get(f"/admin/{path}").content.decode()


def test_a_deletion_is_named_by_its_time_with_the_zone():
    assert str(Erasure(kind="location", requested_at=datetime(2026, 11, 23, 12, 30, tzinfo=UTC))).endswith("12:30 UTC")
