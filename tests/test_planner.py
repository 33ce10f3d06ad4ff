"""When should I run it? The plan, against a search over every minute."""

import re
from datetime import UTC, time
from decimal import Decimal
from html import unescape
from itertools import accumulate, pairwise
from zoneinfo import ZoneInfo

import pytest
from django.core.exceptions import ValidationError
from django.template.loader import render_to_string
from django.utils import translation
from hypothesis import given, settings, strategies as st

from tariffs.appliances import appliances_of
from tariffs.fields import DurationField
from tariffs.models import Appliance, Customer, Location, Tariff
from tariffs.rates import planner
from tariffs.rates.days import store
from tariffs.rates.windows import MICROSECOND
from tariffs.screens import planner as screen
from tariffs.screens.appliance_form import ApplianceForm
from tariffs.screens.sections import Section, plan_of as plan_of_section
from tests.test_windows import HOUR, MINUTE, NOON, ZONES, days, hourly

LONDON = ZoneInfo("Europe/London")


def by_minute(segments):
    return {at: each.rate for each in segments for at in minutes(each.start, each.end)}


def minutes(start, end):
    return [start + n * MINUTE for n in range((end - start) // MINUTE)]


def part(begin, end):
    return NOON + begin * HOUR, NOON + end * HOUR


def test_the_cheapest_parts_are_taken_and_those_that_touch_are_one():
    segments = hourly("0.3", "0.1", "0.2", "0.5", "0.1")
    plan = planner.split(segments, 3 * HOUR, NOON, NOON + 5 * HOUR)
    assert plan.parts == [part(1, 3), part(4, 5)]
    assert plan.mean == Decimal("0.4") / 3
    assert planner.split(segments, 5 * HOUR, NOON, NOON + 5 * HOUR).parts == [part(0, 5)]
    assert planner.split(segments, 6 * HOUR, NOON, NOON + 9 * HOUR) is None
    assert planner.split([], HOUR, NOON, NOON + HOUR) is None


def test_one_run_costs_no_less_than_parts_and_knows_its_last_start():
    segments = hourly("0.3", "0.1", "0.1", "0.1", "0.5", "-0.2")
    plan = planner.one_run(segments, 2 * HOUR, NOON, NOON + 5 * HOUR)
    assert (plan.parts, plan.latest, plan.mean) == ([part(1, 3)], NOON + 2 * HOUR, Decimal("0.1"))
    assert planner.one_run(segments, HOUR, NOON, NOON + 6 * HOUR).mean == Decimal("-0.2")


def test_the_evening_peak_is_that_of_the_coming_evening_whose_prices_are_known():
    rates = ["0.1"] * 24
    rates[5:9] = ["0.2", "0.4", "0.3", "0.6"]  # 18:00 to 22:00 in London, which is an hour ahead
    evening = hourly(*rates)
    assert planner.mean_in_the_evening(evening, HOUR, NOON, LONDON) == Decimal("0.4")
    assert planner.mean_in_the_evening(evening, 2 * HOUR, NOON, LONDON) == Decimal("0.45")
    later = NOON + 7 * HOUR  # at 20:00 the evening has one more start, a minute later none
    assert planner.mean_in_the_evening(evening, HOUR, later, LONDON) == Decimal("0.3")
    assert planner.mean_in_the_evening(evening, HOUR, later + MINUTE, LONDON) is None
    tomorrow = [*evening, *hourly(*["0.7"] * 12, start=NOON + 24 * HOUR)]
    assert planner.mean_in_the_evening(tomorrow, HOUR, later + MINUTE, LONDON) == Decimal("0.7")


@pytest.mark.parametrize("zone", ZONES)
@settings(max_examples=25, deadline=None)
@given(st.data(), st.integers(1, 600))
def test_no_choice_of_minutes_is_better(zone, data, number):
    segments, now, deadline = data.draw(days(zone))
    length, where, prices = number * MINUTE, ZoneInfo(zone), by_minute(segments)
    ahead = [minute for minute in minutes(now, deadline) if minute in prices]
    cheapest = sorted((prices[minute], minute) for minute in ahead)[:number]

    plan = planner.split(segments, length, now, deadline)
    if len(cheapest) < number:
        assert plan is None
    else:
        assert [at for span in plan.parts for at in minutes(*span)] == sorted(at for _, at in cheapest)
        assert all(before[1] < after[0] for before, after in pairwise(plan.parts))
        assert plan.mean == sum(rate for rate, _ in cheapest) / number

    first = min([now, *prices])
    ever = minutes(first, max([now, *prices]) + length + MINUTE)
    known = [0, *accumulate(at in prices for at in ever)]
    sums = [Decimal(0), *accumulate(prices.get(at, Decimal(0)) for at in ever)]

    def run(start):
        begin = (start - first) // MINUTE
        end = begin + number
        return (sums[end] - sums[begin]) / number if known[end] - known[begin] == number else None

    runs = [(found, at) for at in ahead if at + length <= deadline and (found := run(at)) is not None]
    one = planner.one_run(segments, length, now, deadline)
    assert (one and (one.mean, one.start)) == (min(runs) if runs else None)
    assert not one or plan.mean <= one.mean
    assert planner.mean_now(segments, length, now) == run(now)

    clock = [at.astimezone(where) for at in sorted(prices)]  # the prices are those of one day
    evening = [at.astimezone(UTC) for at in clock if time(17) <= at.time() <= time(20) and at >= now]
    peaks = [found for at in evening if (found := run(at)) is not None]
    assert planner.mean_in_the_evening(segments, length, now, where) == max(peaks, default=None)


# --- what the page says


@pytest.fixture
def place(alice):
    """Alice's location in London, which buys and sells."""
    customer = Customer.objects.create(user=alice, customer_id="cus_1")
    location = Location.objects.create(
        customer=customer, location_id="loc_1", time_zone="Europe/London", currency_code="GBP", country_code="GB"
    )
    for direction in ("IMPORT", "EXPORT"):
        Tariff.objects.create(location=location, direction=direction, due_at=NOON + 3 * HOUR)
    return location


def plan_of(place, ahead, sold=(), user=None, now=NOON, run="dishwasher"):
    return screen.planner(appliances_of(user), run, place, place.tariffs.get(direction="IMPORT"), ahead, sold, now)


def told(plan):
    """The answer as it is read."""
    page = render_to_string("tariffs/_planner.html", {"plan": plan})
    texts = re.findall(r"<p[^>]*>(.*?)</p>", page, re.DOTALL)
    return " ".join(unescape(re.sub("<[^>]+>", "", text)) for text in texts).strip()


# 13:00 to 23:00 in London
DAY = hourly("0.3", "0.2", "0.1", "0.1", "0.3", "0.4", "0.4", "0.2", "0.2", "0.2")


def test_the_answer_says_when_at_what_cost_and_what_that_saves(place):
    assert told(plan_of(place, DAY)) == (
        "Dishwasher: today 15:00 to 17:00, about £0.12. £0.18 less than now, £0.36 less than in the evening peak."
    )


def test_power_may_be_free_or_paid_for(place):
    free, paid = hourly("0.3", "0", "0", "0.3"), hourly("0.3", "-0.1", "-0.1", "0.3")
    assert told(plan_of(place, free)).startswith("Dishwasher: today 14:00 to 16:00, free. £0.18 less than now.")
    assert told(plan_of(place, paid)).startswith(
        "Dishwasher: today 14:00 to 16:00, you are paid about £0.12. £0.24 less than now."
    )


def test_now_may_be_the_best_time(place):
    rising = hourly("0.1", "0.1", "0.3", "0.3", "0.3", "0.3", "0.3", "0.3")
    assert (
        told(plan_of(place, rising)) == "Dishwasher: now until 15:00, about £0.12. £0.24 less than in the evening peak."
    )
    assert told(plan_of(place, hourly("0.1", "0.1", "0.1", "0.3"))) == "Dishwasher: any time until 16:00, about £0.12."
    assert told(plan_of(place, hourly("0.3", "0.1", "0.1", "0.1"))).startswith(
        "Dishwasher: any time from today 14:00 to 17:00, about £0.12. £0.12 less than now."
    )


def test_a_price_that_never_changes_has_no_best_time(place):
    assert told(plan_of(place, hourly(*["0.25"] * 24))) == (
        "Dishwasher: any time, about £0.30. The price is the same at all times we know."
    )


def test_what_may_pause_names_each_part(place):
    ahead = hourly("0.1", "0.3", "0.1", "0.3", *["0.2"] * 8, *["0.1"] * 2)
    assert told(plan_of(place, ahead, run="heat-pump")).startswith(
        "Heat pump: now until 14:00, 15:00 to 16:00 and tomorrow 01:00 to 03:00, about £0.80."
    )
    apart = hourly("0.3", "0.1", "0.3", "0.1", "0.3", "0.1", "0.1", "0.3")
    assert "today 14:00 to 15:00, 16:00 to 17:00 and 18:00 to 20:00, about" in told(
        plan_of(place, apart, run="heat-pump")
    )
    night = hourly(*["0.3"] * 10, "0.1", "0.1", "0.3", "0.1", "0.1", "0.3")
    assert "Heat pump: today 23:00 to tomorrow 01:00 and tomorrow 02:00 to 04:00, about" in told(
        plan_of(place, night, run="heat-pump")
    )


def test_it_is_ready_in_time(place, alice):
    own = Appliance.objects.create(user=alice, name="Sauna", minutes=120, watt_hours=10000, ready_by=time(17))
    ahead = hourly("0.3", "0.2", "0.3", "0.3", "0.1", "0.1", "0.1", *["0.3"] * 20)
    asked = {"user": alice, "run": own.key}
    assert told(plan_of(place, hourly("0.4", "0.2", "0.3", "0.3", "0.3", "0.3", "0.3"), **asked)).startswith(
        "Sauna: today 14:00 to 16:00, about £2.50. £0.50 less than now, £0.50 less than in the evening peak."
    )
    assert told(plan_of(place, ahead, **asked)).startswith("Sauna: any time until 16:00, about £2.50.")
    assert told(plan_of(place, ahead, **asked)).endswith("Ready by today 17:00.")
    late = told(plan_of(place, ahead[3:], **asked, now=NOON + 3 * HOUR))
    assert late.endswith(
        "It is too late for today 17:00. This is ready by tomorrow 17:00. We know the prices until tomorrow 16:00."
    )
    assert late.startswith("Sauna: any time from today 17:00 to 20:00")
    all_known = told(plan_of(place, [*ahead[3:], *hourly("0.3", start=ahead[-1].end)], **asked, now=NOON + 3 * HOUR))
    assert all_known.endswith("This is ready by tomorrow 17:00.")
    assert told(plan_of(place, hourly(*["0.3"] * 9), **asked)) == (
        "Sauna: any time until 17:00, about £3.00. The price is the same at all times we know. Ready by today 17:00."
    )


def test_a_price_that_is_not_known_is_compared_with_nothing(place):
    ahead = hourly("0.3", "0.3", "0.1", "0.1", "0.2")
    assert told(plan_of(place, ahead)).endswith("about £0.12. £0.24 less than now.")
    assert told(plan_of(place, [ahead[0], *ahead[2:]])) == "Dishwasher: today 15:00 to 17:00, about £0.12."


def test_it_says_when_too_few_prices_are_known(place):
    assert told(plan_of(place, hourly("0.1"))) == (
        "Dishwasher: we know too few prices until 14:00. Check again after today 16:00."
    )
    assert told(plan_of(place, [])) == "Dishwasher: we don't know enough prices yet. Check again after today 16:00."
    assert told(plan_of(place, hourly("0.1", "0.2"), run="car")).startswith("Car: we know too few prices until 15:00.")


def test_it_says_when_too_few_prices_are_known_before_it_has_to_be_ready(place, alice):
    own = Appliance.objects.create(user=alice, name="Sauna", minutes=120, watt_hours=10000, ready_by=time(16))
    first, _, *others = hourly(*["0.1"] * 9)
    assert told(plan_of(place, [first, others[0], *others[2:]], user=alice, run=own.key)) == (
        "Sauna: we know too few prices until 16:00. Check again after today 16:00."
    )


@pytest.mark.parametrize(
    ("buys", "sells", "said"),
    [
        ("0.2", "0.1", "Use your own solar power then. Using it saves £0.24. Selling it brings £0.12."),
        ("0.1", "0.2", "Sell your own solar power then. Using it saves £0.12. Selling it brings £0.24."),
        ("0.1", "0.1", "Use or sell your own solar power then: both are worth the same."),
        ("0.1", "-0.1", "Use your own solar power then. Using it saves £0.12. Selling it costs £0.12."),
        ("-0.1", "0", "Sell your own solar power then. Using it loses you £0.12. Selling it brings nothing."),
        ("0", "-0.1", "Use your own solar power then. Using it saves nothing. Selling it costs £0.12."),
    ],
)
def test_own_solar_power_is_used_or_sold(place, buys, sells, said):
    ahead, sold = hourly(buys, buys, "0.9"), hourly(sells, sells, "0.9")
    assert told(plan_of(place, ahead, sold)).endswith(said)
    assert "solar" not in told(plan_of(place, ahead, sold[:1]))  # a price of that time is not known


def test_solar_power_is_worth_what_it_brings_in_each_part_of_the_chosen_time(place):
    ahead = hourly("0.1", "0.1", "0.9")
    assert "Selling it brings £0.24." in told(plan_of(place, ahead, hourly("0.1", "0.3", "0.9")))
    parts = hourly("0.1", "0.9", "0.1", "0.9", "0.1", "0.9", "0.1", "0.9")
    sold = hourly("0.2", "0.5", "0.3", "0.5", "0.2", "0.5", "0.3", "0.5")
    assert "Using it saves £0.80. Selling it brings £2.00." in told(plan_of(place, parts, sold, run="heat-pump"))


def test_solar_power_is_left_out_where_its_price_depends_on_a_start_that_is_open(place):
    ahead = hourly("0.2", "0.2", "0.2", "0.9")
    assert "any time until 16:00" in told(plan_of(place, ahead))
    assert "Selling it brings £0.12." in told(plan_of(place, ahead, hourly("0.1", "0.1", "0.1", "0.5")))
    assert "solar" not in told(plan_of(place, ahead, hourly("0.1", "0.1", "0.3", "0.5")))


def test_it_knows_when_its_answer_changes(place):
    changes = plan_of(place, DAY)["moments"]
    assert min(changes) == NOON + 5 * MINUTE  # what a run from now on costs
    assert {NOON + 2 * HOUR, NOON + 4 * HOUR} < {*changes}
    assert plan_of(place, hourly("0.1", "0.1", "0.1"))["moments"] == []
    assert min(plan_of(place, hourly("0.1", "0.1", "0.3"))["moments"]) == NOON + 5 * MINUTE
    [late] = plan_of(place, [], run="car")["moments"]
    assert late == NOON + 15 * HOUR + MICROSECOND  # just after 04:00 in London, three hours before it has to be ready


def test_others_see_the_usual_appliances_and_no_link_to_change_them(place, alice, django_assert_num_queries):
    own = Appliance.objects.create(user=alice, name="Sauna", minutes=60, watt_hours=6000)
    tariff = place.tariffs.get(direction="IMPORT")
    section = Section("", "", DAY, None, False, False, False, True, NOON + HOUR)

    def seen(user, wanted):
        page = plan_of_section(user, place, tariff, [tariff], section, wanted, NOON).html
        return re.findall(r'href="([^"]*)"', page), re.findall(r'aria-current="true">([^<]+)', page)

    usual = [f"?run={kind}#run" for kind in ("dishwasher", "washing-machine", "car", "heat-pump", "water-heater")]
    with django_assert_num_queries(0):
        assert seen(None, own.key) == (usual, ["Dishwasher"])
    change = f"/locations/{place.pk}/run/?run="
    with django_assert_num_queries(1):
        assert seen(alice, own.key) == (
            [*usual, f"?run={own.key}#run", f"{change}new", f"{change}{own.key}"],
            ["Sauna"],
        )


def test_what_changes_the_answer_is_never_served_from_the_cache(place, alice, bob):
    tariff = place.tariffs.get(direction="IMPORT")
    section = Section("", "", DAY, None, False, False, False, True, NOON + 9 * HOUR)

    def seen(user=alice, wanted="car", now=NOON):
        return plan_of_section(user, place, tariff, [tariff], section, wanted, now).html

    first = seen()
    assert seen() == first
    assert seen(wanted="heat-pump") != first
    assert seen(now=NOON + MINUTE) is not first
    Appliance.objects.create(user=bob, kind="car", minutes=60, watt_hours=1000)
    assert seen() == first
    assert "1 kWh in 1:00 hours" in seen(bob)
    Appliance.objects.create(user=alice, kind="car", minutes=120, watt_hours=14000)
    assert "14 kWh in 2:00 hours" in seen()
    with translation.override("de"):
        assert "14 kWh in 2:00 Stunden" in seen()


def test_an_answer_about_what_is_sold_makes_a_new_plan(place, alice):
    buys, sells = (place.tariffs.get(direction=direction) for direction in ("IMPORT", "EXPORT"))
    section = Section("", "", DAY, None, False, False, False, True, NOON + 9 * HOUR)

    def seen():
        return plan_of_section(alice, place, buys, [buys, sells], section, "dishwasher", NOON).html

    assert "solar" not in seen()
    store(sells, [NOON.date()], hourly(*["0.05"] * 10), NOON)
    sells = Tariff.objects.get(pk=sells.pk)
    sells.rates = "ok"
    assert "Use your own solar power then." in seen()


def test_a_deadline_that_a_start_now_just_meets_is_met(place):
    def ready(minutes):
        car = Appliance(kind="car", minutes=minutes, watt_hours=6000, ready_by=time(15))
        tariff = place.tariffs.get(direction="IMPORT")
        return told(screen.planner({"car": car}, "car", place, tariff, DAY, (), NOON))  # 13:00 in London

    assert "Ready by today 15:00." in ready(120)
    assert "It is too late for today 15:00. This is ready by tomorrow 15:00." in ready(121)


def test_an_unknown_appliance_is_the_first_one(place, alice, bob):
    other = Appliance.objects.create(user=bob, name="Sauna", minutes=60, watt_hours=6000)
    tariff = place.tariffs.get(direction="IMPORT")
    section = Section("", "", DAY, None, False, False, False, True, NOON + HOUR)
    page = plan_of_section(alice, place, tariff, [tariff], section, other.key, NOON).html
    assert 'aria-current="true">Dishwasher</a>' in page
    assert "Sauna" not in page


@pytest.mark.parametrize("run", ["dishwasher", "car"])
def test_it_is_small(place, run):
    plan = plan_of(place, DAY, DAY, run=run)
    assert len(render_to_string("tariffs/_planner.html", {"plan": plan, "form": "/run/"}).encode()) < 1200


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("de", "Geschirrspüler: heute 15:00 bis 17:00 Uhr, etwa 0,12 £. 0,18 £ weniger als jetzt, "),
        ("fr", "Lave-vaisselle : aujourd’hui de 15 h à 17 h, environ 0,12 £. 0,18 £ de moins que maintenant, "),
    ],
)
def test_it_speaks_other_languages(place, language, said):
    with translation.override(language):
        assert told(plan_of(place, DAY)).replace("\xa0", " ").startswith(said)


