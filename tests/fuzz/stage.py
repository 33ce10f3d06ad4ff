"""FlatPeak's stand-in, which says what the sandbox once said, spoilt; and a customer at a page, who looks at every answer."""

import http.client
import io
import logging
from contextlib import contextmanager
from datetime import timedelta
from html.parser import HTMLParser
from itertools import count
from urllib.parse import urljoin, urlsplit

import requests
from django.conf import settings
from django.db import transaction
from django.utils import timezone
from requests.adapters import HTTPAdapter

from connect_ui.models import ConnectSession
from tariffs import flatpeak
from tariffs.models import Location
from tests import scan
from tests.fuzz.hostile import encoded, written
from tests.test_faults import PAGES

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
        self.made = count()
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
        if answer is SECOND_TOKEN:
            answer = SECOND_TOKEN | {"connect_token": f"cot_of_another_{next(self.made)}"}
        response.raw = io.BytesIO(written(answer))
        return response


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
        ours = ("/static/", "/admin/jsi18n/")  # the last has the words that the admin's own scripts say
        assert tag != "script" or dict(attributes).get("src", "").startswith(ours)


class Stage:
    """Alice at a page of a conversation; each example begins at that again."""

    def __init__(self, client, told, monkeypatch, log, empty_cache):
        self.client, self.told, self.log, self.empty_cache = client, told, log, empty_cache
        self.token = ""
        self.adapter = None
        monkeypatch.setattr("tariffs.flatpeak.http._http", self._http)

    def _http(self):
        http = requests.Session()
        http.mount("http://", self.adapter)
        return http

    @contextmanager
    def example(self):
        cookies = self.client.cookies.output()
        self.adapter = StandIn(self.told["answers"] | {"token": SECOND_TOKEN})
        self.log.seen.clear()
        self.empty_cache()
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
            ours = f'<script type="module">{settings.RATES_SCRIPT}</script>'  # the only one within a page
            Markup().feed(response.content.decode().replace(ours, ""))
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
            for end in ("", "day/", "week/", "rates.csv", "rates.json", "delete/", "wrong-price/", "run/"):
                self.get(f"/locations/{location.pk}/{end}")
