from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models.signals import pre_delete
from django.dispatch import receiver
from django.utils import timezone
from django.utils.functional import cached_property

from flatpeak_app.web import vault
from tariffs.flatpeak import ZERO, Release, of
from tariffs.models import DIRECTIONS, Erasure, Event, Location, Tariff

from . import routes
from .claim import Claimable
from .page import Page as Page  # Django looks for models here
from .popular import PopularProviders as PopularProviders

OTHER = "other"  # stands for names that the funnel does not count one by one
SILENCE = timedelta(hours=1)  # after which a conversation whose tariff FlatPeak has stored is settled
UNSETTLED = models.Q(state="owed") | models.Q(state="open", due_at__isnull=False)


class ConnectSession(Claimable):
    """One conversation with Connect: whose it is, where it stands, and what became of it.

    It is due when its exchange is owed. An open one is due too once FlatPeak has stored the tariff (`Route.is_stored`): it
    is settled after an hour of silence, because a customer who closes the browser then is done. The claim also serializes
    answers: one at a time is under way.
    """

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="connect_sessions")
    location = models.ForeignKey(Location, models.SET_NULL, null=True, blank=True, related_name="connect_sessions")
    tariff = models.ForeignKey(Tariff, models.SET_NULL, null=True, blank=True, related_name="connect_sessions")
    # The digest outlives the token, because FlatPeak may send a browser back with the token at any time.
    token_digest = models.CharField(max_length=64, unique=True, editable=False)
    encrypted_token = models.TextField(blank=True, editable=False)
    flatpeak_version = models.CharField(
        "release", max_length=64, default=ZERO.version, db_default=ZERO.version, editable=False
    )
    expires_at = models.DateTimeField()
    direction = models.CharField(max_length=10, choices=DIRECTIONS)
    type = models.CharField(max_length=20, default="COMMODITY")
    country_code = models.CharField(max_length=2, blank=True)
    provider = models.CharField(max_length=300, blank=True)
    # The provider's name in FlatPeak's list, OTHER if it is in no list, "" before one is known.
    listed_provider = models.CharField(max_length=300, default="", editable=False)
    # What was searched for in vain, by the subject of a later question: {"provider": …, "tariff": …}
    not_listed = models.JSONField(default=dict, editable=False)

    newest = models.PositiveIntegerField("pages seen", default=0)
    # The page, by its number, that a changed answer leads back to: the earlier answers are given again until there.
    returns_to = models.PositiveIntegerField(null=True, editable=False)
    last_error_code = models.CharField(max_length=100, blank=True)
    last_error_route = models.CharField(max_length=100, default="", editable=False)
    due_at = models.DateTimeField(null=True, blank=True, editable=False)

    started_at = models.DateTimeField(auto_now_add=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    counted = models.BooleanField(default=False, editable=False)  # in FunnelCount

    DECLINED = "login_declined"  # as an error code: another browser's "no" ended the session
    _decrypted = ("", "")  # the encrypted token that was decrypted last, and its token

    class Meta(Claimable.Meta):
        verbose_name = "conversation"
        indexes = [
            *Claimable.Meta.indexes,
            models.Index(fields=["user", "-started_at"], name="session_of_user"),
            models.Index(fields=["state", "id"], name="session_state"),
            models.Index(fields=["started_at"], name="session_begun"),
            models.Index(fields=["started_at"], condition=models.Q(counted=False), name="session_uncounted"),
            # For the admin, which searches for the beginning of a code.
            models.Index(fields=["last_error_code"], name="session_error", opclasses=["varchar_pattern_ops"]),
        ]

    def __str__(self) -> str:
        return f"{self.id}"

    @property
    def connect_token(self) -> str:
        """The token; empty once the conversation is over, or if no key decrypts it. Cached, as a step needs it twice."""
        if self._decrypted[0] != self.encrypted_token:
            self._decrypted = self.encrypted_token, vault.decrypted(self.encrypted_token)
        return self._decrypted[1]

    @connect_token.setter
    def connect_token(self, token: str) -> None:
        self.token_digest, self.encrypted_token = vault.digests(token)[0], vault.encrypted(token)

    @classmethod
    def of_token(cls, token: str) -> "ConnectSession | None":
        return cls.objects.filter(token_digest__in=vault.digests(token)).first()

    @classmethod
    def unfinished(cls, user: Any) -> models.QuerySet["ConnectSession", dict[str, Any]]:
        """What a list says of the three newest conversations that a user can go on with."""
        states = [cls.State.OPEN, cls.State.OWED]
        mine = cls.objects.here(user=user, state__in=states, expires_at__gt=timezone.now())
        return mine.order_by("-started_at").values("pk", "state", "provider", "started_at", "due_at")[:3]

    @property
    def spoken(self) -> Release:
        """The release that its token was made in, which all its calls use."""
        return of(self.flatpeak_version)

    @cached_property
    def is_connected(self) -> bool:
        """Whether its location has a connected tariff in its direction."""
        if not self.location_id:
            return False
        here = Tariff.objects.filter(location=self.location_id, direction=self.direction)
        return here.exclude(state=Tariff.State.DISCONNECTED).exists()

    @property
    def is_unsettled(self) -> bool:
        """Whether FlatPeak may have a tariff of which nothing is stored here."""
        return self.state == self.State.OWED or (self.state == self.State.OPEN and self.due_at is not None)

    @property
    def may_have_tariff(self) -> bool:
        """Whether FlatPeak may have a tariff of which nothing is stored here, though no page has told of one.

        An answer may have been lost, or a login was not come back from.
        """
        if self.is_unsettled or self.state != self.State.OPEN or self.location_id:
            return self.is_unsettled
        killed = self.claimed_until is not None and not self._read  # whoever claimed it
        return (killed or self.doubtful or self.is_held) and routes.connects_early(self.spoken.name)

    def watch(self) -> None:
        """Settle an open conversation after an hour without a request, and in any case before its token expires."""
        self.due_at, self.attempts = min(timezone.now() + SILENCE, self.expires_at - SILENCE / 4), 0

    def seen(self) -> None:
        """Note a request of the customer's. One in ten minutes is written, which is how often an open page asks."""
        before = self.due_at
        if self.state != self.State.OPEN or before is None or self.is_busy:
            return
        self.watch()
        if self.due_at and self.due_at - before >= SILENCE / 8:
            ConnectSession.objects.filter(pk=self.pk, due_at=before, claimed_until=self.claimed_until).update(
                due_at=self.due_at, attempts=0
            )

    def keep(self, **given: Any) -> bool:
        ends = self.is_over and self.state != self._read["state"]
        kept = super().keep(**given)
        if kept and ends:
            self.forget_typed()
        return kept

    def release(self) -> bool:  # type: ignore[override]
        if self.state == self.State.OPEN and self.due_at and self.due_at == self.claimed_until:
            self.watch()  # the claim had moved it
        return super().release()

    def forget_typed(self) -> None:
        """Delete what was typed, which nobody needs after the end. Connect's own pages stay for KEEP_TYPED_DAYS."""
        self.pages.update(typed={})
        self.pages.filter(answer__has_key="data").update(answer=None)

    def note_error(self, code: str, route: str) -> None:
        """Note what FlatPeak refused last, and on which page."""
        self.last_error_code, self.last_error_route = code[:100], route

    def owe_exchange(self) -> None:
        """Note that the exchange is owed. It is due when the claim ends, unless it is made before."""
        self.state, self.due_at, self.attempts = self.State.OWED, self.claimed_until, 1

    def owe_erasure(self, **when: datetime) -> None:
        """Have FlatPeak delete what the conversation may have made, of which nothing is stored here; `due_at` puts it off."""
        token = {"encrypted_token": self.encrypted_token, "flatpeak_version": self.flatpeak_version}
        Erasure.owe(Erasure.Kind.CONVERSATION, self.token_digest, self, **token, **when)

    @property
    def may_be_discarded(self) -> bool:
        """Whether nothing is connected yet."""
        return self.state == self.State.OPEN and self.due_at is None

    def expire(self) -> None:
        """End the session with its token."""
        self.give_up(self.State.EXPIRED)

    def give_up(self, state: str) -> None:
        """End the session in this state. Nobody comes back to a tariff that FlatPeak may have, so it is erased."""
        if self.may_have_tariff:
            self.owe_erasure()
        self.end(state)

    def end(self, state: str) -> None:
        """End the session in this state, and wipe the token."""
        self.state, self.ended_at, self.encrypted_token, self.due_at = state, timezone.now(), "", None
        if self.is_over:
            self.not_listed = {}


@receiver(pre_delete, sender=ConnectSession)
def conversation_goes(instance: ConnectSession, **signal: Any) -> None:
    """Owe the erasure of what FlatPeak has and we have no id of, because the exchange was not made.

    Runs in the transaction of the deletion, whatever causes it.
    """
    if instance.location_id:  # lock in the same order as the deletion of a location, otherwise the two could deadlock
        Location.objects.select_for_update().filter(pk=instance.location_id).first()
    Event.objects.filter(session=instance.pk).delete()
    if instance.may_have_tariff and instance.encrypted_token and instance.is_still_stored():
        under_way = {"due_at": instance.claimed_until} if instance.is_busy and instance.claimed_until else {}
        instance.owe_erasure(**under_way)