# --- what the customer changes


def fields(client, place, run):
    """What the form of an appliance holds, as a browser sends it."""
    page = client.get(f"/locations/{place.pk}/run/?run={run}")
    assert page.status_code == 200
    form = page.context["form"]
    values = {field.name: field.value() for field in form}
    checked = {"split": "on"} if values.pop("split") else {}
    return {name: value for name, value in values.items() if value is not None} | checked | {"run": run}


def save(client, place, run, **changed):
    sent = fields(client, place, run) | changed
    return client.post(
        f"/locations/{place.pk}/run/", {name: value for name, value in sent.items() if value is not None}
    )


def problems(response):
    assert response.status_code == 400
    return {name: list(errors) for name, errors in response.context["form"].errors.items()}


@pytest.mark.parametrize(
    ("changed", "minutes", "watt_hours"),
    [
        ({}, 120, 1200),
        ({"kwh": "1.8"}, 180, 1800),  # keeps the power
        ({"kw": "1.2"}, 60, 1200),  # keeps the energy
        ({"duration": "3:00"}, 180, 1200),  # keeps the energy
        ({"duration": "3:00", "kw": "1"}, 180, 3000),
        ({"duration": "1:00", "kwh": "2"}, 60, 2000),
        ({"kwh": "2", "kw": "4"}, 30, 2000),
        ({"duration": "1:30", "kwh": "3", "kw": "2"}, 90, 3000),
        ({"duration": "1:40", "kwh": "1", "kw": "0.6"}, 100, 1000),
        ({"duration": "1:00", "kwh": "1", "kw": "1.02"}, 60, 1000),  # a fiftieth may be lost by rounding
        ({"kwh": "14.4"}, 1440, 14400),  # the longest
        ({"duration": "0:01", "kwh": "0.001"}, 1, 1),  # the least
        ({"duration": "10:00", "kw": "100"}, 600, 1_000_000),  # the most
        ({"duration": "0:30", "kwh": "50"}, 30, 50_000),
        ({"duration": "", "kw": "0.3"}, 240, 1200),  # what is left empty follows
        ({"kwh": "", "kw": "0.3"}, 120, 600),
        ({"kw": "", "duration": "60 min"}, 60, 1200),
        ({"kwh": "900 Wh"}, 90, 900),
        ({"kw": "600 W"}, 120, 1200),
    ],
)
def test_duration_energy_and_power_follow_each_other(place, client, alice, changed, minutes, watt_hours):
    client.force_login(alice)
    assert save(client, place, "dishwasher", **changed).status_code == 302
    row = Appliance.objects.get()
    assert (row.user, row.kind, row.name) == (alice, "dishwasher", "")
    assert (row.minutes, row.watt_hours, row.ready_by, row.split) == (minutes, watt_hours, None, False)


