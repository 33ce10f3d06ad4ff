"""A release is data: a made-up one has other names for everything, another start, BACK and an end by redirect."""

from itertools import count
from urllib.parse import urlsplit

import pytest

from sandbox.pages import PAGES
from sandbox.release import Release
from sandbox.tokens import TOKEN_FIELDS

from .conftest import ADDRESS, BY_HAND, HOURS, Client, Talk
from .test_sandbox_server import serving, stop

ACTIONS = {name for page in PAGES.values() for name in page.actions}
ANSWERED = (
    "connect_token",
    "expires_in",
    "live_mode",
    "id",
    "object",
    "is_tariff_processed",
    "complete_action",
    "time_created",
    "time_expiry",
)
MADE_UP = Release(
    version="2031-01-01.made-up",
    routes={name: f"step_{number}" for number, name in enumerate(PAGES)},
    actions={name: f"PRESS_{number}" for number, name in enumerate(sorted(ACTIONS))},
    fields={name: f"field_{number}" for number, name in zip(count(), {**dict.fromkeys(TOKEN_FIELDS + ANSWERED)})},
    paths=dict.fromkeys(("token", "exchange"), "/conversations"),
    start="step_first",
    back="PRESS_BACK",
    ends_by_redirect=True,
)
ROUTE, ACTION, FIELD = MADE_UP.route, MADE_UP.action, MADE_UP.field


@pytest.fixture
def other():
    """A sandbox that speaks the made-up release, signed in."""
    server = serving(release=MADE_UP, now="2026-06-10T12:00:00Z")
    client = Client(server)
    client.log_in()
    yield client
    stop(server)


def opened(other, **more):
    body = {"callback_uri": "https://app.example/done", "connect_web_uri": "https://app.example/back"} | more
    answer = other.api("POST", "/conversations", {FIELD(name): value for name, value in body.items()})
    assert answer[FIELD("expires_in")] == 86400
    return Talk(other, answer[FIELD("connect_token")])


def at_structure(other):
    talk = opened(other, postal_address=ADDRESS).go("step_first")
    return talk.go(ROUTE("provider_select"), {"provider": {"id": talk.id_of("Ecotricity")}})


def test_a_whole_conversation_uses_no_name_of_zeros(other):
    talk = opened(other).go("step_first")
    answers = {
        "postal_address_capture": {"postal_address": ADDRESS},
        "provider_select": {"provider": {"id": talk.id_of("Ecotricity")}},
        "tariff_structure_select": {"options": ["TIME_OF_DAY"]},
        "rate_tod_capture": {"hours": HOURS},
        "tariff_name_capture": {"tariff": {"name": "Simple"}},
        "contract_term_capture": {},
    }
    for zero, data in answers.items():
        assert talk.route == ROUTE(zero)
        talk.go(ROUTE(zero), data)
    assert talk.page["actions"] == [ACTION("SAVE"), ACTION("EDIT"), ACTION("DISCONNECT"), "PRESS_BACK"]
    talk.act(ACTION("SAVE"))
    assert (talk.route, "direction" in talk.page) == (ROUTE("session_redirect"), False)
    assert talk.data == {"redirect_uri": f"https://app.example/done?fp_cot={talk.token}"}
    assert talk.go(ROUTE("session_restore")).data == talk.go("step_first").data
    ids = other.api("GET", "/conversations", **{FIELD("connect_token"): talk.token})
    assert not {*ANSWERED, *TOKEN_FIELDS} & ids.keys()
    assert ids[FIELD("complete_action")] == ACTION("SAVE")
    assert other.rates(ids[FIELD("location_id")])["data"]


def test_zeros_names_are_refused(other):
    assert other.new_token() == {"message": "Not Found"}
    answer = other.api("POST", "/conversations", {"callback_uri": "https://app.example/done"})
    assert answer["code"] == f"{FIELD('callback_uri')}_missing"
    talk = opened(other, postal_address=ADDRESS)
    assert talk.refused("session_restore") == "route_invalid"
    assert talk.refused(ROUTE("session_restore")) == "route_not_available"
    talk.go("step_first")
    assert talk.refused("provider_select", data={}) == "route_invalid"
    assert talk.refused(talk.route, action="PROVIDER_MISSING") == "action_invalid"
    assert talk.go(talk.route, action=ACTION("PROVIDER_MISSING")).route == ROUTE("provider_name_capture")


