"""Which release the account is on: read from FlatPeak's answers, kept, and found out anew when the account is raised."""

import json
import logging
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest
from django.core.cache import cache
from django.utils import timezone

from connect_ui.models import ConnectSession
from tariffs import flatpeak, rates
from tariffs.erasure import erase
from tariffs.flatpeak import account, release
from tariffs.models import Erasure, Tariff
from tariffs.realm import FlatPeakAccount
from tests.test_flatpeak import BEARER, double  # noqa: F401

pytestmark = pytest.mark.django_db

ZERO, ANODE = "2024-08-24.zero", "2025-09-14.anode"
DAY = datetime(2026, 10, 25, tzinfo=UTC)
PLACE = (200, {"timezone": "Europe/London"})


def refusal(message=f"Requested API version {ZERO} is older than account default {ANODE}."):
    return 422, {"object": "error", "type": "invalid_request", "code": account.TOO_OLD, "message": message}


@pytest.fixture
def host(double):  # noqa: F811
    """A FlatPeak that names no release until a test says which: `host.told` maps a path to the header of its answers."""
    double.told = {}
    double.answers["/locations/loc_1"] = PLACE
    send = double.end_headers

    def end_headers(self):
        if version := self.told.get(self.path.partition("?")[0]):
            self.send_header("flatpeak-version", version)
        send(self)

    double.end_headers = end_headers
    return double


def pinned(host):
    return [headers.get("Flatpeak-Version") for _, path, _, headers, _ in host.seen if path != "/login"]


@pytest.mark.parametrize("path", ["/login", "/locations/loc_1"])
def test_the_first_answer_that_names_the_release_decides(host, path):
    host.told[path] = ANODE
    flatpeak.location("loc_1")
    flatpeak.location("loc_1")
    assert pinned(host)[-1] == ANODE == FlatPeakAccount.objects.get().flatpeak_version


def test_an_account_that_names_none_is_asked_in_the_first_release(host):
    flatpeak.location("loc_1")
    assert pinned(host) == [ZERO]
    assert not FlatPeakAccount.objects.exists()


def test_a_release_that_was_told_is_no_query_for_any_later_call(host, django_assert_num_queries):
    host.told["/login"] = ANODE
    flatpeak.location("loc_1")
    with django_assert_num_queries(0):
        flatpeak.location("loc_1")
    account.forget()  # as in another process
    with django_assert_num_queries(1):
        flatpeak.location("loc_1")
        flatpeak.location("loc_1")


OLDER = f"{ZERO} is older than account default {ANODE}; 2023-05-11.minus is gone."


@pytest.mark.parametrize("message", [refusal()[1]["message"], "Too old.", f"{ZERO} is too old, use 2025-09-14", OLDER])
def test_an_account_that_was_raised_is_asked_once_more_and_the_operator_is_told_once(host, caplog, message):
    account.note(ZERO)
    for _ in range(2):
        host.answers["/locations/loc_1"] = [refusal(message), PLACE]
        with flatpeak.purpose("a test"):
            assert flatpeak.location("loc_1")["timezone"] == "Europe/London"
        account.forget()
        account._kept[account._key()] = ZERO  # as in another process, which has not heard of it
    assert [release.of(each).name for each in pinned(host)] == ["zero", "anode"] * 2
    [error] = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert error.getMessage().startswith(f"The FlatPeak account moved from release {ZERO} to 2025-09-14")


def test_a_refusal_of_the_newest_release_too_is_passed_on_and_the_operator_told(host, caplog):
    host.answers["/locations/loc_1"] = refusal("No.")
    with pytest.raises(flatpeak.Rejected):
        flatpeak.location("loc_1")
    assert pinned(host) == [ZERO, ANODE]
    assert caplog.messages[-2:] == [
        f"FlatPeak refuses the release {ANODE} and names no other: update this app",
        "GET /locations: 422 api_version_not_supported, request unknown",
    ]


def test_a_forced_release_that_flatpeak_does_not_know_is_replaced_by_the_accounts(host, settings):
    settings.FLATPEAK_VERSION = "2031-01-01.typo"
    host.answers["/locations/loc_1"] = [refusal(f"2031-01-01.typo is not supported, use {ZERO}."), PLACE]
    flatpeak.location("loc_1")
    assert pinned(host) == ["2031-01-01.typo", ZERO]
    assert FlatPeakAccount.objects.get().flatpeak_version == ZERO


