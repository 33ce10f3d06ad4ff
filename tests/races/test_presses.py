"""Presses at the same moment: one of them is the answer, and every tab gets to where it led."""

import pytest
from django.db import connection

from connect_ui.models import ConnectSession, Page
from tariffs.models import Customer, Location, Tariff
from tests.races.servers import ANSWERS, RELEASES, STEPS, TORTURE, at_once, wait_until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.long]
State = ConnectSession.State


def together(tab, times, **fields):
    """The same button of the same page pressed several times at once; the tabs, when each has stopped waiting."""
    form = tab.form(**fields)
    tabs = [tab.another() for _ in range(times)]
    at_once(*(lambda each=each: each.ask("POST", *form).settle() for each in tabs))
    return tabs


@pytest.mark.parametrize("times", range(2, 9) if TORTURE else [2, 8])  # 56 answers a minute; 60 is the limit
def test_every_button_pressed_several_times_at_once_is_one_answer_each(site, tab, times):
    tab.walk_to(STEPS[1])
    site.delay(100)
    for number, step in enumerate(STEPS[1:], 1):
        assert tab.step == step
        tabs = together(tab, times, **ANSWERS[step])
        assert site.sent == number
        assert len({each.path for each in tabs}) == 1
        tab = tabs[0]
    assert tab.is_connected
    assert (site.counts["exchange"], Location.objects.count()) == (1, 1)


def test_a_start_pressed_several_times_is_as_many_conversations_of_one_customer(site, tab):
    tab.get("/connect/")
    site.delay(100)
    tabs = together(tab, 8, **ANSWERS["direction"])
    tokens = site.world["tokens"].values()
    assert (len(tokens), site.sent, len({each.path for each in tabs})) == (8, 0, 8)
    assert {each["customer_reference_id"] for each in tokens} == {str(each.pk) for each in Customer.objects.all()}
    assert Customer.objects.count() == 1
    tabs[2].finish()
    assert ConnectSession.objects.filter(state=State.OPEN, newest=1).count() == 7


def test_a_disconnection_pressed_several_times_is_one(site, tab):
    tab.get("/connect/").finish()
    location = str(Location.objects.get().pk)
    tab.get("/connect/")
    address, data = tab.form(**ANSWERS["direction"])
    tab.ask("POST", address, data | {"location": location})
    before = site.counts
    site.delay(100)
    for each in together(tab, 4, action="DISCONNECT"):
        assert "Your tariff is disconnected" in each.text
    assert site.counts["connect"] == before["connect"] + 1
    assert site.counts["exchange"] == before["exchange"] + 1
    assert Tariff.objects.get().state == Tariff.State.DISCONNECTED


def test_going_on_after_too_long_leads_to_the_same_question_in_every_tab(site, tab):
    tab.walk_to("cost")
    site.control(advance=90_000)
    tab.answer()
    assert "This page timed out" in tab.text
    site.delay(50)
    tabs = together(tab, 3)
    assert [each.step for each in tabs] == ["cost"] * 3
    assert len(site.world["tokens"]) == 4
    tabs[1].finish()
    assert Location.objects.count() == 1


TWO_ANSWERS = [
    ("cost", {"cost": "28.15"}, {"cost": "30"}),
    ("options", {"options": "FIXED"}, {"options": "TIME_OF_DAY"}),
    ("provider", {"provider": "Ecotricity"}, {"action": "PROVIDER_MISSING"}),
    ("SAVE", {"action": "SAVE"}, {"action": "EDIT"}),
]
TWO_IN_ANODE = [
    *((step, ANSWERS[step], {"action": action}) for step in STEPS[1:-1] for action in ("BACK", "CLOSE")),
    *(("SAVE", {"action": "SAVE"}, {"action": action}) for action in ("BACK", "DISCONNECT", "WRONG_TARIFF_REPORT")),
]


@pytest.mark.parametrize(
    ("release", "step", "first", "second"),
    [(release, *each) for release in RELEASES for each in TWO_ANSWERS + TWO_IN_ANODE * (release == "anode")],
    indirect=["release"],
)
def test_two_answers_from_two_tabs_are_one_answer(site, tab, step, first, second):
    tab.walk_to(step)
    before, newest = site.sent, ConnectSession.objects.get().newest
    forms, tabs = [tab.form(**first), tab.form(**second)], [tab.another(), tab.another()]
    site.delay(100)
    at_once(
        *(lambda each=each, form=form: each.ask("POST", *form).settle() for each, form in zip(tabs, forms, strict=True))
    )
    assert site.sent == before + 1
    assert ConnectSession.objects.get().newest == newest + 1
    assert tabs[0].path == tabs[1].path


