"""What needs attention: each kind with its oldest cases, for the admin and for the mail to the operator."""

import logging
from collections import Counter
from datetime import datetime, timedelta
from functools import partial
from typing import Any, NamedTuple

from django.conf import settings
from django.core.cache import cache
from django.core.mail import mail_admins
from django.db.models import Count, F, Max, QuerySet
from django.urls import reverse

from connect_ui.models import OTHER, ConnectSession, Page
from connect_ui.routes import Kind, row
from flatpeak_app.accounts.about import about
from flatpeak_app.accounts.models import User
from flatpeak_app.web.errors import once_a_day
from tariffs.flatpeak import word
from tariffs.letters import NOT_SENT
from tariffs.models import Erasure, Event, Reminder, Tariff, Wait, WrongPrice
from tariffs.notices import UNREAD
from tariffs.queue import QueueQuerySet

from .events import BUSY
from .funnel import sums
from .words import counted

logger = logging.getLogger(__name__)

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
FIRST = 5  # cases shown of each kind
ROUTES_OF = 30  # days


class Case(NamedTuple):
    name: str
    link: str
    since: datetime | None
    said: str  # the code of FlatPeak's last answer


class Matter(NamedTuple):
    """One kind of what needs attention; its template in admin/connect_ui/to_do/ says what to do."""

    template: str
    title: str
    number: int
    cases: list[Case]  # the oldest
    link: str  # to the list of all
    newest: str  # the moment at which the newest case began, "" without a case
    again: QueueQuerySet | None = None  # what can be tried again

    @property
    def name(self) -> str:
        """The value of its button."""
        return self.again.model._meta.model_name or "" if self.again is not None else ""


def extent(rows: QuerySet[Any], began: str) -> tuple[int, str]:
    """How many there are, and when the newest began."""
    found = rows.order_by().aggregate(number=Count("pk"), newest=Max(began))
    return found["number"], str(found["newest"] or "")


def of(user: User | None, path: str) -> dict[str, User]:
    """The lookup that narrows rows to a customer's, given where a row names its customer."""
    return {path: user} if user else {}


def change(row: Any) -> str:
    return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])


def listed(model: type[Any], **lookups: Any) -> str:
    """The admin's list, of the account and mode in use."""
    here = {"account__exact": settings.FLATPEAK_REALM, "live_mode__exact": int(settings.FLATPEAK_LIVE_MODE)}
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist", query=lookups | here)


def exchanges(now: datetime, user: User | None = None) -> Matter:
    owed = ConnectSession.objects.here().filter(state=ConnectSession.State.OWED, **of(user, "user"))
    # The newest page ended the conversation, so it tells since when the exchange is owed.
    pages = Page.objects.filter(session__in=owed, number=F("session__newest"), shown_at__lte=now - HOUR)
    cases = []
    for page in pages.select_related("session").order_by("shown_at")[:FIRST]:
        session = page.session
        name = f"{session.provider or 'no provider'}, {session.get_direction_display()}, {session.country_code}"
        cases.append(Case(name, change(session), page.shown_at, session.last_result))
    link = listed(ConnectSession, state__exact=ConnectSession.State.OWED)
    number, newest = extent(pages, "shown_at")
    return Matter("exchanges", "Exchanges owed for over an hour", number, cases, link, newest, owed)


def rates(now: datetime, user: User | None = None) -> Matter:
    late = Tariff.objects.here().filter(
        rates=Tariff.Rates.FAILING, rates_since__lte=now - HOUR, **of(user, "location__customer__user")
    )
    late = late.exclude(state=Tariff.State.DISCONNECTED).order_by("rates_since")
    cases = [Case(str(tariff), change(tariff), tariff.rates_since, tariff.last_result) for tariff in late[:FIRST]]
    link = listed(Tariff, rates__exact=Tariff.Rates.FAILING, rates_since__lte=now - HOUR)
    number, newest = extent(late, "rates_since")
    return Matter("rates", "Rates that have failed for over an hour", number, cases, link, newest, late)


def unread(now: datetime, user: User | None = None) -> Matter:
    late = Tariff.objects.here().filter(state__in=UNREAD, state_since__lte=now - Wait.LATE)
    late = late.filter(**of(user, "location__customer__user")).order_by("state_since")
    cases = [Case(str(each), change(each), each.state_since, each.last_result or each.state) for each in late[:FIRST]]
    link = listed(Tariff, state__in=",".join(UNREAD), state_since__lte=now - Wait.LATE)
    number, newest = extent(late, "state_since")
    return Matter("unread", "Tariffs that FlatPeak has not read for 48 hours", number, cases, link, newest)


