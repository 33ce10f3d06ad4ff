"""Rows that something has to be done for: when each is due, who works on it, and when it is tried again."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, Self

from django.db import models
from django.utils import timezone

from .flatpeak import Rejected, total_timeout
from .realm import FlatPeakObject, RealmQuerySet

MINUTE, QUARTER, DAY = timedelta(minutes=1), timedelta(minutes=15), timedelta(days=1)
BATCH = 200  # rows read by one query
UNAVAILABLE = "unavailable"  # as a last result: FlatPeak gave no usable answer


def pause_after(attempts: int, first: timedelta = MINUTE, longest: timedelta = QUARTER) -> timedelta:
    """The back-off of every queue: `first`, twice as long after each further attempt, `longest` at most."""
    return min(first * 2 ** min(max(attempts - 1, 0), 20), longest)


def claim_end() -> datetime:
    """A claim lasts as long as six calls to FlatPeak may take: no row is worked on for longer."""
    return timezone.now() + timedelta(seconds=6 * total_timeout())


class QueueQuerySet(RealmQuerySet):
    def due(self, now: datetime) -> Self:
        """The rows of the account in use that are due, the longest due first."""
        return self.here().filter(due_at__lte=now).order_by("due_at", "pk")

    def each_due(self, now: datetime) -> Iterator[Any]:
        """Iterate over all due rows by one query per batch; each batch begins after the last row of the one before."""
        batch = list(self.due(now)[:BATCH])
        while batch:
            due_at, pk = batch[-1].due_at, batch[-1].pk  # working on a row changes its due_at
            yield from batch
            batch = list(self.due(now).filter(due_at__gte=due_at).exclude(due_at=due_at, pk__lte=pk)[:BATCH])

    def try_again(self) -> int:
        """Make these rows due now and forget their attempts, except those that are claimed or have nothing to do."""
        now = timezone.now()
        waiting = self.filter(due_at__isnull=False).exclude(claimed_until__gt=now)
        return waiting.update(due_at=now, attempts=0)


class Queued(FlatPeakObject):
    """A row of a queue. A claim moves `due_at` to its own end, so the row of a killed worker is due again then."""

    due_at = models.DateTimeField(null=True, blank=True, default=timezone.now)  # null: there is nothing to do
    claimed_until = models.DateTimeField(null=True, editable=False)
    attempts = models.PositiveIntegerField(default=0)  # since the last success
    last_result = models.CharField(max_length=100, blank=True)

    longest_pause = QUARTER
    retry_after: float | None = None  # seconds for which FlatPeak asked to be left alone; not stored

    objects = QueueQuerySet.as_manager()  # type: ignore[misc]

    class Meta:
        abstract = True
        indexes = [
            models.Index(
                fields=["account", "live_mode", "due_at", "id"],
                condition=models.Q(due_at__isnull=False),
                name="%(class)s_due",
            )
        ]

    def is_due(self, now: datetime) -> bool:
        return self.is_here and self.due_at is not None and self.due_at <= now

    def due_after(self, now: datetime) -> datetime | None:
        return self.due_at if self.due_at and self.due_at > now else None

    def is_claimed(self, now: datetime) -> bool:
        return self.claimed_until is not None and self.claimed_until > now

    def claim(self, **as_read: Any) -> bool:
        """Take the row; False if somebody else has it: one of `as_read`, or else `due_at`, is not as it was read."""
        until, waits = claim_end(), self.due_at is not None
        changes = {"due_at": until, "attempts": self.attempts + 1} if waits else {}
        mine = type(self).objects.filter(pk=self.pk, **(as_read or {"due_at": self.due_at}))
        if not mine.update(claimed_until=until, **changes):
            return False
        for name, value in changes.items():
            setattr(self, name, value)
        self.claimed_until = until
        return True

    def succeeded(self, due_at: datetime | None = None, result: str = "") -> None:
        """Note a success, and when there is something to do again. The caller releases."""
        self.attempts, self.last_result, self.due_at = 0, result[:100], due_at

    def put_off(self, result: str, now: datetime, **pause: timedelta) -> None:
        """Note that the attempt came to nothing, and try again after the back-off. The caller releases."""
        wait = pause_after(self.attempts, **{"longest": self.longest_pause} | pause)
        self.last_result, self.due_at = result[:100], now + max(wait, timedelta(seconds=self.retry_after or 0))

    def refused(self, error: Exception, now: datetime) -> None:
        """Put off after a call to FlatPeak that failed, at least for as long as FlatPeak asks."""
        rejected = error if isinstance(error, Rejected) else None
        if rejected:
            self.retry_after = rejected.retry_after or (60 if rejected.status == 429 else None)
        self.put_off((rejected.code or str(rejected.status)) if rejected else UNAVAILABLE, now)

    def release(self, *fields: str) -> bool:
        """Write the outcome and these columns and end the claim; False, and nothing is written, if the claim was lost."""
        held, self.claimed_until = self.claimed_until, None
        names = ("due_at", "claimed_until", "attempts", "last_result", *fields)
        mine = type(self).objects.filter(pk=self.pk, claimed_until=held)
        return bool(mine.update(**{name: getattr(self, name) for name in names}))
