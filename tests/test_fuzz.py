"""Whatever is typed, asked for or told by FlatPeak, no page breaks, leaks or lets foreign text become markup.

Hypothesis makes the examples: always the same five hundred, or with TORTURE set twenty thousand others each time
(`--hypothesis-seed` repeats them, and `make torture` prints it). FlatPeak's part is its stand-in below, which says what
the sandbox once said, spoilt.
"""

import copy
import http.client
import io
import logging
import os
from contextlib import contextmanager
from datetime import timedelta
from html.parser import HTMLParser
from urllib.parse import quote_from_bytes, urlencode, urljoin, urlsplit

import pytest
import requests
import simplejson
from django.core.cache import caches
from django.db import transaction
from django.test import Client
from django.utils import timezone
from hypothesis import given, settings
from hypothesis import strategies as st
from requests.adapters import HTTPAdapter

from connect_ui.models import ConnectSession
from tariffs import flatpeak
from tariffs.models import Location, Tariff
from tests import scan
from tests.test_faults import NIGHT_AND_DAY, PAGES
from tests.walk import Walk

pytestmark = [pytest.mark.django_db, pytest.mark.long]
TORTURE = "TORTURE" in os.environ
SHARE = 1 if TORTURE else 40


def examples(count, *strategies):
    """Run what is decorated with so many examples, the fixed share of them without TORTURE."""

    def run(test):
        chosen = settings(
            max_examples=count // SHARE, deadline=None, database=None, derandomize=not TORTURE, print_blob=True
        )
        chosen(given(*strategies)(test))()

    return run


# --- what is typed and told

HOSTILE = [
    "<script>evil()</script>",
    '"><evil evil="1" onload="evil()">',
    "' evil='1' onload='evil()",
    "</title></textarea></style></svg><evil>",
    "javascript:evil()",
    "data:text/html,<evil>",
    "//evil.example/",
    "https://evil.example\\@localhost/",
    "https://evil.example/\r\nSet-Cookie: evil=1",
    "https://[",
    "https://evil.example:999999/",
    "https://evil.example/" + "e" * 20_000,
    "{{ 7|add:7 }}{% csrf_token %}",
    "%00%ff%s%(evil)s{0}",
    "a\0b",
    "\ud800",
    "\u202eevil\u2066\ufeff",
    "\U0001f50c\u0301" * 9,
    "ﬃİıßẞ٣²½",
    "x" * 10_000,
    "\n\t ",
    "' OR 1=1 --",
    "=cmd|'/c evil'!A0",
]
PLAUSIBLE = [
    *["", "0", "-1", "1", "24.5", "0,245", "1e9", "NaN", "Infinity", "-0", "999999.99999999", "9" * 400, "٢٤"],
    *["07:00", "23:59:59.999", "24:00", "00:00:00", "7.30"],
    *["2026-11-24", "2026-10-25", "0001-01-01", "9999-12-31", "2026-02-30", "27-01-01", "0001-01-01T00:00:00+14:00"],
    *["9999-12-31T23:59:59-14:00", "2026-11-24T00:00:00Z", "2026-11-24T00:00:00", "2026-W48-2T00+23:59:59.999999"],
    *["GB", "DE", "EUR", "JPY", "XXX", "Europe/London", "Mars/Olympus", "../../etc/passwd", "/", "true", "null"],
    *["IMPORT", "EXPORT", "SAVE", "EDIT", "DISCONNECT", "RECONNECT", "PROVIDER_MISSING", "ADDRESS_CHANGE", "error"],
    *["FIXED", "TIME_OF_DAY", "MARKET", "date", "open", "unknown", "session_complete", "session_redirect"],
]
texts = st.sampled_from(PLAUSIBLE) | st.sampled_from(HOSTILE) | st.text(max_size=20)

