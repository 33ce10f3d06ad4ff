"""A conversation with Connect that is answered by this app's own forms, from the first page to the last."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs

from django.utils.datastructures import MultiValueDict

from connect_ui.models import ConnectSession, Page
from connect_ui.routes import END, START, Kind, form_for, ours, theirs
from tariffs import flatpeak
from tariffs.flatpeak import JSON
from tariffs.rates import segments

from . import expected
from .report import Report

ADDRESS = {"address_line1": "1 Example Street", "city": "London", "post_code": "N1 1AA", "country_code": "GB"}
# What is typed into the form of a page, by our name of its route. If FlatPeak refuses one answer, the next one is given.
TYPED: dict[str, list[dict[str, str]]] = {
    "address": [ADDRESS],
    "provider_name": [{"provider_name": "check_flatpeak"}],
    "structure": [{"options": "FIXED"}],
    "fixed_price": [{"cost": "28.15", "sure": "28.15"}],
    "tariff_name": [{"tariff_name": "check_flatpeak"}],
    "contract": [{"term": "open"}, {"term": "unknown"}],
}
HIDDEN_PARTS = [ADDRESS["address_line1"], ADDRESS["post_code"]]  # in a transcript, wherever they are
PRESSED = {"provider": "PROVIDER_MISSING", "tariff": "TARIFF_MISSING"}
PRICE, BACK = "fixed_price", {"action": "BACK"}
MOST_PAGES, MOST_PROVIDERS = 25, 5


class Stopped(Exception):
    """The walk can't go on; the text is the difference that stops it."""


