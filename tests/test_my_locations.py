"""My locations: prices first, what is unfinished below, logos, and the straight way to an only location."""

import re
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from connect_ui.models import ConnectSession
from tariffs import details
from tariffs.models import Erasure, Location, Tariff
from tests.test_accounts import PASSWORD

pytestmark = pytest.mark.django_db

State = ConnectSession.State
# Folded: Discard asks first.
LOSS = " You lose the answers you gave here. Tariffs that are connected stay as they are. Yes, discard it"


def lines(walk, path="/locations/"):
    """What is unfinished, line by line."""
    page = walk.get(path).response.content.decode()
    part = re.search(r'<section class="unfinished">.*?</section>', page, re.S)
    found = re.findall(r"<li>(.*?)</li>", part[0], re.S) if part else []
    said = (" ".join(re.sub(r"<[^>]+>", " ", line).split()) for line in found)
    return [re.sub(r", .*? ago", "", line) for line in said]


def discard(walk, path="/locations/", number=0):
    """Press Discard in one of the lines, and say yes."""
    page = walk.get(path).response.content.decode()
    folded = re.findall(r"<details><summary[^>]*>Discard</summary>(.*?)</details>", page, re.S)
    forms = re.findall(r'action="([^"]+/discard/)">.*?name="then" value="(\w+)"', "".join(folded), re.S)
    address, then = forms[number]
    return walk.post(address, {"then": then})


def test_the_prices_stand_first_and_what_is_unfinished_below(walk):
    walk.fixed().by_hand()
    page = walk.get("/locations/").response.content.decode()
    assert page.index("28.15p") < page.index("Not finished yet") < page.index("ago</span>")


@pytest.mark.parametrize("path", ["/locations/", "/connect/"])
def test_each_conversation_is_one_line_to_continue_or_discard(walk, path):
    walk.by_hand().start()
    assert lines(walk, path) == [
        "A tariff Continue Discard" + LOSS,
        "Ecotricity Continue Discard" + LOSS,
    ]
    went_on = re.search(r'href="(/connect/[^"]+)" aria-describedby="begun-2">Continue', walk.response.content.decode())[
        1
    ]
    assert walk.get(went_on).route == "rate_fixed_capture"


@pytest.mark.parametrize("path", ["/locations/", "/connect/"])
def test_what_is_discarded_is_over_and_leads_back_to_the_list(walk, path):
    walk.by_hand().start()
    assert discard(walk, path, 1).path == path
    assert lines(walk, path) == ["A tariff Continue Discard" + LOSS]
    over = ConnectSession.objects.get(provider="Ecotricity")
    assert (over.state, over.encrypted_token) == (State.LEFT, "")
    assert "Nothing was connected." in walk.get(f"/connect/{over.pk}/").text


def test_nobody_discards_what_is_anothers_or_with_a_mere_visit(walk, bob):
    address = f"/connect/{walk.by_hand().session.pk}/discard/"
    stranger = Client()
    stranger.force_login(bob)
    assert stranger.post(address).status_code == 404
    assert walk.get(address).path == "/locations/"
    assert walk.session.state == State.OPEN


def test_what_is_being_answered_is_not_discarded(walk):
    walk.by_hand()
    ConnectSession.objects.update(claimed_until=timezone.now() + timedelta(minutes=1))
    assert "We are still sending your last answer. Try again in a minute." in discard(walk).text
    assert walk.session.state == State.OPEN


def test_what_flatpeak_has_connected_already_can_be_continued_alone(walk, sandbox):
    """In anode the tariff is connected before its summary."""
    sandbox.speak("anode")
    walk.by_hand().answer(cost="28.15").name_and_term()
    assert lines(walk) == ["Ecotricity Continue"]
    walk.post(f"/connect/{walk.session.pk}/discard/", {})
    assert walk.session.state == State.OPEN


def test_what_is_being_finished_can_be_continued_alone(walk):
    walk.by_hand()
    ConnectSession.objects.update(state=State.OWED)
    assert lines(walk) == ["Being finished: Ecotricity Continue"]


def test_a_login_that_may_have_connected_something_is_erased_when_it_is_discarded(walk, sandbox):
    sandbox.speak("anode")
    walk.to_providers().provider("Octopus Energy").leave()
    discard(walk)
    assert walk.session.state == State.LEFT
    assert Erasure.objects.get().kind == Erasure.Kind.CONVERSATION


def test_the_logo_of_the_provider_is_shown(walk):
    walk.fixed()
    logo = Tariff.objects.get().logo_url
    assert logo.endswith(".svg")
    assert f'<img src="{logo}"' in walk.get("/locations/").response.content.decode()


def test_a_logo_stays_until_the_provider_is_another_one():
    tariff = Tariff(provider="Ecotricity", logo_url="https://logos.example.com/1.svg")
    details.note(tariff, {"provider": "Ecotricity", "logo_url": None})
    assert tariff.logo_url == "https://logos.example.com/1.svg"
    details.note(tariff, {"provider": "Octopus Energy", "logo_url": None})
    assert tariff.logo_url == ""
    details.note(tariff, {"logo_url": "https://logos.example.com/2.svg"})
    assert tariff.logo_url == "https://logos.example.com/2.svg"


def test_an_only_location_is_gone_to_straight_and_the_list_stays_one_link_away(walk):
    location = f"/locations/{walk.fixed().session.location_id}/"
    assert 'href="/">My locations</a>' in walk.get("/account/email/").response.content.decode()  # in the menu
    assert walk.get("/").path == location
    walk.client.logout()
    assert walk.post("/account/login/", {"login": "alice@example.com", "password": PASSWORD}).path == location
    assert '<nav class="back"><a href="/locations/">My locations</a>' in walk.see().response.content.decode()
    assert walk.get("/locations/").path == "/locations/"


def test_who_has_more_to_look_at_than_one_location_sees_the_list(walk):
    walk.fixed().by_hand()
    assert walk.get("/").path == "/locations/"
    discard(walk)
    location = Location.objects.get()
    assert walk.get("/").path == f"/locations/{location.pk}/"
    location.pk, location.location_id = None, "loc_2"
    location._state.adding = True
    location.save()
    assert walk.get("/").path == "/locations/"
