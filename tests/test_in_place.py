"""Steps in place: what the script asks for, and gets, instead of a redirect and a page; and how small it is."""

import re

import pytest
from django.test import Client

from connect_ui.models import ConnectSession
from flatpeak_app.web import vault
from tariffs import flatpeak
from tariffs.queue import claim_end
from tests.test_faults import PAGES
from tests.walk import Walk

pytestmark = pytest.mark.django_db
PART = {"Part": "main"}


def main_of(html):
    """The main part of a page, or of an answer in place, without what differs from one rendering to the next."""
    html = re.sub(r"(?s).*<main[^>]*>|</main>.*|<title>.*?</title>", "", html)
    return re.sub(r'name="csrfmiddlewaretoken" value="\w+"|\s+', " ", html).strip()


@pytest.fixture
def step(walk):
    """Answers the page in view in place."""

    def step(**data):
        data.setdefault("newest", walk.session.newest)
        return walk.client.post(f"/connect/{walk.session.pk}/{walk.page.number}/", data, headers=PART)

    return step


def test_an_answer_comes_back_as_the_next_page_in_one_round_trip(walk, sandbox, step):
    walk.by_hand()
    sent = sandbox.counts["connect"]
    response = step(cost="28.15")
    path = f"/connect/{walk.session.pk}/{walk.session.newest}/"
    assert (response.status_code, response["Content-Location"]) == (200, path)
    assert "Part" in response["Vary"]
    assert "no-store" in response["Cache-Control"]
    html = response.content.decode()
    assert html.startswith("<title>What is your tariff called? – ")
    assert "<html" not in html
    assert "<header" not in html
    assert sandbox.counts["connect"] == sent + 1
    walk.get(path)
    assert main_of(html) == main_of(walk.response.content.decode())


def test_a_step_back_comes_as_the_page_at_its_address(walk, sandbox, step):
    sandbox.speak("anode")
    walk.by_hand().answer(cost="28.15").answer(tariff_name="Simple")
    html = step(action="BACK").content.decode()
    walk.get(f"/connect/{walk.session.pk}/{walk.session.newest}/")
    assert walk.page.route == "tariff_name"
    assert "You told us: 28.15p" in walk.text
    assert main_of(html) == main_of(walk.response.content.decode())


def test_a_step_decrypts_the_connect_token_once(walk, step, monkeypatch):
    walk.by_hand()
    decrypted, real = [], vault.decrypted
    monkeypatch.setattr(vault, "decrypted", lambda text: decrypted.append(text) or real(text))
    step(cost="28.15")
    assert decrypted == [walk.session.encrypted_token]


def test_the_whole_conversation_goes_in_place(walk, client):
    response = client.post("/connect/", {"direction": "IMPORT", "country_code": "GB"}, headers=PART)
    assert response.status_code == 200
    walk.response = response
    while walk.route != "session_complete":
        _, answer, _ = PAGES[walk.route]
        asked = Asking(client, response)
        answer(asked)
        response = walk.response = asked.response
        if response.status_code == 200:
            assert response["Content-Location"] == f"/connect/{walk.session.pk}/{walk.session.newest}/"
    # A redirect would be followed by the script, and the page that it leads to would be loaded twice.
    assert (response.status_code, response["Location"]) == (204, f"/locations/{walk.session.location_id}/")
    for said in (True, False):
        assert ("Your tariff is connected." in client.get(response["Location"]).content.decode()) is said


class Asking(Walk):
    """A walk whose presses are sent by script."""

    def __init__(self, client, response):
        super().__init__(client)
        self.response = response

    def post(self, path, data, **options):
        self.response = self.client.post(path, data, headers=PART)
        return self


def test_a_wrong_answer_comes_back_with_its_error_at_the_same_address(walk, step):
    walk.by_hand()
    response = step(cost="abc")
    assert (response.status_code, response["Content-Location"]) == (422, walk.path)
    html = response.content.decode()
    assert html.startswith("<title>Error: ")
    assert 'value="abc"' in html


def test_flatpeak_that_does_not_answer_is_told_in_place(walk, step, monkeypatch):
    def nothing(*arguments, **options):
        raise flatpeak.Unavailable("Connect: no answer (ConnectTimeout)")

    walk.by_hand()
    monkeypatch.setattr(flatpeak, "answer", nothing)
    response = step(cost="28.15")
    assert (response.status_code, response["Content-Location"]) == (503, walk.path)
    assert 'value="28.15"' in response.content.decode()


def test_an_answer_that_was_given_already_leads_to_where_it_led(walk, sandbox, step):
    walk.by_hand()
    newest = walk.session.newest
    led_to = step(cost="28.15")["Content-Location"]
    sent = sandbox.counts["connect"]
    again = step(cost="28.15", newest=newest)
    assert again["Content-Location"] == led_to
    assert sandbox.counts["connect"] == sent
    other = step(cost="30", newest=newest)
    assert other["Content-Location"] == led_to
    assert "You already answered that question" in other.content.decode()
    assert "answered already" not in walk.get(led_to).text  # it was said once


def test_a_conversation_that_took_too_long_says_so_in_place(walk, step):
    walk.by_hand()
    ConnectSession.objects.update(state="expired")
    response = step(cost="28.15")
    assert response.status_code == 410
    assert response.content.startswith(b"<title>")


def test_while_another_answer_is_under_way_it_waits(walk, step):
    walk.by_hand()
    ConnectSession.objects.update(claimed_until=claim_end())
    response = step(cost="28.15")
    assert "One moment" in response.content.decode()
    assert ' data-next="' in response.content.decode()  # the script asks there for the next page


def test_what_leads_elsewhere_stays_a_redirect(walk, step):
    walk.by_hand()
    walk.client.logout()
    response = step(cost="28.15", newest=1)
    assert response.status_code == 302
    assert response["Location"].startswith("/account/login/?next=/connect/")


def test_without_the_header_and_by_get_everything_is_as_before(walk, client):
    walk.by_hand()
    data = {"cost": "28.15", "newest": walk.session.newest}
    assert client.post(walk.path, data).status_code == 302
    response = client.get(walk.path, headers=PART)
    assert response.content.startswith(b"<!doctype html>")
    assert "Content-Location" not in response


def test_a_form_without_its_token_gets_the_whole_page_that_says_so(walk, alice):
    walk.by_hand()
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(alice)
    response = strict.post(walk.path, {"cost": "28.15", "newest": walk.session.newest}, headers=PART)
    assert response.status_code == 403
    assert response.content.startswith(b"<!doctype html>")
    assert "Content-Location" not in response


def test_somebody_elses_conversation_is_a_404(walk, bob):
    walk.by_hand()
    walk.client.force_login(bob)
    response = walk.client.post(walk.path, {"cost": "28.15"}, headers=PART)
    assert response.status_code == 404
    assert "Content-Location" not in response
