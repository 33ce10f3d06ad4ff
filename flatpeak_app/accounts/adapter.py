"""django-allauth's adapters: mails, limits on guesses, second factors."""

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
from django.urls import reverse
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext_lazy as _
from qrcode.image.svg import SvgPathFillImage

from flatpeak_app.web import vault
from flatpeak_app.web.limits import count
from tariffs.models import Mail
from tariffs.times import moment_of_year

from . import browsers, known, mails, sessions
from .models import User

logger = logging.getLogger(__name__)

INCORRECT_CODE = _("This code is not correct, or it is no longer valid.")
TOO_MANY_MAILS = _("We have sent too many messages to this address today. Try again tomorrow.")


class Accounts(DefaultAccountAdapter):
    error_messages = DefaultAccountAdapter.error_messages | {
        "account_inactive": _("This account is blocked."),
        "cannot_remove_primary_email": _("You sign in with this address, so it can’t be removed."),
        "duplicate_email": _("This is your address already."),
        "email_password_mismatch": _("The e-mail address or the password is not correct."),
        "email_taken": _("There is an account with this address already."),
        "enter_current_password": _("This is not the password that you have now."),
        "incorrect_code": INCORRECT_CODE,
        "incorrect_password": _("This password is not correct."),
        "invalid_login": _("You can’t sign in with this."),
        "invalid_or_expired_key": _("This link is no longer valid."),
        "invalid_password_reset": _("This link is no longer valid."),
        "max_email_addresses": _("You can have %d addresses at most."),
        "rate_limited": _("You tried too often. Wait five minutes, then try again."),
        "same_as_current": _("This is what you have now. Enter another one."),
        "too_many_login_attempts": _("Too many tries failed. Wait five minutes, then try again."),
        "unknown_email": _("There is no account with this address."),
        "unverified_primary_email": _("Confirm your e-mail address first."),
    }

    notifying = False

    def is_safe_url(self, url: str) -> bool:
        """Return whether `next` is a path of ours; allauth's own raises for a malformed address."""
        return url_has_allowed_host_and_scheme(url, allowed_hosts=None)

    def clean_email(self, email: str) -> str:
        """Limit the length to the column's; Django's form field takes 320 characters."""
        MaxLengthValidator(User._meta.get_field("email").max_length)(email)
        return super().clean_email(email)

    def get_client_ip(self, request: HttpRequest) -> str:
        """Return the client's address; if the request bypassed a proxy, for which allauth raises, the connection's."""
        try:
            return super().get_client_ip(request)
        except ImproperlyConfigured:
            return request.META["REMOTE_ADDR"]

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """Send a mail in the language of the address's user, not of the browser that asks for it; raises Unsent."""
        if not self.notifying and too_many_mails(self.request, email):
            raise mails.NotTaken(ValidationError(TOO_MANY_MAILS, code="rate_limited"))
        user = User.objects.filter(email=email.lower()).first()
        here = {"name": settings.BRAND_NAME, "domain": urlsplit(settings.SITE_URL).netloc}
        context = {"request": self.request, "email": email, "current_site": here} | context
        with user.in_their_language() if user else nullcontext():
            if "timestamp" in context:  # of a notification
                context["timestamp"] = f"{moment_of_year(context['timestamp'])} UTC"
                context["browser"] = browsers.named(context["user_agent"])
                context["reset_url"] = settings.SITE_URL + reverse("account_reset_password")
            message = self.render_mail(template_prefix, email, context)
        taken = False
        try:
            mails.send(message, template_prefix)
            taken = True
        except mails.Unsent:  # allow another try at once
            ratelimit.clear(self.request, app="allauth.account", action="confirm_email", key=email.lower())
            raise
        finally:
            if user:
                Mail.note(user, template_prefix, taken)

    def is_reauthentication_required(self, *, app: str, **options: Any) -> bool:
        """Ask for the password unless the sign-in is recent; always if no app is named, as for an account's deletion."""
        age = sessions.now() - self.request.session.get("signed_in_at", 0)
        return not app or age >= settings.ACCOUNT_REAUTHENTICATION_TIMEOUT

    def post_login(self, request: HttpRequest, user: User, **options: Any) -> HttpResponse:
        response = super().post_login(request, user, **options)
        known.remember(request, response, user.email)
        return response

    def _get_login_attempts_cache_key(self, request: HttpRequest, **credentials: Any) -> str:
        """Count the tries of a browser that has signed in to this account before by themselves.

        allauth's key contains the Host header, so each port named there would get five more tries.
        """
        email = credentials.get("email", "").lower()
        return f"{email}:{known.browser_id(request, email)}"

    def send_notification_mail(self, *args: Any, **options: Any) -> None:
        """Report a change, which stays even if the mail can't be sent; no limit, for it took the password."""
        self.notifying = True
        with suppress(mails.Unsent):
            super().send_notification_mail(*args, **options)

    def add_message(self, request: HttpRequest, *args: Any, **options: Any) -> None:
        """Write a message in the account's language, which the page after a sign-in has."""
        user = request.user
        with user.in_their_language() if isinstance(user, User) and user.language else nullcontext():
            super().add_message(request, *args, **options)


def too_many_mails(request: HttpRequest, email: str) -> bool:
    """Count this mail and return whether it exceeds MAILS_PER_DAY; a known browser has its own count."""
    asker = salted_hmac("mails", f"{email.lower()}:{known.browser_id(request, email)}").hexdigest()
    return count(f"mails:{asker}:{timezone.now():%Y-%m-%d}", 24 * 3600) > settings.MAILS_PER_DAY


class SecondFactor(DefaultMFAAdapter):
    error_messages = DefaultMFAAdapter.error_messages | {
        "add_email_blocked": _("Turn your second factor off before you change your address, and on again after that."),
        "cannot_delete_authenticator": _("The second factor can’t be turned off."),
        "cannot_generate_recovery_codes": _("Set up a second factor first. Then you get recovery codes."),
        "incorrect_code": INCORRECT_CODE,
        "unverified_email": _("Confirm your e-mail address before you set up a second factor."),
    }

    def build_totp_svg(self, url: str) -> str:
        """Return inline SVG, because the page loads no `data:` address; white background, for phones' scanners."""
        return qrcode.make(url, image_factory=SvgPathFillImage).to_string(encoding="unicode")

    def encrypt(self, text: str) -> str:
        return vault.encrypted(text)

    def decrypt(self, encrypted_text: str) -> str:
        """Return a new random secret if the key is lost: no code matches it, and the codes of "" are guessable."""
        if secret := vault.decrypted(encrypted_text):
            return secret
        logger.error("a second factor can't be decrypted: its key is missing in TOKEN_KEYS")
        return generate_totp_secret()
