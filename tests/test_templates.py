"""Every page of a conversation renders with any content from Connect: nothing raises, and all text is escaped."""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from django.conf import settings as django_settings
from django.http import QueryDict
from django.utils import timezone

from connect_ui import showing
from connect_ui.models import ConnectSession, Page
from connect_ui.routes import ROUTES, Kind, form_for, named, ours, row
from connect_ui.templatetags.connect import unfinished
from flatpeak_app.accounts.models import User
from tariffs.models import Customer, Location, Tariff

NOW = datetime(2026, 5, 1, 11, 30, tzinfo=UTC)
PROVIDER = {"id": "prv_1", "display_name": "Ecotricity", "logo_url": ""}
TARIFF = {
    "name": "Simple",
    "contract_end_date": "2027-06-15T00:00:00Z",
    "structure_type": "TIME_OF_DAY",
    "tiered": True,
    "reconnect_required": True,
}
RATE = {
    "valid_from": "2026-05-01T00:00:00+01:00",
    "valid_to": "2026-05-02T00:00:00+01:00",
    "tariff": {"cost": Decimal("0.24555"), "confidence": Decimal("0.9")},
}
DEARER = RATE | {
    "valid_from": "2026-05-01T18:00:00+01:00",
    "tariff": {"cost": Decimal("0.3"), "confidence": Decimal("0.9")},
}
ADDRESS = {"address_line1": "1 Example Street", "city": "London", "post_code": "N1 1AA", "country_code": "GB"}
HOUR = {"valid_from": "07:00:00", "valid_to": "23:00:00", "cost": Decimal("0.3")}
DATA = {
    "postal_address_capture": {"postal_address": ADDRESS},
    "provider_select": {"postal_address": ADDRESS, "providers": [PROVIDER]},
    "provider_name_capture": {"provider": {"name": "Village Power"}},
    "tariff_select": {"provider": PROVIDER, "tariffs": [{"id": "trt_1", "name": "Simple", "description": "7 h"}]},
    "tariff_structure_select": {"provider": PROVIDER, "options": ["FIXED", "MARKET"]},
    "rate_fixed_capture": {"provider": dict(PROVIDER), "currency_code": "GBP", "cost": Decimal("0.2815")},
    "rate_tod_capture": {
        "provider": PROVIDER,
        "currency_code": "GBP",
        "hours": [HOUR, HOUR | {"valid_from": "23:00:00"}],
    },
    "market_surcharge_capture": {
        "provider": PROVIDER,
        "currency_code": "GBP",
        "surcharge": {"fixed": Decimal("0.025"), "percentage": 5},
        "regions": ["North", "South"],
        "region": "South",
    },
    "tariff_name_capture": {"provider": PROVIDER, "tariff": {"name": "Simple"}},
    "contract_term_capture": {
        "provider": PROVIDER,
        "contract_start_date": "2026-06-16T00:00:00Z",
        "contract_end_date": "2027-06-15T00:00:00Z",
    },
    "summary_fixed_confirm": {
        "provider": PROVIDER,
        "currency_code": "GBP",
        "cost": Decimal("0.2815"),
        "tariff": TARIFF,
    },
    "summary_tou_confirm": {
        "provider": PROVIDER,
        "currency_code": "GBP",
        "market_rates_source": False,
        "tariff": TARIFF,
        "rates": {"yesterday": [], "today": [RATE, DEARER], "tomorrow": []},
    },
    "summary_tariff_inprogress": {"provider": PROVIDER, "connection_type": "DIRECT"},
    "summary_tariff_failed": {"provider": PROVIDER, "connection_type": "DIRECT"},
    "session_redirect": {"redirect_uri": "https://login.example.com/"},
    "session_complete": {"callback_uri": "https://localhost/connect/callback/"},
    "complete_tariff": {"callback_uri": "https://localhost/connect/callback/"},
    "error": {},
    "region_select": {"provider": PROVIDER, "regions": ["North", "South"], "region": "South"},
    "surcharge_capture": {
        "provider": PROVIDER,
        "currency_code": "GBP",
        "surcharge": {"fixed": Decimal("0.025"), "percentage": 5},
    },
    "tariff_summary": {
        "provider": PROVIDER,
        "currency_code": "GBP",
        "market_rates_source": False,
        "tariff": TARIFF | {"status": "CONNECTED", "contract_term_type": "FIXED"},
        "rates": {"yesterday": [], "today": [RATE], "tomorrow": []},
    },
    "tariff_connection_pending": {"provider": PROVIDER, "connection_type": "DIRECT"},
    "tariff_connection_failed": {"provider": PROVIDER, "connection_type": "DIRECT"},
}
DATA["tariffs_summary"] = DATA["tariff_summary"]
SCRIPT = "\"'><script>alert(1)</script>"
JUNK = [
    *(None, True, 7, Decimal("1E+999999"), SCRIPT, "\u202e\u200fabc\u2067", "x" * 10_000, "http://[", [], {}),
    *([None, SCRIPT, [], {"id": SCRIPT, "name": SCRIPT, "display_name": SCRIPT}], {"id": [], "display_name": SCRIPT}),
]


