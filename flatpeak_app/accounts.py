"""What django-allauth is told to do in our way."""

from contextlib import nullcontext
from typing import Any

import qrcode
from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.forms import AddEmailForm, SignupForm
from allauth.account.models import EmailAddress
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.recovery_codes.views import ViewRecoveryCodesView
from allauth.mfa.totp.views import DeactivateTOTPView
from allauth.usersessions.adapter import get_adapter
from allauth.usersessions.forms import ManageUserSessionsForm
from allauth.usersessions.models import UserSession
from allauth.usersessions.views import ListUserSessionsView
from django import forms
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, IntegrityError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext_lazy as _
from qrcode.image.svg import SvgPathFillImage

from .models import User


class Accounts(DefaultAccountAdapter):
    error_messages = DefaultAccountAdapter.error_messages | {
        "too_many_login_attempts": _("There were too many failed attempts. Please wait five minutes, then try again."),
        "rate_limited": _("That was too often. Please wait five minutes, then try again."),
    }

    def is_safe_url(self, url: str) -> bool:
        """Whether a `next` is gone to: a path of ours, never a host, and not what is no address (allauth's own raises)."""
        return url_has_allowed_host_and_scheme(url, allowed_hosts=None)

    def get_client_ip(self, request: HttpRequest) -> str:
        """The client's address; that of whoever connected, where the header names fewer than TRUSTED_PROXIES.

        Such a request came around one of the proxies, and allauth's own raises.
        """
        try:
            return super().get_client_ip(request)
        except ImproperlyConfigured:
            return request.META["REMOTE_ADDR"]

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """In the language of whoever has the address, which need not be that of the browser that asks for the mail."""
        user = User.objects.filter(email=email.lower()).first()
        with user.in_their_language() if user else nullcontext():
            super().send_mail(template_prefix, email, context)

    def add_message(self, request: HttpRequest, *args: Any, **options: Any) -> None:
        """A sign-in tells of itself on the page that follows it, which is in the account's language."""
        user = request.user
        with user.in_their_language() if isinstance(user, User) and user.language else nullcontext():
            super().add_message(request, *args, **options)


class SignUpForm(SignupForm):
    def try_save(self, request: HttpRequest) -> tuple[Any, HttpResponse | None]:
        try:
            return super().try_save(request)
        except IntegrityError:  # pressed twice: the other press made the account a moment ago
            return None, redirect("account_login")


class NewAddressForm(AddEmailForm):
    def save(self, request: HttpRequest) -> EmailAddress:
        mine = EmailAddress.objects.filter(user=self.user)
        if not settings.PRODUCTION:  # nothing verifies one on a laptop, and allauth drops what is not verified
            mine.filter(email=self.user.email).update(verified=True)
        try:
            return super().save(request)
        except IntegrityError:  # pressed twice: it waits already
            return mine.get(email=self.cleaned_data["email"].lower())


class SecondFactorOff(DeactivateTOTPView):
    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            return super().dispatch(request, *args, **kwargs)
        except Http404:
            if request.method != "POST":
                raise
            return redirect("mfa_index")  # pressed twice


class RecoveryCodes(ViewRecoveryCodesView):
    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            return super().get(request, *args, **kwargs)
        except DatabaseError:  # another press made new ones while these were read
            return redirect("mfa_view_recovery_codes")


class SecondFactor(DefaultMFAAdapter):
    def build_totp_svg(self, url: str) -> str:
        """Part of the page, which loads no `data:` address; on white, for phones can't read it on a dark page."""
        return qrcode.make(url, image_factory=SvgPathFillImage).to_string(encoding="unicode")


class EndSessionsForm(ManageUserSessionsForm):
    """Ends the session that is named, or without a name all but the one at hand."""

    session = forms.ModelChoiceField(UserSession.objects.none(), required=False)

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["session"].queryset = UserSession.objects.filter(user=self.request.user)

    def save(self, request: HttpRequest) -> None:
        if session := self.cleaned_data["session"]:
            get_adapter().end_sessions([session])
        else:
            super().save(request)


class Sessions(ListUserSessionsView):
    form_class = EndSessionsForm
