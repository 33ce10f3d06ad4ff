"""A page of the admin: what needs somebody, and what to do."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from urllib.parse import urlencode

from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import F, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from connect_ui.models import OTHER, ConnectSession, Page
from connect_ui.routes import Kind, row
from flatpeak_app.web.vault import KEY_MISSING
from tariffs.flatpeak import word
from tariffs.models import Erasure, Tariff, Wait
from tariffs.notices import NOT_SENT, UNREAD
from tariffs.queue import QueueQuerySet

from .funnel import sums
from .funnel_page import must_view

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
FIRST = 5  # cases shown of each kind
ROUTES_OF = 30  # days


class Case(NamedTuple):
    name: str
    link: str
    since: datetime | None
    said: str  # the code of FlatPeak's last answer


class Matter(NamedTuple):
    """One kind of what needs somebody: how many there are, the oldest, a link to all, what to do, what to try again."""

    title: str
    number: int
    cases: list[Case]
    link: str
    to_do: list[str]
    again: QueueQuerySet | None = None

    @property
    def name(self) -> str:
        """The value of its button."""
        return self.again.model._meta.model_name or "" if self.again is not None else ""


def change(row: Any) -> str:
    return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])


def listed(model: type[Any], **lookups: Any) -> str:
    """The admin's list, of the account and mode in use."""
    here = {"account__exact": settings.FLATPEAK_REALM, "live_mode__exact": int(settings.FLATPEAK_LIVE_MODE)}
    name = f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist"
    return f"{reverse(name)}?{urlencode(lookups | here)}"


def first(rows: QuerySet[Any], case: Callable[[Any], Case]) -> tuple[int, list[Case]]:
    return rows.count(), [case(row) for row in rows[:FIRST]]


def exchanges(now: datetime) -> Matter:
    owed = ConnectSession.objects.here().filter(state=ConnectSession.State.OWED)
    # The newest page ended the conversation, so it tells since when the exchange is owed.
    pages = Page.objects.filter(session__in=owed, number=F("session__newest"), shown_at__lte=now - HOUR)

    def case(page: Page) -> Case:
        session = page.session
        name = f"{session.provider or 'no provider'}, {session.direction}, {session.country_code}"
        return Case(name, change(session), page.shown_at, session.last_result)

    return Matter(
        "Exchanges owed for over an hour",
        *first(pages.select_related("session").order_by("shown_at"), case),
        listed(ConnectSession, state__exact=ConnectSession.State.OWED),
        [
            "If there are many, see that a worker runs, or exchange_pending by cron, and that check_flatpeak finds nothing "
            "wrong.",
            "With a code beside one, FlatPeak refuses, and will again: give FlatPeak’s support the request id, which is in "
            "the line of the log that names the conversation. With a code about the connect_token the two ids are lost: ask "
            "the customer to connect again, and delete the conversation.",
            f"{KEY_MISSING}: the token is encrypted with a key that is missing in TOKEN_KEYS. Put that key back, behind the "
            "present one: without it the two ids are lost.",
        ],
        owed,
    )


def rates(now: datetime) -> Matter:
    tariffs = Tariff.objects.here().filter(rates=Tariff.Rates.FAILING, rates_since__lte=now - HOUR)
    tariffs = tariffs.exclude(state=Tariff.State.DISCONNECTED)
    return Matter(
        "Rates that have failed for over an hour",
        *first(
            tariffs.order_by("rates_since"),
            lambda tariff: Case(str(tariff), change(tariff), tariff.rates_since, tariff.last_result),
        ),
        listed(Tariff, rates__exact=Tariff.Rates.FAILING, rates_since__lte=now - HOUR),
        [
            "unavailable: FlatPeak gives no usable answer. check_flatpeak tells whether credentials and release are right; "
            "the log says what came. rate_limit: it is asked too often, and is asked again by itself.",
            "unknown_zone: FlatPeak tells no time zone for the location, or one that this server’s tzdata does not have; the "
            "location’s page has its name. Update tzdata; if no such zone exists, FlatPeak’s support has to correct it.",
            "no_tariff_connected: the customer has to connect again. no_price_data, or another code: give FlatPeak’s support "
            "the location’s id.",
            "Without a worker, and without refresh_rates each minute, rates are only asked for when somebody looks.",
        ],
        tariffs,
    )


