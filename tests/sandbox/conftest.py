"""A sandbox that answers real HTTP, and a client for it from the standard library alone."""

import base64
import http.client
import json
import threading
from decimal import Decimal
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from sandbox.catalog import providers
from sandbox.pages import PAGES, REDIRECT
from sandbox.server import make_server

ADDRESS = {
    "address_line1": "1 Example Street",
    "address_line2": "",
    "city": "Leeds",
    "state": "",
    "post_code": "LS1 1AA",
    "country_code": "GB",
}
HOURS = [
    {"valid_from": "07:00:00", "valid_to": "23:00:00", "cost": Decimal("0.31")},
    {"valid_from": "23:00:00", "valid_to": "07:00:00", "cost": Decimal("0.125")},
]
BY_HAND = {
    "FIXED": ("rate_fixed_capture", {"cost": Decimal("0.2815")}),
    "TIME_OF_DAY": ("rate_tod_capture", {"hours": HOURS}),
    "MARKET": ("market_surcharge_capture", {"surcharge": {"fixed": Decimal("0.05"), "percentage": 5}}),
}


# An answer for each key in `next` of a page, as far as one alone decides the key.
ANSWERS = {
    "postal_address_capture": {None: {"postal_address": ADDRESS}},
    "provider_select": {
        kind: lambda talk, name=name: {"provider": {"id": talk.id_of(name)}}
        for kind, name in {
            "DIRECT": "EDF",
            "LIBRARY": "SSE",
            "MARKET": "Tomato Energy",
            "NAME": "Test: refuses provider_name_missing",
            "MANUAL": "Ecotricity",
            "NONE": "Test: no providers",
        }.items()
    },
    "provider_name_capture": {None: {"provider": {"name": "Village Power"}}},
    "tariff_select": {
        key: lambda talk, place=place: {"tariff": {"id": talk.data["tariffs"][place]["id"]}}
        for key, place in {"fixed": 0, "varying": 3}.items()
    },
    "tariff_structure_select": {structure: {"options": [structure]} for structure in BY_HAND},
    **{route: {None: data} for route, data in BY_HAND.values()},
    "tariff_name_capture": {None: {"tariff": {"name": "Simple"}}},
    # The shortest way to this page is by a market price.
    "contract_term_capture": {"varying": {}},
}
OUTCOMES = {"fixed": "approve", "decline": "decline", "manual": "manual", "pending": "unreachable"}


class Number(json.JSONEncoder):
    def default(self, value):
        return float(value)


class Client:
    """A client of one sandbox. status and headers: those of the last answer. start: the route that begins a conversation."""

    start = "session_restore"

    def __init__(self, server):
        self.server, self.world, self.url = server, server.world, server.url
        self.status, self.headers, self.bearer = 0, {}, ""

    def call(self, method, path, body=None, **headers):
        """Send a request, a dict or list as JSON. Returns the answer, parsed if it is JSON."""
        raw = json.dumps(body, cls=Number) if isinstance(body, dict | list) else body
        sent = {"Content-Type": "application/json"} | {name.replace("_", "-"): each for name, each in headers.items()}
        connection = http.client.HTTPConnection(*self.server.server_address, timeout=30)
        try:
            connection.request(method, path, raw, sent)
            response = connection.getresponse()
            text = response.read().decode()
        finally:
            connection.close()
        self.status, self.headers = response.status, response.headers
        return json.loads(text, parse_float=Decimal) if text[:1] in "{[" and text else text

    def log_in(self, account="acc_one", key="sk_test_one"):
        pair = base64.b64encode(f"{account}:{key}".encode()).decode()
        answer = self.call("GET", "/login", Authorization=f"Basic {pair}")
        self.bearer = answer.get("bearer_token", "")
        return answer

    def api(self, method, path, body=None, **query):
        path += f"?{urlencode(query)}" if query else ""
        return self.call(method, path, body, Authorization=f"Bearer {self.bearer}")

    def new_token(self, **body):
        body = {"callback_uri": "https://app.example/done?x=1", "connect_web_uri": "https://app.example/back"} | body
        return self.api("POST", "/connect/tariff/token", body)

    def talk(self, **body):
        """Start a conversation. Its address is known, so that it is at provider_select, unless the body says otherwise."""
        if "location_id" not in body:
            body = {"postal_address": ADDRESS} | body
        talk = Talk(self, self.new_token(**body)["connect_token"])
        talk.go(self.start)
        return talk

    def control(self, **body):
        return self.call("POST", "/_sandbox", body)

    def exchange(self, token):
        return self.api("GET", "/connect/tariff/token", connect_token=token)

    def rates(self, location, start="2026-06-10T00:00:00Z", end="2026-06-11T00:00:00Z", **query):
        times = {"start_time": start, "end_time": end} if start else {"end_time": end}
        return self.api("GET", f"/tariffs/rates/{location}", **times, **query)

    def saved(self, talk):
        """Save the summary that a conversation is at. Returns the location's id."""
        talk.act("SAVE")
        return self.exchange(talk.token)["location_id"]

    def fixed(self, **body):
        return self.saved(self.talk(**body).by_hand("FIXED"))


