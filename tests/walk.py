"""A customer who walks through Connect with Django's test client; the app calls the sandbox over real HTTP."""

import html
import json
import re
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import requests
from django.utils.http import urlencode

from connect_ui.models import ConnectSession
from connect_ui.routes import Kind, theirs

ADDRESSES = json.loads((Path(__file__).parent / "addresses.json").read_text())  # of public buildings, by country
RATES = re.compile("/locations/[0-9a-f-]{36}/")


class Walk:
    """Follows redirects as a browser does; `response` is the last page, `route` its route on the wire.

    It stops before a location's rates, because those ask FlatPeak: `path` is their address then, and `see` opens them.
    """

    ADDRESS = {"address_line1": "1 Example Street", "city": "London", "post_code": "N1 1AA", "country_code": "GB"}

    def __init__(self, client):
        self.client = client
        self.response = None
        self.token = ""  # kept here, because the session deletes it at its end

    # -- what is seen

    @property
    def page(self):
        """The page of Connect in view; at the rates the last one, which led there."""
        if "page" in (self.response.context or ()):
            return self.response.context["page"]
        return self.session.pages.order_by("-number")[0]

    @property
    def route(self):
        """As FlatPeak calls it, or would: the end may be known without a page of Connect's."""
        page = self.page
        if wire := page.body.get("route"):
            return wire
        return page.route if page.row.kind is Kind.UNKNOWN else theirs(page.route, page.session.spoken.name)

    @property
    def shows(self):
        """The kind of the page in view; a tariff is shown by other routes in each release."""
        return self.page.row.kind

    @property
    def session(self):
        return ConnectSession.objects.order_by("-started_at")[0]

    @property
    def text(self):
        return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", self.response.content.decode())))

    @property
    def price(self):
        """Return the current price on a rates page, or the sentence where it is free; "" if it is unknown."""
        page = self.response.content.decode()
        found = re.search(r'class="price">([^<]+)<', page) or re.search(
            r'class="answer"><span role="status">([^<]+)<', page
        )
        return found.group(1) if found else ""

    @property
    def path(self):
        return self.response.get("Location", self.response.request["PATH_INFO"])

    def errors(self):
        return {field: list(errors) for field, errors in self.response.context["form"].errors.items()}

    # -- what is done

    def get(self, path, **options):
        return self.follow(self.client.get(path, **options))

    def follow(self, response):
        chain = []
        while response.status_code in (301, 302) and not RATES.fullmatch(response["Location"]):
            chain.append((response["Location"], response.status_code))
            response = self.client.get(urljoin(response.request["PATH_INFO"], response["Location"]))
        self.response = response
        response.redirect_chain = chain
        return self

    def see(self):
        """Open the page that a redirect leads to."""
        self.response = self.client.get(self.path)
        return self

    def post(self, path, data, **options):
        form = urlencode(data, doseq=True)  # as browsers send it; the app refuses multipart
        return self.follow(self.client.post(path, form, "application/x-www-form-urlencoded", **options))

    def start(self, direction="IMPORT", country="GB", **more):
        self.post("/connect/", {"direction": direction, "country_code": country} | more)
        self.token = self.session.connect_token if ConnectSession.objects.exists() else ""
        return self

    def answer(self, **data):
        """Submit the form of the current page."""
        if "newest" not in data:
            data["newest"] = self.response.context["session"].newest
        return self.post(f"/connect/{self.page.session_id}/{self.page.number}/", data)

    def act(self, action, **data):
        return self.answer(action=action, **data)

    def back(self):
        return self.get(f"/connect/{self.page.session_id}/{self.page.came_from}/")

    def address(self, **changed):
        """Give an address; of a country other than Britain, the first of tests/addresses.json.

        One that is connected already is connected again without a question.
        """
        usual = self.ADDRESS
        if (country := changed.get("country_code", "GB")) in ADDRESSES and country != "GB":
            usual = ADDRESSES[country][0]["typed"]
        return self.answer(**(usual | {"again": "1"} | changed))

    def provider(self, name):
        return self.answer(
            provider=next(p["id"] for p in self.page.data["providers"] if p["display_name"].startswith(name))
        )

    def tariff(self, number=0):
        return self.answer(tariff=self.page.data["tariffs"][number]["id"])

    def to_providers(self, **start):
        return self.start(**start).address(**({"country_code": start["country"]} if "country" in start else {}))

    def by_hand(self, provider="Ecotricity", structure="FIXED", **start):
        return self.to_providers(**start).provider(provider).answer(options=structure)

    def name_and_term(self, name="Simple", **term):
        return self.answer(tariff_name=name).answer(**(term or {"term": "unknown"}))

    def fixed(self, cost="28.15", **start):
        """The shortest way to a stored location."""
        return self.by_hand(**start).answer(cost=cost).name_and_term().save()

    # -- what differs by release

    def save(self):
        """Finish at a summary: in zero the tariff is saved there, in anode it is connected already."""
        return self.act("SAVE" if "SAVE" in self.page.actions else "CLOSE")

    def reconnect(self):
        """Ask for the providers again where a tariff could not be read."""
        return self.act("RECONNECT" if "RECONNECT" in self.page.actions else "EDIT")

    def surcharge(self, fixed, percentage):
        """Tell the surcharge and the region, which anode asks for on a page before."""
        asked = self.page.data
        region = {"region": asked["regions"][0]} if "regions" in asked else {}
        if self.page.route == "region":
            self.answer(**region)
            region = {}
        return self.answer(fixed=fixed, percentage=percentage, **region)

    def way_back(self, sandbox):
        """Return the path and query that a provider's login returns to, from the sandbox's state."""
        token = sandbox.state["tokens"][self.session.connect_token]
        return f"{urlsplit(token['connect_web_uri']).path}?fp_cot={token['id']}"

    def leave(self):
        """Follow the link to the provider and return the URL of its login."""
        return self.client.get(f"/connect/{self.page.session_id}/{self.page.number}/login/")["Location"]

    def log_in_at_provider(self, outcome="approve", meanwhile=lambda: None):
        """Press the link to the provider, choose an outcome on the sandbox's login page, and come back."""
        back = sign_in_at_provider(self.leave(), outcome)
        meanwhile()
        return self.get(back)


def sign_in_at_provider(login, outcome="approve"):
    """Choose an outcome on the sandbox's login page, and return where it redirects; no cookie is needed."""
    there = requests.get(login, allow_redirects=False, timeout=30)
    if there.status_code == 200:
        there = requests.post(login, {"outcome": outcome}, allow_redirects=False, timeout=30)
    return there.headers["Location"].removeprefix("http://localhost:8000")