# Numbers as they are written in JSON, and lists inside each other: neither goes through a serializer here.
NUMBERS = [
    *["0", "-0", "-0.0", "1", "-1", "0.1", "1e-9", "1e400", "-1e400", "1e-400", "1e-999", "1e200000", "1e-200000"],
    *["1e999999999999999999", "1e-999999999999999999", "999999.999999999999999999999", "1e6", "9223372036854775808"],
    *["-2147483649", "1" * 50, "1" * 5000, "0." + "1" * 5000, "1e20", "NaN", "Infinity", "-Infinity", "253402300800"],
]
LITERALS = NUMBERS + ["[" * deep + "]" * deep for deep in (40, 300, 500, 900, 5000)]
LITERAL = "literal:"
junk = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from(LITERALS).map(LITERAL.__add__),
    texts,
    st.sampled_from([{}, [], [[]], [{}], [None], {"": ""}, {"id": 5}, {"a": {"b": [1, "c"]}}, [1, "a", {"b": None}]]),
)


def written(value):
    """JSON text; what begins with `LITERAL` stands in it as it is."""
    text = simplejson.dumps(value, use_decimal=True)
    for literal in LITERALS:
        text = text.replace(f'"{LITERAL}{literal}"', literal)
    return text.encode()


@st.composite
def spoilt(draw, value):
    """A JSON value, some of whose parts at any depth are missing, another, wrapped, doubled, swapped or hostile."""
    whole = [copy.deepcopy(value)]
    for _ in range(draw(st.integers(1, 4))):
        holder, key = whole, 0
        while isinstance(holder[key], dict | list) and holder[key] and draw(st.integers(0, 5)):
            holder = holder[key]
            key = draw(st.sampled_from(list(holder) if isinstance(holder, dict) else range(len(holder))))
        change = draw(
            st.sampled_from(["drop", "replace", "replace", "wrap", "double", "text", "hostile", "rename", "swap"])
        )
        part = holder[key]
        if change == "drop" and holder is not whole:
            del holder[key]
        elif change == "wrap":
            holder[key] = draw(st.sampled_from([[part], {"data": part}, {str(key): part}]))
        elif change == "double" and isinstance(holder, list) and holder is not whole:
            holder.insert(key, copy.deepcopy(part))
        elif change == "text":
            holder[key] = str(part)
        elif change == "hostile":
            holder[key] = (part if isinstance(part, str) else "") + draw(st.sampled_from(HOSTILE))
        elif change == "rename" and isinstance(holder, dict):
            holder[draw(texts)] = holder.pop(key)
        elif change == "swap" and isinstance(holder, dict):
            other = draw(st.sampled_from(list(holder)))
            holder[key], holder[other] = holder[other], part
        else:
            holder[key] = copy.deepcopy(draw(junk))
    return whole[0]


VALID = {
    "postal_address_capture": Walk.ADDRESS,
    "provider_select": {"provider": ""},
    "provider_name_capture": {"provider_name": "Example Energy"},
    "tariff_select": {"tariff": ""},
    "tariff_structure_select": {"options": "FIXED"},
    "rate_fixed_capture": {"cost": "28.15"},
    "rate_tod_capture": NIGHT_AND_DAY | {"periods": "2"},
    "market_surcharge_capture": {"fixed": "1.5", "percentage": "12", "region": "Wales"},
    "tariff_name_capture": {"tariff_name": "Simple"},
    "contract_term_capture": {
        "term": "date",
        "contract_end_date": "2027-11-24",
        "contract_start_date": "2026-11-24",
    },
}
ALSO = ["action", "q", "sure", "add", "newest", "csrfmiddlewaretoken", "", "__proto__", "cost[]", "start_48", "\0"]


def filled(form):
    """A form's fields, some of them well filled in, others not or more than once, and fields that it does not have."""
    values = {name: st.just(value) | texts | st.lists(texts, max_size=3) for name, value in form.items()}
    also = st.dictionaries(st.sampled_from(ALSO), texts | st.lists(texts, max_size=3), max_size=2)
    return st.builds(lambda known, more: known | more, st.fixed_dictionaries({}, optional=values), also)


