"""django-allauth's forms in our words."""

from typing import Any, NamedTuple

from allauth.account import forms as account
from allauth.account.models import EmailAddress
from allauth.mfa.base import forms as mfa
from allauth.mfa.totp.forms import ActivateTOTPForm
from allauth.usersessions.adapter import get_adapter
from allauth.usersessions.forms import ManageUserSessionsForm
from allauth.usersessions.models import UserSession
from django import forms
from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.db import IntegrityError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext_lazy as _

from . import mails


class Words(NamedTuple):
    label: Any
    missing: Any  # the error if nothing is typed
    help: Any = None  # None: as allauth has it, which is the link for a forgotten password


EMAIL = Words(_("E-mail address"), _("Enter your e-mail address."))
CODE = Words(_("Code"), _("Enter the code."))
FIELDS = {
    "login": EMAIL,
    "email": EMAIL,
    "password": Words(_("Password"), _("Enter your password.")),
    "oldpassword": Words(_("Your password now"), _("Enter the password that you have now.")),
    "password1": Words(
        _("New password"), _("Choose a password."), _("8 characters or more, and nothing that is easy to guess.")
    ),
    "code": CODE,
}


class InOurWords:
    """A form whose fields have our labels, hints and errors, and ask for a new password once, as the sign-up does."""

    fields: dict[str, forms.Field]

    def __init__(self, *args: object, **options: object) -> None:
        super().__init__(*args, **options)
        self.fields.pop("password2", None)
        for name in self.fields.keys() & FIELDS:
            field, words = self.fields[name], FIELDS[name]
            field.label, field.error_messages["required"] = words.label, words.missing
            field.help_text = field.help_text if words.help is None else words.help
            field.widget.attrs.pop("placeholder", None)


class SignUpForm(InOurWords, account.SignupForm):
    def __init__(self, *args: object, **options: object) -> None:
        super().__init__(*args, **options)
        self.fields["password1"].label = FIELDS["password"].label

    def try_save(self, request: HttpRequest) -> tuple[object, HttpResponse | None]:
        if self.account_already_exists:  # hash the password as for a new account, or the time would tell
            make_password(self.cleaned_data["password1"])
        try:
            return super().try_save(request)
        except IntegrityError:  # a second press: the first has just made the account
            return None, redirect("account_login")


class SignInForm(InOurWords, account.LoginForm):
    pass


class ResetForm(InOurWords, account.ResetPasswordForm):
    pass


class NewPasswordForm(InOurWords, account.ResetPasswordKeyForm):
    pass


class ChangePasswordForm(InOurWords, account.ChangePasswordForm):
    pass


class PasswordAgainForm(InOurWords, account.ReauthenticateForm):
    pass


class ResetCodeForm(InOurWords, account.ConfirmPasswordResetCodeForm):
    pass


class AddressCodeForm(InOurWords, account.ConfirmEmailVerificationCodeForm):
    pass


class FactorForm(InOurWords, mfa.AuthenticateForm):
    pass


class FactorAgainForm(InOurWords, mfa.ReauthenticateForm):
    pass


class FactorOnForm(InOurWords, ActivateTOTPForm):
    pass


class NewAddressForm(InOurWords, account.AddEmailForm):
    def __init__(self, *args: object, **options: object) -> None:
        super().__init__(*args, **options)
        self.fields["email"].label = _("New e-mail address")

    def save(self, request: HttpRequest) -> EmailAddress:
        mine = EmailAddress.objects.filter(user=self.user)
        if not settings.PRODUCTION:  # a laptop verifies no address, and allauth would drop the unverified one
            mine.filter(email=self.user.email).update(verified=True)
        try:
            return super().save(request)
        except IntegrityError:  # a second press: the first has stored it
            return mine.get(email=self.cleaned_data["email"].lower())
        except mails.Unsent:
            mine.filter(email=self.cleaned_data["email"].lower(), verified=False).delete()
            raise


class EndSessionsForm(ManageUserSessionsForm):
    """End the session in the field, or all but the current one if the field is empty."""

    session = forms.ModelChoiceField(UserSession.objects.none(), required=False)

    def __init__(self, *args: object, **options: object) -> None:
        super().__init__(*args, **options)
        self.fields["session"].queryset = UserSession.objects.filter(user=self.request.user)

    def save(self, request: HttpRequest) -> None:
        if session := self.cleaned_data["session"]:
            get_adapter().end_sessions([session])
        else:
            super().save(request)
