"""Where customers leave: how many conversations came to each route, and how many ended there unconnected.

A conversation is counted once and for ever (`FunnelCount`) when it is final: by `purge_sessions` after its end, or by its
deletion, if that comes first. Until then it is read from where it is stored, which is what `counted` tells. That is exact
without anything to correct: a conversation that goes on is counted as it stands, today's are seen too, also where
`purge_sessions` has not run for a week, and an answer to a customer costs nothing. Whoever counts one sets `counted` in
the same transaction, and holds its row: of two, one does, and of a run that is killed nothing is left half done.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import CharField, Count, F, Q, QuerySet, Sum, Value
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Coalesce, TruncDate
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
BATCH = 500  # conversations that are counted in one transaction
NONE = "none"  # as a code: Connect stopped without one

Sums = dict[tuple[Any, ...], tuple[int, int]]


def count(pks: Sequence[UUID]) -> None:
    """Count these for ever, but those that somebody has counted or deleted; waits for who is doing so."""
    with transaction.atomic():
        free = ConnectSession.objects.select_for_update().filter(pk__in=pks, counted=False)
        mine = ConnectSession.objects.filter(pk__in=list(free.values_list("pk", flat=True)))
        # Without its claim, whoever froze in the middle of an answer can't change it any more.
        mine.update(counted=True, claimed_until=None)
        FunnelCount.objects.bulk_create(
            FunnelCount(**dict(zip(KEY, key, strict=True)), reached=reached, left=left)
            for key, (reached, left) in add_up(steps(mine, *KEY)).items()
        )


@receiver(pre_delete, sender=ConnectSession)
def count_before_it_goes(instance: ConnectSession, **signal: Any) -> None:
    """Within the transaction of the deletion, whatever caused that."""
    if not instance.counted:
        count([instance.pk])


def count_ended() -> int:
    """Close the conversations whose token has expired, and count all that are over; how many were closed.

    None is waited for that somebody else is counting or deleting, nor one of which an answer is under way.
    """
    now, closed = timezone.now(), 0
    free = Q(claimed_until=None) | Q(claimed_until__lte=now)
    over = ~Q(state__in=[State.OPEN, State.OWED]) | (Q(state=State.OPEN, expires_at__lte=now) & free)
    while True:
        with transaction.atomic():
            unlocked = ConnectSession.objects.select_for_update(skip_locked=True).filter(over, counted=False)
            pks = list(unlocked.order_by("started_at").values_list("pk", flat=True)[:BATCH])
            closed += ConnectSession.objects.filter(pk__in=pks, state=State.OPEN).update(
                state=State.EXPIRED,
                ended_at=now,
                encrypted_token="",  # nosec B106  # wiped
            )
            count(pks)
        if len(pks) < BATCH:
            return closed


def steps(sessions: QuerySet[ConnectSession], *by: str) -> list[QuerySet[Any]]:
    """Queries for what is counted of some conversations, for `add_up`; `by` is of KEY and ends with route and code."""
    pages = Page.objects.filter(session__in=sessions)
    # An open one is left when its time is over, be it closed or not, or when it is counted: it is being deleted then.
    over = Q(state=State.OPEN) & (Q(expires_at__lte=timezone.now()) | Q(counted=True))
    left = sessions.filter(over | Q(state__in=[State.EXPIRED, State.CONFLICT]))
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


def add_up(queries: Iterable[QuerySet[Any]]) -> Sums:
    """Reached and left by key, whose route and code are words or OTHER; by one query, which sees one moment."""
    first, *others = queries
    sums: Sums = {}
    for *key, route, code, reached, left in first.union(*others, all=True):
        of = (*key, *(name and (word(name) or OTHER) for name in (route, code)))
        before = sums.get(of, (0, 0))
        if reached or left:  # a query without a column to group by has a row, where there is nothing too
            sums[of] = before[0] + reached, before[1] + left
    return sums


def sums(*by: str, since: date, **kind: str) -> Sums:
    """Of all that began since a day (UTC), in the account and mode in use; `kind` are values of OF_SESSION."""
    by = (*by, "route", "code")
    kept = FunnelCount.objects.here().filter(day__gte=since, **kind).order_by().values_list(*by)
    kept = kept.annotate(Sum("reached"), Sum("left"))
    begin = datetime.combine(since, time(), UTC)
    now = ConnectSession.objects.here().filter(counted=False, started_at__gte=begin, **kind)
    return add_up([kept, *steps(now, *by)])
