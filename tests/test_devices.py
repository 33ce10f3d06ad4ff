"""Keys of devices: how they are made and revoked, what they open, and that the examples for evcc and others work.

The shapes that other programs read:
- evcc, https://docs.evcc.io/en/docs/tariffs, read on 2026-11-30: a custom tariff's `forecast` is a list of `start`, `end` and
  `value`, with times as in RFC 3339 and the price in the currency, and may be made by `jq` from what the `http` plugin reads.
- Home Assistant, https://www.home-assistant.io/integrations/sensor.rest/, read on 2026-11-30: `resource`, `headers`,
  `value_template` over `value_json`, and `json_attributes`, which are keys of the JSON object.
"""

import html
import io
import json
import logging
import re
import shutil
import subprocess
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
import yaml
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

import flatpeak_app.settings as product
from tariffs.models import Customer, DeviceKey, Location, RateDay, Tariff
from tariffs.rates import Segment, dump
from tariffs.screens.devices import DeviceForm

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 23, 12, 30, tzinfo=UTC)
NIGHT, DAY = Decimal("0.0950"), Decimal("0.2815")


@pytest.fixture
def location(alice, monkeypatch):
    """Alice's in London at half past twelve, with a night price from midnight to seven on both days."""
    monkeypatch.setattr("django.utils.timezone.now", lambda: NOW)
    location = Location.objects.create(
        customer=Customer.objects.create(user=alice),
        location_id="loc_1",
        address_line1="1 Example Street",
        time_zone="Europe/London",
        currency_code="GBP",
    )
    sells(location, "IMPORT", NIGHT, DAY)
    return location


def sells(location, direction, night, day):
    levels = [NOW.date().isoformat(), 30, (night + day) / 2, max(night, day)]
    tariff = Tariff.objects.create(
        location=location, direction=direction, due_at=NOW + timedelta(hours=5), levels=levels
    )
    for each in (date(2026, 11, 23), date(2026, 11, 24)):
        start = datetime(each.year, each.month, each.day, tzinfo=UTC)
        seven, end = start + timedelta(hours=7), start + timedelta(days=1)
        segments = [Segment(start, seven, night), Segment(seven, end, day)]
        RateDay.objects.create(tariff=tariff, day=each, segments=dump(segments), fetched_at=NOW)
    return tariff


@pytest.fixture
def page(client, alice, location):
    """Post to the page of keys, or get it, as Alice."""
    client.force_login(alice)

    def page(**form):
        address = f"/locations/{location.pk}/devices/"
        return client.post(address, form) if form else client.get(address)

    return page


def ask(location, name, key, query="", **headers):
    """A device's request, which has no cookie."""
    headers |= {"Authorization": f"Bearer {key}"} if key else {}
    return Client().get(f"/locations/{location.pk}/{name}{query}", headers=headers)


def made(location, name="evcc"):
    return DeviceKey.make(location, name)[1]


# --- made and revoked


def test_a_key_is_shown_once_and_stored_as_a_digest(page, location):
    answer = page(name=" evcc ")
    [key] = re.findall(r'<code class="key">([\w-]{43})</code>', answer.content.decode())
    assert "This is the key of “evcc”. Copy it now, because we can't show it again." in html.unescape(
        answer.content.decode()
    )
    assert answer["Cache-Control"].split(", ").count("no-store") == 1
    row = DeviceKey.objects.get()
    assert (row.name, row.location, row.used_on) == ("evcc", location, None)
    assert key not in str(DeviceKey.objects.values())
    assert ask(location, "now.json", key).status_code == 200
    shown = page().content.decode()
    assert key not in shown
    assert "Last used on Monday 23 November 2026." in shown


def test_a_revoked_key_opens_nothing(page, location):
    key, other = made(location), made(location, "Home Assistant")
    page(revoke=str(DeviceKey.objects.get(name="evcc").pk))
    assert ask(location, "now.json", key).status_code == 401
    assert ask(location, "now.json", other).status_code == 200
    shown = page().content.decode()
    assert "We revoked the key of “evcc”." in html.unescape(shown)


@pytest.mark.parametrize("number", ["0", "x", "9" * 19, "9" * 30, "-1", "²", ""])
def test_to_revoke_an_unknown_key_revokes_none(page, location, number):
    made(location)
    answer = page(revoke=number)
    assert answer.status_code == 302
    assert "revoked already" in page().content.decode()
    assert DeviceKey.objects.count() == 1