def encoded(form):
    """As a browser would send it; a lone surrogate, which no browser can type, goes as the bytes that it would be."""
    fields = [(name, each) for name, value in form.items() for each in (value if isinstance(value, list) else [value])]
    return urlencode(
        [(key.encode(errors="surrogatepass"), each.encode(errors="surrogatepass")) for key, each in fields]
    )


# --- FlatPeak's stand-in

CALLS = {
    ("GET", "login"): "login",
    ("POST", "connect"): "token",
    ("GET", "connect"): "exchange",
    ("GET", "tariffs"): "rates",
    ("GET", "locations"): "location",
    ("DELETE", "locations"): "delete",
    ("POST", ""): "connect",
}


class StandIn(HTTPAdapter):
    """Answers each call with what it was told to: `says` is by call (status, JSON, Retry-After)."""

    def __init__(self, answers):
        super().__init__()
        self.says = {call: (200, answer, "") for call, answer in answers.items()}

    def tell(self, call, answer, status=200, retry_after=""):
        self.says[call] = (status, answer, retry_after)

    def send(self, request, **options):
        written_to = http.client.HTTPConnection("127.0.0.1")  # nothing is sent: it looks at the headers
        written_to.putrequest(request.method, request.path_url)
        for name, value in request.headers.items():
            written_to.putheader(name, value)
        path = urlsplit(request.url).path
        call = "status" if path.endswith("/status") else CALLS[request.method, path.split("/")[1]]
        response = requests.Response()
        response.status_code, answer, retry_after = self.says[call]
        response.headers["Retry-After"] = retry_after
        response.raw = io.BytesIO(written(answer))
        return response


TOLD = {}
TOKEN = {"object": "connect_token", "connect_token": "cot_of_an_example", "expires_in": 86400, "live_mode": False}
SECOND_TOKEN = TOKEN | {"connect_token": "cot_of_another"}


def learn(walk):
    """What the sandbox says: the page of each route, and each other call; the conversation is undone."""
    pages = {}
    for route, (reach, _, _) in PAGES.items():
        reach(walk)
        pages[route] = walk.page.body
    walk.to_providers().provider("Octopus")
    pages["session_redirect"] = walk.page.body
    walk.to_providers().provider("Test: asks for the region")
    pages["market_surcharge_capture"] = walk.page.body
    walk.to_providers().provider("Test: error page")
    pages["error"] = walk.page.body
    walk.to_providers().provider("Test: unknown page")
    pages["unknown"] = walk.page.body
    failed = {"route": "summary_tariff_failed", "actions": ["RECONNECT", "DISCONNECT"]}
    pages["summary_tariff_failed"] = pages["summary_tariff_inprogress"] | failed
    walk.fixed()
    pages["session_complete"] = walk.page.body
    location, now = Location.objects.latest("created_at"), timezone.now()
    pages["provider_select"]["data"]["providers"] = pages["provider_select"]["data"]["providers"][:6]
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    return pages, {
        "login": {"object": "login", "bearer_token": "bearer", "expires_in": 3600, "live_mode": False},
        "token": TOKEN,
        "connect": pages["postal_address_capture"],
        "exchange": {
            "customer_id": "cus_of_an_example",
            "location_id": location.location_id,
            "complete_action": "SAVE",
        },
        "delete": {},
        "location": flatpeak.location(location.location_id),
        "status": flatpeak.location_status(location.location_id),
        "rates": flatpeak.rates(location.location_id, midnight, midnight + timedelta(days=2), "IMPORT"),
    }


@pytest.fixture
def told(walk):
    """The pages by route, and the answers by call; learnt from the sandbox once."""
    if not TOLD:
        with transaction.atomic():
            TOLD["pages"], TOLD["answers"] = learn(walk)
            transaction.set_rollback(True)
    return TOLD