@pytest.fixture
def shown(rf, monkeypatch):
    """Render a page as the view does, for a signed-in user, at a fixed time, without storing anything."""
    monkeypatch.setattr("django.utils.timezone.now", lambda: NOW)
    monkeypatch.setattr(showing, "popular", lambda country: ["Ecotricity"])

    def show(page, form=None, problem="", query="", **session):
        request = rf.get("/")
        request.user = User(email="alice@example.com")
        of = ConnectSession(**({"expires_at": NOW, "newest": page.number} | session))
        page.session = of
        form = form or form_for(page)
        html = showing.show(request, page, form, 200, problem, query).content.decode()
        assert "<script>alert" not in html
        assert not re.search(r"""(?:src|href|action)=["']?\s*javascript:""", html)
        return html

    return show


def page(route, data=None, typed=None, **body):
    body = {"route": route, "direction": "IMPORT", "data": DATA.get(route, {}) if data is None else data} | body
    names = [ours(route, release) for release in ("zero", "anode")]
    name = next((each for each in names if row(each).kind is not Kind.UNKNOWN), names[0])
    return Page(session=ConnectSession(), route=name, number=1, body=body, typed=typed or {})


def variants(value):
    """The data with each of its parts in turn replaced by junk, and left out."""
    yield from JUNK
    if value is PROVIDER:  # all pages show the provider alike, so one page tests its parts
        return
    if isinstance(value, dict):
        for key, part in value.items():
            yield {k: v for k, v in value.items() if k != key}
            for other in variants(part):
                yield value | {key: other}
    elif isinstance(value, list):
        for n, part in enumerate(value):
            for other in variants(part):
                yield [*value[:n], other, *value[n + 1 :]]


def test_every_route_has_a_template_and_every_template_a_row_here():
    templates = {path.stem for path in Path(django_settings.BASE_DIR, "templates/connect_ui").glob("[!_]*.html")}
    frames = {"page", "start", "stalled", "expired", "wait", "unknown", "asked", "confirm", "already"}
    rows = [each for each in ROUTES if each.kind is not Kind.SENT]
    assert set(DATA) == {name for each in rows for names in each.wire.values() for name in names}
    assert {f"connect_ui/{name}.html" for name in templates - frames} == {each.template for each in rows}


@pytest.mark.parametrize("route", DATA)
def test_a_page_says_its_question_once_as_its_heading_and_title(shown, route):
    html = shown(page(route, error_message="Out of order."))
    [heading] = re.findall(r"<h1>(.*?)</h1>", html, re.DOTALL)
    assert heading.strip()
    assert f"<title>{heading} – FlatPeak Connect</title>" in html


