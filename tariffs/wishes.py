"""A mail that a customer wants about a tariff: tomorrow's prices, or that the price is below or above a limit."""

from datetime import date, datetime
from typing import Any

from django.db import models
from django.utils import timezone

from .queue import Queued


class Wish(Queued):
    """One kind of mail about one tariff; due when there may be one to send.

    A row stays when its mail is no longer wanted: its limit is offered again, and `told_day` holds, which is the location's
    day of the last mail, since there is one a day at most. `told_until` is the end of the time beyond the limit that the
    customer knows about.
    """

    class Kind(models.TextChoices):
        TOMORROW = "tomorrow", "tomorrow's prices"
        BELOW = "below", "a price below the limit"
        ABOVE = "above", "a price above the limit"

    tariff = models.ForeignKey("tariffs.Tariff", models.CASCADE, related_name="wishes")
    kind = models.CharField(max_length=20, choices=Kind.choices)
    limit = models.DecimalField(max_digits=24, decimal_places=12, null=True)  # in major units per kWh
    wanted = models.BooleanField(default=True)
    since = models.DateTimeField(default=timezone.now)  # it is, or is no longer, wanted
    told_day = models.DateField(null=True)
    told_until = models.DateTimeField(null=True)

    class Meta(Queued.Meta):
        constraints = [models.UniqueConstraint(fields=["tariff", "kind"], name="wish_once")]

    def __str__(self) -> str:
        return self.get_kind_display()

    @classmethod
    def wake(cls, tariff: Any, now: datetime, but: date | None = None) -> None:
        """Look at its wishes now, since the tariff or its rates have changed, but at none that was told on that day.

        Whoever looks at one already loses the claim.
        """
        wanted = cls.objects.filter(tariff=tariff, wanted=True)
        untold = wanted.exclude(told_day=but) if but else wanted
        untold.update(due_at=now, claimed_until=None, attempts=0)

    @classmethod
    def end(cls, pk: Any) -> bool:
        """The customer no longer wants it. A mail that is being made is not sent; False if there was nothing to end."""
        ended = {"wanted": False, "since": timezone.now(), "due_at": None, "claimed_until": None}
        return bool(cls.objects.filter(pk=pk, wanted=True).update(**ended))
