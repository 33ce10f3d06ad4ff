"""Where customers leave: how many conversations reached each route, and how many ended there without a connection.

A conversation is written to `FunnelCount` once: by `purge_sessions` after it ended, or when it is deleted. Until then its
own rows are counted whenever somebody looks. So an answer to a customer costs nothing, and the page is right even if
`purge_sessions` has not run for a week. Whoever counts a conversation locks its row and sets `counted` in the same
transaction: it is counted once, and a killed run leaves nothing half done.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import (
    CharField,
    Count,
    DurationField,
    ExpressionWrapper,
    F,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Sum,
    Value,
)
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Coalesce, Least, TruncDate
from django.db.models.signals import pre_delete
from django.dispatch import receiver
from django.utils import timezone

from connect_ui.models import OTHER, ConnectSession, Page
from connect_ui.routes import Kind, named
from tariffs.flatpeak import word

from .models import FunnelCount

State = ConnectSession.State
OF_SESSION = ("account", "live_mode", "direction", "country_code", "listed_provider")
KEY = (*OF_SESSION, "day", "route", "code")
BATCH = 500  # conversations counted in one transaction
NONE = "none"  # the code when Connect stopped without one
LONGEST = timedelta(minutes=30)  # counted of a page that somebody left open

Sums = dict[tuple[Any, ...], tuple[int, int]]
Times = dict[tuple[Any, ...], tuple[int, timedelta]]  # pages answered, and after how long in all


def count(pks: Sequence[UUID]) -> None:
    """Write these to FunnelCount, except those counted or deleted already; waits for locks on their rows."""
    with transaction.atomic():
        free = ConnectSession.objects.select_for_update().filter(pk__in=pks, counted=False)
        mine = ConnectSession.objects.filter(pk__in=list(free.values_list("pk", flat=True)))
        # End the claim, so that an answer that hung meanwhile can't change a counted conversation.
        mine.update(counted=True, claimed_until=None)
        spent = add_up_times([times_of(mine, *KEY[:-1])])
        FunnelCount.objects.bulk_create(
            FunnelCount(
                **dict(zip(KEY, key, strict=True)), reached=reached, left=left, answered=answered, waited=waited
            )
            for key, (reached, left) in add_up(steps(mine, *KEY)).items()
            for answered, waited in [(0, timedelta()) if key[-1] else spent.get(key[:-1], (0, timedelta()))]
        )


@receiver(pre_delete, sender=ConnectSession)  # connected by the admin, which imports this module at every start
def count_before_it_goes(instance: ConnectSession, **signal: Any) -> None:
    """Count within the transaction of the deletion, which may be of the account or in the admin."""
    if not instance.counted:
        count([instance.pk])


def count_ended() -> int:
    """Close conversations whose token has expired, count all that ended, and return how many were closed.

    Skips those that are locked or claimed: somebody else counts or deletes them, or an answer is under way.
    """
    now, closed = timezone.now(), 0
    ended = {"state": State.EXPIRED, "ended_at": now, "encrypted_token": ""}  # nosec B105  # wiped
    free = Q(claimed_until=None) | Q(claimed_until__lte=now)
    over = ~Q(state__in=[State.OPEN, State.OWED]) | (Q(state=State.OPEN, due_at=None, expires_at__lte=now) & free)
    while True:
        with transaction.atomic():
            unlocked = ConnectSession.objects.select_for_update(skip_locked=True).filter(over, counted=False)
            pks = list(unlocked.order_by("started_at").values_list("pk", flat=True)[:BATCH])
            closing = ConnectSession.objects.filter(pk__in=pks, state=State.OPEN)
            for session in closing:
                if session.may_have_tariff:
                    session.owe_erasure()
            closed += closing.update(**ended)
            count(pks)
        if len(pks) < BATCH:
            return closed


def steps(sessions: QuerySet[ConnectSession], *by: str) -> list[QuerySet[Any]]:
    """Return the queries that `add_up` sums for these conversations; `by` are names in KEY that end with route and code."""
    pages = Page.objects.filter(session__in=sessions)
    # An open one counts as left once its token has expired, or if it is counted, because then it is being deleted.
    over = Q(state=State.OPEN) & (Q(expires_at__lte=timezone.now()) | Q(counted=True))
    # Whoever leaves at a location has its tariff already.
    left = sessions.filter(over | Q(state__in=[State.EXPIRED, State.CONFLICT]) | Q(state=State.LEFT, location=None))
    refused = sessions.exclude(last_error_code="")
    stopped = pages.filter(route__in=named(kind=Kind.ERROR))
    nothing, none = Value("", CharField()), Sum(Value(0), default=0)
    code = Coalesce(KeyTextTransform("error_code", "body"), Value(NONE), output_field=CharField())

    def rows(of: QuerySet[Any], route: Any, code: Any, reached: Any, left: Any) -> QuerySet[Any]:
        to = "session__" if of.model is Page else ""
        key = {name: F(to + name) for name in OF_SESSION} | {"day": TruncDate(f"{to}started_at")}
        key |= {"route": route, "code": code}
        named = of.order_by().annotate(**{f"key_{name}": key[name] for name in by})
        return named.values_list(*(f"key_{name}" for name in by)).annotate(key_reached=reached, key_left=left)

    one, session = Count("pk"), Count("session", distinct=True)
    return [
        rows(sessions, nothing, nothing, one, none),
        rows(pages, F("route"), nothing, session, none),
        rows(left, F("last_route"), nothing, none, one),
        rows(refused, F("last_error_route"), F("last_error_code"), one, none),
        rows(stopped, F("route"), code, session, none),
    ]


def times_of(sessions: QuerySet[ConnectSession], *by: str) -> QuerySet[Any]:
    """Return the query of how many pages were answered, and after how long; `by` are names in KEY that end with route.

    A page is answered when the next one of its conversation is stored.
    """
    next_page = Page.objects.filter(session=OuterRef("session"), number=OuterRef("number") + 1)
    waited = ExpressionWrapper(Subquery(next_page.values("shown_at")[:1]) - F("shown_at"), DurationField())
    key = {name: F(f"session__{name}") for name in OF_SESSION} | {
        "day": TruncDate("session__started_at"),
        "route": F("route"),
    }
    pages = Page.objects.filter(session__in=sessions, number__lt=F("session__newest")).order_by()
    named = pages.annotate(**{f"key_{name}": key[name] for name in by}).values_list(*(f"key_{name}" for name in by))
    return named.annotate(key_answered=Count("pk"), key_waited=Sum(Least(waited, Value(LONGEST, DurationField()))))


def add_up_times(queries: Iterable[QuerySet[Any]]) -> Times:
    """Return the pages answered and the time by key, with OTHER for routes that are no words; by one query."""
    first, *others = queries
    found: Times = {}
    for *key, route, answered, waited in first.union(*others, all=True) if others else first:
        of = (*key, word(route) or OTHER)
        before = found.get(of, (0, timedelta()))
        found[of] = before[0] + answered, before[1] + (waited or timedelta())
    return found


def add_up(queries: Iterable[QuerySet[Any]]) -> Sums:
    """Return reached and left by key, with OTHER for routes and codes that are no words.

    One query (UNION ALL) reads all, so a conversation that is counted meanwhile is seen once.
    """
    first, *others = queries
    sums: Sums = {}
    for *key, route, code, reached, left in first.union(*others, all=True):
        of = (*key, *(name and (word(name) or OTHER) for name in (route, code)))
        before = sums.get(of, (0, 0))
        if reached or left:  # a query that groups by nothing returns a row of zeros for no conversations
            sums[of] = before[0] + reached, before[1] + left
    return sums


def sums(*by: str, since: date, **kind: str) -> Sums:
    """Sum the conversations begun since a day (UTC) in the account and mode in use; `kind` filters by names in OF_SESSION."""
    by = (*by, "route", "code")
    kept, now = begun_since(since, kind)
    return add_up([kept.values_list(*by).annotate(Sum("reached"), Sum("left")), *steps(now, *by)])


def times(since: date, **kind: str) -> Times:
    """How many pages of each route were answered, and after how long in all; of the same conversations as `sums`."""
    kept, now = begun_since(since, kind)
    of_route = kept.filter(code="").exclude(route="").values_list("route").annotate(Sum("answered"), Sum("waited"))
    return add_up_times([of_route, times_of(now, "route")])


def begun_since(since: date, kind: dict[str, str]) -> tuple[QuerySet[FunnelCount], QuerySet[ConnectSession]]:
    """What is counted, and what has still to be."""
    begin = datetime.combine(since, time(), UTC)
    kept = FunnelCount.objects.here().filter(day__gte=since, **kind).order_by()
    return kept, ConnectSession.objects.here().filter(counted=False, started_at__gte=begin, **kind)