@pytest.mark.parametrize("route", DATA)
def test_nothing_that_connect_sends_breaks_a_page(shown, route):
    for data in variants(DATA[route]):
        if isinstance(data, dict) or not data:
            shown(page(route, data or {}))


@pytest.mark.parametrize("junk", JUNK, ids=lambda junk: repr(junk)[:12])
def test_nothing_around_the_data_breaks_a_page(shown, junk):
    for route in DATA:
        around = {"direction": junk, "actions": junk, "live_mode": junk, "error_code": junk, "error_message": junk}
        assert shown(page(route, **around))
        assert shown(page(route, None), provider=str(junk))


@pytest.mark.parametrize(
    "route", [wire for name in named(kind=Kind.QUESTION) for wire in row(name).wire.get("zero", ())]
)
def test_nothing_that_was_typed_breaks_a_page(shown, route):
    names = [*form_for(page(route)).fields, "periods", "sure", "q", "newest"]
    for text in ["", SCRIPT, "\u202e\u200f", "x" * 10_000, "\x00", "0.001"]:
        typed = QueryDict(mutable=True)
        typed.update(dict.fromkeys(names, text))
        assert shown(page(route), form=form_for(page(route), typed), problem=text, query=text)
        assert shown(page(route, typed=dict.fromkeys(names, text)), not_listed={"provider": text, "tariff": text})


@pytest.mark.parametrize("route", ["plan_structure", SCRIPT, "../base", "unknown", "page", "", "x" * 10_000])
def test_a_route_that_nobody_heard_of_is_named(shown, route):
    html = shown(page(route, DATA["summary_tou_confirm"]))
    assert "<h1>We can't show this question yet</h1>" in html
    assert route == SCRIPT or f"“{route}”" in html


# --- what a page shows


def test_an_error_stands_in_the_summary_and_at_its_field_and_the_input_stays(shown):
    typed = QueryDict("cost=abc")
    html = shown(page("rate_fixed_capture"), form=form_for(page("rate_fixed_capture"), typed))
    assert '<a href="#id_cost">Enter a number, for example 24.5.</a>' in html
    assert 'aria-invalid="true"' in html
    assert 'value="abc"' in html
    assert "<title>Error: " in html


def test_a_doubtful_price_is_asked_about_and_marked_as_asked(shown):
    typed = QueryDict("cost=0.28")
    html = shown(page("rate_fixed_capture"), form=form_for(page("rate_fixed_capture"), typed))
    assert "Did you mean 28.00p?" in html
    assert '<input type="hidden" name="sure" value="0.28">' in html


def test_asking_for_another_period_is_no_problem(shown):
    typed = QueryDict("periods=2&add=1&start_0=07:00")
    html = shown(page("rate_tod_capture"), form=form_for(page("rate_tod_capture"), typed))
    assert "There is a problem" not in html
    assert '<input type="hidden" name="periods" value="3">' in html
    assert html.count('<fieldset class="period">') == 3
    assert 'value="07:00"' in html


def test_a_list_shows_what_was_searched_and_what_was_chosen(shown):
    providers = [
        PROVIDER,
        PROVIDER | {"id": "prv_2", "display_name": "E.ON"},
        PROVIDER | {"id": "prv_3", "display_name": "Zoo"},
    ]
    html = shown(page("provider_select", {"providers": providers}, typed={"provider": "prv_2"}), query="e")
    assert re.findall(r'name="provider" value="(\w+)"', html) == ["prv_1", "prv_2"]
    assert 'value="prv_2" aria-current="true"' in html
    assert "2 of 3" in html
    assert "We found nothing for “zzz”." in shown(page("provider_select"), query="zzz")
    assert "This list is empty." in shown(page("provider_select", {}))