class Conversation:
    """Typed prices, from the first page to the last; nothing of it is stored.

    path: FlatPeak's names of the pages so far. cost: the price that was typed, in major units per kWh, None before it was.
    """

    def __init__(self, report: Report, token: str, version: str, callback: str) -> None:
        self.report, self.token, self.version, self.callback = report, token, version, callback
        self.path: list[str] = []
        self.cost: Decimal | None = None
        self.currency = ""
        self.page: Page | None = None  # the newest one
        self.said: JSON = {}  # the answer that led to it
        self.providers: Page | None = None  # the list, if only a provider on it can be chosen
        self.tried = 0  # of its providers
        self.went_back = False

    @property
    def spoken(self) -> flatpeak.Release:
        return flatpeak.of(self.version)

    def hold(self) -> None:
        """Answer page after page until the end. Raises Stopped and FlatPeakError."""
        sent = flatpeak.answer(self.token, theirs(START, self.spoken.name))
        self.version = flatpeak.shown(self.version, sent)
        self.report.tell(f"The conversation is in release {self.version}.")
        for _ in range(MOST_PAGES):
            before, self.page = self.page, self.look(sent)
            if self.said == BACK and self.page.route != PRICE:
                self.report.differ(self.path[-2], f"BACK leads to {self.path[-1]}, not to the page before")
            if self.page.row.kind is Kind.END:
                return
            if (last := last_action(self.page)) and last not in self.page.actions:
                self.report.differ(self.path[-1], f"does not offer {last}")
                return
            sent = self.answer(self.page, came_from=before.route if before else "")
        raise Stopped(f"There was no end after {MOST_PAGES} pages.")

    # --- reading a page

    def look(self, sent: flatpeak.WirePage) -> Page:
        """Compare a page with its row of the table. Raises Stopped if it can't be answered."""
        wire = sent.get("route", "")
        session = ConnectSession(country_code=ADDRESS["country_code"], flatpeak_version=self.version)
        body: JSON = {**sent}
        if isinstance(actions := body.get("actions"), list):
            body["actions"] = [self.spoken.actions.ours(each) for each in actions if isinstance(each, str)]
        page = Page(session=session, route=ours(wire, self.spoken.name) if wire else END, body=body)
        self.path.append(wire or "a page without a route")
        if page.row.kind is Kind.UNKNOWN:
            raise Stopped(f"{wire}: this app does not know this page")
        if page.row.kind is Kind.ERROR:
            raise Stopped(f"{wire}: FlatPeak stopped the conversation: {flatpeak.word(body.get('error_code'))}")
        if page.row.kind is Kind.REDIRECT and page.redirect_url.partition("?")[0] == self.callback:
            page.route = END
        if page.row.kind is Kind.END:
            self.compare_end(sent)
        else:
            self.compare(page, sent)
        return page

    def compare(self, page: Page, sent: flatpeak.WirePage) -> None:
        wire, row = self.path[-1], page.row
        wanted: JSON = {"connect_token": self.token, "live_mode": False, "direction": "IMPORT"}
        wanted |= expected.VALUES[self.spoken.name]
        self.report.compare(wire, sent, expected.of_page(row, self.spoken.name), wanted)
        if wire != (first := theirs(page.route, self.spoken.name)):
            self.report.differ(wire, f"this app expects the name {first}")
        for action in page.actions:
            if action not in expected.buttons(row):
                self.report.differ(wire, f"offers {action}, which has no button in this app")
        if isinstance(currency := page.data.get("currency_code"), str):
            self.currency = currency
        if page.route == PRICE and self.said == BACK:
            self.report.compare(wire, sent, {"data.cost": expected.NUMBER}, {"data.cost": self.cost})
        if row.kind is Kind.SUMMARY and self.cost is None:
            self.report.differ(wire, "comes without a question about the price")
        elif row.kind is Kind.SUMMARY:
            today = [segment.rate for segment in segments.parse(page.part("rates").get("today"))]
            self.compare_price(wire, [*today, page.data.get("cost", self.cost)])

    def compare_price(self, where: str, told: Iterable[Any]) -> None:
        for other in sorted({expected.shown(each) for each in told if each != self.cost}):
            self.report.differ(where, f"the price is {other}, not {self.cost} as typed")

    def compare_end(self, sent: flatpeak.WirePage) -> None:
        name, field = expected.LAST[self.spoken.name]
        wire, last = self.path[-1], theirs(name, self.spoken.name)
        if wire != last:
            self.report.differ(wire, f"is the end, where this app expects {last}")
            return
        self.report.compare(wire, sent, {**expected.BARE, f"data.{field}": str}, {"live_mode": False})
        if isinstance(address := expected.at(sent, f"data.{field}"), str):
            path, _, query = address.partition("?")
            if path != self.callback:
                self.report.differ(wire, f"data.{field} is not the address that was asked for")
            elif parse_qs(query).get("fp_cot") != [self.token]:
                self.report.differ(wire, f"data.{field} lacks fp_cot with the connect token")

    # --- answering it

    def answer(self, page: Page, came_from: str) -> flatpeak.WirePage:
        """Answer a page and return the next one. Raises Stopped and FlatPeakError."""
        action = last_action(page) or PRESSED.get(page.route, "")
        if action in page.actions:
            answers: list[JSON] = [{"action": action}]
        elif page.route in TYPED:
            answers = [self.typed(page, each) for each in TYPED[page.route]]
        else:
            return self.next_provider(page)
        if came_from == PRICE and "BACK" in page.actions and not self.went_back:
            self.went_back = True
            answers = [BACK, *answers]
        return self.send(page, answers)

    def typed(self, page: Page, values: dict[str, str]) -> JSON:
        """The answer that this app's form makes of typed values."""
        form = form_for(page, MultiValueDict({name: [value] for name, value in values.items()}))
        if form is None or not form.is_valid():
            raise Stopped(f"{self.path[-1]}: this app's form refuses {values}: {form and form.errors.as_json()}")
        data = form.to_data()
        if page.route == PRICE:
            self.cost = data["cost"]
        return {"data": data}

    def next_provider(self, page: Page) -> flatpeak.WirePage:
        """Choose a provider of the list: the first, or the next one if the one before asks for no price."""
        wire = self.path[-1]
        if page.route == "provider":
            self.report.differ(wire, f"does not offer {PRESSED[page.route]}")
            self.providers = page
        listed = self.providers.parts("providers")[self.tried : MOST_PROVIDERS] if self.providers else []
        if not self.providers or not listed:
            raise Stopped(f"{wire}: this walk has no answer to this page, because it is no question about typed prices")
        self.tried += 1
        return self.send(self.providers, [{"data": {"provider": {"id": listed[0].get("id")}}}])

    def send(self, page: Page, answers: list[JSON]) -> flatpeak.WirePage:
        """Give the first of some answers that FlatPeak takes."""
        wire = page.body["route"]
        for answer in answers:
            action = self.spoken.actions.theirs(answer.get("action", ""))
            try:
                sent = flatpeak.answer(self.token, wire, answer.get("data"), action=action)
            except flatpeak.Rejected as error:
                self.report.differ(wire, f"refuses {action or 'the answer'}: {error.status} {error.code or 'no code'}")
                continue
            except flatpeak.Unavailable as error:
                raise Stopped(f"{wire}: no page follows ({error})") from None
            self.said = answer
            return sent
        raise Stopped(f"{wire}: refuses all that this app would answer")


def last_action(page: Page) -> str:
    """The action that ends the conversation on a summary, "" on any other page."""
    if page.row.kind is not Kind.SUMMARY:
        return ""
    return "CLOSE" if page.row.is_stored else "SAVE"
