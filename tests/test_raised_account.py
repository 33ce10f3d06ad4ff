"""A conversation that was begun in zero, and whose account is raised to anode in the middle, at each page.

FlatPeak does not say what becomes of it, so the sandbox has three readings (`raised_tokens`). Each page is tried with one of
them in turn, with TORTURE with each.
"""

import os
from itertools import cycle, product

import pytest
from django.core.management import call_command

from connect_ui.models import ConnectSession
from tariffs import flatpeak
from tariffs.models import Location, Tariff

pytestmark = pytest.mark.once

State = ConnectSession.State


def at_name(walk):
    return walk.by_hand().answer(cost="28.15")


def at_contract(walk):
    return at_name(walk).answer(tariff_name="Simple")


def at_summary(walk):
    return at_contract(walk).answer(term="open")


def at_surcharge(walk):
    return walk.to_providers().provider("Test: asks for the region")


def away_at_the_login(walk):
    walk.to_providers().provider("OVO Energy").leave()


def at_a_pending_summary(walk):
    return walk.to_providers().provider("EDF").log_in_at_provider("unreachable")


def at_an_owed_end(walk):
    walk.sandbox.set_faults([{"call": "exchange", "fault": "status_500", "times": 1000}])
    at_summary(walk).act("SAVE")
    assert walk.session.state == State.OWED
    walk.sandbox.set_faults([])


PAGES = {
    "address": lambda walk: walk.start(),
    "provider": lambda walk: walk.to_providers(),
    "provider_name": lambda walk: walk.to_providers().act("PROVIDER_MISSING", q="Village Power"),
    "tariff": lambda walk: walk.to_providers().provider("SSE"),
    "structure": lambda walk: walk.to_providers().provider("Ecotricity"),
    "fixed_price": lambda walk: walk.by_hand(),
    "timed_prices": lambda walk: walk.by_hand(structure="TIME_OF_DAY"),
    "surcharge": at_surcharge,
    "tariff_name": at_name,
    "contract": at_contract,
    "fixed_summary": at_summary,
    "summary": lambda walk: walk.to_providers().provider("OVO Energy").log_in_at_provider(),
    "pending": at_a_pending_summary,
    "redirect": lambda walk: walk.to_providers().provider("OVO Energy"),
    "away at the login": away_at_the_login,
    "an owed end": at_an_owed_end,
}
# What a customer types, by page. It is typed once: a page that is shown again has it in its fields.
TYPED = {
    "address": {"address_line1": "1 Example Street", "city": "London", "post_code": "N1 1AA", "country_code": "GB"},
    "provider_name": {"provider_name": "Village Power"},
    "fixed_price": {"cost": "28.15"},
    "timed_prices": {"periods": "2", "start_0": "07:00", "cost_0": "30", "start_1": "23:00", "cost_1": "9.5"},
    "surcharge": {"fixed": "2.5", "percentage": "5"},
    "tariff_name": {"tariff_name": "Simple"},
}


def filled_in(walk):
    """Whether the form in view has all that was typed there before."""
    shown = walk.response.content.decode()
    return all(
        f'value="{each}"' in shown or f'value="{each}" selected' in shown for each in TYPED[walk.page.route].values()
    )


def press(walk, typed):
    """What a customer does on the page in view. `typed` has the routes whose form was filled in before."""
    page = walk.page
    if page.route in TYPED:
        assert page.route not in typed or filled_in(walk), f"typed input is lost: {walk.text}"
        typed.add(page.route)
    if page.route in ("surcharge", "region") and "regions" in page.data:
        return walk.answer(region=page.data["regions"][0], **TYPED.get(page.route, {}))
    if page.route in TYPED:
        return walk.answer(**TYPED[page.route])
    match page.route:
        case "provider":
            return walk.provider(walk.chosen)
        case "tariff":
            return walk.tariff()
        case "structure":
            return walk.answer(options=walk.structure)
        case "contract":
            return walk.answer(term="open")
        case "redirect":
            return walk.log_in_at_provider(walk.outcome)
    return walk.act("SAVE" if "SAVE" in page.actions else "CLOSE")


def go_on(walk, typed):
    """Press on to the end: "Continue" where the conversation is over, and the newest page's button otherwise."""
    for _ in range(25):
        session = walk.session
        if session.state not in (State.OPEN, State.OWED, State.EXPIRED):
            return
        if session.state == State.EXPIRED:
            assert "Continue" in walk.text
            walk.post(f"/connect/{session.pk}/again/", {})
        elif session.state == State.OWED:
            walk.get(f"/connect/{session.pk}/")
            call_command("exchange_pending")
        else:
            press(walk, typed)
    raise AssertionError(f"no end in sight: {walk.text}")


READINGS = ["finish", "refuse", "switch"]
TRIED = product(PAGES, READINGS) if "TORTURE" in os.environ else zip(PAGES, cycle(READINGS), strict=False)


@pytest.mark.parametrize(("page", "reading"), list(TRIED))
def test_it_ends_with_ids_and_rates_stored_once_and_nothing_is_typed_twice(walk, sandbox, later, page, reading):
    sandbox.state["switches"]["raised_tokens"] = reading
    walk.chosen = {
        "tariff": "SSE",
        "surcharge": "Test: asks for the region",
        "summary": "OVO Energy",
        "redirect": "OVO Energy",
        "away at the login": "OVO Energy",
        "pending": "EDF",
    }.get(page, "Ecotricity")
    walk.structure = "TIME_OF_DAY" if page == "timed_prices" else "FIXED"
    walk.outcome = "unreachable" if page == "pending" else "approve"
    PAGES[page](walk)
    typed = set(walk.session.pages.exclude(answer=None).values_list("route", flat=True)) & TYPED.keys()
    sandbox.raise_to("*", "anode")
    if page == "an owed end":
        later(minutes=2)
    elif page == "away at the login":
        walk.get(f"/connect/{walk.session.pk}/")
        walk.log_in_at_provider()
    go_on(walk, typed)
    stored = Tariff.objects.get()  # exactly one
    state = Tariff.State.PENDING if page == "pending" else Tariff.State.CONNECTED
    assert (stored.state, walk.session.state) == (state, State.CONNECTED)
    assert [Location.objects.get().location_id] == list(sandbox.state["locations"])
    later(minutes=20)
    walk.get(f"/locations/{stored.location_id}/")
    assert walk.price, walk.text


def test_a_choice_that_the_later_release_does_not_offer_is_to_be_made_again(walk, sandbox, monkeypatch):
    sandbox.state["switches"]["raised_tokens"] = "switch"
    walk.to_providers().provider("Ecotricity")
    sandbox.raise_to("*", "anode")
    answer = flatpeak.answer

    def of_fewer(*told, **more):
        page = answer(*told, **more)
        if page["route"] == "tariff_structure_select":
            page["data"]["options"].remove("FIXED")
        return page

    monkeypatch.setattr(flatpeak, "answer", of_fewer)
    sandbox.set_faults([{"call": "connect.tariff_structure_select", "fault": "status_409"}])
    walk.answer(options="FIXED")
    assert (walk.response.status_code, walk.page.route, walk.session.spoken.name) == (200, "structure", "anode")
    assert 'value="FIXED"' not in walk.response.content.decode()
    assert walk.answer(options="TIME_OF_DAY").page.route == "timed_prices"