def test_a_power_that_rounds_to_nothing_is_left_empty(place, client, alice):
    client.force_login(alice)
    Appliance.objects.create(user=alice, kind="dishwasher", minutes=1440, watt_hours=1)
    assert "kw" not in fields(client, place, "dishwasher")
    Appliance.objects.update(watt_hours=12)  # half a watt
    assert fields(client, place, "dishwasher")["kw"] == "0.001"


def test_a_power_that_is_shown_rounded_is_kept_exactly(place, client, alice):
    client.force_login(alice)
    save(client, place, "dishwasher", duration="0:07", kwh="1")
    assert fields(client, place, "dishwasher")["kw"] == "8.571"
    save(client, place, "dishwasher", kwh="100")
    assert Appliance.objects.get().minutes == 700


@pytest.mark.parametrize(
    ("changed", "errors"),
    [
        (
            {"duration": "2:30", "kwh": "5", "kw": "3"},
            {"kwh": ["3 kW for 2:30 hours are 7.5 kWh. Change one of the three, or leave one empty."]},
        ),
        (
            {"duration": "1:00", "kwh": "1", "kw": "1.03"},
            {"kwh": ["1.03 kW for 1:00 hours are 1.03 kWh. Change one of the three, or leave one empty."]},
        ),
        ({"duration": "", "kwh": ""}, {"duration": ["Enter two of the three: duration, energy and power."]}),
        ({"kwh": "0"}, {"kwh": ["Enter the energy in kWh, above 0 and up to 1000."]}),
        ({"kw": "-2"}, {"kw": ["Enter the power in kW, above 0 and up to 100."]}),
        ({"duration": "soon"}, {"duration": ["Enter a duration up to 24 hours, for example 2:30."]}),
        ({"duration": "24:01"}, {"duration": ["Enter a duration up to 24 hours, for example 2:30."]}),
        ({"kwh": "90"}, {"duration": ["This takes more than 24 hours. Enter less energy or more power."]}),
        ({"duration": "24:00", "kw": "99"}, {"kwh": ["Enter the energy in kWh, above 0 and up to 1000."]}),
        ({"duration": "0:01", "kwh": "50"}, {"kw": ["Enter the power in kW, above 0 and up to 100."]}),
        ({"ready_by": "later"}, {"ready_by": ["Enter a time, for example 23:30."]}),
        (
            {"ready_by": "later", "duration": "", "kwh": ""},
            {
                "ready_by": ["Enter a time, for example 23:30."],
                "duration": ["Enter two of the three: duration, energy and power."],
            },
        ),
    ],
)
def test_what_cannot_be_is_told_at_its_field_and_nothing_is_lost(place, client, alice, changed, errors):
    client.force_login(alice)
    response = save(client, place, "dishwasher", **changed)
    assert problems(response) == errors
    page = unescape(response.content.decode())
    for text in [*changed.values(), *(said for found in errors.values() for said in found)]:
        assert text in page
    assert not Appliance.objects.exists()


