"""A change on the way to a summary, and the page of a connected tariff."""

import re

import pytest

from connect_ui.models import ConnectSession
from connect_ui.routes import Kind
from tariffs.models import Location, Tariff
from tests.walk import Walk

pytestmark = pytest.mark.django_db


@pytest.fixture(params=["zero", "anode"])
def release(request, sandbox):
    sandbox.speak(request.param)
    return request.param


@pytest.fixture
def summary(release, walk):
    """Alice at the summary of a price that she typed."""
    walk.by_hand().answer(cost="28.15").name_and_term("Simple")
    assert walk.shows is Kind.SUMMARY
    return walk


def changes(walk):
    """The links to change a row, by its name."""
    found = re.findall(r'<a href="([^"]+)" aria-label="Change: ([^"]+)"', walk.response.content.decode())
    return {what: path for path, what in found}


def change(walk, what, **answer):
    return walk.get(changes(walk)[what]).answer(**answer)


def test_each_row_that_was_typed_has_a_change_and_the_address_is_one(summary):
    assert set(changes(summary)) == {"Address", "Provider", "Tariff", "Price", "Contract", "Price per kWh"}
    assert "Address 1 Example Street, London" in summary.text


def test_what_comes_from_the_provider_has_no_change(release, walk):
    walk.to_providers().provider("OVO Energy").log_in_at_provider()
    assert walk.shows is Kind.SUMMARY
    assert set(changes(walk)) == {"Address", "Provider"}


@pytest.mark.parametrize(
    ("what", "answer", "said"),
    [
        ("Price per kWh", {"cost": "31"}, "31.00p per kWh"),
        ("Tariff", {"tariff_name": "Dearer"}, "Dearer"),
        ("Contract", {"term": "open"}, "until terminated"),
        ("Address", {**Walk.ADDRESS, "address_line1": "2 Example Street"}, "2 Example Street"),
    ],
)
def test_a_change_leads_back_to_the_summary_with_the_other_answers(summary, what, answer, said):
    change(summary, what, **answer)
    assert summary.shows is Kind.SUMMARY, summary.text
    assert said in summary.text
    assert "Ecotricity" in summary.text
    summary.save()
    tariff = Tariff.objects.get()
    assert tariff.name == ("Dearer" if what == "Tariff" else "Simple")
    assert Location.objects.count() == 1


def test_a_change_that_makes_connect_ask_something_else_stops_there(summary):
    change(summary, "Price", options="TIME_OF_DAY")
    assert summary.page.route == "timed_prices"
    summary.answer(periods="2", start_0="07:00", cost_0="30", start_1="23:00", cost_1="9.5")
    assert summary.page.route == "tariff_name"


def test_an_answer_that_is_refused_now_stands_in_its_form(summary, sandbox):
    with sandbox.lock:
        sandbox.set_faults([{"call": "connect.tariff_name_capture", "fault": "status_500"}])
    change(summary, "Price per kWh", cost="31")
    assert summary.page.route == "tariff_name"
    assert 'value="Simple"' in summary.response.content.decode()
    with sandbox.lock:
        sandbox.set_faults([])
    summary.answer(tariff_name="Simple").answer(term="unknown")
    assert summary.shows is Kind.SUMMARY
    assert "31.00p" in summary.text


def test_a_change_sends_each_answer_once(summary, sandbox):
    before = dict(sandbox.counts)
    path = changes(summary)["Price per kWh"]
    newest = summary.session.newest
    for _ in range(2):  # a double click
        summary.post(path, {"cost": "31", "newest": newest})
    sent = {name: sandbox.counts[name] - before.get(name, 0) for name in sandbox.counts}
    assert [
        sent[f"connect.{name}"] for name in ("rate_fixed_capture", "tariff_name_capture", "contract_term_capture")
    ] == [1] * 3


def test_where_connect_takes_no_answer_to_an_earlier_page_it_goes_back_or_says_so(summary, sandbox, release):
    sandbox.state["switches"]["earlier_answers"] = "refuse"
    change(summary, "Price per kWh", cost="31")
    assert summary.shows is Kind.SUMMARY
    assert ("31.00p" in summary.text) is (release == "anode")  # which has BACK
    assert ("This can't be changed by itself." in summary.text) is (release == "zero")


def test_a_change_in_place_is_one_answer(summary):
    response = summary.client.post(
        changes(summary)["Price per kWh"], {"cost": "31", "newest": summary.session.newest}, headers={"Part": "main"}
    )
    assert response["Content-Location"] == f"/connect/{summary.session.pk}/{summary.session.newest}/"
    assert "31.00p" in response.content.decode()


