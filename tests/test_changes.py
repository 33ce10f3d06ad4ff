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


@pytest.fixture(params=["accept", "refuse"])
def earlier(request, sandbox):
    """Whether Connect takes an answer to an earlier page."""
    sandbox.state["switches"]["earlier_answers"] = request.param
    return request.param


DAY_AND_NIGHT = {"periods": "2", "start_0": "07:00", "cost_0": "30", "start_1": "23:00", "cost_1": "9.5"}
NAME, TERM, MOVED = {"tariff_name": "Dearer"}, {"term": "open"}, {**Walk.ADDRESS, "address_line1": "2 Example Street"}
PATHS = {
    "one price": lambda walk: walk.by_hand().answer(cost="28.15").name_and_term("Simple"),
    "day and night": lambda walk: walk.by_hand(structure="TIME_OF_DAY").answer(**DAY_AND_NIGHT).name_and_term("Simple"),
    "market price": lambda walk: walk.by_hand(structure="MARKET").surcharge("2", "5").name_and_term("Simple"),
    "tariff not listed": lambda walk: (
        walk.to_providers()
        .provider("SSE")
        .act("TARIFF_MISSING", q="Simple")
        .answer(options="FIXED")
        .answer(cost="28.15")
        .name_and_term("Simple")
    ),
    "provider not listed": lambda walk: (
        walk.to_providers()
        .act("PROVIDER_MISSING", q="Example Energy")
        .answer(provider_name="Example Energy")
        .answer(options="FIXED")
        .answer(cost="28.15")
        .name_and_term("Simple")
    ),
}


@pytest.fixture
def summary(release, walk):
    """Alice at the summary of a price that she typed."""
    PATHS["one price"](walk)
    assert walk.shows is Kind.SUMMARY
    return walk


def changes(walk):
    """The links to change a row, by its name."""
    found = re.findall(r'<a href="([^"]+)" aria-label="Change: ([^"]+)"', walk.response.content.decode())
    return {what: path for path, what in found}


def change(walk, what, **answer):
    [path] = [path for name, path in changes(walk).items() if name == what or (what.endswith("at") and what in name)]
    return walk.get(path).answer(**answer)


def fail(sandbox, call, fault, **more):
    call = call if call == "token" else f"connect.{call}"
    with sandbox.lock:
        sandbox.set_faults([{"call": call, "fault": fault, **more}])


def test_each_row_that_was_typed_has_a_change_and_the_address_is_one(summary):
    assert set(changes(summary)) == {"Address", "Provider", "Tariff", "Price", "Contract", "Price per kWh"}
    assert "Address 1 Example Street, London" in summary.text


def test_of_an_address_that_was_given_twice_the_last_one_counts(release, walk):
    walk.to_providers().act("ADDRESS_CHANGE").address(city="Leeds").provider("Ecotricity")
    walk.answer(options="FIXED").answer(cost="28.15").name_and_term("Simple")
    assert "Address 1 Example Street, Leeds" in walk.text
    walk.get(changes(walk)["Address"])
    assert 'value="Leeds"' in walk.response.content.decode()


def test_what_comes_from_the_provider_has_no_change(release, walk):
    walk.to_providers().provider("OVO Energy").log_in_at_provider()
    assert walk.shows is Kind.SUMMARY
    assert set(changes(walk)) == {"Address", "Provider"}


CHANGES = [
    *[(path, "Address", MOVED, "2 Example Street") for path in PATHS],
    ("one price", "Tariff", NAME, "Dearer"),
    ("market price", "Contract", TERM, "Until terminated"),
    *[(path, "Price per kWh", {"cost": "31"}, "31.00p") for path in PATHS if path.endswith("listed")],
    ("one price", "Price per kWh", {"cost": "31"}, "31.00p"),
    ("day and night", "Price at", DAY_AND_NIGHT | {"cost_0": "31", "cost_1": "31"}, "31.00p"),
    ("market price", "Price at", {"fixed": "3", "percentage": "5"}, "Simple"),
    ("provider not listed", "Provider", {"provider_name": "Other Energy"}, "Other Energy"),
]


@pytest.mark.parametrize(("path", "what", "answer", "said"), CHANGES)
def test_a_change_leads_back_to_the_summary_with_the_other_answers(release, earlier, walk, path, what, answer, said):
    PATHS[path](walk)
    before = walk.page.data
    change(walk, what, **answer)
    assert walk.shows is Kind.SUMMARY, walk.text
    assert said in walk.text
    after = walk.page.data
    kept = {"Tariff": ("provider", "cost"), "Contract": ("provider", "cost", "rates")}
    for name in kept.get(what, ("provider",) * (what != "Provider")):
        assert after.get(name) == before.get(name)
    assert ((after.get("cost"), after.get("rates")) != (before.get("cost"), before.get("rates"))) is ("Price" in what)
    assert walk.session.returns_to is None
    assert walk.session.is_unsettled is (release == "anode")
    walk.save()
    tariff = Tariff.objects.get()
    assert tariff.name == ("Dearer" if what == "Tariff" else "Simple")
    assert Location.objects.count() == 1