def test_a_changed_appliance_is_found_again_and_can_be_reset(place, client, alice):
    client.force_login(alice)
    there = save(client, place, "car", ready_by="06:30", split=None)
    assert there["Location"] == f"/locations/{place.pk}/?run=car#run"
    car = appliances_of(alice)["car"]
    assert (car.ready_by, car.split) == (time(6, 30), False)
    save(client, place, "car", duration="5:00")
    assert (Appliance.objects.get().minutes, Appliance.objects.get().ready_by) == (300, time(6, 30))
    form = client.get(f"/locations/{place.pk}/run/?run=car&do=remove").content.decode()  # a mere visit
    assert re.findall(r"<h1>(.*)</h1>|name=\"run\" value=\"(.*?)\"|value=\"remove\">(.*?)<", form) == [
        ("Car", "", ""),
        ("", "car", ""),
        ("", "", "Reset"),
    ]
    assert Appliance.objects.exists()
    assert save(client, place, "car", do="remove")["Location"] == there["Location"]
    assert not Appliance.objects.exists()
    assert appliances_of(alice)["car"].minutes == 180


SAUNA = {"name": " Sauna \t in the  garden ", "duration": "1:30", "kwh": "9"}


def test_an_own_appliance_is_added_renamed_and_removed(place, client, alice):
    client.force_login(alice)
    added = save(client, place, "new", **SAUNA, split="on")
    own = Appliance.objects.get()
    assert added["Location"] == f"/locations/{place.pk}/?run={own.key}#run"
    assert (own.kind, own.name, own.minutes, own.watt_hours, own.split) == ("", "Sauna in the garden", 90, 9000, True)
    save(client, place, "new", **SAUNA | {"name": "Pool"})
    save(client, place, own.key, name="<b>Sauna</b>")
    assert "&lt;b&gt;Sauna" in render_to_string("tariffs/_planner.html", {"plan": plan_of(place, DAY, user=alice)})
    assert save(client, place, own.key, do="remove")["Location"] == f"/locations/{place.pk}/?run=dishwasher#run"
    assert Appliance.objects.get().name == "Pool"


