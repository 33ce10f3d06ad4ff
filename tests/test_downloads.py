"""Downloads of rates: the CSV, the JSON, how long they are cached, and who gets them."""

import csv
import io
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from django.contrib.auth.models import Permission
from django.urls import reverse

from tariffs import flatpeak, rates
from tariffs.models import Customer, Location, RateDay, Tariff
from tariffs.screens import downloads

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 23, 12, 30, tzinfo=UTC)
LATER = datetime(2026, 11, 23, 16, tzinfo=UTC)
HEADER = "valid_from,valid_to,local_from,local_to,rate,currency,unit,confidence,carbon_intensity"


@pytest.fixture
def location(alice, monkeypatch):
    """Alice's location in London, where it is half past twelve."""
    at(monkeypatch, NOW)
    return Location.objects.create(
        customer=Customer.objects.create(user=alice, customer_id="cus_1"),
        location_id="loc_1",
        address_line1="1 Example Street",
        time_zone="Europe/London",
        currency_code="GBP",
    )


@pytest.fixture
def tariff(location):
    """Alice's tariff for buying. Two half hours from midnight on are stored, and `due_at` is at four."""
    tariff = Tariff.objects.create(location=location, direction="IMPORT", due_at=LATER)
    keep(tariff, date(2026, 11, 23), halves(datetime(2026, 11, 23, 12, tzinfo=UTC), 2))
    return tariff


@pytest.fixture(autouse=True)
def asked(monkeypatch):
    """The calls for rates. Each answer has one rate for both days, and a next update at four."""
    calls = []

    def answer(location_id, start, end, direction):
        calls.append(direction)
        entry = {"valid_from": start.isoformat(), "valid_to": end.isoformat(), "tariff": {"rate": Decimal("0.5")}}
        return {"next_update": LATER.isoformat(), "data": [entry]}

    monkeypatch.setattr(flatpeak, "rates", answer)
    return calls


@pytest.fixture
def take(client, alice, tariff):
    """Download as Alice."""
    client.force_login(alice)

    def take(form="json", query="", **headers):
        return client.get(f"/locations/{tariff.location_id}/rates.{form}{query}", headers=headers)

    return take


def at(monkeypatch, moment):
    monkeypatch.setattr("django.utils.timezone.now", lambda: moment)


def keep(tariff, day, segments):
    RateDay.objects.update_or_create(
        tariff=tariff, day=day, defaults={"segments": rates.dump(segments), "fetched_at": NOW - timedelta(hours=1)}
    )


def halves(start, count, rate="0.1", confidence="1", carbon=None):
    half = timedelta(minutes=30)
    return [
        rates.Segment(start + half * n, start + half * (n + 1), Decimal(rate), Decimal(confidence), carbon)
        for n in range(count)
    ]


def whole_day(day, zone):
    start, end = rates.day_span(day, ZoneInfo(zone))
    return halves(start, int((end - start) / timedelta(minutes=30)))


def table(response):
    return list(csv.DictReader(io.StringIO(response.content.decode())))


def local_day(monkeypatch, tariff, day, zone):
    """Set the clock to noon UTC of a day, and store its half hours for a location in a time zone."""
    at(monkeypatch, datetime(day.year, day.month, day.day, 12, tzinfo=UTC))
    Location.objects.update(time_zone=zone)
    Tariff.objects.update(due_at=datetime(2100, 1, 1, tzinfo=UTC))
    keep(tariff, day, whole_day(day, zone))


# --- their content


def test_the_csv_has_these_bytes(take):
    response = take("csv")
    assert (
        response.content
        == (
            f"{HEADER}\r\n"
            "2026-11-23T12:00:00+00:00,2026-11-23T12:30:00+00:00,2026-11-23T12:00:00+00:00,2026-11-23T12:30:00+00:00,"
            "0.1,GBP,kWh,1,\r\n"
            "2026-11-23T12:30:00+00:00,2026-11-23T13:00:00+00:00,2026-11-23T12:30:00+00:00,2026-11-23T13:00:00+00:00,"
            "0.1,GBP,kWh,1,\r\n"
        ).encode()
    )
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    assert response["Content-Disposition"] == 'attachment; filename="rates-import-2026-11-23-2026-11-24.csv"'