class Exceptions(logging.Handler):
    def __init__(self):
        super().__init__()
        self.seen = []

    def emit(self, record):
        if record.exc_info:
            self.seen.append(f"{record.name}: {record.getMessage()}")


class Markup(HTMLParser):
    """Fails on an element, an attribute or an address that can only come from foreign text."""

    def handle_starttag(self, tag, attributes):
        assert tag != "evil"
        for name, value in attributes:
            assert name != "evil"
            assert not name.startswith("on")
            if name in ("href", "src", "action", "formaction", "data", "content", "xlink:href"):
                address = "".join((value or "").split()).lower()
                assert not address.startswith(("javascript:", "data:", "vbscript:")), address
        assert tag != "script" or dict(attributes).get("src", "").startswith("/static/")


class Stage:
    """Alice at a page of a conversation; each example begins at that again."""

    def __init__(self, client, told, monkeypatch, log):
        self.client, self.told, self.log = client, told, log
        self.token = ""
        self.adapter = None
        monkeypatch.setattr(flatpeak, "_http", self._http)

    def _http(self):
        http = requests.Session()
        http.mount("http://", self.adapter)
        return http

    @contextmanager
    def example(self):
        cookies = self.client.cookies.output()
        self.adapter = StandIn(self.told["answers"] | {"token": SECOND_TOKEN})
        self.log.seen.clear()
        for cache in caches.all():
            cache.clear()
        with transaction.atomic():
            yield self.adapter
            transaction.set_rollback(True)
        assert not self.log.seen
        if self.client.cookies.output() != cookies:
            self.client.cookies.load(cookies.replace("Set-Cookie: ", ""))

    def fine(self, response):
        """The response, looked at, and what it leads to."""
        where = response.request["PATH_INFO"]
        assert response.status_code < 500 or response.status_code in (502, 503), where
        assert not scan.findings, scan.findings
        if response.headers.get("Content-Type", "").startswith("text/html"):
            Markup().feed(response.content.decode())
        if location := response.headers.get("Location"):
            if where.startswith("/connect/") and where.endswith("/login/") and not location.startswith("/"):
                assert location.startswith(("http://", "https://"))
                return response
            there = urljoin(f"http://testserver{where}", location)
            assert urlsplit(there).netloc == "testserver", location
            return self.get(there.removeprefix("http://testserver"))
        return response

    def get(self, path, **options):
        return self.fine(self.client.get(path, **options))

    def post(self, path, form):
        return self.fine(self.client.post(path, encoded(form), content_type="application/x-www-form-urlencoded"))

    def page(self, route):
        return self.told["pages"][route] | {"connect_token": self.token}

    def stands_at(self, page, **answer):
        """Ask Connect where it stands, which is at a page."""
        self.adapter.tell("connect", page, **answer)
        return self.post(f"/connect/{self.session.pk}/", {})

    def answer(self, form):
        """Answer the newest page of the conversation."""
        newest = self.session.newest
        return self.post(f"/connect/{self.session.pk}/{newest}/", {"newest": str(newest)} | form)

    @property
    def session(self):
        return ConnectSession.objects.latest("started_at")

    def look_around(self):
        """Every page of a customer's, whatever there is by now."""
        for path in ("/locations/", "/connect/", "/account/data.json"):
            self.get(path)
        for location in Location.objects.all():
            for end in ("", "day/", "week/", "rates.csv", "rates.json", "delete/"):
                self.get(f"/locations/{location.pk}/{end}")


@pytest.fixture
def stage(client, told, monkeypatch):
    for cache in caches.all():  # the first to learn what the sandbox says leaves its bearer there
        cache.clear()
    log = Exceptions()
    logging.getLogger().addHandler(log)
    yield Stage(client, told, monkeypatch, log)
    logging.getLogger().removeHandler(log)


