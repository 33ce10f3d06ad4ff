import json
import uuid
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from importlib import import_module
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import simplejson
from django.conf import settings
from django.contrib.sessions.models import Session
from django.db import models
from django.db.models import F, Q
from django.db.models.signals import pre_delete
from django.dispatch import receiver
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext

from flatpeak_app.web.indexes import Plain


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
        # In a list, for of a boolean alone SQLite says "NOT live_mode", which goes on in no index.
        return self.filter(account=settings.FLATPEAK_REALM, live_mode__in=[settings.FLATPEAK_LIVE_MODE])

    def in_turn(self) -> Iterator[Any]:
        """Each as it is when its turn comes."""
        for pk in list(self.values_list("pk", flat=True)):
            if (found := self.model.objects.filter(pk=pk).first()) is not None:
                yield found


def zone_named(name: Any) -> ZoneInfo | None:
    """None for what is no time zone, or none that this server's time zone database has."""
    try:
        return ZoneInfo(name) if isinstance(name, str) else None
    except (ZoneInfoNotFoundError, ValueError, OSError):  # the last of a name that is a folder, or too long for a file
        return None


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

    def is_still_stored(self) -> bool:
        """False if somebody has deleted it meanwhile; else nobody else can until the present transaction ends."""
        return type(self).objects.select_for_update().filter(pk=self.pk).exists()


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
    told_at = models.DateTimeField(null=True, editable=False)  # when FlatPeak was asked for what stands above
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
        return ", ".join(filter(None, [self.address_line1, self.city, self.post_code])) or self.location_id

    @property
    def zone(self) -> ZoneInfo | None:
        return zone_named(self.time_zone)

    @property
    def local_zone(self) -> ZoneInfo:
        """Its zone, or UTC while that is not known."""
        return self.zone or ZoneInfo("UTC")


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
        ESTIMATE = "estimate", "an estimate, of confidence 0"
        PENDING = "pending"
        FAILING = "failing"
        ENDED = "ended", "none, as the contract has ended"

    location = models.ForeignKey(Location, models.CASCADE, related_name="tariffs")
    direction = models.CharField(max_length=10, choices=[("IMPORT", "buys"), ("EXPORT", "sells")])
    type = models.CharField(max_length=20, default="COMMODITY")
    provider = models.CharField(max_length=300, blank=True)
    name = models.CharField(max_length=300, blank=True)
    structure = models.CharField(max_length=30, blank=True)
    contract_end = models.DateField(null=True, blank=True)
    contract_open_ended = models.BooleanField(default=False)
    tiered = models.BooleanField(default=False)  # its price rises or falls in steps; rates are the lowest's
    state = models.CharField(max_length=20, choices=State.choices, default=State.CONNECTED)
    state_since = models.DateTimeField(default=timezone.now)

    # Counts the customer's saves: what was asked before one of them is not written after it.
    version = models.PositiveIntegerField(default=0, editable=False)
    rates = models.CharField(max_length=20, choices=Rates.choices, default=Rates.NONE)
    rates_since = models.DateTimeField(default=timezone.now)
    rates_code = models.CharField("last answer", max_length=100, blank=True)
    ask_at = models.DateTimeField("ask again at", default=timezone.now)
    asking_until = models.DateTimeField(null=True, editable=False)  # null: nobody asks at this moment
    pause: float | None = None  # seconds that a 429 to this very object asked for, or a minute; not stored

    class Meta:
        constraints = [models.UniqueConstraint(fields=["location", "direction", "type"], name="tariff_once")]
        indexes = [
            models.Index(
                fields=["account", "live_mode", "ask_at", "id"],
                condition=~Q(state="disconnected"),
                name="tariff_due",
            ),
            models.Index(fields=["rates_since"], condition=Q(rates="failing"), name="tariff_failing"),
            models.Index(fields=["state_since"], condition=Q(state__in=["pending", "failed"]), name="tariff_late"),
            models.Index(fields=["state", "id"], name="tariff_state"),
            models.Index(fields=["rates", "id"], name="tariff_rates"),
        ]

    def __str__(self) -> str:
        return ", ".join(filter(None, [self.provider, self.name])) or gettext("Tariff without a name")

    @property
    def is_read(self) -> bool:
        """Whether this site reads its rates: it is connected, and of the FlatPeak account in use."""
        return self.state != Tariff.State.DISCONNECTED and self.is_here

    def set_state(self, state: str) -> None:
        if state != self.state:
            self.state, self.state_since = state, timezone.now()

    def set_rates(self, rates: str, code: str, ask_at: datetime) -> None:
        """How the last question for rates was answered, and when to ask the next."""
        if rates != self.rates:
            self.rates, self.rates_since = rates, timezone.now()
        self.rates_code, self.ask_at, self.asking_until = code, ask_at, None

    def is_asked_for(self, now: datetime) -> bool:
        """Whether somebody asks for its rates of today and tomorrow at this moment."""
        return self.asking_until is not None and self.asking_until > now

    def days_left(self, now: datetime) -> int | None:
        """Days of the contract after today at its location: 0 on its last, below 0 after it, None without a known end."""
        if not self.contract_end:
            return None
        return (self.contract_end - now.astimezone(self.location.zone or UTC).date()).days

    def is_as_read(self) -> bool:
        """False if the customer has changed or deleted it meanwhile; else nobody can until the present transaction ends."""
        return Tariff.objects.select_for_update().filter(pk=self.pk, version=self.version).exists()

    def read_again(self) -> None:
        """Its columns as they are now; as they were if it is deleted."""
        with suppress(Tariff.DoesNotExist):
            self.refresh_from_db(fields=[field.name for field in self._meta.concrete_fields if not field.is_relation])


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
    """The rates of one tariff on one local day, in the form of `rates.dump`.

    Where the customer has changed the tariff since, `former` is its name of that day, and the rates stay as they are.
    """

    tariff = models.ForeignKey(Tariff, models.CASCADE, related_name="days")
    day = models.DateField()
    segments = ExactJSONField(default=list)
    since = models.DateTimeField(default=timezone.now, editable=False)  # when it was first asked for
    fetched_at = models.DateTimeField()
    ask_at = models.DateTimeField(null=True, editable=False)  # null: what is known stays
    former = models.CharField(max_length=602, blank=True, default="")
    tiered = models.BooleanField(default=False)  # as the tariff was then

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tariff", "day"], name="rate_day_once")]

    def __str__(self) -> str:
        return f"{self.day}"


