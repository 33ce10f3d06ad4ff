"""What customers run, and whose best time they ask for: what is usual, and what they changed or added."""

from datetime import time
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

NAMES = {
    "dishwasher": _("Dishwasher"),
    "washing-machine": _("Washing machine"),
    "car": _("Car"),
    "heat-pump": _("Heat pump"),
    "water-heater": _("Water heater"),
}
USUAL: dict[str, dict[str, Any]] = {
    "dishwasher": {"minutes": 120, "watt_hours": 1200},
    "washing-machine": {"minutes": 120, "watt_hours": 900},
    "car": {"minutes": 180, "watt_hours": 21000, "ready_by": time(7), "split": True},
    "heat-pump": {"minutes": 240, "watt_hours": 8000, "split": True},
    "water-heater": {"minutes": 180, "watt_hours": 6000, "split": True},
}


class Appliance(models.Model):
    """An appliance of a customer's: one of `NAMES` that they changed, or one of their own, which has a name and no kind.

    `ready_by` is a time of day on the clock of the location that it is asked for.
    """

    MOST_OWN = 20
    LONGEST = 24 * 60  # minutes

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="appliances")
    kind = models.CharField(max_length=20, blank=True)
    name = models.CharField(max_length=40, blank=True)
    minutes = models.PositiveSmallIntegerField()
    watt_hours = models.PositiveIntegerField()
    ready_by = models.TimeField(null=True, blank=True)
    split = models.BooleanField(default=False)  # it may pause, so that it runs in the cheapest parts

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "kind", "name"], name="appliance_once")]

    def __str__(self) -> str:
        return str(NAMES[self.kind]) if self.kind in NAMES else self.name

    @property
    def key(self) -> str:
        """Names it in an address; "new" before it is stored."""
        return self.kind or str(self.pk or "new")

    @property
    def kwh(self) -> Decimal | None:
        return Decimal(self.watt_hours) / 1000 if self.watt_hours else None

    @property
    def kw(self) -> Decimal | None:
        """The power, rounded to the watt; None if that is nothing."""
        if not self.minutes or not self.kwh:
            return None
        return (self.kwh * 60 / self.minutes).quantize(Decimal("0.001"), ROUND_HALF_UP) or None


def usual(kind: str) -> Appliance:
    return Appliance(kind=kind, **USUAL[kind])


def appliances_of(user: Any) -> dict[str, Appliance]:
    """A customer's appliances by key: the usual kinds first, then their own. Without a user the usual ones. One query."""
    found = {kind: usual(kind) for kind in USUAL}
    rows = Appliance.objects.filter(user=user).order_by("pk") if user else ()
    return found | {row.key: row for row in rows}