@pytest.fixture
def begun(stage, told):
    """Alice at the first page of a conversation."""
    stage.adapter = StandIn(told["answers"])
    stage.post("/connect/", {"direction": "IMPORT", "country_code": "GB"})
    stage.token = stage.session.connect_token
    return stage


@pytest.fixture
def saved(begun):
    """Alice with a location whose rates nobody has looked at yet."""
    begun.stands_at(begun.page("summary_fixed_confirm"))
    begun.adapter.tell("connect", begun.page("session_complete"))
    begun.answer({"action": "SAVE"})
    Tariff.objects.update(ask_at=timezone.now() - timedelta(hours=1))
    return begun


# --- what FlatPeak says

ROUTES = sorted({*PAGES, "session_redirect", "session_complete", "summary_tariff_failed", "error", "unknown"})


@pytest.mark.parametrize("route", ROUTES)
def test_no_page_of_connect_breaks_a_page_of_ours(begun, route):
    @examples(350, spoilt(begun.page(route)), filled(VALID.get(route, {"action": "SAVE"})))
    def run(page, form):
        with begun.example() as flatpeak:
            begun.stands_at(page)
            newest = f"/connect/{begun.session.pk}/{begun.session.newest}/"
            begun.get(newest, QUERY_STRING=encoded({"q": form.get("q", "a")}))
            begun.get(f"{newest}login/")
            if begun.session.newest:
                flatpeak.tell("connect", begun.page("contract_term_capture"))
                begun.answer(form)
            begun.look_around()


@pytest.mark.parametrize("call", ["login", "token", "connect"])
def test_no_answer_breaks_the_start(begun, call):
    @examples(400, spoilt(SECOND_TOKEN if call == "token" else begun.told["answers"][call]))
    def run(answer):
        with begun.example() as flatpeak:
            flatpeak.tell(call, answer)
            begun.post("/connect/", {"direction": "IMPORT", "country_code": "GB"})
            begun.look_around()


@pytest.mark.parametrize("call", ["exchange", "location", "status"])
def test_no_answer_breaks_the_end(begun, call):
    begun.stands_at(begun.page("summary_fixed_confirm"))

    @examples(700, spoilt(begun.told["answers"][call]))
    def run(answer):
        with begun.example() as flatpeak:
            flatpeak.tell(call, answer)
            flatpeak.tell("connect", begun.page("session_complete"))
            begun.answer({"action": "SAVE"})
            begun.look_around()


def test_no_rates_break_a_page_of_ours(saved):
    place = f"/locations/{Location.objects.get().pk}/"

    @examples(3000, spoilt(saved.told["answers"]["rates"]))
    def run(answer):
        with saved.example() as flatpeak:
            flatpeak.tell("rates", answer)
            saved.get("/locations/")
            saved.get(place, QUERY_STRING="direction=IMPORT&hours=2&before=07:00&kwh=9")
            saved.look_around()


ERROR = {
    "object": "error",
    "code": "cost_value_zero",
    "message": "The cost is zero.",
    "request_id": "req_1",
    "type": "invalid_request_error",
}


@pytest.mark.parametrize("call", ["login", "token", "connect", "exchange", "location", "status", "rates"])
def test_no_error_breaks_a_page_of_ours(saved, call):
    place = f"/locations/{Location.objects.get().pk}/"
    codes = ["connect_token_expired", "pending_connect", "no_price_data", "rate_limit", ERROR["code"], "e" * 300]
    statuses = [200, 202, 204, 302, 400, 401, 403, 404, 409, 422, 422, 422, 429, 500, 599]

    @examples(
        200,
        spoilt(ERROR) | st.sampled_from([ERROR | {"code": code} for code in codes]),
        st.sampled_from(statuses),
        texts,
    )
    def run(error, status, retry_after):
        with saved.example() as flatpeak:
            flatpeak.tell(call, error, status, retry_after.encode("latin-1", "replace").decode("latin-1"))
            saved.get(place)
            saved.post("/connect/", {"direction": "EXPORT", "country_code": "GB"})
            if ConnectSession.objects.filter(newest__gt=0, state="open").exists():
                saved.answer(Walk.ADDRESS)
                saved.answer({"action": "SAVE"})
            saved.look_around()