@pytest.mark.parametrize(
    ("release", "earlier", "sent"),
    [(release, "accept", {1}) for release in RELEASES]
    + [("anode", "refuse", {1, 3})] * ("anode" in RELEASES),  # it is refused, then BACK, then it is taken
    indirect=["release"],
)
def test_the_newest_question_and_an_earlier_one_answered_at_once_are_one_answer(site, tab, earlier, sent):
    site.control(switches={"earlier_answers": earlier})
    tab.walk_to("cost")
    back = tab.another().get(tab.path.replace("/4/", "/3/"))
    assert back.step == "options"
    before = site.sent
    site.delay(100)
    at_once(lambda: tab.answer().settle(), lambda: back.press(options="TIME_OF_DAY").settle())
    assert site.sent - before in sent
    assert tab.path == back.path
    site.delay(0)
    tab.get(back.path.replace("/5/", "/3/")).answer()
    assert tab.step == "cost"
    assert Page.objects.get(number=ConnectSession.objects.get().newest).came_from == 3
    tab.finish()


def test_two_conversations_of_one_customer_that_end_at_once_are_two_locations(site, tab):
    tabs = [tab.another().walk_to("SAVE"), tab.another().walk_to("SAVE")]
    site.delay(100)
    at_once(*(lambda each=each: each.answer().settle() for each in tabs))
    for each in tabs:
        assert each.is_connected
    made = site.world["locations"]
    stored = Location.objects.values_list("location_id", "customer__customer_id")
    assert dict(stored) == {location: each["customer_id"] for location, each in made.items()}
    assert len(made) == 2


def test_two_conversations_about_one_location_that_change_it_at_once_leave_flatpeaks_tariff(site, tab):
    tab.get("/connect/").finish()
    location = Location.objects.get()
    tab.get("/connect/")
    address, data = tab.form(**ANSWERS["direction"])
    tabs = [tab.another().ask("POST", address, data | {"location": str(location.pk)}) for _ in range(2)]
    for each, cost in zip(tabs, ("30", "31"), strict=True):
        each.press(action="EDIT").settle().walk_to("cost").press(cost=cost).settle().press(tariff_name=f"At {cost}")
    before = site.sent
    site.delay(100)
    for _ in ("term", "SAVE"):
        at_once(*(lambda each=each: each.settle().answer().settle() for each in tabs))
    for each in tabs:
        assert each.is_connected
    assert site.sent == before + 4
    [stored], [kept] = site.world["locations"][location.location_id]["tariffs"].values(), location.tariffs.all()
    assert kept.name == stored["name"]
    assert f"{stored['cost'] * 100:.2f}p" in tab.get(f"/locations/{location.pk}/").text


@pytest.mark.parametrize("fault", [{"fault": "slow_answer", "seconds": 1.5}, None], ids=["after", "before"])
@pytest.mark.parametrize("step", STEPS[1:] if TORTURE else ["cost", "SAVE"])
def test_reloads_while_an_answer_is_under_way_send_nothing(site, tab, step, fault):
    tab.walk_to(step)
    before = site.counts
    if fault:
        site.control(faults=[{"call": "*", "times": 0} | fault])
    else:
        site.delay(1500)
    readers, done, shown = [tab.another() for _ in range(3)], [], []

    def reload(reader):
        wait_until(ConnectSession.objects.exclude(claimed_until=None).exists)
        connection.close()
        while not done:
            for path in (tab.path, tab.conversation, "/connect/", "/locations/"):
                shown.append(reader.get(path).is_waiting)

    def answer():
        tab.answer()
        done.append(True)

    at_once(answer, *(lambda each=each: reload(each) for each in readers))
    assert any(shown)
    after = site.counts
    assert after["connect"] == before["connect"] + 1
    assert after["exchange"] == (step == "SAVE")
    site.control(faults=[], switches={"delay_ms": 0})
    tab.finish()