def test_every_answer_can_be_changed_one_after_the_other(release, earlier, summary):
    for what, answer in (("Price per kWh", {"cost": "31"}), ("Tariff", NAME), ("Address", MOVED), ("Contract", TERM)):
        change(summary, what, **answer)
        assert summary.shows is Kind.SUMMARY, what
    change(summary, "Price per kWh", cost="32")
    for said in ("32.00p", "Dearer", "2 Example Street", "Until terminated", "Ecotricity"):
        assert said in summary.text


def test_after_a_question_that_connect_did_not_ask_before_the_other_answers_are_given_again(earlier, summary):
    change(summary, "Price", options="TIME_OF_DAY")
    assert summary.page.route == "timed_prices"
    summary.answer(**DAY_AND_NIGHT)
    assert summary.shows is Kind.SUMMARY
    assert "Simple" in summary.text


def test_going_back_on_the_way_to_the_summary_changes_the_answer_again(earlier, summary):
    change(summary, "Price", options="TIME_OF_DAY")
    summary.act("BACK") if "BACK" in summary.page.actions else summary.back()
    assert summary.page.route == "structure"
    summary.answer(options="FIXED")
    assert summary.shows is Kind.SUMMARY
    assert "28.15p" in summary.text


def test_a_provider_that_was_listed_can_become_one_that_was_not(earlier, summary):
    summary.get(changes(summary)["Provider"]).act("PROVIDER_MISSING", q="Example Energy")
    assert summary.page.route == "provider_name"
    summary.answer(provider_name="Example Energy")
    assert summary.shows is Kind.SUMMARY
    assert "Example Energy" in summary.text
    assert "28.15p" in summary.text


def test_in_another_currency_the_price_is_asked_for_again(earlier, summary):
    berlin = {"address_line1": "1 Beispielstraße", "city": "Berlin", "post_code": "10117", "country_code": "DE"}
    change(summary, "Address", **berlin)
    assert summary.page.route == "provider"
    summary.answer(provider=summary.page.data["providers"][-1]["id"])
    while summary.page.route == "structure":
        summary.answer(options="FIXED")
    assert summary.page.route == "fixed_price"


@pytest.mark.parametrize(
    ("call", "fault"),
    [
        (call, fault)
        for call in ("token", "tariff_structure_select")
        for fault in ("status_500", "answer_lost", "status_429")
    ]
    + [("rate_fixed_capture", "status_409"), ("session_restore", "answer_lost")],
)
def test_a_fault_on_the_way_to_the_change_leaves_the_summary_as_it_was(walk, sandbox, call, fault):
    sandbox.state["switches"]["earlier_answers"] = "refuse"
    PATHS["one price"](walk)
    newest = walk.session.newest
    fail(sandbox, call, fault, times=2)
    change(walk, "Price per kWh", cost="31")
    assert 'value="31"' in walk.response.content.decode()
    assert (walk.session.newest, walk.session.returns_to) == (newest, None)
    sandbox.set_faults([])
    walk.get(f"/connect/{walk.session.pk}/")
    assert "28.15p" in walk.text
    change(walk, "Price per kWh", cost="31")
    assert "31.00p" in walk.text
    walk.save()
    assert Tariff.objects.count() == 1


@pytest.mark.parametrize("fault", ["status_500", "answer_lost"])
@pytest.mark.parametrize("call", ["tariff_name_capture", "contract_term_capture"])
def test_a_fault_on_the_way_back_leaves_a_question_that_leads_to_the_summary(
    release, earlier, summary, sandbox, call, fault
):
    fail(sandbox, call, fault)
    change(summary, "Price per kWh", cost="31")
    assert "can't look up prices" in summary.text
    # Where anode has to go back, that fails already.
    before = "fixed_price" if (release, earlier) == ("anode", "refuse") else summary.page.route
    typed, answer = {
        "fixed_price": ('value="31"', {"cost": "31"}),
        "tariff_name": ('value="Simple"', {"tariff_name": "Simple"}),
        "contract": ('value="unknown"[^>]*checked', {"term": "unknown"}),
    }[before]
    assert re.search(typed, summary.response.content.decode())
    summary.answer(**answer)
    assert summary.shows is Kind.SUMMARY
    assert "31.00p" in summary.text
    assert "Simple" in summary.text