def test_a_login_is_a_redirect_elsewhere(other):
    talk = opened(other, postal_address=ADDRESS).go("step_first")
    talk.go(talk.route, {"provider": {"id": talk.id_of("EDF")}})
    assert talk.route == ROUTE("session_redirect")
    assert "actions" not in talk.page
    assert urlsplit(talk.data["redirect_uri"]).path.startswith("/provider/login/")
    other.call("POST", talk.login_path(), "outcome=approve")
    assert talk.go(ROUTE("session_restore")).route == ROUTE("summary_fixed_confirm")
    assert talk.act("PRESS_BACK").route == ROUTE("provider_select")


def test_back_shows_the_question_before_with_what_was_entered(other):
    talk = at_structure(other)
    talk.go(talk.route, {"options": ["FIXED"]}).go(ROUTE("rate_fixed_capture"), {"cost": 2})
    talk.act("PRESS_BACK")
    assert (talk.route, talk.data["cost"]) == (ROUTE("rate_fixed_capture"), 2)
    talk.act("PRESS_BACK").act("PRESS_BACK")
    assert (talk.route, "PRESS_BACK" in talk.page["actions"]) == (ROUTE("provider_select"), False)
    assert talk.refused(talk.route, action="PRESS_BACK") == "action_invalid"
    assert talk.refused(ROUTE("rate_fixed_capture"), data={"cost": 1}) == "route_not_available"
    assert talk.go(ROUTE("session_restore")).route == ROUTE("provider_select")


def test_back_follows_the_last_way_after_an_earlier_answer(other):
    talk = at_structure(other)
    talk.go(talk.route, {"options": ["FIXED"]}).go(ROUTE("rate_fixed_capture"), {"cost": 2})
    talk.go(ROUTE("tariff_structure_select"), {"options": ["TIME_OF_DAY"]})
    assert talk.act("PRESS_BACK").route == ROUTE("tariff_structure_select")
    assert talk.act("PRESS_BACK").route == ROUTE("provider_select")


def test_back_never_shows_a_summary_of_another_tariff(other):
    talk = at_structure(other)
    talk.go(talk.route, {"options": ["FIXED"]}).go(ROUTE("rate_fixed_capture"), {"cost": 2})
    talk.go(talk.route, {"tariff": {"name": "Simple"}}).go(talk.route, {})
    talk.act(ACTION("EDIT")).act("PRESS_BACK")
    assert talk.route == ROUTE("summary_fixed_confirm")
    talk.act(ACTION("EDIT")).go(talk.route, {"provider": {"id": talk.id_of("Affect Energy")}})
    assert talk.act("PRESS_BACK").act("PRESS_BACK").route == ROUTE("contract_term_capture")


def test_faults_and_counts_know_the_names_of_the_release(other):
    other.control(faults=[{"call": "connect.step_first", "fault": "status_500"}])
    talk = opened(other)
    assert talk.refused("step_first") == "api_error"
    assert talk.go("step_first").route == ROUTE("postal_address_capture")
    assert other.world.counts["connect.step_first"] == 2
    assert other.call("GET", "/").count(ROUTE("provider_select")) == 1


def test_another_release_is_spoken_until_the_next_reset(sandbox):
    sandbox.world.speak(MADE_UP)
    assert Talk(sandbox, "cot_x").refused("step_first") == "connect_token_invalid"
    sandbox.control(reset=True)
    assert Talk(sandbox, "cot_x").refused("step_first") == "route_invalid"


def test_two_pages_can_have_one_name(sandbox):
    sandbox.world.speak(
        Release(routes=dict.fromkeys(("summary_fixed_confirm", "summary_tou_confirm"), "tariff_summary"))
    )
    for structure in BY_HAND:
        talk = sandbox.talk().by_hand(structure)
        assert talk.route == "tariff_summary"
        assert talk.act("SAVE").route == "session_complete"


def test_a_name_that_zero_does_not_have_is_refused():
    with pytest.raises(ValueError, match="provider_selct"):
        serving(release=Release(routes={"provider_selct": "x"}))


def test_every_page_that_another_leads_to_is_there():
    led_to = [action.leads for page in PAGES.values() for action in page.actions.values()]
    led_to += [route for page in PAGES.values() for route in page.next.values()]
    assert set(PAGES) - set(led_to) == {"session_restore", "error"}
    assert set(led_to) <= set(PAGES)
