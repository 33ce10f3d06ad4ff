"""Who connects an address that is connected already is asked first, once."""

import re

import pytest

from connect_ui.already import gist
from connect_ui.models import ConnectSession
from tariffs.models import Location, Tariff

pytestmark = pytest.mark.django_db

State = ConnectSession.State
ASKED = "You have already connected this address"


@pytest.fixture
def connected(walk):
    """Alice has connected the tariff that she buys at 1 Example Street, and begins again."""
    walk.fixed().start()
    return walk


def press(walk, button):
    """Press a button of the page in view, with all hidden fields of its form."""
    html = walk.response.content.decode()
    form = next(form for form in re.findall(r"<form.*?</form>", html, re.S) if f">{button}</button>" in form)
    address = re.search(r'action="([^"]+)"', form)[1]
    fields = re.findall(r'<input[^>]* name="(\w+)" value="([^"]*)"', form)
    fields += re.findall(rf'<button[^>]* name="(\w+)" value="(\w+)">{button}<', form)
    return walk.post(address, dict(fields))


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"address_line1": "1 EXAMPLE street"},
        {"address_line1": " 1, Example  Street. "},
        {"address_line1": "1 Example St."},
        {"post_code": "n11aa"},
        {"city": "Greater London"},
        {"address_line1": "1", "address_line2": "Éxample Street"},
    ],
)
def test_the_same_address_however_it_is_written_is_asked_about(connected, sandbox, changed):
    calls = sandbox.counts["connect.postal_address_capture"]
    connected.address(again="", **changed)
    assert ASKED in connected.text
    assert (
        "You already buy electricity at 1 Example Street, London, N1 1AA, with this tariff: Ecotricity, Simple."
        in connected.text
    )
    assert sandbox.counts["connect.postal_address_capture"] == calls


@pytest.mark.parametrize(
    "changed",
    [
        {"address_line1": "11 Example Street"},
        {"address_line2": "Flat 2"},
        {"post_code": "N1 1AB"},
        {"country_code": "DE", "post_code": "10117"},
    ],
)
def test_another_address_is_not_asked_about(connected, changed):
    assert connected.address(again="", **changed).route == "provider_select"


def test_the_same_street_in_another_country_is_not_asked_about(connected):
    Location.objects.update(country_code="IE")
    assert connected.address(again="").route == "provider_select"


def test_what_is_bought_says_nothing_about_what_is_sold(walk):
    assert walk.fixed().start(direction="EXPORT").address(again="").route == "provider_select"


def test_a_tariff_of_another_type_is_not_asked_about(connected):
    Tariff.objects.update(type="NETWORK")
    assert connected.address(again="").route == "provider_select"


def test_a_disconnected_tariff_and_a_strangers_are_not_asked_about(connected, bob):
    Tariff.objects.update(state=Tariff.State.DISCONNECTED)
    assert connected.address(again="").route == "provider_select"
    Tariff.objects.update(state=Tariff.State.CONNECTED)
    connected.client.force_login(bob)
    assert connected.start().address(again="").route == "provider_select"


def test_its_tariff_is_changed_in_a_conversation_about_the_location(connected):
    before = connected.session
    press(connected.address(again=""), "Change its tariff")
    assert "Is this your tariff?" in connected.text
    assert connected.session.location == Location.objects.get()
    before.refresh_from_db()
    assert before.state == State.LEFT  # so that it is not offered to continue with


def test_it_is_connected_again_without_a_second_question(connected):
    press(connected.address(again=""), "Connect it again")
    assert connected.route == "provider_select"
    assert '<input type="hidden" name="again" value="1"' in connected.back().response.content.decode()
    assert connected.address(address_line1="1 example street", again="1").route == "provider_select"
    assert connected.act("ADDRESS_CHANGE").route == "postal_address_capture"
    assert connected.address(again="").route == "provider_select"
    connected.provider("Ecotricity").answer(options="FIXED").answer(cost="30").name_and_term().save()
    assert connected.session.state == State.CONNECTED


def test_an_outage_after_the_question_does_not_ask_it_again(connected, sandbox):
    connected.address(again="")
    for faults, button in (([{"call": "connect", "fault": "status_500"}], "Connect it again"), ([], "Continue")):
        with sandbox.lock:
            sandbox.set_faults(faults)
        press(connected, button)
        assert (connected.response.status_code, ASKED in connected.text) == (503 if faults else 200, False)
    assert connected.route == "provider_select"


def test_the_way_back_from_the_question_keeps_what_was_typed(connected):
    connected.address(again="", address_line1="1 EXAMPLE street")
    page = connected.get(connected.path).response.content.decode()
    assert 'value="1 EXAMPLE street"' in page
    assert connected.address(again="", address_line1="2 Example Street").route == "provider_select"


def test_nobody_ends_the_conversation_of_somebody_else_with_their_own(connected, client, bob):
    hers = connected.session
    client.force_login(bob)
    connected.start(instead=hers.pk)
    hers.refresh_from_db()
    assert hers.state == State.OPEN


def test_a_city_counts_where_there_is_no_post_code():
    address = {"address_line1": "1 Main Street", "address_line2": "", "city": "Galway", "post_code": ""}
    assert gist(address) == gist(address | {"city": "GALWAY"})
    assert gist(address) != gist(address | {"city": "Cork"})


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1 High Street", "1 High St."),
        ("4 Station Road", "4 STATION RD"),
        ("350 Fifth Avenue", "350 Fifth Ave"),
        ("12 avenue de l’Été", "12, Av. de l'Ete"),
        ("8 boulevard Voltaire", "8 bd Voltaire"),
        ("Hauptstraße 5", "Hauptstr. 5"),
        ("Kurze Straße 5", "Kurze Strasse 5"),
        ("Kurze Str. 5", "Kurze Strasse 5"),
    ],
)
def test_a_street_is_the_same_with_its_kind_cut_short(one, other):
    address = {"address_line1": one, "address_line2": "", "city": "", "post_code": "1"}
    assert gist(address) == gist(address | {"address_line1": other})


@pytest.mark.parametrize(("one", "other"), [("1 High Street", "1 High Road"), ("Roadstreet 1", "Rdst 1")])
def test_another_kind_of_street_or_a_part_of_a_name_is_another_street(one, other):
    address = {"address_line1": one, "address_line2": "", "city": "", "post_code": "1"}
    assert gist(address) != gist(address | {"address_line1": other})