# --- the page of a tariff


@pytest.fixture
def managed(release, walk):
    walk.fixed()
    walk.get(f"/locations/{Location.objects.get().pk}/tariff/?direction=IMPORT")
    return walk


def test_the_rates_lead_to_the_page_of_the_tariff_which_asks_flatpeak_nothing(managed, sandbox):
    before = dict(sandbox.counts)
    managed.get(managed.path + "?direction=IMPORT")
    for words in ("Your tariff", "Ecotricity", "Simple", "1 Example Street", "Connected", "See the prices"):
        assert words in managed.text
    assert sandbox.counts == before
    assert (
        f'href="{managed.path}?direction=IMPORT"'
        in managed.client.get(managed.path.removesuffix("tariff/")).content.decode()
    )


@pytest.mark.parametrize(
    ("then", "route"), [("look", Kind.SUMMARY), ("change", Kind.QUESTION), ("nothing known", Kind.SUMMARY)]
)
def test_its_buttons_lead_where_they_say(managed, then, route):
    managed.start(location=Location.objects.get().pk, then=then)
    assert managed.shows is route
    assert (managed.page.route == "provider") is (then == "change")


def test_it_disconnects_at_one_press(managed):
    managed.start(location=Location.objects.get().pk, then="disconnect")
    assert "Your tariff is disconnected" in managed.text
    assert Tariff.objects.get().state == Tariff.State.DISCONNECTED


def test_a_disconnected_tariff_offers_to_be_connected_again_only(managed):
    Tariff.objects.update(state=Tariff.State.DISCONNECTED)
    managed.get(managed.path + "?direction=IMPORT")
    assert "Disconnected since" in managed.text
    assert "Connect it again" in managed.text
    assert "Check or change it" not in managed.text
    assert "Disconnect this tariff" not in managed.text


def test_where_flatpeak_fails_the_summary_is_shown_with_the_reason(managed, sandbox):
    with sandbox.lock:
        fault = {"call": "connect.summary_fixed_confirm", "fault": "status_500"}
        sandbox.set_faults([fault, fault | {"call": "connect.tariff_summary"}])
    managed.start(location=Location.objects.get().pk, then="change")
    assert managed.shows is Kind.SUMMARY
    assert "can't look up prices" in managed.text
    assert managed.session.state == ConnectSession.State.OPEN


# --- a provider's login


def test_before_a_login_the_page_says_what_is_read_and_how_to_take_it_back(release, walk):
    walk.to_providers().provider("Octopus Energy")
    html = walk.response.content.decode()
    listed = next(
        p for p in walk.session.pages.get(route="provider").data["providers"] if p["display_name"] == "Octopus Energy"
    )
    assert f'src="{listed["logo_url"]}"' in html
    for words in (
        "What is read",
        "its prices and the dates of your contract",
        "How to take it back",
        "We never see your password",
    ):
        assert words in walk.text


def test_a_declined_login_says_so_and_offers_to_try_again(release, walk):
    walk.to_providers().provider("Octopus Energy").log_in_at_provider("decline")
    assert walk.page.route == "provider"
    assert "You did not finish the sign-in at Octopus Energy, or it was declined. Nothing was connected." in walk.text
    [again] = re.findall(r'name="provider" value="([^"]+)">Try the sign-in again', walk.response.content.decode())
    assert walk.answer(provider=again).page.route == "redirect"


@pytest.mark.parametrize("after", ["before the login", "declined"])
def test_prices_can_be_typed_instead_of_a_login(release, walk, after):
    walk.to_providers().provider("Octopus Energy")
    if after == "declined":
        walk.log_in_at_provider("decline")
    form = re.search(r'(?s)action="([^"]+)">(?:(?!</form>).)*Enter my prices instead', walk.response.content.decode())
    walk.post(form[1], {"action": "PROVIDER_MISSING", "q": "Octopus Energy", "newest": walk.session.newest})
    assert walk.page.route == "provider_name"
    assert 'value="Octopus Energy"' in walk.response.content.decode()
    walk.answer(provider_name="Octopus Energy").answer(options="FIXED").answer(cost="20").name_and_term().save()
    assert Tariff.objects.get().provider == "Octopus Energy"


def test_a_list_of_providers_without_a_login_before_it_says_nothing_of_one(release, walk):
    assert "sign-in" not in walk.to_providers().text
