"""What customers say about a price that they take for wrong, for the operator alone: FlatPeak is not told."""

from datetime import datetime
from decimal import Decimal

from django.db import models
from django.db.models import Q
from django.utils import timezone

from .exact import ExactJSONField
from .realm import FlatPeakObject


class WrongPrice(FlatPeakObject):
    """One customer's sentence about one price of a day.

    `segment` is a copy of what was stored, as `rates.dump` writes it, joined while the price stays the same: the stored
    rates and the tariff's name may change. Of one price there is one report at a time. A second sentence replaces the first
    until somebody has dealt with it.
    """

    MOST_OPEN = 20  # of one customer

    tariff = models.ForeignKey("Tariff", models.CASCADE, related_name="wrong_prices")
    named = models.CharField("tariff then", max_length=602)
    day = models.DateField()
    starts_at = models.DateTimeField()
    segment = ExactJSONField()
    fetched_at = models.DateTimeField()  # when FlatPeak told this price
    said = models.CharField(max_length=300)
    reported_at = models.DateTimeField(default=timezone.now)
    dealt_with_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tariff", "starts_at"], condition=Q(dealt_with_at=None), name="wrong_price_once"
            )
        ]
        indexes = [
            models.Index(
                fields=["account", "live_mode", "reported_at"], condition=Q(dealt_with_at=None), name="wrong_price_open"
            ),
        ]

    def __str__(self) -> str:
        return f"price of {self.starts_at:%Y-%m-%d %H:%M} UTC"

    @property
    def ends_at(self) -> datetime:
        return datetime.fromisoformat(self.segment[1])

    @property
    def rate(self) -> Decimal:
        """In major units of the currency per kWh."""
        return Decimal(self.segment[2])
