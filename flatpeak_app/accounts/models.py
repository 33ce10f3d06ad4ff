from contextlib import AbstractContextManager, nullcontext
from datetime import datetime, timedelta

from django.conf import settings
from django.contrib.auth.models import AbstractUser, BaseUserManager
from django.contrib.auth.signals import user_logged_in
from django.db import models
from django.db.models.functions import Lower
from django.dispatch import receiver
from django.http import HttpRequest
from django.utils import timezone, translation

from flatpeak_app.web.indexes import Plain


class UserManager(BaseUserManager["User"]):
    def create_user(self, email: str, password: str | None = None, **fields: bool) -> "User":
        user = self.model(email=self.normalize_email(email).lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None) -> "User":
        return self.create_user(email, password, is_staff=True, is_superuser=True)


class User(AbstractUser):
    """A person who signs in by e-mail address; FlatPeak's record of the same person is `tariffs.Customer`."""

    username = None  # type: ignore[assignment]
    email = models.EmailField("e-mail address", unique=True)
    language = models.CharField(max_length=10, blank=True)  # the chosen code of LANGUAGES, "" for none
    seen_language = models.CharField(max_length=10, blank=True, editable=False)  # of the pages at the last sign-in

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS = []

    objects = UserManager()  # type: ignore[misc,assignment]

    class Meta:
        verbose_name = "account"
        constraints = [models.UniqueConstraint(Lower("email"), name="user_email_any_case")]
        indexes = [models.Index(Plain("email"), name="user_plain_email")]

    def __str__(self) -> str:
        return self.email

    def in_their_language(self) -> AbstractContextManager[None]:
        """Return a context for texts in the chosen language, else in the last seen, else in the current one."""
        offered = dict(settings.LANGUAGES)
        known = next((code for code in (self.language, self.seen_language) if code in offered), None)
        return translation.override(known) if known else nullcontext()


@receiver(user_logged_in)
def begin_session(request: HttpRequest, user: User, **signal: object) -> None:
    """Note the time, and take a language that was chosen before the sign-in as the account's, unless it has one."""
    request.session["signed_in_at"] = request.session["renewed_at"] = int(timezone.now().timestamp())
    cookie = request.COOKIES.get(settings.LANGUAGE_COOKIE_NAME, "")
    if not user.language and cookie in dict(settings.LANGUAGES):
        user.language = cookie
    user.seen_language = translation.get_language() or ""
    user.save(update_fields=["language", "seen_language"])


def unconfirmed(now: datetime) -> models.QuerySet[User]:
    """Return sign-ups whose address was not confirmed in time; a user made in the admin has no address to confirm."""
    too_old = now - timedelta(days=settings.KEEP_UNCONFIRMED_DAYS)
    waiting = User.objects.filter(date_joined__lte=too_old, last_login=None, is_staff=False)
    return waiting.filter(emailaddress__verified=False).exclude(emailaddress__verified=True)