# --- what people type


@pytest.mark.parametrize("route", sorted(VALID))
def test_nothing_that_is_typed_into_a_form_breaks_it(begun, route):
    page = begun.page(route)
    offered = [item["id"] for name in ("providers", "tariffs") for item in page["data"].get(name, [])]
    valid = {name: value or offered[0] for name, value in VALID[route].items()}
    begun.stands_at(page)

    @examples(260, filled(valid), st.sampled_from(["tariff_name_capture", "session_complete", "summary_fixed_confirm"]))
    def run(form, route):
        with begun.example() as flatpeak:
            flatpeak.tell("connect", begun.page(route))
            begun.answer(form)
            begun.answer(form)
            for number in range(1, begun.session.newest + 1):
                begun.get(f"/connect/{begun.session.pk}/{number}/")
            begun.get("/account/data.json")


def test_nothing_that_is_typed_at_the_start_breaks_it(saved):
    valid = {"direction": "EXPORT", "country_code": "GB", "location": str(Location.objects.get().pk)}

    @examples(400, filled(valid))
    def run(form):
        with saved.example():
            saved.post("/connect/", form)
            saved.look_around()


@pytest.mark.parametrize(
    ("path", "form"),
    [
        ("/account/login/", {"login": "alice@example.com", "password": "correct horse battery", "remember": "on"}),
        ("/account/signup/", {"email": "bob@example.com", "password1": "correct horse battery"}),
        ("/account/password/reset/", {"email": "alice@example.com", "code": "ABC-DEF"}),
    ],
)
def test_nothing_that_is_typed_at_the_door_breaks_it(begun, path, form):
    begun.client = Client()

    @examples(200, filled(form | {"next": "/locations/"}))
    def run(form):
        begun.client = Client()
        with begun.example():
            response = begun.post(path, form)
            begun.post(response.request["PATH_INFO"], form)


# --- what stands in an address

KEYS = [
    "direction",
    "hours",
    "before",
    "kwh",
    "date",
    "start",
    "end",
    "q",
    "fp_cot",
    "next",
    "action",
    "newest",
    "page",
]
QUERIES = {
    "home": "/",
    "start": "/connect/",
    "return": "/connect/return/",
    "callback": "/connect/callback/",
    "newest": "/connect/{session}/",
    "again": "/connect/{session}/again/",
    "returned": "/connect/{session}/returned/",
    "called back": "/connect/{session}/called-back/",
    "page": "/connect/{session}/1/",
    "list": "/connect/{session}/2/",
    "login": "/connect/{session}/3/login/",
    "locations": "/locations/",
    "rates": "/locations/{location}/",
    "day": "/locations/{location}/day/",
    "week": "/locations/{location}/week/",
    "delete": "/locations/{location}/delete/",
    "csv": "/locations/{location}/rates.csv",
    "json": "/locations/{location}/rates.json",
    "data": "/account/data.json",
    "sign in": "/account/login/",
}
VALID_QUERY = {
    "direction": "IMPORT",
    "hours": "3",
    "before": "07:00",
    "kwh": "7,5",
    "date": "2026-11-24",
    "start": "2026-11-20",
    "end": "2026-11-24",
    "q": "oct",
    "next": "/locations/",
}
raw = st.lists(
    st.tuples(st.sampled_from([*KEYS, "date[]", "q[a]", "%00", "&"]) | st.text(max_size=5), st.binary(max_size=12)),
    max_size=4,
).map(
    lambda pairs: "&".join(
        f"{quote_from_bytes(k.encode(errors='surrogatepass'))}={quote_from_bytes(v)}" for k, v in pairs
    )
)


