"""What needs somebody: each kind with its oldest cases, for the admin and for the mail to the operator."""

from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.conf import settings
from django.db.models import F
from django.urls import reverse

from connect_ui.models import OTHER, ConnectSession, Page
from connect_ui.routes import Kind, row
from tariffs.flatpeak import word
from tariffs.models import Erasure, Event, Tariff, Wait, WrongPrice
from tariffs.notices import NOT_SENT, UNREAD
from tariffs.queue import QueueQuerySet

from .events import BUSY
from .funnel import sums

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
FIRST = 5  # cases shown of each kind
ROUTES_OF = 30  # days


class Case(NamedTuple):
    name: str
    link: str
    since: datetime | None
    said: str  # the code of FlatPeak's last answer


class Matter(NamedTuple):
    """One kind of what needs somebody; its template in admin/connect_ui/to_do/ says what to do."""

    template: str
    title: str
    number: int
    cases: list[Case]  # the oldest
    link: str  # to the list of all
    again: QueueQuerySet | None = None  # what can be tried again

    @property
    def name(self) -> str:
        """The value of its button."""
        return self.again.model._meta.model_name or "" if self.again is not None else ""


def change(row: Any) -> str:
    return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])


def listed(model: type[Any], **lookups: Any) -> str:
    """The admin's list, of the account and mode in use."""
    here = {"account__exact": settings.FLATPEAK_REALM, "live_mode__exact": int(settings.FLATPEAK_LIVE_MODE)}
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist", query=lookups | here)


def exchanges(now: datetime) -> Matter:
    owed = ConnectSession.objects.here().filter(state=ConnectSession.State.OWED)
    # The newest page ended the conversation, so it tells since when the exchange is owed.
    pages = Page.objects.filter(session__in=owed, number=F("session__newest"), shown_at__lte=now - HOUR)
    cases = []
    for page in pages.select_related("session").order_by("shown_at")[:FIRST]:
        session = page.session
        name = f"{session.provider or 'no provider'}, {session.direction}, {session.country_code}"
        cases.append(Case(name, change(session), page.shown_at, session.last_result))
    link = listed(ConnectSession, state__exact=ConnectSession.State.OWED)
    return Matter("exchanges", "Exchanges owed for over an hour", pages.count(), cases, link, owed)


def rates(now: datetime) -> Matter:
    late = Tariff.objects.here().filter(rates=Tariff.Rates.FAILING, rates_since__lte=now - HOUR)
    late = late.exclude(state=Tariff.State.DISCONNECTED).order_by("rates_since")
    cases = [Case(str(tariff), change(tariff), tariff.rates_since, tariff.last_result) for tariff in late[:FIRST]]
    link = listed(Tariff, rates__exact=Tariff.Rates.FAILING, rates_since__lte=now - HOUR)
    return Matter("rates", "Rates that have failed for over an hour", late.count(), cases, link, late)


def unread(now: datetime) -> Matter:
    late = Tariff.objects.here().filter(state__in=UNREAD, state_since__lte=now - Wait.LATE).order_by("state_since")
    cases = [Case(str(each), change(each), each.state_since, each.last_result or each.state) for each in late[:FIRST]]
    link = listed(Tariff, state__in=",".join(UNREAD), state_since__lte=now - Wait.LATE)
    return Matter("unread", "Tariffs that FlatPeak has not read for 48 hours", late.count(), cases, link)


def mails(now: datetime) -> Matter:
    waits = Wait.objects.here().filter(last_result=NOT_SENT, attempts__gt=1).select_related("tariff").order_by("since")
    cases = [Case(str(wait.tariff), change(wait.tariff), wait.since, wait.last_result) for wait in waits[:FIRST]]
    title = "Mails that the mail server has not taken twice or more"
    return Matter("mails", title, waits.count(), cases, listed(Tariff), waits)


def unknown_routes(now: datetime) -> Matter:
    found = sums(since=now.date() - timedelta(days=ROUTES_OF))
    cases = []
    for (route, code), (n, _) in sorted(found.items(), key=lambda each: each[1], reverse=True):
        if route and not code and row(route).kind is Kind.UNKNOWN:
            link = listed(ConnectSession, **({} if route == OTHER else {"last_route": route}))
            cases.append(Case(route, link, None, f"{n} conversations"))
    title = f"Pages that this app does not know, in {ROUTES_OF} days"
    return Matter("unknown_routes", title, len(cases), cases[:FIRST], listed(ConnectSession))


def deletions(now: datetime) -> Matter:
    late = Erasure.objects.here().filter(done_at=None, requested_at__lte=now - DAY).order_by("requested_at")
    cases = [Case(each.kind, change(each), each.requested_at, word(each.last_result)) for each in late[:FIRST]]
    link = listed(Erasure, done_at__isnull=1, requested_at__lte=now - DAY)
    return Matter("deletions", "Deletions that FlatPeak has not made for over a day", late.count(), cases, link, late)


def events(now: datetime) -> Matter:
    late = Event.objects.here().filter(handled_at=None, received_at__lte=now - HOUR).order_by("received_at")
    late = late.exclude(last_result=BUSY)  # which waits for a customer
    cases = [Case(each.type, change(each), each.received_at, word(each.last_result)) for each in late[:FIRST]]
    title, link = "Events that have not been handled for over an hour", listed(Event, handled_at__isnull=1)
    return Matter("events", title, late.count(), cases, link, late)


def wrong_prices(now: datetime) -> Matter:
    told = WrongPrice.objects.here().filter(dealt_with_at=None).order_by("reported_at")
    cases = [Case(each.said, change(each), each.reported_at, each.named) for each in told[:FIRST]]
    title, link = "Prices that customers say are wrong", listed(WrongPrice, dealt_with_at__isnull=1)
    return Matter("wrong_prices", title, told.count(), cases, link)


KINDS = (exchanges, rates, unread, mails, unknown_routes, deletions, events, wrong_prices)