def unread(now: datetime) -> Matter:
    tariffs = Tariff.objects.here().filter(state__in=UNREAD, state_since__lte=now - Wait.LATE)
    return Matter(
        "Tariffs that FlatPeak has not read for 48 hours",
        *first(
            tariffs.order_by("state_since"),
            lambda tariff: Case(str(tariff), change(tariff), tariff.state_since, tariff.last_result or tariff.state),
        ),
        listed(Tariff, state__in=",".join(UNREAD), state_since__lte=now - Wait.LATE),
        [
            "The customer has had a mail that it is late. Ask FlatPeak’s support, with the location’s id, what keeps it; "
            "pending_connect means that it is still being read.",
            "failed: FlatPeak could not read it. The customer has to connect again, at another sign-in or by hand.",
        ],
    )


def mails(now: datetime) -> Matter:
    waits = Wait.objects.here().filter(last_result=NOT_SENT, attempts__gt=1)
    return Matter(
        "Mails that the mail server has not taken twice or more",
        *first(
            waits.select_related("tariff").order_by("since"),
            lambda wait: Case(str(wait.tariff), change(wait.tariff), wait.since, wait.last_result),
        ),
        listed(Tariff),
        ["The log names the error: see that EMAIL_URL is right and that the mail server answers."],
        waits,
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
            "FlatPeak asks something new, and customers can’t answer it. Update the app. If there is no newer one, "
            "docs/architecture.md says how to add a route. check_flatpeak says whether the account is on another release.",
            "“other” are names that are no words: the list of conversations has them as last routes.",
        ],
    )


def deletions(now: datetime) -> Matter:
    late = Erasure.objects.here().filter(done_at=None, requested_at__lte=now - DAY)
    return Matter(
        "Deletions that FlatPeak has not made for over a day",
        *first(
            late.order_by("requested_at"),
            lambda row: Case(row.kind, change(row), row.requested_at, word(row.last_result)),
        ),
        listed(Erasure, done_at__isnull=1, requested_at__lte=now - DAY),
        [
            "A customer was promised this. See that a worker runs, or erase_pending by cron; with the code unavailable, that "
            "FlatPeak can be reached (check_flatpeak).",
            f"{KEY_MISSING}: the token of a deleted conversation is encrypted with a key that is missing in TOKEN_KEYS. Put "
            "that key back, behind the present one: FlatPeak still has the location, whose id is not known.",
            "With another code FlatPeak refuses: have its support delete the id that stands in the record.",
        ],
        late,
    )


@require_http_methods(["GET", "HEAD", "POST"])
def attention(request: HttpRequest) -> HttpResponse:
    """Each kind with its oldest cases, by eleven queries whatever there is; a POST tries all of a kind again."""
    must_view(request, ConnectSession, Tariff, Erasure)
    now = timezone.now()
    matters = [of(now) for of in (exchanges, rates, unread, mails, unknown_routes, deletions)]
    if request.method == "POST":
        for matter in matters:
            if matter.again is not None and request.POST.get("again") == matter.name:
                if not request.user.has_perm(f"{matter.again.model._meta.app_label}.change_{matter.name}"):
                    raise PermissionDenied
                messages.info(request, f"{matter.title}: {matter.again.try_again():,} are due now.")
        return redirect("admin:connect_ui_attention")
    context = admin.site.each_context(request) | {
        "title": "What needs somebody",
        "opts": ConnectSession._meta,
        "matters": [matter for matter in matters if matter.number],
        "fine": [matter.title for matter in matters if not matter.number],
    }
    return TemplateResponse(request, "admin/connect_ui/attention.html", context)
