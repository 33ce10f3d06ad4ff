"""Growth per week: new customers, and tariffs that were connected and disconnected."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple

from django.db.models import Count, Exists, OuterRef, QuerySet
from django.db.models.functions import TruncWeek

from connect_ui.models import ConnectSession
from flatpeak_app.accounts.models import User
from tariffs.models import Tariff

WEEKS = 12
TOKEN = timedelta(days=2)  # a conversation lasts for a day at most


class Week(NamedTuple):
    """A week from Monday on, in UTC; the last one is under way."""

    begin: date
    customers: int
    connected: int
    disconnected: int


def weeks(now: datetime) -> list[Week]:
    """The last WEEKS weeks, the newest first, by three queries. Who has deleted the account since is not in them."""
    this = now.astimezone(UTC).date() - timedelta(days=now.astimezone(UTC).weekday())
    begins = [this - timedelta(weeks=n) for n in range(WEEKS)]
    since = datetime(begins[-1].year, begins[-1].month, begins[-1].day, tzinfo=UTC)
    connected = ConnectSession.objects.here().filter(state=ConnectSession.State.CONNECTED, tariff__isnull=False)
    before = ConnectSession.objects.filter(
        tariff=OuterRef("tariff"), state=ConnectSession.State.CONNECTED, ended_at__lt=OuterRef("ended_at")
    )
    # A tariff counts when it is connected for the first time, not when it is changed.
    first = connected.filter(started_at__gte=since - TOKEN, ended_at__gte=since).exclude(Exists(before))
    customers = per_week(User.objects.filter(is_staff=False, date_joined__gte=since), "date_joined")
    tariffs = per_week(first, "ended_at")
    gone = Tariff.objects.here().filter(state=Tariff.State.DISCONNECTED, state_since__gte=since)
    ended = per_week(gone, "state_since")
    return [Week(begin, customers.get(begin, 0), tariffs.get(begin, 0), ended.get(begin, 0)) for begin in begins]


def per_week(rows: QuerySet[Any], moment: str) -> Mapping[date, int]:
    counts = rows.order_by().annotate(week=TruncWeek(moment, tzinfo=UTC)).values_list("week").annotate(Count("pk"))
    return {week.date(): number for week, number in counts}
