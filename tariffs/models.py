import json
import uuid
from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import simplejson
from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone


class DecimalDecoder(json.JSONDecoder):
    """Beside simplejson's encoder: what was a Decimal when it was stored is one again, digit for digit."""

    def __init__(self, **options: Any) -> None:
        super().__init__(parse_float=Decimal, **options)


class ExactJSONField(models.JSONField):
    def __init__(self, **options: Any) -> None:
        super().__init__(**(options | {"encoder": simplejson.JSONEncoder, "decoder": DecimalDecoder}))


class RealmQuerySet(models.QuerySet[Any]):
    def here(self) -> "RealmQuerySet":
        """What belongs to the FlatPeak account and mode that the app speaks to now; other ids mean nothing there."""
        return self.filter(account=settings.FLATPEAK_REALM, live_mode=settings.FLATPEAK_LIVE_MODE)


class FlatPeakObject(models.Model):
    """Something that exists at FlatPeak too, in one account and one mode."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    account = models.CharField("FlatPeak account", max_length=100, default="", editable=False)
    live_mode = models.BooleanField(default=False, editable=False)

    objects = RealmQuerySet.as_manager()

    class Meta:
        abstract = True

    def save(self, **options: Any) -> None:
        if self._state.adding and not self.account:
            self.account, self.live_mode = settings.FLATPEAK_REALM, settings.FLATPEAK_LIVE_MODE
        super().save(**options)

    @property
    def is_here(self) -> bool:
        return (self.account, self.live_mode) == (settings.FLATPEAK_REALM, settings.FLATPEAK_LIVE_MODE)


class Customer(FlatPeakObject):
    """A user as FlatPeak knows them; `id` is the reference that we give FlatPeak, `customer_id` what it gives us.

    A user has one, unless FlatPeak itself made two of them.
    """

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="customers")
    customer_id = models.CharField(max_length=100, blank=True, db_index=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["customer_id", "account", "live_mode"], condition=~Q(customer_id=""), name="customer_id_once"
            ),
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
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["location_id", "account", "live_mode"], name="location_id_once")]
        indexes = [models.Index(fields=["customer", "created_at"], name="location_of_customer")]

    def __str__(self) -> str:
        return ", ".join(filter(None, [self.address_line1, self.city, self.post_code])) or self.location_id

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone or "UTC")


class Tariff(FlatPeakObject):
    """A location's contract in one direction and type, and what the last question for its rates was answered."""

    class State(models.TextChoices):
        CONNECTED = "connected"
        PENDING = "pending"
        FAILED = "failed"
        DISCONNECTED = "disconnected"

    class Rates(models.TextChoices):
        NONE = "none", "not asked yet"
        OK = "ok"
        PENDING = "pending"
        FAILING = "failing"

    location = models.ForeignKey(Location, models.CASCADE, related_name="tariffs")
    direction = models.CharField(max_length=10, choices=[("IMPORT", "buys"), ("EXPORT", "sells")])
    type = models.CharField(max_length=20, default="COMMODITY")
    provider = models.CharField(max_length=300, blank=True)
    name = models.CharField(max_length=300, blank=True)
    structure = models.CharField(max_length=30, blank=True)
    contract_end = models.DateField(null=True, blank=True)
    contract_open_ended = models.BooleanField(default=False)
    state = models.CharField(max_length=20, choices=State.choices, default=State.CONNECTED)
    state_since = models.DateTimeField(default=timezone.now)

    rates = models.CharField(max_length=20, choices=Rates.choices, default=Rates.NONE)
    rates_since = models.DateTimeField(default=timezone.now)
    rates_code = models.CharField("last answer", max_length=100, blank=True)
    ask_at = models.DateTimeField("ask again at", default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["location", "direction", "type"], name="tariff_once")]
        indexes = [models.Index(fields=["ask_at", "id"], name="tariff_due")]

    def __str__(self) -> str:
        return ", ".join(filter(None, [self.provider, self.name])) or f"{self.direction} {self.type}"

    def set_state(self, state: str) -> None:
        if state != self.state:
            self.state, self.state_since = state, timezone.now()

    def set_rates(self, rates: str, code: str, ask_at: datetime) -> None:
        """How the last question for rates was answered, and when to ask the next."""
        if rates != self.rates:
            self.rates, self.rates_since = rates, timezone.now()
        self.rates_code, self.ask_at = code, ask_at


class Wait(models.Model):
    """A customer waits for the rates of a pending tariff; deleted when they are told that the rates have arrived.

    A row of its own, because whoever refreshes a tariff may write all its columns, and a mail must not be sent twice.
    """

    tariff = models.OneToOneField(Tariff, models.CASCADE, primary_key=True)
    since = models.DateTimeField()
    told_late_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"since {self.since}"


class RateDay(models.Model):
    """The rates of one tariff on one local day, in the form of `rates.dump`."""

    tariff = models.ForeignKey(Tariff, models.CASCADE, related_name="days")
    day = models.DateField()
    segments = ExactJSONField(default=list)
    fetched_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tariff", "day"], name="rate_day_once")]

    def __str__(self) -> str:
        return f"{self.day}"