def test_the_json_says_the_same_as_the_csv_and_how_far_it_goes(tariff, take):
    Tariff.objects.update(contract_end="2027-03-31")
    response = take("json")
    content = response.json()
    lines = content.pop("rates")
    assert [{name: value or "" for name, value in line.items()} for line in lines] == table(take("csv"))
    assert content == {
        "direction": "IMPORT",
        "state": "connected",
        "timezone": "Europe/London",
        "contract_end": "2027-03-31",
        "last_updated": "2026-11-23T11:30:00+00:00",
        "next_update": "2026-11-23T16:00:00+00:00",
        "complete_until": "2026-11-23T00:00:00+00:00",
        "tiered": False,
    }
    assert response["Content-Disposition"] == 'attachment; filename="rates-import-2026-11-23-2026-11-24.json"'
    assert b"Example" not in response.content


@pytest.mark.parametrize(
    ("stored", "text"),
    [
        ("0.24555", "0.24555"),
        ("0.2400", "0.2400"),
        ("1E+2", "100"),
        ("1E-7", "0.0000001"),
        ("-0.05", "-0.05"),
        ("0", "0"),
        ("-0", "0"),
        ("-0.00", "0.00"),
        ("0.1234567890123456789012345678901234567890", "0.1234567890123456789012345678901234567890"),
    ],
)
def test_a_number_is_written_with_its_digits_and_no_others(stored, text):
    assert downloads.exact(Decimal(stored)) == text


def test_numbers_are_the_stored_ones_in_both_forms(tariff, take):
    keep(tariff, date(2026, 11, 23), halves(NOW, 1, "0.24555", "0.75", Decimal("120.5")))
    for line in (take("json").json()["rates"][0], table(take("csv"))[0]):
        assert (line["rate"], line["confidence"], line["carbon_intensity"]) == ("0.24555", "0.75", "120.5")


def test_what_is_unknown_is_empty_or_null_and_a_zero_is_a_zero(tariff, take):
    keep(tariff, date(2026, 11, 23), halves(NOW, 1, "0", "0") + halves(LATER, 1, "0", "0", Decimal(0)))
    Location.objects.update(currency_code="")
    assert [(x["rate"], x["currency"], x["confidence"], x["carbon_intensity"]) for x in table(take("csv"))] == [
        ("0", "", "0", ""),
        ("0", "", "0", "0"),
    ]
    lines = take("json").json()["rates"]
    assert [(x["rate"], x["currency"], x["carbon_intensity"]) for x in lines] == [("0", None, None), ("0", None, "0")]


def test_today_and_tomorrow_are_in_it_and_no_other_day(tariff, take):
    for day in range(21, 27):
        keep(tariff, date(2026, 11, day), whole_day(date(2026, 11, day), "Europe/London"))
    lines = table(take("csv"))
    assert len(lines) == 96
    assert lines[0]["local_from"] == "2026-11-23T00:00:00+00:00"
    assert lines[-1]["local_to"] == "2026-11-25T00:00:00+00:00"


def test_half_hours_that_cost_the_same_stay_apart(take):
    assert len(take("json").json()["rates"]) == 2


def test_the_json_is_tiered_if_the_price_of_one_of_its_days_was(take, tariff):
    keep(tariff, date(2026, 11, 24), halves(datetime(2026, 11, 24, tzinfo=UTC), 2))
    tariff.days.filter(day="2026-11-23").update(tiered=True)
    assert take(query="?start=2026-11-23&end=2026-11-24").json()["tiered"] is True


def test_the_first_day_may_be_the_last_one(take):
    assert take(query="?start=2026-11-23&end=2026-11-23").status_code == 200


