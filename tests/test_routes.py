"""Every route of Connect is there whole: a form or buttons, a template, and a page in the sandbox."""

import re
import subprocess
from pathlib import Path

import pytest
from django.conf import settings
from django.template.loader import get_template

from connect_ui.conversation.wire import stand
from connect_ui.models import ConnectSession, Page
from connect_ui.routes import ROUTES, Kind, named, ours, row, theirs
from sandbox.pages import PAGES as SANDBOX
from tariffs import flatpeak
from tariffs.flatpeak import release

ASKED = [each for each in ROUTES if each.kind is not Kind.SENT]
WIRE = {
    release: ["session_restore", *(name for each in ASKED for name in each.wire.get(release, ()))]
    for release in ("zero", "anode")
}
SPOKEN = [(each.name, release) for each in ASKED for release in each.wire]


def test_a_question_has_a_form_and_no_other_page_has_one():
    assert [each.name for each in ROUTES if each.form] == named(kind=Kind.QUESTION)


@pytest.mark.parametrize("route", ASKED, ids=lambda route: route.name)
def test_every_route_has_a_template(route):
    assert get_template(route.template)


def test_every_route_has_a_page_in_the_sandbox():
    assert set(SANDBOX) == set(WIRE["zero"]) - {"complete_tariff"}  # the end's old name


@pytest.mark.parametrize("route", [each for each in ROUTES if each.actions], ids=lambda route: route.name)
def test_every_action_of_a_page_has_a_button(route):
    text = Path(settings.BASE_DIR, "templates", route.template).read_text()
    buttons = re.findall(r'action="([A-Z_]+)"', text) + ["DISCONNECT"] * text.count("_disconnect.html")
    assert set(buttons) >= set(route.actions)
    assert len(set(buttons)) == len(buttons)
    if "zero" in route.wire:
        assert sorted(SANDBOX[theirs(route.name, "zero")].actions) == sorted(route.actions)


def test_no_name_is_given_twice():
    for names in WIRE.values():
        assert len(set(names)) == len(names)
    assert len({each.name for each in ROUTES}) == len(ROUTES)


@pytest.mark.parametrize(("name", "release"), SPOKEN)
def test_a_route_of_connect_is_known_by_our_name(name, release):
    assert {ours(wire, release) for wire in row(name).wire[release]} == {name}


@pytest.mark.parametrize("wire", ["page_from_the_future", "session_restore", "fixed_price", "start", "unknown", ""])
def test_a_route_that_is_not_in_the_table_is_unknown_also_if_it_is_called_as_one_of_ours(wire):
    assert row(ours(wire, "zero")).kind is Kind.UNKNOWN


def test_actions_that_connect_does_not_list_are_those_of_the_row_where_nothing_else_can_be_answered():
    assert Page(route="pending", body={}).actions == ["SAVE", "DISMISS_DIRECT", "DISCONNECT"]
    assert Page(route="provider", body={}).actions == []
    assert Page(route="pending", body={"actions": ["SAVE", None]}).actions == ["SAVE"]


@pytest.mark.parametrize(
    ("url", "route"),
    [
        ("https://login.example.com/?fp_cot=cot_1", "redirect"),
        ("{callback}?fp_cot=cot_1", "end"),
        ("{callback}", "end"),
        ("{callback}more/", "redirect"),
        *((junk, "redirect") for junk in ("http://[", "", None, 7, [])),
    ],
)
def test_a_redirect_to_our_callback_is_the_end_and_any_other_is_none(settings, monkeypatch, url, route):
    callback = f"{settings.SITE_URL}/connect/callback/"
    to = url.format(callback=callback) if isinstance(url, str) else url
    session = ConnectSession(newest=1)
    session.connect_token = "cot_1"
    sent = {"route": "session_redirect", "data": {"redirect_uri": to}}
    monkeypatch.setattr(flatpeak, "answer", lambda *told: sent)
    assert stand(session).route == route


def test_a_release_renames_what_it_changed_and_nothing_else():
    names = release.Names({"EDIT": "CHANGE"})
    assert (names.theirs("EDIT"), names.ours("CHANGE")) == ("CHANGE", "EDIT")
    assert (names.theirs("SAVE"), names.ours("SAVE")) == ("SAVE", "SAVE")


def test_no_other_module_has_a_routes_name():
    files = subprocess.run(
        [
            "git",
            "grep",
            "-lwE",
            "|".join({*WIRE["zero"], *WIRE["anode"], "session_start"} - {"error"}),
            "--",
            "connect_ui",
            "tariffs",
            "flatpeak_app",
            "templates",
        ],
        cwd=settings.BASE_DIR,
        capture_output=True,
        text=True,
        check=False,
    ).stdout.split()
    # The second has two options of a connect token that are called like the pages that they switch on.
    assert files == ["connect_ui/routes.py", "tariffs/flatpeak/release.py"]