def test_an_appliance_that_was_removed_in_another_tab_is_added_again(place, client, alice):
    client.force_login(alice)
    save(client, place, "new", **SAUNA)
    own = Appliance.objects.get()
    sent = fields(client, place, own.key)
    own.delete()
    assert client.post(f"/locations/{place.pk}/run/", sent).status_code == 302
    assert Appliance.objects.get().name == own.name
    assert client.post(f"/locations/{place.pk}/run/", {"run": "0", "do": "remove"}).status_code == 302


def test_a_button_that_is_pressed_twice_adds_one(place, client, alice):
    client.force_login(alice)
    first, second = (save(client, place, "new", **SAUNA) for _ in range(2))
    assert first["Location"] == second["Location"]
    assert Appliance.objects.count() == 1
    said = {"name": ["You already have “Sauna in the garden”. Enter another name."]}
    assert problems(save(client, place, "new", **SAUNA | {"kwh": "8"})) == said
    save(client, place, "new", **SAUNA | {"name": "Pool"})
    assert problems(save(client, place, Appliance.objects.get(name="Pool").key, name="Sauna in the garden")) == said


def test_a_name_is_needed_and_not_endless(place, client, alice):
    client.force_login(alice)
    assert problems(save(client, place, "new", **SAUNA | {"name": "  "})) == {"name": ["Enter a name."]}
    assert "name" in problems(save(client, place, "new", **SAUNA | {"name": "x" * 41}))