@pytest.mark.parametrize("path", QUERIES.values(), ids=QUERIES)
def test_nothing_in_an_address_breaks_a_page(begun, path, request):
    begun.stands_at(begun.page("provider_select"))
    begun.stands_at(begun.page("session_redirect"))
    talk = begun.session.pk
    begun.stands_at(begun.page("summary_fixed_confirm"))
    request.getfixturevalue("saved") if "{location}" in path else None
    place = Location.objects.first()
    where = path.format(session=talk, location=place and place.pk)

    @examples(120, filled(VALID_QUERY).map(encoded) | raw)
    def run(query):
        with begun.example():
            begun.get(where, QUERY_STRING=query)
            for sent in ("POST", "HEAD"):
                begun.fine(begun.client.generic(sent, where, QUERY_STRING=query))


# --- what the examples found


@pytest.mark.parametrize("call", ["login", "token"])
@pytest.mark.parametrize("lifetime", ["soon", [1], {}, LITERAL + "1e20", None])
def test_a_lifetime_that_is_no_number_of_seconds_is_not_believed(stage, told, call, lifetime):
    stage.adapter = StandIn(told["answers"])
    stage.adapter.tell(call, told["answers"][call] | {"expires_in": lifetime})
    stage.post("/connect/", {"direction": "IMPORT", "country_code": "GB"})
    hours = (stage.session.expires_at - timezone.now()) / timedelta(hours=1)
    assert round(hours) == 24


@pytest.mark.parametrize("bearer", ["bearér", "bearer\r\nSet-Cookie: evil=1", "bearer\u2066"])
def test_a_bearer_that_no_header_can_carry_is_no_bearer(stage, told, bearer):
    stage.adapter = StandIn(told["answers"])
    stage.adapter.tell("login", told["answers"]["login"] | {"bearer_token": bearer})
    assert stage.post("/connect/", {"direction": "IMPORT", "country_code": "GB"}).status_code == 503
    stage.adapter.tell("login", told["answers"]["login"])
    assert stage.post("/connect/", {"direction": "IMPORT", "country_code": "GB"}).status_code == 200


@pytest.mark.parametrize("name", ["customer_id", "location_id"])
def test_an_exchange_with_an_id_longer_than_its_column_stays_owed(begun, name):
    begun.stands_at(begun.page("summary_fixed_confirm"))
    begun.adapter.tell("connect", begun.page("session_complete"))
    begun.adapter.tell("exchange", begun.told["answers"]["exchange"] | {name: "x" * 101})
    begun.answer({"action": "SAVE"})
    assert begun.session.state == ConnectSession.State.OWED
    assert not Location.objects.exists()


def test_a_code_longer_than_its_column_is_cut(saved):
    saved.adapter.tell("rates", ERROR | {"code": "x" * 300}, 422)
    saved.get(f"/locations/{Location.objects.get().pk}/")
    assert Tariff.objects.get().rates_code == "x" * 100


@pytest.mark.parametrize("cost", ["1e200000", "1e-200000", "0." + "1" * 5000, "[" * 500 + "]" * 500])
def test_a_page_that_cannot_be_stored_is_no_answer(begun, cost):
    page = begun.page("rate_fixed_capture")
    begun.stands_at(page | {"data": page["data"] | {"cost": LITERAL + cost}})
    assert begun.session.last_route == "postal_address_capture"
    begun.stands_at(page)
    assert begun.session.last_route == "rate_fixed_capture"


def test_a_name_that_a_search_did_not_find_is_kept_without_nul(begun):
    begun.stands_at(begun.page("provider_select"))
    begun.adapter.tell("connect", begun.page("provider_name_capture"))
    begun.answer({"action": "PROVIDER_MISSING", "q": "Example\0 Energy"})
    assert begun.session.not_listed == {"provider": "Example Energy"}
