"""The token expires at FlatPeak while a page is in view, on each page that Connect has."""

import pytest

from connect_ui.models import ConnectSession
from connect_ui.routes import ROUTES, Kind
from tests.races.places import PLACES
from tests.races.servers import TORTURE
from tests.races.test_buttons import PLACED, buttons_of

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.long]

# Once the tariff is connected there is nothing to go on with: tests/races/test_anode.py has those pages.
ASKING = [each for each in ROUTES if each.kind not in (Kind.SENT, Kind.END, Kind.ERROR) and not each.is_stored]
PAGES = [f"connect_ui/{each.name}" for each in ASKING]
# A login is not repeated: it is asked for again.
LEADS_TO = dict.fromkeys(["connect_ui/pending", "connect_ui/redirect"], "redirect")
SHARE = [*LEADS_TO, "connect_ui/provider", "connect_ui/summary", "connect_ui/failed"]
SHOWN = [(release, place) for release, place in PLACED if place in (PAGES if TORTURE else SHARE)]


@pytest.mark.parametrize(("release", "place"), SHOWN, indirect=["release"])
def test_it_says_so_and_goes_on_at_the_same_question_with_what_was_typed(site, tab, place):
    go, typed = PLACES[place]
    go(tab)
    sessions = ConnectSession.objects.order_by("-started_at")
    old = sessions[0]
    site.control(advance=90_000)
    form, button = next(each for each in buttons_of(tab.page) if each[1].words not in ("Back", "Leave", "Search"))
    tab.ask("POST", *tab.sent_by(form, button, **typed)).settle()
    assert "This page timed out" in tab.text
    assert site.statuses[410]
    tab.press_on("Continue").settle()
    new = sessions[0]
    assert new.pk != old.pk
    assert new.last_route == LEADS_TO.get(place, old.last_route)
    assert tab.conversation == f"/connect/{new.pk}/"
    for value in typed.values():
        assert f'value="{value}"' in tab.page
    old.refresh_from_db()
    assert (old.state, old.connect_token) == (ConnectSession.State.EXPIRED, "")
    again = {button.words for _, button in buttons_of(tab.page)}
    assert place in LEADS_TO or again >= {button.words}