def test_a_header_that_names_a_later_release_is_believed_and_an_earlier_one_is_not(host, settings):
    settings.SANDBOX = False
    host.told["/locations/loc_1"] = ANODE
    flatpeak.location("loc_1")
    host.told = {"/login": ZERO, "/locations/loc_1": ZERO}
    cache.clear()
    flatpeak.location("loc_1")
    flatpeak.location("loc_1")
    assert pinned(host) == [ZERO, ANODE, ANODE]


@pytest.mark.parametrize("junk", ["", "anode", "2025-09-14.", "2025-09-14.anode, more", "x" * 500])
def test_a_header_that_names_no_release_is_ignored(host, junk):
    host.told["/locations/loc_1"] = junk
    flatpeak.location("loc_1")
    assert flatpeak.told() == ""


def test_a_release_from_the_future_is_treated_as_the_newest_one_and_pinned(host, caplog):
    host.told["/login"] = "2027-01-01.busbar"
    flatpeak.location("loc_1")
    assert pinned(host) == ["2027-01-01.busbar"]
    assert account.current().name == "anode"
    assert "release 2027-01-01.busbar is not known here; it is treated as anode" in caplog.text


def test_a_release_that_the_operator_forces_is_used_and_does_not_become_the_accounts(host, settings):
    settings.FLATPEAK_VERSION = ANODE
    host.told = {"/login": ZERO, "/locations/loc_1": ANODE}
    flatpeak.location("loc_1")
    assert pinned(host) == [ANODE]
    assert not FlatPeakAccount.objects.exists()


def test_a_forced_release_that_the_account_has_left_behind_is_replaced_and_the_operator_told(host, settings, caplog):
    settings.FLATPEAK_VERSION = ZERO
    host.answers["/locations/loc_1"] = [refusal(), PLACE, PLACE]
    flatpeak.location("loc_1")
    flatpeak.location("loc_1")
    assert pinned(host) == [ZERO, ANODE, ANODE]
    assert f"moved from release {ZERO} to {ANODE}" in caplog.text


@pytest.mark.parametrize("before", ["", ZERO])
def test_of_processes_that_learn_the_release_at_once_one_stores_it_and_tells(monkeypatch, caplog, before):
    later = "2027-01-01.busbar"  # which this app does not know, so even an account's first release is told
    account.note(later)
    assert len(caplog.messages) == 1
    monkeypatch.setattr(account, "_stored", lambda: before)  # read before the other process wrote
    account.note(later)
    assert FlatPeakAccount.objects.get().flatpeak_version == later == flatpeak.told()
    assert len(caplog.messages) == 1


@pytest.mark.parametrize(
    ("version", "name"),
    [
        (ZERO, "zero"),
        ("2024-08-24", "zero"),
        ("2025-09-14", "anode"),
        ("2025-08-01.anode", "zero"),
        ("2027-01-01.busbar", "anode"),
        ("2020-01-01.older", "zero"),
    ],
)
def test_releases_are_compared_by_their_date(version, name):
    assert release.of(version).name == name


def test_each_account_and_mode_has_a_release_of_its_own(host, settings):
    host.told["/login"] = ANODE
    flatpeak.location("loc_1")
    settings.FLATPEAK_REALM, host.told = "acc_other", {}
    assert flatpeak.told() == ""
    settings.FLATPEAK_REALM, settings.FLATPEAK_LIVE_MODE = "sandbox", True
    assert flatpeak.told() == ""


def test_an_account_that_is_raised_raises_no_other(settings):
    realms = [("sandbox", False), ("sandbox", True), ("acc_other", False)]

    def turn(realm):
        settings.FLATPEAK_REALM, settings.FLATPEAK_LIVE_MODE = realm

    for realm in realms:
        turn(realm)
        account.note(ZERO)
    turn(realms[0])
    account.note(ANODE)
    found = FlatPeakAccount.objects.values_list("account", "live_mode", "flatpeak_version")
    assert set(found) == {(*realms[0], ANODE), (*realms[1], ZERO), (*realms[2], ZERO)}


def test_a_sign_in_is_made_first_to_learn_the_release(host):
    host.told["/login"] = ANODE
    flatpeak.location("loc_1")
    assert [path for _, path, *_ in host.seen] == ["/login", "/locations/loc_1"]
    assert pinned(host) == [ANODE]
    assert host.seen[1][3]["Authorization"] == f"Bearer {BEARER}"