# --- days on which the clock changes


def test_the_long_night_in_london_has_50_half_hours_and_no_two_look_alike(monkeypatch, tariff, take):
    local_day(monkeypatch, tariff, date(2026, 10, 25), "Europe/London")
    lines = table(take("csv"))
    assert len(lines) == 50 == len({line["local_from"] for line in lines})
    assert [(line["valid_from"][11:], line["local_from"][11:]) for line in lines[2:6]] == [
        ("00:00:00+00:00", "01:00:00+01:00"),
        ("00:30:00+00:00", "01:30:00+01:00"),
        ("01:00:00+00:00", "01:00:00+00:00"),
        ("01:30:00+00:00", "01:30:00+00:00"),
    ]
    assert take("json").json()["complete_until"] == "2026-10-26T00:00:00+00:00"


def test_the_short_night_in_london_has_46_half_hours(monkeypatch, tariff, take):
    local_day(monkeypatch, tariff, date(2026, 3, 29), "Europe/London")
    lines = table(take("csv"))
    assert len(lines) == 46
    assert (lines[1]["local_to"], lines[2]["local_from"]) == ("2026-03-29T02:00:00+01:00",) * 2


def test_lord_howe_repeats_half_an_hour(monkeypatch, tariff, take):
    local_day(monkeypatch, tariff, date(2026, 4, 5), "Australia/Lord_Howe")
    lines = table(take("csv"))
    assert len(lines) == 49
    assert [line["local_from"][11:] for line in lines[3:5]] == ["01:30:00+11:00", "01:30:00+10:30"]


def test_an_unknown_time_zone_is_given_as_utc_and_no_error(take):
    Location.objects.update(time_zone="Mars/Olympus")
    assert take().json()["timezone"] == "UTC"


# --- until when they are complete


@pytest.mark.parametrize(
    ("known", "until"),
    [
        ([(0, 48)], 48),
        ([(0, 24), (24, 48)], 48),
        ([(0, 18), (20, 48)], 18),
        ([(0, 6), (7, 24)], 6),
        ([(0, 12), (13, 24)], None),
        ([], None),
    ],
    ids=["both days", "in two parts", "gap ahead", "gap behind", "now unknown", "nothing"],
)
def test_it_is_complete_up_to_the_first_gap_and_not_at_all_if_now_is_unknown(known, until):
    start = datetime(2026, 11, 23, tzinfo=UTC)
    segments = [rates.Segment(start + timedelta(hours=a), start + timedelta(hours=b), Decimal("0.1")) for a, b in known]
    expected = None if until is None else start + timedelta(hours=until)
    assert downloads.complete_until(segments, start, start + timedelta(days=2), NOW) == expected


def test_a_gap_shows_in_the_json(tariff, take):
    day = whole_day(date(2026, 11, 23), "Europe/London")
    keep(tariff, date(2026, 11, 23), day[:30] + day[31:])
    assert take().json()["complete_until"] == "2026-11-23T15:00:00+00:00"
    keep(tariff, date(2026, 11, 23), day[:20])
    assert take().json()["complete_until"] is None


# --- other days


@pytest.fixture
def answered(monkeypatch):
    """The spans for which FlatPeak was asked. Each answer has half hours."""
    spans = []

    def answer(location_id, start, end, direction):
        spans.append((start, end))
        entries = [
            {"valid_from": s.start.isoformat(), "valid_to": s.end.isoformat(), "tariff": {"rate": s.rate}}
            for s in halves(start, int((end - start) / timedelta(minutes=30)), "0.2")
        ]
        return {"next_update": LATER.isoformat(), "data": entries}

    monkeypatch.setattr(flatpeak, "rates", answer)
    return spans