class Erasure(FlatPeakObject):
    """A customer or location that was deleted here, and that FlatPeak has still to delete, or has deleted.

    No personal data, and nothing that leads to a person: there is no reference to a user, and once FlatPeak has deleted the
    thing, its id gives way to a keyed digest, by which it is still known if an answer that was under way names it again.
    """

    class Kind(models.TextChoices):
        LOCATION = "location"
        CUSTOMER = "customer"
        # A conversation that was over, and whose exchange, which alone tells what it made, was still owed.
        CONVERSATION = "conversation"

    kind = models.CharField(max_length=20, choices=Kind.choices)
    flatpeak_id = models.CharField("FlatPeak's id, or its digest", max_length=100, db_index=True)
    encrypted_token = models.TextField(blank=True, editable=False)  # of a conversation, until it is exchanged
    requested_at = models.DateTimeField(default=timezone.now)
    attempts = models.PositiveIntegerField(default=0)
    try_after = models.DateTimeField(default=timezone.now)
    done_at = models.DateTimeField(null=True, blank=True)
    code = models.CharField("last answer", max_length=100, blank=True)

    class Meta:
        indexes = [models.Index(fields=["try_after"], condition=Q(done_at=None), name="erasure_due")]

    def __str__(self) -> str:
        return f"{self.kind} of {self.requested_at:%Y-%m-%d %H:%M} UTC"

    @classmethod
    def due(cls) -> RealmQuerySet:
        """What FlatPeak is to be asked for by now, oldest first, of the account and mode in use."""
        return cls.objects.here().filter(done_at=None, try_after__lte=timezone.now()).order_by("try_after")

    @classmethod
    def names(cls, *flatpeak_ids: str) -> bool:
        """Whether one of these was deleted here, be FlatPeak through with it or not."""
        return cls.objects.here().filter(flatpeak_id__in=[*flatpeak_ids, *map(digest, flatpeak_ids)]).exists()

    def claim(self, pause: timedelta) -> bool:
        """Take it for one call. The next try is set before the call, so that a run that is killed loses nothing."""
        again = timezone.now() + pause
        mine = Erasure.objects.filter(pk=self.pk, attempts=self.attempts, done_at=None)
        taken = mine.update(attempts=F("attempts") + 1, try_after=again)
        self.attempts, self.try_after = self.attempts + 1, again
        return bool(taken)

    def answered(self, code: str, done: bool) -> None:
        """Write what a call was answered, unless the claim that it was made under has passed to another."""
        self.code = code[:100]
        if done:
            self.flatpeak_id, self.encrypted_token, self.done_at = digest(self.flatpeak_id), "", timezone.now()
        told = {
            name: getattr(self, name) for name in ("code", "flatpeak_id", "encrypted_token", "try_after", "done_at")
        }
        Erasure.objects.filter(pk=self.pk, attempts=self.attempts, done_at=None).update(**told)