def test_only_the_actions_of_the_page_are_offered(shown):
    def offered(route, **body):
        return re.findall(r'name="action" value="(\w+)"', shown(page(route, **body)))

    assert offered("provider_select") == []
    assert offered("provider_select", actions=["PROVIDER_MISSING", "NEVER_HEARD_OF"]) == ["PROVIDER_MISSING"]
    assert offered("summary_tou_confirm", actions=["SAVE"]) == ["SAVE"]
    assert offered("summary_tou_confirm", actions=[]) == []
    for each in ROUTES:
        if each.kind is not Kind.QUESTION and each.actions:
            [(wire, *_)] = each.wire.values()
            first = {"DISCONNECT"} if each.kind is Kind.SUMMARY and not each.is_stored else set()
            assert offered(wire) == ["CLOSE"] * each.is_stored + [each for each in each.actions if each not in first]
    assert offered("tariff_summary", actions=["WRONG_TARIFF", "BACK"]) == ["CLOSE", "WRONG_TARIFF"]
    assert offered("tariff_connection_pending", actions=["DISMISS_DIRECT"]) == ["CLOSE", "DISMISS_DIRECT"]
    assert offered("tariff_connection_failed", actions=["RECONNECT"]) == ["RECONNECT"]


def test_a_logo_is_shown_from_a_configured_host_and_letters_stand_for_any_other(shown, settings):
    settings.LOGO_HOSTS = ["https://*.flatpeak.com"]

    def logo(url):
        return shown(page("provider_select", {"providers": [PROVIDER | {"logo_url": url}]}))

    assert '<img src="https://logos.flatpeak.com/a.svg?a=1&amp;b=2"' in logo("https://logos.flatpeak.com/a.svg?a=1&b=2")
    for url in [
        "https://evil.example/a.svg",
        "javascript:alert(1)",
        'https://logos.flatpeak.com.evil/"onload="x',
        "http://[",
    ]:
        assert "<img" not in logo(url)
        assert '<span class="logo" aria-hidden="true">E' in logo(url)


def test_a_summary_shows_the_facts(shown):
    html = shown(page("summary_fixed_confirm"))
    facts = re.findall(r"<dt>(.*?)</dt><dd>(?:<strong>)?(.*?)(?:</strong>)?</dd>", html)
    assert facts == [
        ("Provider", "Ecotricity"),
        ("Tariff", "Simple"),
        ("Price", "Different prices at different times"),
        ("Direction", "Electricity you buy"),
        ("Contract", "Until 15 June 2027"),
        ("Price per kWh", "28.15p per kWh"),
    ]
    assert "the lowest step" in html
    assert "sign in again soon" in html
    assert "Electricity you sell" in shown(page("summary_fixed_confirm", direction="EXPORT"))


@pytest.mark.django_db
def test_back_leads_to_the_page_before_while_the_conversation_is_open(shown):
    later = page("rate_fixed_capture")
    later.came_from = 7
    back = re.compile(r'<a href="[^"]*/7/">Back</a>')
    assert back.search(shown(later, account="sandbox"))
    for closed in ({"account": "sandbox", "state": "owed"}, {"account": "acc_other"}):
        assert not back.search(shown(later, **closed))
    assert not back.search(shown(page("rate_fixed_capture"), account="sandbox"))


@pytest.mark.parametrize(
    ("route", "bought", "sold"),
    [
        ("provider_select", "Who is your electricity provider?", "Who buys your electricity?"),
        ("rate_fixed_capture", "What do you pay for a kilowatt-hour?", "What are you paid for a kilowatt-hour?"),
    ],
)
def test_a_question_is_that_of_its_direction(shown, route, bought, sold):
    for direction, asked in (("IMPORT", bought), ("EXPORT", sold)):
        [heading] = re.findall(r"<h1[^>]*>(.*?)</h1>", shown(page(route, direction=direction)))
        assert heading == asked


def test_a_price_that_is_a_whole_number_is_shown(shown):
    html = shown(page("summary_fixed_confirm", DATA["summary_fixed_confirm"] | {"cost": 31, "currency_code": "JPY"}))
    assert "31.00 ¥ per kWh" in html