class Anode(Client):
    """The same client in anode, signed in as an account that has it."""

    start = "session_start"
    paths = ("/connect/token", "/connect/token")  # of a new token, of its exchange

    def __init__(self, client, account="acc_anode1"):
        super().__init__(client.server)
        self.log_in(account)

    def new_token(self, **body):
        addresses = {"callback_url": "https://app.example/done?x=1", "connect_url": "https://app.example/back"}
        return self.api("POST", self.paths[0], addresses | body)

    def exchange(self, token):
        path = self.paths[1].format(token=token)
        return self.api("GET", path, **({"connect_token": token} if path == self.paths[1] else {}))

    def connected(self, **body):
        """Connect a fixed price. Returns the answer to the exchange."""
        return self.exchange(self.talk(**body).by_hand("FIXED").token)


class Talk:
    """One conversation with Connect. page: the last page."""

    def __init__(self, client, token):
        self.client, self.token, self.page = client, token, {}

    @property
    def route(self):
        return self.page["route"]

    @property
    def data(self):
        return self.page["data"]

    def send(self, route, **body):
        return self.client.call("POST", "/", {"connect_token": self.token, "route": route, **body})

    def go(self, route, data=None, **body):
        body = body if data is None else {"data": data, **body}
        page = self.send(route, **body)
        assert self.client.status == 200, page
        self.page = page
        return self

    def act(self, action):
        return self.go(self.route, action=action)

    def refused(self, route, **body):
        """Send an answer that must be refused. Returns the code."""
        answer = self.send(route, **body)
        assert self.client.status >= 400
        assert answer["object"] == "error"
        assert {"live_mode", "type", "message", "time_created", "request_id"} <= set(answer)
        assert not {"route", "data", "actions"} & set(answer)
        return answer["code"]

    def step(self, key):
        """Answer the page, or come back from the login, so that the key in `next` of its row follows."""
        if self.route == "session_redirect":
            return self.log_in(OUTCOMES[key])
        answer = ANSWERS[self.route][key]
        return self.go(self.route, answer(self) if callable(answer) else answer)

    def reach(self, route):
        """Go on to a page by the shortest way through the table."""
        if route == "summary_tariff_failed":
            location = self.client.saved(self.reach("session_redirect").log_in("unreadable"))
            return self.client.talk(location_id=location)
        ways, found = {self.route: []}, [self.route]
        for at in found:
            page = PAGES[at]
            steps = [(Talk.act, name, action.leads) for name, action in page.actions.items()]
            steps += [(Talk.step, key, page.next[key]) for key in ANSWERS.get(at, OUTCOMES if at == REDIRECT else ())]
            for do, what, to in steps:
                if to not in ways:
                    ways[to] = [*ways[at], (do, what)]
                    found.append(to)
        for do, what in ways[route]:
            do(self, what)
        assert self.route == route
        return self

    def id_of(self, name, country="GB"):
        return next(key for key, each in providers(country).items() if each.name.startswith(name))

    def pick(self, name, country="GB"):
        return self.go("provider_select", {"provider": {"id": self.id_of(name, country)}})

    def by_hand(self, structure, provider="Ecotricity", country="GB"):
        if self.route == "provider_select":
            self.pick(provider, country)
        if self.route == "tariff_structure_select":
            self.go("tariff_structure_select", {"options": [structure]})
        self.go(self.route, BY_HAND[structure][1])
        if self.route == "tariff_name_capture":
            self.go("tariff_name_capture", {"tariff": {"name": "Simple"}})
        return self.go("contract_term_capture") if self.route == "contract_term_capture" else self

    def login_path(self):
        address = urlsplit(self.data.get("redirect_uri") or self.data["redirect_url"])
        return address.path + "?" + (address.query or f"fp_cot={self.token}")

    def log_in(self, outcome=None):
        """Choose an outcome on the login page, or only visit it for None, and come back."""
        if outcome:
            self.client.call("POST", self.login_path(), f"outcome={outcome}")
        else:
            assert "This is a sandbox" in self.client.call("GET", self.login_path())
            self.client.call("GET", self.login_path() + "&back=1")
        assert self.client.status == 303
        query = parse_qs(urlsplit(self.client.headers["Location"]).query)
        assert query["fp_cot"] == [self.token]
        return self.go("session_restore")


@pytest.fixture(scope="session")
def server():
    server = make_server(quiet=True)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def sandbox(server):
    """A client, signed in, of an empty sandbox whose clock is frozen at noon (UTC) on a summer day."""
    with server.world.lock:
        server.world.reset()
    client = Client(server)
    client.control(now="2026-06-10T12:00:00Z", frozen=True)
    client.log_in()
    return client


# These tests need no Django and handle tokens openly, so they switch off the suite's guards of the product.


@pytest.fixture
def not_at_the_end_of_an_hour():
    """Do nothing."""


@pytest.fixture
def empty_cache():
    """Do nothing."""


@pytest.fixture(scope="session")
def scan_logs():
    """Do nothing."""


@pytest.fixture
def nothing_leaks():
    """Do nothing."""