def test_a_month_is_asked_for_in_one_call_and_kept(take, answered):
    query = "?start=2026-10-01&end=2026-10-31"
    response = take("csv", query)
    lines = table(response)
    assert len(lines) == 31 * 48 + 2
    assert (lines[0]["local_from"], lines[-1]["local_to"]) == ("2026-10-01T00:00:00+01:00", "2026-11-01T00:00:00+00:00")
    assert response["Content-Disposition"] == 'attachment; filename="rates-import-2026-10-01-2026-10-31.csv"'
    content = take("json", query).json()
    assert content["complete_until"] == "2026-11-01T00:00:00+00:00"
    assert len(content["rates"]) == len(lines)
    assert len(answered) == 1


def test_one_day_is_enough_to_say_which(take, answered):
    response = take("csv", "?start=2026-11-20")
    assert {line["local_from"][:10] for line in table(response)} == {"2026-11-20"}
    assert 'filename="rates-import-2026-11-20.csv"' in response["Content-Disposition"]


def test_what_flatpeak_could_not_be_asked_for_is_not_complete(take, monkeypatch):
    def down(*arguments):
        raise flatpeak.Unavailable("GET /tariffs/rates: no answer")

    monkeypatch.setattr(flatpeak, "rates", down)
    content = take("json", "?start=2026-11-20&end=2026-11-23").json()
    assert (len(content["rates"]), content["complete_until"]) == (2, "2026-11-20T00:00:00+00:00")


@pytest.mark.parametrize("form", ["csv", "json"])
@pytest.mark.parametrize("query", ["", "?start=2026-11-01"])
def test_what_flatpeak_could_not_be_asked_for_and_is_not_there_at_all_is_no_empty_file(
    take, tariff, monkeypatch, form, query
):
    def down(*arguments):
        raise flatpeak.Unavailable("GET /tariffs/rates: no answer")

    RateDay.objects.all().delete()
    Tariff.objects.update(due_at=NOW)
    with monkeypatch.context() as patched:
        patched.setattr(flatpeak, "rates", down)
        response = take(form, query)
    assert (response.status_code, response["Retry-After"]) == (503, "60")
    assert str(downloads.NOT_ASKED) in response.content.decode()
    assert "no-store" in response["Cache-Control"]
    at(monkeypatch, NOW + timedelta(minutes=1))
    assert take(form, query).status_code == 200


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("?start=tomorrow", "start: Enter a day as year-month-day, for example 2026-10-25."),
        ("?start=2026-02-30", "start: Enter a day as year-month-day, for example 2026-10-25."),
        ("?start=2020-01-01", "start: Choose a day from 22 Nov 2025 to 7 Dec 2026."),
        ("?start=2026-11-01&end=2026-12-08", "end: Choose a day from 22 Nov 2025 to 7 Dec 2026."),
        ("?start=2026-11-02&end=2026-11-01", "end: The last day must be after the first day."),
        ("?end=2026-11-01", "start: Enter the first day too."),
        ("?start=tomorrow&end=2026-11-24", "start: Enter a day as year-month-day, for example 2026-10-25."),
        ("?start=2026-08-01&end=2026-10-30", "end: Choose no more than 90 days."),
    ],
)
def test_days_that_cannot_be_are_refused_with_a_sentence_and_no_call(take, asked, query, sentence):
    Tariff.objects.update(due_at=NOW)
    as_csv, as_json = take("csv", query), take("json", query)
    assert (as_csv.status_code, as_csv.content.decode()) == (400, sentence + "\n")
    assert (as_json.status_code, as_json.json()) == (400, {"error": sentence})
    assert asked == []


def test_ninety_days_are_not_too_many(take, answered):
    """FlatPeak answers at most 90 times 24 hours, and 90 days with a clock that goes back are an hour longer."""
    assert len(table(take("csv", "?start=2026-08-01&end=2026-10-29"))) == 90 * 48 + 2
    assert all(end - start <= timedelta(days=90) for start, end in answered)
    assert len(answered) == 2
    assert answered[0][1] == answered[1][0]


