"""What the examples found, each once more by itself."""

from datetime import timedelta

import pytest
from django.utils import timezone

from connect_ui.models import ConnectSession
from tariffs.models import Location, Tariff
from tests.fuzz.hostile import ERROR, LITERAL
from tests.fuzz.stage import StandIn

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("call", ["login", "token"])
@pytest.mark.parametrize("lifetime", ["soon", [1], {}, LITERAL + "1e20", None])
def test_a_lifetime_that_is_no_number_of_seconds_is_not_believed(stage, told, call, lifetime):
    stage.adapter = StandIn(told["answers"])
    stage.adapter.tell(call, told["answers"][call] | {"expires_in": lifetime})
    stage.post("/connect/", {"direction": "IMPORT", "country_code": "GB"})
    hours = (stage.session.expires_at - timezone.now()) / timedelta(hours=1)
    assert round(hours) == 24


@pytest.mark.parametrize("bearer", ["bearér", "bearer\r\nSet-Cookie: evil=1", "bearer\u2066"])
def test_a_bearer_that_no_header_can_carry_is_no_bearer(stage, told, bearer):
    stage.adapter = StandIn(told["answers"])
    stage.adapter.tell("login", told["answers"]["login"] | {"bearer_token": bearer})
    assert stage.post("/connect/", {"direction": "IMPORT", "country_code": "GB"}).status_code == 503
    stage.adapter.tell("login", told["answers"]["login"])
    assert stage.post("/connect/", {"direction": "IMPORT", "country_code": "GB"}).status_code == 200


@pytest.mark.parametrize("name", ["customer_id", "location_id"])
def test_an_exchange_with_an_id_longer_than_its_column_stays_owed(begun, name):
    begun.stands_at(begun.page("summary_fixed_confirm"))
    begun.adapter.tell("connect", begun.page("session_complete"))
    begun.adapter.tell("exchange", begun.told["answers"]["exchange"] | {name: "x" * 101})
    begun.answer({"action": "SAVE"})
    assert begun.session.state == ConnectSession.State.OWED
    assert not Location.objects.exists()


def test_a_code_longer_than_its_column_is_none(saved):
    for code, kept in (("x" * 64, "x" * 64), ("x" * 300, "422")):  # where there is no code, the status tells
        Tariff.objects.update(due_at=timezone.now() - timedelta(hours=1))
        saved.adapter.tell("rates", ERROR | {"code": code}, 422)
        saved.get(f"/locations/{Location.objects.get().pk}/")
        assert Tariff.objects.get().last_result == kept


def test_a_token_that_was_handed_out_before_begins_no_second_conversation(begun):
    begun.adapter.tell("token", begun.told["answers"]["token"])
    assert begun.post("/connect/", {"direction": "IMPORT", "country_code": "GB"}).status_code == 503
    assert ConnectSession.objects.count() == 1


@pytest.mark.parametrize("cost", ["1e200000", "1e-200000", "0." + "1" * 5000, "[" * 500 + "]" * 500])
def test_a_page_that_cannot_be_stored_is_no_answer(begun, cost):
    page = begun.page("rate_fixed_capture")
    begun.stands_at(page | {"data": page["data"] | {"cost": LITERAL + cost}})
    assert begun.session.last_route == "address"
    begun.stands_at(page)
    assert begun.session.last_route == "fixed_price"


def test_a_name_that_a_search_did_not_find_is_kept_without_nul(begun):
    begun.stands_at(begun.page("provider_select"))
    begun.adapter.tell("connect", begun.page("provider_name_capture"))
    begun.answer({"action": "PROVIDER_MISSING", "q": "Example\0 Energy"})
    assert begun.session.not_listed == {"provider": "Example Energy"}