def test_there_is_an_end_to_adding(place, client, alice, bob, monkeypatch):
    monkeypatch.setattr(Appliance, "MOST_OWN", 2)
    for name in ("One", "Two", "Three"):  # those of others do not count, and may have any name
        Appliance.objects.create(user=bob, name=name, minutes=60, watt_hours=6000)
    client.force_login(alice)
    save(client, place, "car", kwh="30")
    for name in ("One", "Two"):
        save(client, place, "new", **SAUNA | {"name": name})
    response = save(client, place, "new", **SAUNA)
    assert problems(response) == {"__all__": ["You have added 2 appliances. Remove one of them first."]}
    assert save(client, place, alice.appliances.get(name="One").key, kwh="3").status_code == 302
    assert alice.appliances.count() == 3


def test_each_location_has_the_form_at_its_own_address(place, client, alice):
    there = Location.objects.create(customer=place.customer, location_id="loc_2", address_line1="2 Example Street")
    client.force_login(alice)
    path = f"/locations/{there.pk}/run/"
    assert f'action="{path}"' in client.get(path).content.decode()
    assert save(client, there, "car", kwh="30")["Location"] == f"/locations/{there.pk}/?run=car#run"


def test_an_account_that_is_deleted_meanwhile_keeps_nothing(place, client, alice, bob, monkeypatch):
    client.force_login(alice)
    sent = fields(client, place, "car")
    is_valid = ApplianceForm.is_valid
    monkeypatch.setattr(ApplianceForm, "is_valid", lambda form: bool(alice.delete()) and is_valid(form))
    assert client.post(f"/locations/{place.pk}/run/", sent).status_code == 404
    assert not Appliance.objects.exists()