def digest(flatpeak_id: str) -> str:
    return salted_hmac("tariffs.erasure", flatpeak_id, algorithm="sha256").hexdigest()


@receiver(pre_delete, sender=Location)
def location_goes(instance: Location, **signal: Any) -> None:
    """Its conversations go with it, and FlatPeak is to delete it, whoever deletes: a customer, the admin or a queryset.

    Sent within the transaction of the deletion, so that there is never one without the other, and by whoever is first.
    """
    if not instance.is_still_stored():
        return
    instance.connect_sessions.all().delete()
    _to_erase(Erasure.Kind.LOCATION, instance.location_id, instance)


@receiver(pre_delete, sender=Customer)
def customer_goes(instance: Customer, **signal: Any) -> None:
    if instance.customer_id and instance.is_still_stored():
        _to_erase(Erasure.Kind.CUSTOMER, instance.customer_id, instance)


def _to_erase(kind: str, flatpeak_id: str, of: FlatPeakObject) -> None:
    Erasure.objects.create(kind=kind, flatpeak_id=flatpeak_id, account=of.account, live_mode=of.live_mode)


def forget_in_admins_log(instance: models.Model, **signal: Any) -> None:
    """The admin's log keeps that something was changed or deleted, and by whom, without its name and what was typed."""
    from django.contrib.admin.models import LogEntry
    from django.contrib.contenttypes.models import ContentType

    content_type = ContentType.objects.get_for_model(instance)
    about = LogEntry.objects.filter(content_type=content_type, object_id=str(instance.pk))
    about.update(object_repr=f"{content_type.model} {instance.pk}", change_message="")


for model in (
    settings.AUTH_USER_MODEL,
    "account.EmailAddress",
    "tariffs.Customer",
    "tariffs.Location",
    "tariffs.Tariff",
    "connect_ui.ConnectSession",
):
    pre_delete.connect(forget_in_admins_log, sender=model, dispatch_uid=f"forget {model}")


def end_their_sessions(instance: Any, **signal: Any) -> None:
    """With an account go its sign-ins, and any browser's session that names its address, as a pending password reset."""
    store = import_module(settings.SESSION_ENGINE).SessionStore
    for session in Session.objects.iterator():
        data = session.get_decoded()
        if data.get("_auth_user_id") == str(instance.pk) or instance.email.lower() in str(data).lower():
            store(session.session_key).delete()


pre_delete.connect(end_their_sessions, sender=settings.AUTH_USER_MODEL)