def test_a_key_of_another_location_is_not_revoked(page, location, bob):
    other = Location.objects.create(customer=Customer.objects.create(user=bob), location_id="loc_2")
    made(other)
    page(revoke=str(DeviceKey.objects.get().pk))
    assert DeviceKey.objects.count() == 1


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("", "Enter a name."),
        ("x" * 41, "at most 40 characters"),
        ("a\x00b", "Null characters"),
    ],
)
def test_a_wrong_name_is_refused_at_its_field_and_stays(page, location, name, said):
    made(location)
    answer = page(name=name)
    assert answer.status_code == 422
    assert said in html.unescape(answer.content.decode())
    assert DeviceKey.objects.count() == 1


def test_a_button_that_is_pressed_twice_shows_a_key_that_works_each_time(page, location):
    keys = [re.findall(r'<code class="key">([^<]+)<', page(name="evcc").content.decode())[0] for _ in range(2)]
    assert keys[0] != keys[1]
    assert {ask(location, "now.json", key).status_code for key in keys} == {200}


def test_a_location_of_another_flatpeak_account_has_no_page_of_devices(location, client, alice):
    client.force_login(alice)
    Location.objects.update(account="another")
    assert client.get(f"/locations/{location.pk}/devices/").status_code == 404


def test_nobody_elses_keys_are_seen_made_or_revoked_not_even_by_staff(location, client, bob, charlie, settings):
    settings.STAFF_MFA = False
    made(location)
    path, number = f"/locations/{location.pk}/devices/", DeviceKey.objects.get().pk
    for user in (bob, charlie):
        client.force_login(user)
        for answer in (client.get(path), client.post(path, {"name": "x"}), client.post(path, {"revoke": str(number)})):
            assert answer.status_code == 404
    assert DeviceKey.objects.get().pk == number


def test_each_location_has_a_page_and_keys_of_its_own(page, location, client):
    other = Location.objects.create(customer=location.customer, location_id="loc_2", address_line1="2 Example Street")
    made(other, "Heat pump")
    assert "Heat pump" not in page(name="evcc").content.decode()
    assert DeviceKey.objects.get(name="evcc").location == location
    shown = client.get(f"/locations/{other.pk}/devices/").content.decode()
    assert [each in shown for each in ("2 Example Street", "Heat pump", "1 Example Street", str(location.pk))] == [
        *(True, True),
        *(False, False),
    ]


def test_a_location_that_is_deleted_meanwhile_gets_no_key(page, location, bob, monkeypatch):
    Location.objects.create(customer=Customer.objects.create(user=bob), location_id="loc_2")
    monkeypatch.setattr(DeviceForm, "is_valid", lambda form: bool(location.delete()))
    assert page(name="evcc").status_code == 404
    assert not DeviceKey.objects.exists()


def test_a_location_has_ten_keys_at_most(page, location):
    for n in range(DeviceKey.MOST):
        assert page(name=f"device {n}").status_code == 200
    answer = page(name="one more")
    assert answer.status_code == 422
    assert "You have made 10 keys. Revoke one of them first." in answer.content.decode()
    assert DeviceKey.objects.count() == DeviceKey.MOST


# --- what a key opens


@pytest.mark.parametrize("name", ["now.json", "rates.json", "rates.csv"])
def test_a_key_opens_the_prices_of_its_location(location, name):
    key = made(location)
    assert ask(location, name, key).status_code == 200
    assert ask(location, name, f"  {key} ").status_code == 200


def test_a_key_opens_no_page_and_no_other_location(location, bob):
    other = Location.objects.create(customer=Customer.objects.create(user=bob), location_id="loc_2")
    key = made(location)
    for name in ("", "day/", "tariff/", "devices/", "mails/", "delete/"):
        assert ask(location, name, key).status_code == 302, name
    for name in ("now.json", "rates.json", "rates.csv"):
        assert ask(other, name, key).status_code == 401, name
    assert Client().get("/account/data.json", headers={"Authorization": f"Bearer {key}"}).status_code == 401


@pytest.mark.parametrize("key", ["x", " ", "ÿ", "a" * 5000, "Bearer"])
@pytest.mark.parametrize("name", ["now.json", "rates.json", "rates.csv"])
def test_a_wrong_key_is_refused_with_a_sentence(location, name, key):
    answer = ask(location, name, key)
    assert answer.status_code == 401
    assert answer["WWW-Authenticate"].startswith("Bearer")
    assert answer["Content-Type"] == "text/plain; charset=utf-8"
    assert "key" in answer.content.decode()
    assert "no-store" in answer["Cache-Control"]


