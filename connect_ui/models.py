from typing import Any

from django.conf import settings
from django.db import models
from django.db.models.signals import pre_delete
from django.dispatch import receiver
from django.utils import timezone
from django.utils.crypto import constant_time_compare

from flatpeak_app.web import vault
from tariffs.flatpeak import release
from tariffs.models import Erasure, ExactJSONField, Location, Tariff
from tariffs.queue import Queued

from . import routes

OTHER = "other"  # in the place of a name that is not to be counted by itself


class ConnectSession(Queued):
    """One conversation with Connect: who leads it, where it stands, and what became of it.

    It is due when its exchange is owed. Its claim is that of an answer too: one at a time is under way.
    """

    class State(models.TextChoices):
        OPEN = "open"
        OWED = "owed", "exchange owed"
        CONNECTED = "connected"
        DISCONNECTED = "disconnected"
        EXPIRED = "expired"
        CONFLICT = "conflict", "belongs to another user"

    class Login(models.TextChoices):
        """Of the present token, which whoever has the link to a provider's login has too."""

        NONE = "", "no link was given out"
        AWAY = "away", "waits for the browser that signs in"
        ASKED = "asked", "waits for the yes of another browser, which signed in"
        AGREED = "agreed", "may go on, by that browser's yes"
        SPOILT = "spoilt", "more than one other browser came back: only another token leads on"
        BACK = "back", "may go on"

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="connect_sessions")
    location = models.ForeignKey(Location, models.SET_NULL, null=True, blank=True, related_name="connect_sessions")
    tariff = models.ForeignKey(Tariff, models.SET_NULL, null=True, blank=True, related_name="connect_sessions")
    # The digest stays when the token is gone: FlatPeak may send a browser back with it at any time.
    token_digest = models.CharField(max_length=64, unique=True, editable=False)
    encrypted_token = models.TextField(blank=True, editable=False)
    expires_at = models.DateTimeField()
    direction = models.CharField(max_length=10)
    type = models.CharField(max_length=20, default="COMMODITY")
    country_code = models.CharField(max_length=2, blank=True)
    provider = models.CharField(max_length=300, blank=True)
    # The provider's name as FlatPeak's list has it, OTHER for one that came otherwise; "" before there is one.
    listed_provider = models.CharField(max_length=300, default="", editable=False)
    # Names typed in a search that found nothing, by the field that asks for them later: {"provider": …, "tariff": …}
    not_listed = models.JSONField(default=dict, editable=False)

    state = models.CharField(max_length=20, choices=State.choices, default=State.OPEN)
    newest = models.PositiveIntegerField("pages seen", default=0)
    last_route = models.CharField(max_length=100, blank=True)
    last_error_code = models.CharField(max_length=100, blank=True)
    last_error_route = models.CharField(max_length=100, default="", editable=False)
    doubtful = models.BooleanField(default=False, editable=False)  # Connect may have taken an answer whose own was lost
    due_at = models.DateTimeField(null=True, blank=True, editable=False)
    login = models.CharField(max_length=10, choices=Login.choices, default="", editable=False)
    # Of the secret in the address that a login returns to, which FlatPeak alone is told; "" for tokens from before it.
    return_digest = models.CharField(max_length=64, default="", editable=False)

    started_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    counted = models.BooleanField(default=False, editable=False)  # in FunnelCount

    OWED = ("state", "due_at", "attempts")
    ENDED = ("state", "ended_at", "encrypted_token", "due_at")
    PUT_OFF = ("due_at", "attempts", "last_result")
    ERROR = ("last_error_code", "last_error_route")
    TOKEN = ("token_digest", "encrypted_token", "expires_at", "return_digest", "login")
    DECLINED = "login_declined"  # the error's code, where another browser's no ended it
    _decrypted = ("", "")  # the encrypted token that was decrypted last, and its token

    class Meta(Queued.Meta):
        indexes = [
            *Queued.Meta.indexes,
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
        """Empty once the conversation is over, or if no key can decrypt it. A step needs it twice, and decrypts it once."""
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
    def unfinished(cls, user: Any) -> models.QuerySet["ConnectSession"]:
        """The three newest conversations that a user can go on with, with what a list says of them."""
        states = [cls.State.OPEN, cls.State.OWED]
        mine = cls.objects.here().filter(user=user, state__in=states, expires_at__gt=timezone.now())
        return mine.order_by("-started_at").only("state", "provider", "started_at")[:3]

    @property
    def is_open(self) -> bool:
        return self.state == self.State.OPEN and self.is_here

    @property
    def is_at_login(self) -> bool:
        return routes.row(self.last_route).kind is routes.Kind.REDIRECT

    @property
    def is_held(self) -> bool:
        """Whether it must not go on with its token, for what Connect has may be of somebody else's login."""
        held = self.login in (self.Login.AWAY, self.Login.ASKED, self.Login.SPOILT) or (
            self.is_at_login and not self.return_digest
        )
        return self.state == self.State.OPEN and held

    @property
    def is_stopped(self) -> bool:
        """Whether another browser came back from the login, so that the owner's browser alone leads on by another token."""
        return self.state == self.State.OPEN and self.login in (self.Login.ASKED, self.Login.SPOILT)

    @property
    def may_leave(self) -> bool:
        """Whether the link to the login in view may be followed: nobody has come back from one with this token yet."""
        return self.is_open and self.is_at_login and bool(self.return_digest) and self.login in ("", self.Login.AWAY)

    @property
    def was_declined(self) -> bool:
        return self.last_error_code == self.DECLINED

    def made_return(self, secret: str) -> bool:
        """Whether this is the secret of the address that its login returns to."""
        return bool(secret) and any(
            constant_time_compare(self.return_digest, digest) for digest in vault.digests(secret)
        )

    @property
    def is_busy(self) -> bool:
        """Whether an answer is under way."""
        return self.is_claimed(timezone.now())

    def claim(self, held: bool = False) -> bool:  # type: ignore[override]
        """Take the session for one answer, unless another request has it or has changed it since it was read.

        `updated_at` tells that: whoever changes where a session stands sets it, or its state. A session that is held is
        claimed only with `held`, by a caller that sends nothing with the present token.
        """
        before = self.claimed_until
        as_read = {name: getattr(self, name) for name in ("claimed_until", "state", "updated_at")}
        if self.is_busy or (self.is_held and not held) or not super().claim(**as_read):
            return False
        # Whoever held the claim before did not get to give it back: what Connect made of that answer is not known.
        self.doubtful = self.doubtful or before is not None
        return True

    def keep(self, *fields: str, **given: Any) -> bool:
        """Write these columns, and values that are given; False, which is no error, if the session is no longer held.

        It was deleted while a call was under way, or that took so long that somebody else has taken the claim over.
        """
        self.updated_at = timezone.now()
        values = {name: getattr(self, name) for name in (*fields, "doubtful", "updated_at")} | given
        return bool(ConnectSession.objects.filter(pk=self.pk, claimed_until=self.claimed_until).update(**values))

    def release(self, *fields: str) -> bool:
        """Give the claim back, and write these columns; see `keep`."""
        kept = self.keep(*fields, claimed_until=None)
        self.claimed_until = None
        return kept

    def note_error(self, code: str, route: str) -> None:
        """What FlatPeak refused last, and on which page. The caller saves ERROR with it."""
        self.last_error_code, self.last_error_route = code[:100], route

    def owe_exchange(self) -> None:
        """Note that the exchange is owed, and due when the claim ends if nobody gets to it. The caller saves OWED with it."""
        self.state, self.due_at, self.attempts = self.State.OWED, self.claimed_until, 1

    def end(self, state: str) -> None:
        """The state it ends in; the token is of no more use, and wiped. The caller saves ENDED with it."""
        self.state, self.ended_at, self.encrypted_token, self.due_at = state, timezone.now(), "", None


@receiver(pre_delete, sender=ConnectSession)
def conversation_goes(instance: ConnectSession, **signal: Any) -> None:
    """Where an exchange is owed, FlatPeak has something whose id nobody knows: learn it, and delete it there, later.

    Runs within the transaction of the deletion, whatever caused that.
    """
    if instance.location_id:  # locks in the same order as the deletion of a location, or the two could deadlock
        Location.objects.select_for_update().filter(pk=instance.location_id).first()
    if instance.state == ConnectSession.State.OWED and instance.encrypted_token and instance.is_still_stored():
        Erasure.owe(Erasure.Kind.CONVERSATION, instance.token_digest, instance, instance.encrypted_token)


class Page(models.Model):
    """One JSON object from Connect, in order, and the customer's answer to it.

    `route` is our name of it, FlatPeak's where the table has none. `body` is as it came, without the connect token. `answer`
    is `{"data": …}` or `{"action": …}`, in our names. `typed` has the form's own fields, so that going back shows what was
    entered. `led_to` and `came_from` are numbers of pages.
    """

    session = models.ForeignKey(ConnectSession, models.CASCADE, related_name="pages")
    number = models.PositiveIntegerField()
    route = models.CharField(max_length=100)
    body = ExactJSONField()
    answer = ExactJSONField(null=True)
    typed = models.JSONField(default=dict)
    came_from = models.PositiveIntegerField(null=True)
    led_to = models.PositiveIntegerField(null=True)
    shown_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["session", "number"], name="page_once")]

    def __str__(self) -> str:
        return f"{self.number} {self.route}"

    @property
    def data(self) -> dict[str, Any]:
        return self.body.get("data") or {}

    def part(self, name: str) -> dict[str, Any]:
        """The object that `data` has under a name; empty if it has none."""
        found = self.data.get(name)
        return found if isinstance(found, dict) else {}

    def parts(self, name: str) -> list[dict[str, Any]]:
        """The objects in the list that `data` has under a name; none if it has no list."""
        found = self.data.get(name)
        return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []

    @property
    def row(self) -> routes.Route:
        return routes.row(self.route)

    @property
    def actions(self) -> list[str]:
        """What the page offers, in our names."""
        if "actions" not in self.body:
            return [] if self.row.kind is routes.Kind.QUESTION else self.row.actions
        actions = self.body["actions"]
        listed = [action for action in actions if isinstance(action, str)] if isinstance(actions, list) else []
        return [release.SPOKEN.actions.ours(action) for action in listed]

    @property
    def redirect_url(self) -> str:
        url = self.data.get("redirect_uri") or self.data.get("redirect_url")
        return url if isinstance(url, str) else ""