# --- what a connect token is called, and where it is


ADDRESS = {"callback_uri": "https://app.example/done", "connect_web_uri": "https://app.example/back/1/secret/"}
MADE = (200, {"connect_token": "cot_1", "expires_in": 60, "live_mode": False})
IDS = {"location_id": "loc_1", "customer_id": "cus_1"}
TOKEN, OLD, BY_ID = "/connect/token", "/connect/tariff/token", "/connect/cot_1"


def asked(host):
    return [(method, path) for method, path, *_ in host.seen if path != "/login"]


def test_a_token_of_anode_is_asked_for_by_anodes_names(host):
    host.told["/login"] = ANODE
    host.answers[TOKEN] = MADE
    place = {"postal_address": {"country_code": "GB"}, "customer_id": "cus_1", "customer_reference_id": "C-17"}
    made = flatpeak.create_connect_token(ADDRESS | {"direction": "EXPORT", "type": "COMMODITY"} | place)
    assert made == MADE[1] | {"flatpeak_version": ANODE}
    assert json.loads(host.seen[-1][4]) == place | {
        "callback_url": "https://app.example/done",
        "connect_url": "https://app.example/back/1/secret/",
        "tariff_direction": "EXPORT",
        "tariff_type": "COMMODITY",
        "route_options": {"tariff_name_capture": True, "contract_term_capture": True},
    }


@pytest.mark.parametrize("path", [TOKEN, OLD, BY_ID])
def test_of_the_paths_that_flatpeaks_pages_name_the_one_that_is_there_is_found_and_kept(host, path, caplog):
    host.told["/login"] = ANODE
    host.answers[path] = (200, MADE[1] | IDS)
    with flatpeak.purpose("a test"):
        for _ in range(2):
            if path != BY_ID:
                flatpeak.create_connect_token(ADDRESS)
            assert flatpeak.exchange("cot_1", release.ANODE)["location_id"] == "loc_1"
    tried = [TOKEN, OLD, BY_ID][: [TOKEN, OLD, BY_ID].index(path) + 1]
    assert [where for method, where in asked(host) if method == "GET"] == [*tried, path]
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


def test_a_token_that_is_nowhere_is_refused_as_before(host):
    host.told["/login"] = ANODE
    with pytest.raises(flatpeak.Rejected) as caught:
        flatpeak.exchange("cot_1", release.ANODE)
    assert caught.value.status == 404
    assert [path for _, path in asked(host)] == [TOKEN, OLD, BY_ID]


def test_a_refusal_that_is_no_404_tries_no_other_path(host):
    host.told["/login"] = ANODE
    host.answers[TOKEN] = (422, {"object": "error", "code": "callback_url_missing"})
    with pytest.raises(flatpeak.Rejected):
        flatpeak.create_connect_token(ADDRESS)
    assert [path for _, path in asked(host)] == [TOKEN]


@pytest.mark.parametrize("name", ["is_tariff_processed", "tariff_available", "price_available", "data_available"])
@pytest.mark.parametrize("flag", [True, False])
def test_any_name_of_the_flag_says_whether_rates_are_there(host, name, flag):
    host.answers[OLD] = (200, IDS | {name: flag})
    assert flatpeak.exchange("cot_1", release.ZERO)["is_tariff_processed"] is flag


def test_an_exchange_without_the_flag_does_not_say(host):
    host.answers[OLD] = (200, IDS)
    assert flatpeak.exchange("cot_1", release.ZERO)["is_tariff_processed"] is None


def test_a_token_of_zero_is_exchanged_after_the_account_was_raised(host):
    account.note(ZERO)
    host.answers |= {OLD: [refusal()], TOKEN: (200, IDS)}
    assert flatpeak.exchange("cot_1", release.ZERO)["location_id"] == "loc_1"
    assert list(zip(asked(host), pinned(host), strict=True)) == [(("GET", OLD), ZERO), (("GET", TOKEN), ANODE)]


def test_a_token_of_a_later_release_than_the_accounts_is_exchanged_in_its_own(host):
    account.note(ZERO)
    host.answers[TOKEN] = (200, IDS)
    flatpeak.exchange("cot_1", release.ANODE)
    flatpeak.exchange("cot_1", release.of("2027-01-01.busbar"))
    assert pinned(host) == [ANODE, "2027-01-01.busbar"]
    assert flatpeak.told() == ZERO