def test_without_a_key_the_answer_names_both_ways_in(location):
    answer = ask(location, "now.json", "")
    assert (answer.status_code, answer["WWW-Authenticate"]) == (401, 'Bearer, Cookie cookie-name="sessionid"')
    assert "Authorization, after the word Bearer" in answer.content.decode()


def test_a_wrong_key_is_refused_though_somebody_is_signed_in(client, alice, location):
    client.force_login(alice)
    path = f"/locations/{location.pk}/now.json"
    assert client.get(path, headers={"Authorization": "Bearer x"}).status_code == 401
    assert client.get(path, headers={"Authorization": "Basic eDp5"}).status_code == 200
    assert client.get(path).status_code == 200


def test_a_key_only_reads(location):
    key = made(location)
    for method in ("post", "put", "delete"):
        send = getattr(Client(), method)
        assert send(f"/locations/{location.pk}/now.json", headers={"Authorization": f"Bearer {key}"}).status_code == 405


def test_keys_of_somebody_who_may_not_sign_in_open_nothing(location, alice):
    key = made(location)
    type(alice).objects.update(is_active=False)
    assert ask(location, "now.json", key).status_code == 401


def test_keys_go_with_their_location(location):
    key = made(location)
    Location.objects.get().delete()
    assert not DeviceKey.objects.exists()
    assert ask(location, "now.json", key).status_code == 401


def test_each_key_has_limits_of_its_own(location, settings):
    settings.RATE_LIMITS = product.RATE_LIMITS
    key, other = made(location), made(location, "other")
    statuses = [ask(location, "now.json", key).status_code for _ in range(61)]
    assert statuses == [200] * 60 + [429]
    refused = ask(location, "rates.csv", key)
    assert (refused.status_code, refused["Retry-After"]) == (429, "60")
    assert ask(location, "now.json", other).status_code == 200
    guesses = [ask(location, "now.json", "guessed") for _ in range(61)]
    assert [guess.status_code for guess in guesses] == [401] * 60 + [429]
    assert (guesses[-1]["Retry-After"], guesses[-1]["Cache-Control"]) == ("60", "no-store")


def test_the_last_day_of_use_is_written_once_a_day(location, monkeypatch):
    key = made(location)
    counts = []
    for _ in range(2):
        with CaptureQueriesContext(connection) as queries:
            ask(location, "now.json", key)
        counts.append(sum(query["sql"].startswith("UPDATE") for query in queries))
    assert counts == [1, 0]
    assert len(queries) == 3  # the key, the tariffs with their location, the days
    monkeypatch.setattr("django.utils.timezone.now", lambda: NOW + timedelta(days=1))
    ask(location, "now.json", key)
    assert DeviceKey.objects.get().used_on == date(2026, 11, 24)


def test_no_log_has_a_key(location):
    key, told = made(location), io.StringIO()
    handler = logging.StreamHandler(told)
    logging.getLogger().addHandler(handler)
    for name in ("now.json", "rates.json"):
        ask(location, name, key)
        ask(location, name, key[:-1])
    logging.getLogger().removeHandler(handler)
    assert "tariffs:now_json 401" in told.getvalue()
    assert key[:-1] not in told.getvalue()


# --- the price now


def test_the_price_now_says_what_the_page_says_first(location):
    assert ask(location, "now.json", made(location)).json() == {
        "state": "connected",
        "direction": "IMPORT",
        "timezone": "Europe/London",
        "currency": "GBP",
        "unit": "kWh",
        "price": "0.2815",
        "until": "2026-11-24T00:00:00+00:00",
        "word": "usual",
        "estimate": False,
        "next_price": "0.0950",
        "best": {"start": "2026-11-24T00:00:00+00:00", "end": "2026-11-24T03:00:00+00:00", "price": "0.0950"},
    }


def test_the_best_time_to_sell_is_the_dearest(location):
    sells(location, "EXPORT", Decimal("0.15"), Decimal("0.05"))
    found = ask(location, "now.json", made(location), "?direction=EXPORT").json()
    assert (found["direction"], found["price"], found["best"]["price"]) == ("EXPORT", "0.05", "0.15")


