"""A page of the admin: what needs somebody, and what to do."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from urllib.parse import urlencode

from django.conf import settings
from django.contrib import admin
from django.db.models import F, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from connect_ui.models import OTHER, ConnectSession, Page
from connect_ui.routes import Kind, row
from flatpeak_app.web.vault import KEY_MISSING
from tariffs.flatpeak import word
from tariffs.models import Erasure, Tariff
from tariffs.notices import LATE

from .funnel import sums
from .funnel_page import must_view

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
FIRST = 5  # of each kind, that are shown
ROUTES_OF = 30  # days


class Case(NamedTuple):
    name: str
    link: str
    since: datetime | None
    said: str  # what FlatPeak last answered, as its code


class Matter(NamedTuple):
    """One kind of what needs somebody: how many there are, the oldest, where all of them are, and what to do."""

    title: str
    number: int
    cases: list[Case]
    link: str
    to_do: list[str]


def change(row: Any) -> str:
    return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])


def listed(model: type[Any], **lookups: Any) -> str:
    """The admin's list of those of the account and mode in use."""
    here = {"account__exact": settings.FLATPEAK_REALM, "live_mode__exact": int(settings.FLATPEAK_LIVE_MODE)}
    name = f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist"
    return f"{reverse(name)}?{urlencode(lookups | here)}"


def first(rows: QuerySet[Any], case: Callable[[Any], Case]) -> tuple[int, list[Case]]:
    return rows.count(), [case(row) for row in rows[:FIRST]]


def owed(now: datetime) -> Matter:
    # The newest page is the one with which the conversation was over; it stays for as long as the exchange is owed.
    pages = Page.objects.filter(
        session__in=ConnectSession.objects.here().filter(state=ConnectSession.State.OWED),
        number=F("session__newest"),
        shown_at__lte=now - HOUR,
    )

    def case(page: Page) -> Case:
        session = page.session
        said = session.last_error_code if session.last_error_route == session.last_route else ""
        name = f"{session.provider or 'no provider'}, {session.direction}, {session.country_code}"
        return Case(name, change(session), page.shown_at, said)

    return Matter(
        "Exchanges owed for over an hour",
        *first(pages.select_related("session").order_by("shown_at"), case),
        listed(ConnectSession, state__exact=ConnectSession.State.OWED),
        [
            "Open the list, choose them, and run “Exchange what is owed”. exchange_pending does so every five minutes: if "
            "there are many, see that cron runs it, and that check_flatpeak finds nothing wrong.",
            "Where a code stands beside one, FlatPeak refuses, and will again: give FlatPeak’s support the request id, which "
            "is in the log in the line that names the conversation. With a code about the connect_token the two ids can’t be "
            "had any more: ask the customer to connect again, and delete the conversation.",
            f"{KEY_MISSING}: the token is encrypted with a key that is missing in TOKEN_KEYS. Put that key back, behind the "
            "present one: without it the two ids can’t be had.",
        ],
    )


def failing(now: datetime) -> Matter:
    tariffs = Tariff.objects.here().filter(rates=Tariff.Rates.FAILING, rates_since__lte=now - HOUR)
    return Matter(
        "Rates that have failed for over an hour",
        *first(
            tariffs.exclude(state=Tariff.State.DISCONNECTED).order_by("rates_since"),
            lambda tariff: Case(str(tariff), change(tariff), tariff.rates_since, tariff.rates_code),
        ),
        listed(Tariff, rates__exact=Tariff.Rates.FAILING, rates_since__lte=now - HOUR),
        [
            "unavailable: FlatPeak does not answer, or not usably. check_flatpeak tells whether credentials and release are "
            "right; the log says what came. rate_limit: it is asked too often, and is asked again by itself.",
            "unknown_zone: FlatPeak tells no time zone for the location, or one that this server’s tzdata does not have; the "
            "location’s page has its name. Update tzdata; if no such zone exists, FlatPeak’s support has to correct it.",
            "no_tariff_connected: the customer has to connect again. no_price_data, or another code: give FlatPeak’s support "
            "the location’s id.",
            "If refresh_rates does not run every minute, they are only asked for when somebody looks.",
        ],
    )


def pending(now: datetime) -> Matter:
    states = [Tariff.State.PENDING, Tariff.State.FAILED]
    return Matter(
        "Tariffs that FlatPeak has not read for 48 hours",
        *first(
            Tariff.objects.here().filter(state__in=states, state_since__lte=now - LATE).order_by("state_since"),
            lambda tariff: Case(str(tariff), change(tariff), tariff.state_since, tariff.rates_code or tariff.state),
        ),
        listed(Tariff, state__in=",".join(states), state_since__lte=now - LATE),
        [
            "The customer has had a mail that it is late. Ask FlatPeak’s support, with the location’s id, what keeps it; "
            "pending_connect means that it is still being read.",
            "failed: FlatPeak could not read it. The customer has to connect again, at another sign-in or by hand.",
        ],
    )


def unknown_routes(now: datetime) -> Matter:
    since = now.date() - timedelta(days=ROUTES_OF)
    found = [
        (n, route)
        for (route, code), (n, _) in sums(since=since).items()
        if route and not code and row(route).kind is Kind.UNKNOWN
    ]
    cases = [
        Case(
            route,
            listed(ConnectSession, **({} if route == OTHER else {"last_route": route})),
            None,
            f"{n} conversations",
        )
        for n, route in sorted(found, reverse=True)
    ]
    return Matter(
        f"Pages that this app does not know, in {ROUTES_OF} days",
        len(cases),
        cases[:FIRST],
        listed(ConnectSession),
        [
            "FlatPeak asks something new, and customers can’t answer it. Update the app; if there is no newer one, README, "
            "“Adding a route”, says what it takes. check_flatpeak says whether the account is on another release.",
            "“other” are names that are no words: the list of conversations has them as last routes.",
        ],
    )


def erasures(now: datetime) -> Matter:
    late = Erasure.objects.here().filter(done_at=None, requested_at__lte=now - DAY)
    return Matter(
        "Deletions that FlatPeak has not made for over a day",
        *first(
            late.order_by("requested_at"), lambda row: Case(row.kind, change(row), row.requested_at, word(row.code))
        ),
        listed(Erasure, done_at__isnull=1, requested_at__lte=now - DAY),
        [
            "A customer was promised this. See that cron runs erase_pending every five minutes; with the code unavailable, "
            "that FlatPeak can be reached (check_flatpeak).",
            f"{KEY_MISSING}: the token of a conversation that was deleted is encrypted with a key that is missing in "
            "TOKEN_KEYS. Put that key back, behind the present one: FlatPeak still has the location, whose id is not known.",
            "With another code FlatPeak refuses: have its support delete the id that stands in the record.",
        ],
    )


@require_safe
def attention(request: HttpRequest) -> HttpResponse:
    """Each kind with its oldest; nine queries, whatever there is."""
    must_view(request, ConnectSession, Tariff, Erasure)
    now = timezone.now()
    matters = [of(now) for of in (owed, failing, pending, unknown_routes, erasures)]
    context = admin.site.each_context(request) | {
        "title": "What needs somebody",
        "opts": ConnectSession._meta,
        "matters": [matter for matter in matters if matter.number],
        "fine": [matter.title for matter in matters if not matter.number],
    }
    return TemplateResponse(request, "admin/connect_ui/attention.html", context)