@pytest.mark.parametrize("header", ["always", "not_login", "never"])
@pytest.mark.parametrize("paths", ["new", "old", "old_exchange", "old_token", "exchange_by_id"])
def test_the_sandbox_makes_a_token_for_each_release_however_it_tells_it(sandbox, header, paths):
    sandbox.state["switches"] |= {"version_header": header, "anode_paths": paths}
    assert flatpeak.create_connect_token(ADDRESS)["flatpeak_version"] == ZERO
    sandbox.raise_to("*", "anode")
    made = flatpeak.create_connect_token(ADDRESS)
    assert made["flatpeak_version"] == ANODE == flatpeak.told()


def in_anode(sandbox):
    """The token of a conversation in anode whose tariff is connected."""
    sandbox.raise_to("*", "anode")
    place = {"address_line1": "1 Example Street", "city": "London", "post_code": "N1 1AA", "country_code": "GB"}
    token = flatpeak.create_connect_token(ADDRESS | {"postal_address": place})["connect_token"]
    page = flatpeak.answer(token, "session_start")
    provider = next(each["id"] for each in page["data"]["providers"] if each["display_name"] == "Ecotricity")
    for data in (
        {"provider": {"id": provider}},
        {"options": ["FIXED"]},
        {"cost": Decimal("0.2815")},
        {"tariff": {"name": "A"}},
        {},
    ):
        page = flatpeak.answer(token, page["route"], data)
    assert page["actions"]
    return token


@pytest.mark.parametrize("paths", ["new", "old", "old_exchange", "old_token", "exchange_by_id"])
def test_a_conversation_of_anode_is_exchanged_wherever_the_exchange_is(sandbox, paths):
    sandbox.state["switches"]["anode_paths"] = paths
    token = in_anode(sandbox)
    ids = flatpeak.exchange(token, release.ANODE)
    assert ids["location_id"] in sandbox.state["locations"]
    assert ids["customer_id"] in sandbox.state["customers"]
    assert (ids["is_tariff_processed"], ids["complete_action"]) == (True, "")


@pytest.mark.parametrize("item", ["price.value", "price.rate", "tariff.rate"])
def test_prices_of_anode_are_those_of_the_tariff_however_they_are_written(sandbox, item):
    sandbox.state["switches"]["price_item"] = item
    location_id = flatpeak.exchange(in_anode(sandbox), release.ANODE)["location_id"]
    answer = flatpeak.rates(location_id, DAY, DAY + timedelta(days=1), "IMPORT")
    found = rates.parse(answer["data"])
    assert {segment.rate for segment in found} == {Decimal("0.2815")}
    assert (found[0].start, found[-1].end) == (DAY, DAY + timedelta(days=1))


def test_a_conversation_ends_in_the_release_that_it_began_in_though_the_account_is_raised(walk, sandbox):
    walk.by_hand().answer(cost="28.15").name_and_term()
    sandbox.raise_to("*", "anode")
    walk.act("SAVE")
    assert "Your tariff is connected." in walk.see().text
    assert (walk.session.flatpeak_version, flatpeak.told()) == (ZERO, ANODE)
    assert Tariff.objects.get().location.location_id in sandbox.state["locations"]


def test_a_deletion_learns_from_a_token_in_the_release_of_its_conversation(walk, monkeypatch):
    told = []

    def down(*asked):
        told.append(asked)
        raise flatpeak.Unavailable("the exchange: no answer")

    monkeypatch.setattr(flatpeak, "exchange", down)
    walk.fixed()
    ConnectSession.objects.update(flatpeak_version=ANODE)
    walk.session.delete()
    erase(Erasure.objects.get())
    assert told[-1] == (walk.token, release.ANODE)


