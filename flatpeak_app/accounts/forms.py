"""allauth's forms, where ours do more."""

from allauth.account.forms import AddEmailForm, SignupForm
from allauth.account.models import EmailAddress
from allauth.usersessions.adapter import get_adapter
from allauth.usersessions.forms import ManageUserSessionsForm
from allauth.usersessions.models import UserSession
from django import forms
from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.db import IntegrityError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from . import mails


class SignUpForm(SignupForm):
    def try_save(self, request: HttpRequest) -> tuple[object, HttpResponse | None]:
        if self.account_already_exists:  # hash the password as for a new account, or the time would tell
            make_password(self.cleaned_data["password1"])
        try:
            return super().try_save(request)
        except IntegrityError:  # a second press: the first has just made the account
            return None, redirect("account_login")


class NewAddressForm(AddEmailForm):
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
