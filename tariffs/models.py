from contextlib import suppress
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext

from flatpeak_app.web.indexes import Plain

from .addresses import PARTS, written
from .appliances import Appliance as Appliance
from .device_keys import DeviceKey as DeviceKey
from .erasures import Erasure as Erasure, digest as digest
from .events import Event as Event  # Django looks for models here
from .exact import ExactJSONField
from .flatpeak import zone_named
from .mails import Mail as Mail
from .queue import Queued
from .realm import FlatPeakObject
from .reminders import Reminder as Reminder
from .wishes import Wish as Wish
from .wrong_prices import WrongPrice as WrongPrice  # and here

DIRECTIONS = [("IMPORT", "buys"), ("EXPORT", "sells")]


class Customer(FlatPeakObject):
    """A user as FlatPeak knows them: `id` is our reference, `customer_id` FlatPeak's. Rarely a user has two."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="customers")
    customer_id = models.CharField(max_length=100, blank=True, db_index=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name, verbose_name_plural = "customer at FlatPeak", "customers at FlatPeak"
        constraints = [
            models.UniqueConstraint(
                fields=["customer_id", "account", "live_mode"], condition=~Q(customer_id=""), name="customer_id_once"
            )
        ]

    def __str__(self) -> str:
        return self.customer_id or f"{self.id}, not known to FlatPeak yet"


class Location(FlatPeakObject):
    """An address with its tariffs; `id` is our reference, `location_id` FlatPeak's."""

    customer = models.ForeignKey(Customer, models.CASCADE, related_name="locations")
    location_id = models.CharField(max_length=100, db_index=True)
    address_line1 = models.CharField(max_length=300, blank=True)
    address_line2 = models.CharField(max_length=300, blank=True)
    city = models.CharField(max_length=300, blank=True)
    state = models.CharField(max_length=300, blank=True)
    post_code = models.CharField(max_length=100, blank=True)
    country_code = models.CharField(max_length=2, blank=True)
    time_zone = models.CharField(max_length=100, blank=True)
    currency_code = models.CharField(max_length=3, blank=True)
    told_at = models.DateTimeField(null=True, editable=False)  # when FlatPeak told the columns above
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["location_id", "account", "live_mode"], name="location_id_once")]
        indexes = [
            models.Index(fields=["customer", "created_at"], name="location_of_customer"),
            models.Index(Plain("address_line1"), name="location_plain_address"),
            models.Index(Plain("city"), name="location_plain_city"),
            models.Index(Plain("post_code"), name="location_plain_post_code"),
        ]

    def __str__(self) -> str:
        return written({name: getattr(self, name) for name in PARTS}) or self.location_id

    @property
    def zone(self) -> ZoneInfo | None:
        return zone_named(self.time_zone)

    @property
    def local_zone(self) -> ZoneInfo:
        """The time zone, UTC while it is not known."""
        return self.zone or ZoneInfo("UTC")