@pytest.mark.parametrize(
    ("path", "good", "call"),
    [
        (TOKEN, MADE, lambda: flatpeak.create_connect_token(ADDRESS)),
        (TOKEN, (200, IDS), lambda: flatpeak.exchange("cot_1", release.ANODE)),
        ("/prices/loc_1", (200, {"data": []}), lambda: flatpeak.rates("loc_1", DAY, DAY + timedelta(days=1), "IMPORT")),
        ("/locations/loc_1", PLACE, lambda: flatpeak.location("loc_1")),
        ("/locations/loc_1/status", (200, {"tariff_status": {}}), lambda: flatpeak.location_status("loc_1")),
        ("/locations/loc_1", (202, {}), lambda: flatpeak.delete_location("loc_1")),
        ("/customers/cus_1", (202, {}), lambda: flatpeak.delete_customer("cus_1")),
    ],
    ids=["token", "exchange", "prices", "location", "status", "delete location", "delete customer"],
)
def test_each_call_is_made_once_more_for_an_account_that_is_raised_beyond_anode(host, path, good, call):
    account.note(ANODE)
    later = "2027-01-01.busbar"
    host.answers[path] = [refusal(f"Requested API version {ANODE} is older than account default {later}."), good]
    call()
    assert pinned(host) == [ANODE, later]


# --- prices


def test_prices_of_anode_are_asked_for_by_post(host):
    host.told["/login"] = ANODE
    host.answers["/prices/loc_1"] = (200, {"data": []})
    flatpeak.rates("loc_1", datetime.fromisoformat("2026-10-25T00:00:00+01:00"), DAY + timedelta(days=2), "EXPORT")
    method, path, query, _, body = host.seen[-1]
    assert (method, path, query) == ("POST", "/prices/loc_1", "")
    assert json.loads(body) == {
        "start_time": "2026-10-24T23:00:00Z",
        "end_time": "2026-10-27T00:00:00Z",
        "tariff_direction": "EXPORT",
    }


def test_rates_are_asked_for_in_zeros_way_until_the_account_is_raised(host):
    account.note(ZERO)
    host.answers |= {"/tariffs/rates/loc_1": refusal(), "/prices/loc_1": (200, {"data": []})}
    for _ in range(2):
        flatpeak.rates("loc_1", DAY, DAY + timedelta(days=1), "IMPORT")
    assert [path for _, path in asked(host)] == ["/tariffs/rates/loc_1", "/prices/loc_1", "/prices/loc_1"]


@pytest.mark.parametrize("code", ["pending_connect", "no_tariff_connected", "no_price_data"])
def test_prices_that_are_not_there_are_refused_as_in_zero(host, code):
    host.told["/login"] = ANODE
    host.answers["/prices/loc_1"] = (422, {"object": "error", "code": code})
    with pytest.raises(flatpeak.Rejected) as caught:
        flatpeak.rates("loc_1", DAY, DAY + timedelta(days=1), "IMPORT")
    assert caught.value.code == code


def stored(tariff):
    """The stored rates of a tariff in order, without carbon, which anode does not tell, and without their confidence.

    In the first seconds they are estimates.
    """
    days = tariff.days.order_by("day").values_list("segments", flat=True)
    return rates.joined(
        [segment._replace(carbon=None, confidence=Decimal(1)) for day in days for segment in rates.load(day)]
    )


@pytest.mark.parametrize("structure", ["FIXED", "MARKET"])
def test_a_location_of_zero_goes_on_without_a_gap_when_its_account_is_raised(walk, sandbox, later, structure):
    walk.by_hand(structure=structure)
    if structure == "FIXED":
        walk.answer(cost="28.15")
    else:
        walk.answer(fixed="1", percentage="0")
    walk.name_and_term().act("SAVE")
    tariff = Tariff.objects.select_related("location").get()
    walk.get(f"/locations/{tariff.location.pk}/")
    before = stored(tariff)
    sandbox.raise_to("*", "anode")
    Tariff.objects.update(due_at=timezone.now())
    assert walk.price == walk.get(f"/locations/{tariff.location.pk}/").price != ""
    assert stored(tariff) == before
    later(days=1)
    page = walk.get(f"/locations/{tariff.location.pk}/").text
    assert "We can’t show prices" not in page
    after, days = stored(tariff), tariff.days.order_by("day")
    assert len(days) == 3
    assert after[0].start == before[0].start
    assert all(a.end == b.start for a, b in pairwise(after))
    assert after[-1].end > before[-1].end
    assert (sandbox.counts["rates"], sandbox.counts["prices"]) == (2, 3)  # refused once: a release, an old bearer
    tariff.refresh_from_db()
    assert tariff.rates == Tariff.Rates.OK
    told = walk.client.get(f"/locations/{tariff.location.pk}/rates.json").json()
    assert told["rates"]