def test_ninety_days_without_an_hour_twice_are_one_question(take, answered):
    assert len(table(take("csv", "?start=2026-02-01&end=2026-05-01"))) == 90 * 48 - 2
    assert len(answered) == 1


@pytest.mark.parametrize("form", ["csv", "json"])
def test_rates_that_are_asked_for_at_this_moment_are_no_empty_file(take, asked, monkeypatch, form):
    seen, answer = [], flatpeak.rates

    def meanwhile(*arguments):
        if not seen:
            seen.append(None)
            seen[0] = take(form, "?start=2026-11-20")
        return answer(*arguments)

    monkeypatch.setattr(flatpeak, "rates", meanwhile)
    assert take(form, "?start=2026-11-20").status_code == 200
    assert (seen[0].status_code, seen[0]["Retry-After"]) == (503, "60")
    assert str(downloads.ASKED_NOW) in seen[0].content.decode()
    assert len(asked) == 1


# --- how long they are cached


@pytest.mark.parametrize("form", ["csv", "json"])
def test_a_browser_asks_each_time_whether_what_it_has_still_holds(take, form):
    response = take(form)
    assert set(response["Cache-Control"].split(", ")) == {"private", "no-cache"}
    assert response["ETag"]
    assert "Cookie" in response["Vary"]


@pytest.mark.parametrize("form", ["csv", "json"])
def test_what_did_not_change_is_not_sent_again(tariff, take, form):
    first = take(form)
    again = take(form, if_none_match=first["ETag"])
    assert (again.status_code, again.content) == (304, b"")
    assert (again["ETag"], again["Cache-Control"]) == (first["ETag"], first["Cache-Control"])
    keep(tariff, date(2026, 11, 23), halves(NOW, 1, "0.2"))
    changed = take(form, if_none_match=first["ETag"])
    assert changed.status_code == 200
    assert changed["ETag"] != first["ETag"]


# --- when FlatPeak is asked


def test_rates_that_are_due_are_asked_for_as_on_the_page_and_once(take, asked):
    Tariff.objects.update(due_at=NOW)
    content = take().json()
    assert [line["rate"] for line in content["rates"]] == ["0.5", "0.5"]
    assert (content["last_updated"], content["next_update"]) == (NOW.isoformat(), LATER.isoformat())
    take("csv")
    assert asked == ["IMPORT"]


def test_when_flatpeak_is_down_the_stored_rates_are_given(take, monkeypatch):
    def down(*arguments):
        raise flatpeak.Unavailable("GET /tariffs/rates: no answer")

    monkeypatch.setattr(flatpeak, "rates", down)
    Tariff.objects.update(due_at=NOW)
    response = take()
    assert len(response.json()["rates"]) == 2
    assert "no-cache" in response["Cache-Control"]


@pytest.mark.parametrize("form", ["csv", "json"])
def test_a_head_asks_nothing_and_has_the_headers(take, client, tariff, asked, form):
    whole = take(form)
    Tariff.objects.update(due_at=NOW - timedelta(hours=1))
    response = client.head(f"/locations/{tariff.location_id}/rates.{form}")
    assert (response.status_code, response.content) == (200, b"")
    assert response["Content-Disposition"] == whole["Content-Disposition"]
    assert "no-cache" in response["Cache-Control"]
    assert asked == []


# --- which tariff


@pytest.fixture
def sold(tariff):
    sold = Tariff.objects.create(location=tariff.location, direction="EXPORT", due_at=LATER)
    keep(sold, date(2026, 11, 23), halves(NOW, 1, "0.04"))
    return sold


def test_the_direction_chooses_and_without_one_it_is_what_the_customer_pays(take, sold):
    assert take().json()["direction"] == "IMPORT"
    assert take(query="?direction=IMPORT").json()["rates"][0]["rate"] == "0.1"
    assert take(query="?direction=EXPORT").json()["rates"][0]["rate"] == "0.04"
    assert table(take("csv", "?direction=EXPORT"))[0]["rate"] == "0.04"