def test_nobody_else_changes_them(place, client, alice, bob, charlie):
    own = Appliance.objects.create(user=alice, name="Sauna", minutes=60, watt_hours=6000)
    for user in (bob, charlie):
        client.force_login(user)
        path = f"/locations/{place.pk}/run/"
        assert client.get(path).status_code == 404
        assert client.post(path, {"run": own.key, "do": "remove"}).status_code == 404
    mine = Location.objects.create(customer=Customer.objects.create(user=bob, customer_id="cus_2"), location_id="loc_2")
    client.force_login(bob)
    client.post(f"/locations/{mine.pk}/run/", {"run": own.key, "do": "remove"})
    client.post(f"/locations/{mine.pk}/run/", {"run": own.key, "name": "Mine", "duration": "1", "kwh": "1"})
    own.refresh_from_db()
    assert own.name == "Sauna"
    assert Appliance.objects.get(user=bob).name == "Mine"


def test_saving_is_limited(place, client, alice, settings):
    settings.RATE_LIMITS = settings.RATE_LIMITS | {"appliance": 2}
    client.force_login(alice)
    assert [save(client, place, "car").status_code for _ in range(3)] == [302, 302, 429]


@pytest.mark.parametrize(
    ("text", "minutes"),
    [
        ("2:30", 150), ("2h30", 150), ("2 h 30 min", 150), ("2 Std. 30 Min.", 150), ("90 min", 90), ("2.5", 150),
        ("2,5 heures", 150), ("2", 120), ("0:05", 5), ("24", 1440), ("2:3", None), ("1:75", None), ("-1", None),
        ("0", None), ("25", None), ("x", None),
    ],
)  # fmt: skip
def test_a_duration_is_typed_in_many_ways(text, minutes):
    try:
        found = DurationField().clean(text)
    except ValidationError:
        found = None
    assert found == minutes
