"""Where customers leave: how many conversations reached each route, and how many ended there unconnected.

A conversation is counted once (`FunnelCount`), when it is final: by `purge_sessions` after its end, or when it is deleted.
`counted` says so. Until then the funnel reads it from its own tables, so nothing has to be corrected if it goes on, today's
are included, and an answer to a customer costs nothing. Whoever counts sets `counted` in the same transaction and locks the
row: of two, one counts, and a run that is killed leaves nothing half done.
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
NONE = "none"  # the code of a stop without one

Sums = dict[tuple[Any, ...], tuple[int, int]]


def count(pks: Sequence[UUID]) -> None:
    """Count these, except those already counted or deleted; waits for locks."""
    with transaction.atomic():
        free = ConnectSession.objects.select_for_update().filter(pk__in=pks, counted=False)
        mine = ConnectSession.objects.filter(pk__in=list(free.values_list("pk", flat=True)))
        # The claim goes, so an answer that is still under way can't change it any more.
        mine.update(counted=True, claimed_until=None)
        FunnelCount.objects.bulk_create(
            FunnelCount(**dict(zip(KEY, key, strict=True)), reached=reached, left=left)
            for key, (reached, left) in add_up(steps(mine, *KEY)).items()
        )


@receiver(pre_delete, sender=ConnectSession)
def count_before_it_goes(instance: ConnectSession, **signal: Any) -> None:
    """Runs in the transaction of the deletion."""
    if not instance.counted:
        count([instance.pk])


def count_ended() -> int:
    """Close the conversations whose token has expired, and count all that are over; returns how many were closed.

    Skips those that are locked by somebody else, and those with an answer under way.
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
    """The queries that count some conversations, for `add_up`; `by` are names of KEY that end with route and code."""
    pages = Page.objects.filter(session__in=sessions)
    # An open one counts as left when its token has expired, or when it is being deleted, which is when it is counted.
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
    """Reached and left by key, whose route and code are words or OTHER; by one query, so all numbers are of one moment."""
    first, *others = queries
    sums: Sums = {}
    for *key, route, code, reached, left in first.union(*others, all=True):
        of = (*key, *(name and (word(name) or OTHER) for name in (route, code)))
        before = sums.get(of, (0, 0))
        if reached or left:  # an aggregate without groups has a row even of nothing
            sums[of] = before[0] + reached, before[1] + left
    return sums


def sums(*by: str, since: date, **kind: str) -> Sums:
    """The sums of all that began since a day (UTC), in the account in use; `kind` filters by columns of OF_SESSION."""
    by = (*by, "route", "code")
    kept = FunnelCount.objects.here().filter(day__gte=since, **kind).order_by().values_list(*by)
    kept = kept.annotate(Sum("reached"), Sum("left"))
    begin = datetime.combine(since, time(), UTC)
    now = ConnectSession.objects.here().filter(counted=False, started_at__gte=begin, **kind)
    return add_up([kept, *steps(now, *by)])