def test_without_a_direction_what_is_disconnected_gives_way_to_what_is_not(take, tariff, sold):
    Tariff.objects.filter(pk=tariff.pk).update(state="disconnected")
    assert take().json()["direction"] == "EXPORT"


@pytest.mark.parametrize("query", ["?direction=SIDEWAYS", "?direction=import", "?direction=", "?direction=%00"])
def test_an_unknown_direction_is_refused_with_a_sentence(take, asked, query):
    Tariff.objects.update(due_at=NOW)
    sentence = "direction must be IMPORT (you buy) or EXPORT (you sell)."
    as_csv, as_json = take("csv", query), take("json", query)
    assert (as_csv.status_code, as_csv.content.decode()) == (400, sentence + "\n")
    assert as_csv["Content-Type"] == "text/plain; charset=utf-8"
    assert (as_json.status_code, as_json.json()) == (400, {"error": sentence})
    assert "no-store" in as_json["Cache-Control"]
    assert asked == []


@pytest.mark.parametrize(
    ("change", "query", "state"),
    [
        ({"state": "disconnected"}, "", "disconnected"),
        ({"account": "acc_other"}, "", "other_account"),
        ({}, "?direction=EXPORT", "not_connected"),
    ],
)
def test_a_tariff_that_is_not_read_has_no_rates_and_a_state_that_says_why(take, asked, change, query, state):
    Tariff.objects.update(due_at=NOW, **change)
    response = take("json", query)
    content = response.json()
    assert (response.status_code, content["state"], content["rates"]) == (200, state, [])
    assert content["last_updated"] is content["next_update"] is content["complete_until"] is None
    Tariff.objects.update(due_at=LATER)
    assert "no-cache" in take("json", query)["Cache-Control"]
    assert take("csv", query).content.decode() == HEADER + "\r\n"
    assert asked == []


def test_a_location_without_any_tariff_has_no_rates(take):
    Tariff.objects.all().delete()
    content = take().json()
    assert (content["direction"], content["state"], content["rates"]) == ("IMPORT", "not_connected", [])


# --- who gets them


@pytest.fixture(params=["csv", "json"])
def address(request, tariff):
    return reverse(f"tariffs:rates_{request.param}", args=[tariff.location_id])


def test_whoever_is_signed_out_is_led_to_the_sign_in(client, address, asked):
    Tariff.objects.update(due_at=NOW)
    response = client.get(address, headers={"Accept": "text/html"})
    assert (response.status_code, response["Location"]) == (302, f"/account/login/?next={address}")
    assert asked == []


def test_a_stranger_gets_the_404_of_a_location_that_does_not_exist(client, bob, address, tariff, asked):
    Tariff.objects.update(due_at=NOW)
    client.force_login(bob)
    for known in (address, address + "?direction=SIDEWAYS", address.replace(str(tariff.location_id), str(uuid4()))):
        assert client.get(known).status_code == 404
    assert asked == []


def test_staff_need_the_permission_to_view_locations(client, charlie, address, django_user_model):
    client.force_login(charlie)
    assert client.get(address).status_code == 200
    django_user_model.objects.filter(pk=charlie.pk).update(is_superuser=False)
    assert client.get(address).status_code == 404
    charlie.user_permissions.add(Permission.objects.get(codename="view_location"))
    assert client.get(address).status_code == 200
    django_user_model.objects.filter(pk=charlie.pk).update(is_staff=False)
    assert client.get(address).status_code == 404


def test_nothing_is_changed_by_it(client, alice, address):
    client.force_login(alice)
    assert client.post(address).status_code == 405


def test_two_full_days_cost_as_many_queries_as_two_half_hours(take, tariff, sold, django_assert_num_queries):
    take()
    with django_assert_num_queries(4):
        take()
    for day in range(22, 26):
        keep(tariff, date(2026, 11, day), whole_day(date(2026, 11, day), "Europe/London"))
    with django_assert_num_queries(4):
        take("csv")
