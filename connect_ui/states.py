"""Where a conversation stands, and which browser may go on with it."""

from django.db import models
from django.utils.crypto import constant_time_compare

from flatpeak_app.web import vault
from tariffs.queue import Queued

from . import routes


class Standing(Queued):
    """A conversation's state, and the state of its login, which decides who may use its token."""

    class State(models.TextChoices):
        OPEN = "open"
        OWED = "owed", "exchange owed"
        CONNECTED = "connected"
        DISCONNECTED = "disconnected"
        EXPIRED = "expired"
        CONFLICT = "conflict", "belongs to another user"
        LEFT = "left", "left before anything was connected"

    class Login(models.TextChoices):
        """Who may go on with the present token, which whoever has the link to a provider's login knows too."""

        NONE = "", "no link was given out"
        AWAY = "away", "waits for the browser that signs in"
        ASKED = "asked", "waits for the yes of another browser, which signed in"
        AGREED = "agreed", "may go on, because that browser said yes"
        SPOILT = "spoilt", "more than one other browser came back, so a new token is needed"
        BACK = "back", "may go on"

    state = models.CharField(max_length=20, choices=State.choices, default=State.OPEN)
    last_route = models.CharField(max_length=100, blank=True)
    login = models.CharField(max_length=10, choices=Login.choices, default="", editable=False)
    # The digest of the secret in the address that a login returns to.
    return_digest = models.CharField(max_length=64, default="", editable=False)

    class Meta(Queued.Meta):
        abstract = True

    @property
    def is_open(self) -> bool:
        return self.state == self.State.OPEN and self.is_here

    @property
    def is_over(self) -> bool:
        """Whether it has ended and can't go on, not even in a new one with the same answers."""
        return self.state not in (self.State.OPEN, self.State.OWED, self.State.EXPIRED)

    @property
    def is_at_login(self) -> bool:
        return routes.row(self.last_route).kind is routes.Kind.REDIRECT

    @property
    def is_held(self) -> bool:
        """Whether it must not go on with its token, because somebody else may have signed in with it."""
        return self.is_stopped or (self.state == self.State.OPEN and self.login == self.Login.AWAY)

    @property
    def is_stopped(self) -> bool:
        """Whether another browser came back from the login; the owner's browser can only go on with a new token."""
        return self.state == self.State.OPEN and self.login in (self.Login.ASKED, self.Login.SPOILT)

    @property
    def may_leave(self) -> bool:
        """Whether the link to the login may be followed: nobody has come back with this token yet."""
        return self.is_open and self.is_at_login and self.login in ("", self.Login.AWAY)

    def made_return(self, secret: str) -> bool:
        """Whether this is the secret in the address that its login returns to."""
        return any(constant_time_compare(self.return_digest, digest) for digest in vault.digests(secret))
