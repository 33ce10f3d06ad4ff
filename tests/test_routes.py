"""Every route of Connect is there whole: a form or buttons, a template, and a page in the sandbox."""

from pathlib import Path

import pytest
from django.conf import settings

from connect_ui.conversation import WITHOUT_FORM
from connect_ui.forms import FORMS
from connect_ui.models import DOCUMENTED_ACTIONS
from sandbox.pages import PAGES as ROUTES

# Each route of release zero, and the actions that its page may offer.
ZERO = {
    "postal_address_capture": [],
    "provider_select": ["ADDRESS_CHANGE", "PROVIDER_MISSING"],
    "provider_name_capture": ["ADDRESS_CHANGE"],
    "tariff_select": ["ADDRESS_CHANGE", "TARIFF_MISSING"],
    "tariff_structure_select": [],
    "rate_fixed_capture": [],
    "rate_tod_capture": [],
    "market_surcharge_capture": [],
    "tariff_name_capture": [],
    "contract_term_capture": [],
    "summary_fixed_confirm": ["DISCONNECT", "EDIT", "SAVE"],
    "summary_tou_confirm": ["DISCONNECT", "EDIT", "SAVE"],
    "summary_tariff_inprogress": ["DISCONNECT", "DISMISS_DIRECT", "SAVE"],
    "summary_tariff_failed": ["DISCONNECT", "RECONNECT"],
    "session_redirect": [],
    "session_complete": [],
    "error": [],
}
OLD_NAMES = {"complete_tariff"}


def test_every_route_has_a_form_or_says_that_it_needs_none():
    assert set(FORMS) | WITHOUT_FORM == set(ZERO) | OLD_NAMES
    assert not set(FORMS) & WITHOUT_FORM


def test_every_route_has_a_template():
    folder = Path(settings.BASE_DIR, "templates", "connect_ui")
    assert {route for route in set(ZERO) | OLD_NAMES if not (folder / f"{route}.html").exists()} == set()


def test_every_route_has_a_page_in_the_sandbox():
    # session_restore is only sent by clients.
    assert set(ROUTES) - {"session_restore"} == set(ZERO)


@pytest.mark.parametrize("route", [route for route, actions in ZERO.items() if actions])
def test_every_action_of_a_page_has_a_button(route):
    folder = Path(settings.BASE_DIR, "templates", "connect_ui")
    text = (folder / f"{route}.html").read_text() + (folder / "summary.html").read_text() * route.endswith("_confirm")
    assert [action for action in ZERO[route] if f'action="{action}"' not in text] == []
    assert sorted(ROUTES[route].actions) == ZERO[route]
    if route in DOCUMENTED_ACTIONS:
        assert sorted(DOCUMENTED_ACTIONS[route]) == ZERO[route]
