"""django-allauth's views, where ours do more."""

from allauth.account import views
from allauth.account.internal.flows.login import record_authentication
from allauth.account.internal.stagekit import clear_login
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.views import ViewRecoveryCodesView
from allauth.mfa.totp.views import ActivateTOTPView, DeactivateTOTPView
from allauth.usersessions.views import ListUserSessionsView
from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.db import DatabaseError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.utils.decorators import method_decorator

from flatpeak_app.web.limits import count

from . import failures, mails, sessions
from .forms import EndSessionsForm
from .models import User

sessions_list = ListUserSessionsView.as_view(form_class=EndSessionsForm)


class Guesses:
    """A view that asks for a mailed code, and counts guesses atomically in the cache.

    Two concurrent guesses would read the same count in the session, which is kept in case the cache is lost.
    """

    def post(self, request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
        process = self._process  # type: ignore[attr-defined]
        key = f"guesses:{request.session.session_key}:{process.state['at']}"
        guess = count(key, process.timeout)
        process.state["failed_attempts"] = max(guess - 1, process.state["failed_attempts"])
        if guess > process.max_attempts:
            return self.form_invalid(self.get_form())  # type: ignore[attr-defined]
        return super().post(request, *args, **kwargs)  # type: ignore[misc]

    def form_invalid(self, form: forms.Form) -> HttpResponse:
        failures.log_failure(self.request, self._process.state.get("email", ""), "wrong_code")  # type: ignore[attr-defined]
        return super().form_invalid(form)  # type: ignore[misc]


class ResetCode(Guesses, views.ConfirmPasswordResetCodeView):
    pass


@method_decorator(login_not_required, name="dispatch")
class AddressCode(Guesses, views.ConfirmEmailVerificationCodeView):
    pass


class SignOut(views.LogoutView):
    def post(self, request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
        return sessions.forget(super().post(request, *args, **kwargs))


class SendsMail:
    """A view whose form sends a mail; a refused address is an error at the field `address`."""

    address = "email"

    def form_valid(self, form: forms.Form) -> HttpResponse:
        try:
            return super().form_valid(form)  # type: ignore[misc]
        except mails.NotTaken as refused:
            self.undo()
            form.add_error(self.address, refused.error)
            return self.form_invalid(form)  # type: ignore[attr-defined]
        except mails.ServerDown:
            self.undo()
            raise

    def undo(self) -> None:
        """Undo what was done before the mail; a transaction would hold SQLite's lock while the mail server answers."""
        clear_login(self.request)  # type: ignore[attr-defined]


class SignUp(SendsMail, views.SignupView):
    user: User | None = None

    def undo(self) -> None:
        super().undo()
        if self.user:
            self.user.delete()


class SignIn(SendsMail, views.LoginView):
    """Sends a mail if the address is not confirmed yet."""

    address = "login"


class PasswordReset(SendsMail, views.PasswordResetView):
    pass


class Address(SendsMail, views.EmailView):
    def _action_send(self, request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse | None:
        try:
            return super()._action_send(request, *args, **kwargs)
        except mails.NotTaken as refused:
            messages.error(request, refused.error.message)
            return None


class SecondFactorOn(ActivateTOTPView):
    def form_valid(self, form: forms.Form) -> HttpResponse:
        """Record the code that the set-up asked for, so that this session is not asked again."""
        response = super().form_valid(form)
        factor = Authenticator.objects.get(user=self.request.user, type=Authenticator.Type.TOTP)
        record_authentication(self.request, self.request.user, "mfa", id=factor.pk, type=factor.type)
        return response


class SecondFactorOff(DeactivateTOTPView):
    def dispatch(self, request: HttpRequest, *args: object, **kwargs: object) -> HttpResponseBase:
        try:
            return super().dispatch(request, *args, **kwargs)
        except Http404:
            if request.method != "POST":
                raise
            return redirect("mfa_index")  # a second press: there is none any more


class RecoveryCodes(ViewRecoveryCodesView):
    def get(self, request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
        try:
            return super().get(request, *args, **kwargs)
        except DatabaseError:  # another request made new codes while these were read
            return redirect("mfa_view_recovery_codes")
