"""How django-allauth is to work here: mails, limits on guesses, second factors."""

import logging
from contextlib import nullcontext, suppress
from typing import Any
from urllib.parse import urlsplit

import qrcode
from allauth.account.adapter import DefaultAccountAdapter
from allauth.core.internal import ratelimit
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.totp.internal.auth import generate_totp_secret
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.core.validators import MaxLengthValidator
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext_lazy as _
from qrcode.image.svg import SvgPathFillImage

from flatpeak_app.web import vault
from flatpeak_app.web.limits import count
from tariffs.templatetags.prices import moment_of_year

from . import known, mails, sessions
from .models import User

logger = logging.getLogger(__name__)

TOO_MANY_MAILS = _("We have sent many messages to this address today. Please try again tomorrow.")


class Accounts(DefaultAccountAdapter):
    error_messages = DefaultAccountAdapter.error_messages | {
        "too_many_login_attempts": _("There were too many failed attempts. Please wait five minutes, then try again."),
        "rate_limited": _("That was too often. Please wait five minutes, then try again."),
    }

    notifying = False

    def is_safe_url(self, url: str) -> bool:
        """Whether a `next` is gone to: a path of ours, never a host, and not what is no address (allauth's own raises)."""
        return url_has_allowed_host_and_scheme(url, allowed_hosts=None)

    def clean_email(self, email: str) -> str:
        """Of a sign-up or as a new address: Django's field for one takes 320 characters, and the column less."""
        MaxLengthValidator(User._meta.get_field("email").max_length)(email)
        return super().clean_email(email)

    def get_client_ip(self, request: HttpRequest) -> str:
        """The client's address; that of whoever connected, where the header names fewer than TRUSTED_PROXIES.

        Such a request came around one of the proxies, and allauth's own raises.
        """
        try:
            return super().get_client_ip(request)
        except ImproperlyConfigured:
            return request.META["REMOTE_ADDR"]

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """In the language of whoever has the address, which need not be that of the browser that asks for the mail.

        Raises mails.Unsent.
        """
        if not self.notifying and too_many_mails(self.request, email):
            raise mails.NotTaken(ValidationError(TOO_MANY_MAILS, code="rate_limited"))
        user = User.objects.filter(email=email.lower()).first()
        here = {"name": settings.BRAND_NAME, "domain": urlsplit(settings.SITE_URL).netloc}
        context = {"request": self.request, "email": email, "current_site": here} | context
        with user.in_their_language() if user else nullcontext():
            if "timestamp" in context:  # a notification's, whose text names no time zone
                context["timestamp"] = f"{moment_of_year(context['timestamp'])} UTC"
            message = self.render_mail(template_prefix, email, context)
        try:
            mails.send(message, template_prefix)
        except mails.Unsent:  # it may be asked for again at once
            ratelimit.clear(self.request, app="allauth.account", action="confirm_email", key=email.lower())
            raise

    def is_reauthentication_required(self, *, app: str, **options: Any) -> bool:
        """Not for who signed in just now, but always where no app is named, as for the deletion of an account."""
        return not (app and sessions.is_fresh(self.request))

    def post_login(self, request: HttpRequest, user: User, **options: Any) -> HttpResponse:
        response = super().post_login(request, user, **options)
        known.remember(request, response, user.email)
        return response

    def _get_login_attempts_cache_key(self, request: HttpRequest, **credentials: Any) -> str:
        """A browser that has signed in to this account before has tries of its own, which nobody else can use up.

        allauth's own has the request's host too, and with it five tries for each port that one names there.
        """
        email = credentials.get("email", "").lower()
        return f"{email}:{known.browser(request, email)}"

    def send_notification_mail(self, *args: Any, **options: Any) -> None:
        """Of something that is done, and stays so if its mail can't be sent; whoever did it gave the password."""
        self.notifying = True
        with suppress(mails.Unsent):
            super().send_notification_mail(*args, **options)

    def add_message(self, request: HttpRequest, *args: Any, **options: Any) -> None:
        """A sign-in tells of itself on the page that follows it, which is in the account's language."""
        user = request.user
        with user.in_their_language() if isinstance(user, User) and user.language else nullcontext():
            super().add_message(request, *args, **options)


def too_many_mails(request: HttpRequest, email: str) -> bool:
    """Whether this mail, which is counted, is one too many of its day; a browser that is known has a count of its own."""
    asker = salted_hmac("mails", f"{email.lower()}:{known.browser(request, email)}").hexdigest()
    return count(f"mails:{asker}:{timezone.now():%Y-%m-%d}", 24 * 3600) > settings.MAILS_PER_DAY


class SecondFactor(DefaultMFAAdapter):
    def build_totp_svg(self, url: str) -> str:
        """Part of the page, which loads no `data:` address; on white, for phones can't read it on a dark page."""
        return qrcode.make(url, image_factory=SvgPathFillImage).to_string(encoding="unicode")

    def encrypt(self, text: str) -> str:
        return vault.encrypted(text)

    def decrypt(self, encrypted_text: str) -> str:
        """Of one whose key is lost something else, made now: no code fits it, while any would be known of ""."""
        if secret := vault.decrypted(encrypted_text):
            return secret
        logger.error("a second factor can't be decrypted: its key is missing in TOKEN_KEYS")
        return generate_totp_secret()