def test_an_earlier_answer_that_is_refused_now_is_asked_for_and_the_rest_is_given_again(walk, sandbox):
    sandbox.state["switches"]["earlier_answers"] = "refuse"
    PATHS["one price"](walk)
    fail(sandbox, "provider_select", "status_409", times=2)
    change(walk, "Price per kWh", cost="31")
    assert walk.page.route == "provider"
    walk.provider("Ecotricity")
    assert walk.shows is Kind.SUMMARY
    assert "31.00p" in walk.text


def test_where_no_way_leads_to_the_question_the_summary_says_so_and_what_was_typed_is_kept(walk, sandbox):
    """The prices were typed after a sign-in at the provider, which can't be repeated."""
    sandbox.state["switches"]["earlier_answers"] = "refuse"
    walk.to_providers().provider("Octopus Energy").log_in_at_provider("manual")
    walk.answer(options="FIXED").answer(cost="28.15").name_and_term("Simple")
    token = walk.session.connect_token
    change(walk, "Price per kWh", cost="31")
    assert walk.shows is Kind.SUMMARY
    assert "This can't be changed by itself." in walk.text
    assert "28.15p" in walk.text
    assert walk.session.connect_token == token
    assert 'value="31"' in walk.get(changes(walk)["Price per kWh"]).response.content.decode()
    walk.get(f"/connect/{walk.session.pk}/").save()
    assert Tariff.objects.count() == 1


def test_a_change_whose_answer_was_lost_is_given_again_and_leads_to_the_summary(release, earlier, summary, sandbox):
    fail(sandbox, "rate_fixed_capture", "answer_lost")
    change(summary, "Price per kWh", cost="31")
    assert 'value="31"' in summary.response.content.decode()
    summary.answer(cost="32")
    assert summary.shows is Kind.SUMMARY
    assert "32.00p" in summary.text


def test_an_answer_that_is_refused_now_stands_in_its_form(summary, sandbox):
    fail(sandbox, "tariff_name_capture", "status_500")
    change(summary, "Price per kWh", cost="31")
    assert summary.page.route == "tariff_name"
    assert 'value="Simple"' in summary.response.content.decode()
    summary.answer(tariff_name="Simple")
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


def test_a_change_in_place_is_one_answer(earlier, summary):
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


def test_each_direction_has_a_page_of_its_own(managed):
    sold = Tariff.objects.get()
    sold.pk, sold.direction, sold.name = None, "EXPORT", "Sold"
    sold.save()
    for direction, name in (("IMPORT", "Simple"), ("EXPORT", "Sold")):
        managed.get(f"/locations/{sold.location_id}/tariff/?direction={direction}")
        assert f"Tariff {name}" in managed.text
        pressed = re.findall(r'name="direction" value="(\w+)"', managed.response.content.decode())
        assert set(pressed) == {direction}


def test_a_disconnected_tariff_offers_to_be_connected_again_only(managed):
    Tariff.objects.update(state=Tariff.State.DISCONNECTED)
    managed.get(managed.path + "?direction=IMPORT")
    assert "Disconnected since" in managed.text
    assert "Connect it again" in managed.text
    assert "Check or change it" not in managed.text
    assert "Disconnect this tariff" not in managed.text


def test_a_summary_offers_to_disconnect_what_is_connected_only(managed, release):
    offered = []
    for state in (Tariff.State.CONNECTED, Tariff.State.DISCONNECTED):
        Tariff.objects.update(state=state)
        managed.start(location=Location.objects.get().pk)
        assert managed.shows is Kind.SUMMARY
        offered.append("DISCONNECT" in managed.page.actions)
    assert offered == [True, release == "anode"]  # where FlatPeak has connected it before its summary


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


def test_a_login_of_a_provider_without_a_name_is_offered_for_no_other(release, walk):
    walk.to_providers().provider("Octopus Energy").log_in_at_provider("decline")
    page = walk.page
    page.body["data"]["providers"][0]["display_name"] = ""
    page.save()
    ConnectSession.objects.update(provider="")
    assert "sign-in" not in walk.get(walk.path).text


def test_after_a_declined_login_another_provider_has_its_own(release, walk):
    walk.to_providers().provider("Octopus Energy").log_in_at_provider("decline").provider("OVO Energy")
    walk.log_in_at_provider().save()
    assert Tariff.objects.get().provider == "OVO Energy"


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
    walk.provider("Ecotricity").back().back().address(city="Leeds")
    assert walk.page.route == "provider"
    assert "sign-in" not in walk.text