def test_a_summary_of_changing_prices_has_a_chart_and_a_table(shown):
    html = shown(page("summary_tou_confirm"))
    assert html.count("<svg viewBox=") == 1
    assert "<figcaption>Fri 1 May: 24.56p to 30.00p per kWh</figcaption>" in html
    assert "<caption>Friday 1 May 2026</caption>" in html
    assert "<dt>Price at 12:30</dt>" in html
    assert re.search(
        r'<th scope="row">00:00</th><td>18:00</td><td class="number">24.56p <span class="small">estimate', html
    )
    without = shown(page("summary_tou_confirm", DATA["summary_tou_confirm"] | {"rates": None}))
    assert "<svg viewBox" not in without
    assert "<table" not in without


# --- what follows an answer


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("route", "data", "typed", "said"),
    [
        ("rate_fixed_capture", {"currency_code": "JPY"}, "cost=31", "31.00 ¥"),
        ("rate_fixed_capture", {"currency_code": "GBP"}, "cost=100", "100.00p (£1.00) per kWh"),
        (
            "market_surcharge_capture",
            {"currency_code": "GBP"},
            "fixed=&percentage=",
            "plus 0.00p (£0.00) per kWh, then 0%",
        ),
        (
            "rate_tod_capture",
            {"currency_code": "JPY"},
            "periods=2&start_0=07:00&cost_0=31&start_1=23:00&cost_1=20",
            "23:00 to 07:00: 20.00 ¥",
        ),
    ],
)
def test_what_was_answered_is_said_back_on_the_next_page(rf, alice, route, data, typed, said):
    session = ConnectSession.objects.create(user=alice, connect_token="token", expires_at=timezone.now(), newest=2)
    before = Page(session=session, number=1, route=ours(route, "zero"), body={"data": data})
    form = form_for(before, QueryDict(typed))
    assert form.is_valid()
    before.answer = {"data": form.to_data()}
    before.save()
    after = Page.objects.create(
        session=session, number=2, route="tariff_name", body={"data": {}}, came_from=before.number
    )
    request = rf.get("/")
    request.user = alice
    html = showing.show(request, after, form_for(after)).content.decode()
    assert said in html.replace("\xa0", " ")


@pytest.mark.django_db
@pytest.mark.parametrize("state", sorted({*ConnectSession.State.values} - {"left", "connected"}))  # without a last page
def test_the_last_page_says_what_became_of_it(rf, alice, state):
    location = Location.objects.create(customer=Customer.objects.create(user=alice), location_id="loc_1")
    tariff = Tariff.objects.create(location=location, direction="IMPORT", provider=SCRIPT, name=SCRIPT)
    session = ConnectSession(user=alice, expires_at=NOW, state=state, location=location, tariff=tariff, newest=1)
    request = rf.get("/")
    request.user = alice
    last = page("session_complete")
    last.session = session
    html = showing.show(request, last, None).content.decode()
    assert "<script>alert" not in html
    assert ("Your tariff is disconnected" in html) is (state == "disconnected")
    assert ("Almost done" in html) is (state in ("open", "owed", "expired"))


@pytest.mark.django_db
def test_what_can_be_gone_on_with_is_offered_newest_first_and_to_its_owner_only(rf, alice, bob):
    soon, kept = timezone.now() + timedelta(hours=1), []
    for n, (user, state, expires) in enumerate(
        [
            (alice, "open", soon),
            (alice, "owed", soon),
            (bob, "open", soon),
            (alice, "connected", soon),
            (alice, "open", NOW),
        ]
    ):
        kept.append(
            ConnectSession.objects.create(user=user, state=state, expires_at=expires, connect_token=f"token {n}")
        )
    request = rf.get("/")
    request.user = alice
    assert [each["pk"] for each in unfinished({"request": request})] == [kept[1].pk, kept[0].pk]