def test_an_unknown_price_is_null_and_an_unknown_direction_refused(location):
    key = made(location)
    RateDay.objects.all().delete()
    found = ask(location, "now.json", key).json()
    assert {name for name, value in found.items() if value is None} == {"price", "until", "word", "next_price", "best"}
    found = ask(location, "now.json", key, "?direction=EXPORT").json()
    assert (found["state"], found["direction"], found["price"]) == ("not_connected", "EXPORT", None)
    refused = ask(location, "now.json", key, "?direction=in")
    assert (refused.status_code, refused.json()) == (
        400,
        {"error": "direction must be IMPORT (you buy) or EXPORT (you sell)."},
    )


def test_an_unchanged_price_is_not_sent_again(location, monkeypatch):
    key = made(location)
    first = ask(location, "now.json", key)
    assert (first["Cache-Control"], bool(first["ETag"])) == ("private, no-cache", True)
    monkeypatch.setattr("django.utils.timezone.now", lambda: NOW + timedelta(hours=2))
    again = ask(location, "now.json", key, **{"If-None-Match": first["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    monkeypatch.setattr("django.utils.timezone.now", lambda: NOW + timedelta(hours=12))
    later = ask(location, "now.json", key, **{"If-None-Match": first["ETag"]})
    assert (later.status_code, later.json()["price"]) == (200, "0.0950")


# --- the examples on the page


def example(text, name):
    [found] = re.findall(rf'<pre data-for="{name}"><code>(.*?)</code></pre>', text, re.S)
    return html.unescape(found)


def test_evcc_reads_the_prices_by_its_example(page, location):
    """jq is the real program, and makes of our answer what evcc's documentation shows."""
    if not shutil.which("jq"):
        pytest.skip("needs jq")
    sells(location, "EXPORT", Decimal("0.15"), Decimal("0.05"))
    config = yaml.safe_load(example(page(name="evcc").content.decode(), "evcc"))["tariffs"]
    assert config["currency"] == "GBP"
    assert [*config] == ["currency", "grid", "feedin"]
    for name, prices in (("grid", ["0.0950", "0.2815"]), ("feedin", ["0.15", "0.05"])):
        assert config[name]["type"] == "custom"
        source = config[name]["forecast"]
        assert source["source"] == "http"
        path = source["uri"].removeprefix("http://localhost:8000")
        answer = Client().get(path, headers=source["headers"])
        assert answer.status_code == 200
        made = subprocess.run(["jq", source["jq"]], input=answer.content, capture_output=True, check=True).stdout
        rows = json.loads(json.loads(made))
        assert [set(row) for row in rows] == [{"start", "end", "value"}] * 4
        assert [row["value"] for row in rows] == [float(price) for price in prices * 2]
        assert all(datetime.fromisoformat(row["start"]) < datetime.fromisoformat(row["end"]) for row in rows)
        assert all(type(row["value"]) is float for row in rows)


def test_home_assistant_reads_the_price_by_its_example(page, location):
    sells(location, "EXPORT", Decimal("0.15"), Decimal("0.05"))
    config = yaml.safe_load(example(page(name="ha").content.decode(), "home-assistant"))
    prices = {}
    for sensor in config["sensor"]:
        assert sensor["platform"] == "rest"
        answer = Client().get(sensor["resource"].removeprefix("http://localhost:8000"), headers=sensor["headers"])
        found = answer.json()
        [key] = re.fullmatch(r"\{\{ value_json\.(\w+) \}\}", sensor["value_template"]).groups()
        prices[sensor["name"]] = float(found[key])
        assert set(sensor["json_attributes"]) <= set(found)
        assert sensor["unit_of_measurement"] == "GBP/kWh"
    assert prices == {"Electricity price": 0.2815, "Electricity sold": 0.05}


@pytest.mark.django_db(transaction=True)
def test_the_line_for_a_shell_prints_the_price(page, location, live_server, settings):
    settings.SITE_URL = live_server.url
    line = example(page(name="a shell's").content.decode(), "shell")
    assert line.startswith("curl ")
    printed = subprocess.run(["sh", "-c", line], capture_output=True, check=True, timeout=20).stdout
    assert json.loads(printed)["price"] == "0.2815"


def test_the_examples_are_shown_without_a_key_too(page):
    shown = page().content.decode()
    for name in ("evcc", "home-assistant", "shell"):
        assert "YOUR_KEY" in example(shown, name)


def test_without_a_known_currency_the_examples_have_the_euro(page):
    Location.objects.update(currency_code="")
    shown = page().content.decode()
    assert "  currency: EUR\n" in shown
    assert "unit_of_measurement: EUR/kWh" in shown