class Tariff(Queued):
    """A location's contract in one direction and type; due when FlatPeak is to be asked for its rates."""

    class State(models.TextChoices):
        CONNECTED = "connected"
        PENDING = "pending"
        FAILED = "failed"
        DISCONNECTED = "disconnected"

    class Rates(models.TextChoices):
        NONE = "none", "not asked yet"
        OK = "ok"
        ESTIMATE = "estimate", "an estimate, of confidence 0"
        PENDING = "pending"
        FAILING = "failing"
        ENDED = "ended", "none, as the contract has ended"

    location = models.ForeignKey(Location, models.CASCADE, related_name="tariffs")
    # FlatPeak's id, which its events name; empty until FlatPeak has told it.
    tariff_id = models.CharField(max_length=100, blank=True, default="", db_default="")
    direction = models.CharField(max_length=10, choices=DIRECTIONS)
    type = models.CharField(max_length=20, default="COMMODITY")
    provider = models.CharField(max_length=300, blank=True)
    logo_url = models.CharField(max_length=500, blank=True, default="", db_default="")
    name = models.CharField(max_length=300, blank=True)
    structure = models.CharField(max_length=30, blank=True)
    contract_end = models.DateField(null=True, blank=True)
    contract_open_ended = models.BooleanField(default=False)
    tiered = models.BooleanField(default=False)  # the price has steps; the rates are those of the lowest
    state = models.CharField(max_length=20, choices=State.choices, default=State.CONNECTED)
    state_since = models.DateTimeField(default=timezone.now)
    upgrade_since = models.DateTimeField(null=True, blank=True)  # since then the provider has a login for it

    # Counts the customer's saves, so an answer to a question from before a save is not stored after it.
    version = models.PositiveIntegerField(default=0, editable=False)
    rates = models.CharField(max_length=20, choices=Rates.choices, default=Rates.NONE)
    rates_since = models.DateTimeField(default=timezone.now)
    levels = ExactJSONField(null=True, editable=False)  # when a price is low or high, see rates/levels.py
    has_wishes = True  # or maybe not: only the worker's query looks

    class Meta(Queued.Meta):
        constraints = [models.UniqueConstraint(fields=["location", "direction", "type"], name="tariff_once")]
        indexes = [
            *Queued.Meta.indexes,
            models.Index(fields=["rates_since"], condition=Q(rates="failing"), name="tariff_failing"),
            models.Index(fields=["state_since"], condition=Q(state__in=["pending", "failed"]), name="tariff_late"),
            models.Index(fields=["contract_end"], condition=Q(contract_end__isnull=False), name="tariff_ends"),
            models.Index(fields=["upgrade_since"], condition=Q(upgrade_since__isnull=False), name="tariff_upgrade"),
            models.Index(fields=["state", "id"], name="tariff_state"),
            models.Index(fields=["rates", "id"], name="tariff_rates"),
        ]

    def __str__(self) -> str:
        return ", ".join(filter(None, [self.provider, self.name])) or gettext("Tariff without a name")

    @property
    def is_read(self) -> bool:
        """Whether this site fetches its rates: it is connected, and belongs to the FlatPeak account in use."""
        return self.state != Tariff.State.DISCONNECTED and self.is_here

    def set_state(self, state: str) -> None:
        if state != self.state:
            self.state, self.state_since = state, timezone.now()

    def set_rates(self, rates: str) -> None:
        """Note what the last question for rates found; another kind of answer begins the back-off anew."""
        if rates != self.rates:
            self.rates, self.rates_since, self.attempts = rates, timezone.now(), 1

    def days_left(self, now: datetime) -> int | None:
        """Days of the contract after today, at its location: 0 on the last day, below 0 later, None without an end."""
        if not self.contract_end:
            return None
        return (self.contract_end - now.astimezone(self.location.zone or UTC).date()).days

    def read_again(self) -> None:
        """Reload the columns; keep the old values if the row is deleted."""
        with suppress(Tariff.DoesNotExist):
            self.refresh_from_db(fields=[field.name for field in self._meta.concrete_fields if not field.is_relation])


class Wait(Queued):
    """A customer who waits for the rates of a pending tariff; due when there may be a mail to send.

    It is a row of its own because a tariff is often written whole, which must not undo that a mail was sent.
    """

    tariff = models.OneToOneField(Tariff, models.CASCADE)
    since = models.DateTimeField()
    told_late_at = models.DateTimeField(null=True)

    LATE = timedelta(hours=48)

    def __str__(self) -> str:
        return f"since {self.since}"

    @classmethod
    def begin(cls, tariff: Tariff, since: datetime) -> None:
        cls.objects.get_or_create(tariff=tariff, defaults={"since": since, "due_at": since + cls.LATE})

    @classmethod
    def wake(cls, tariff: Tariff, now: datetime) -> None:
        """Look at it now, since its tariff has changed; whoever looks at it already looks again."""
        cls.objects.filter(tariff=tariff).update(due_at=now, claimed_until=None, attempts=0)


class RateDay(models.Model):
    """The rates of one tariff on one local day, as `rates.dump` writes them.

    If the customer has changed the tariff since, `former` is the name it had, and the rates are not fetched again.
    """

    tariff = models.ForeignKey(Tariff, models.CASCADE, related_name="days")
    day = models.DateField()
    segments = ExactJSONField(default=list)
    since = models.DateTimeField(default=timezone.now, editable=False)  # the first time it was asked for
    fetched_at = models.DateTimeField()
    ask_at = models.DateTimeField(null=True, editable=False)  # null: not fetched again
    former = models.CharField(max_length=602, blank=True, default="")
    tiered = models.BooleanField(default=False)  # as the tariff was then

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tariff", "day"], name="rate_day_once")]

    def __str__(self) -> str:
        return f"{self.day}"