def mails(now: datetime, user: User | None = None) -> Matter:
    waits = Wait.objects.here().filter(last_result=NOT_SENT, attempts__gt=1).select_related("tariff").order_by("since")
    waits = waits.filter(**of(user, "tariff__location__customer__user"))
    cases = [Case(str(wait.tariff), change(wait.tariff), wait.since, wait.last_result) for wait in waits[:FIRST]]
    title = "Mails that the mail server refused twice or more"
    number, newest = extent(waits, "since")
    return Matter("mails", title, number, cases, listed(Tariff), newest, waits)


def reminders(now: datetime, user: User | None = None) -> Matter:
    kept = Reminder.objects.here().filter(last_result=NOT_SENT, attempts__gt=1).select_related("tariff")
    kept = kept.filter(**of(user, "tariff__location__customer__user")).order_by("made_at")
    cases = [
        Case(f"{each}: {each.tariff}", change(each.tariff), each.made_at, each.last_result) for each in kept[:FIRST]
    ]
    number, newest = extent(kept, "made_at")
    title = "Reminders that the mail server refused twice or more"
    return Matter("reminders", title, number, cases, listed(Tariff), newest, kept)


def unknown_routes(now: datetime) -> Matter:
    reached: Counter[str] = Counter()
    newest = ""
    for (day, route, code), (n, _) in sums("day", since=now.date() - timedelta(days=ROUTES_OF)).items():
        if route and not code and row(route).kind is Kind.UNKNOWN:
            reached[route] += n
            newest = max(newest, str(day))
    cases = []
    for route, n in reached.most_common(FIRST):
        link = listed(ConnectSession, **({} if route == OTHER else {"last_route": route}))
        cases.append(Case(route, link, None, counted(n, "conversation")))
    title = f"Pages that this app does not know, in {ROUTES_OF} days"
    return Matter("unknown_routes", title, len(reached), cases, listed(ConnectSession), newest)


def deletions(now: datetime) -> Matter:
    late = Erasure.objects.here().filter(done_at=None, requested_at__lte=now - DAY).order_by("requested_at")
    cases = [Case(each.kind, change(each), each.requested_at, word(each.last_result)) for each in late[:FIRST]]
    link = listed(Erasure, done_at__isnull=1, requested_at__lte=now - DAY)
    number, newest = extent(late, "requested_at")
    return Matter("deletions", "Deletions that FlatPeak has not made for over a day", number, cases, link, newest, late)


def events(now: datetime, user: User | None = None) -> Matter:
    late = Event.objects.here().filter(handled_at=None, received_at__lte=now - HOUR).order_by("received_at")
    late = late.exclude(last_result=BUSY)  # which waits for a customer
    if user:
        late = late.filter(about(user))
    cases = [Case(each.type, change(each), each.received_at, word(each.last_result)) for each in late[:FIRST]]
    title, link = "Events that have not been handled for over an hour", listed(Event, handled_at__isnull=1)
    number, newest = extent(late, "received_at")
    return Matter("events", title, number, cases, link, newest, late)


def wrong_prices(now: datetime, user: User | None = None) -> Matter:
    told = WrongPrice.objects.here().filter(dealt_with_at=None, **of(user, "tariff__location__customer__user"))
    told = told.order_by("reported_at")
    cases = [Case(each.said, change(each), each.reported_at, each.named) for each in told[:FIRST]]
    title, link = "Prices that customers say are wrong", listed(WrongPrice, dealt_with_at__isnull=1)
    number, newest = extent(told, "reported_at")
    return Matter("wrong_prices", title, number, cases, link, newest)


OF_CUSTOMER = {
    exchanges: ConnectSession,
    rates: Tariff,
    unread: Tariff,
    mails: Tariff,
    reminders: Tariff,
    events: Event,
    wrong_prices: WrongPrice,
}  # those that can be of one customer, with what must be viewed for them
KINDS = (exchanges, rates, unread, mails, reminders, unknown_routes, deletions, events, wrong_prices)


def tell_operator(now: datetime) -> None:
    """Mail ADMINS each kind that has cases which the last mail about it did not count; one mail of a kind a day at most.

    The mail has ids and no personal data. If the cache is lost, what was told already is told again.
    """
    for kind in KINDS if settings.ADMINS else ():
        matter = kind(now)
        told = f"told:{settings.FLATPEAK_REALM}:{matter.template}"
        if matter.newest > cache.get(told, "") and once_a_day(f"needs {told}", partial(send, matter)):
            cache.set(told, matter.newest, None)
            logger.info("mailed: %s: %s", matter.title, matter.number)


def send(matter: Matter) -> None:
    site = settings.SITE_URL
    lines = [
        f"{matter.title}: {matter.number}",
        f"What to do: {site}{reverse('admin:connect_ui_attention')}",
        "The oldest:",
        *(f"{site}{case.link}" for case in matter.cases),
    ]
    mail_admins(f"{matter.title}: {matter.number}", "\n\n".join(lines))
