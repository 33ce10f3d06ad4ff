"""Failed sign-ins: a line of the log for each, and 429 where there were too many.

The line has the client's address, for who blocks it at a firewall, and of the account a keyed digest: the same for the
same e-mail address, whether there is such an account or not, and of no use to who lacks SECRET_KEY.
"""

import logging
from typing import Any

from allauth.account.adapter import get_adapter
from allauth.mfa.signals import authentication_failed
from django.contrib.auth.signals import user_login_failed
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.crypto import salted_hmac

from flatpeak_app.web.limits import View

logger = logging.getLogger(__name__)

WAIT = "300"  # seconds; as long as allauth counts failed sign-ins and failed codes

# Errors of forms that send no signal; the last two are of those for a new password, which ask for the old one.
WITHOUT_SIGNAL = {
    "too_many_login_attempts": "too_many",
    "enter_current_password": "wrong_password",  # nosec B105  # what went wrong, no password
    "password_incorrect": "wrong_password",  # nosec B105  # the same
}


def tell(request: HttpRequest, email: str, outcome: str) -> None:
    told = {
        "client": get_adapter().get_client_ip(request),
        "account": salted_hmac(__name__, email.strip().lower(), algorithm="sha256").hexdigest()[:20],
        "outcome": outcome,
    }
    logger.warning("failed sign-in from %(client)s: %(outcome)s, account %(account)s", told, extra=told)


@receiver(user_login_failed)
def password_failed(request: HttpRequest | None, credentials: dict[str, str], **signal: Any) -> None:
    if request:
        tell(request, credentials.get("email", ""), "wrong_password")


@receiver(authentication_failed)
def code_failed(request: HttpRequest, user: Any, **signal: Any) -> None:
    tell(request, user.email, "wrong_code")


class Failures:
    """Middleware: a form that allauth refuses after too many failed attempts is answered 429, with what was typed."""

    def __init__(self, get_response: View) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_template_response(self, request: HttpRequest, response: TemplateResponse) -> TemplateResponse:
        form: Any = (response.context_data or {}).get("form")
        errors = getattr(form, "errors", None)
        codes = {error.code for each in errors.as_data().values() for error in each} if errors else set()
        for code in codes & WITHOUT_SIGNAL.keys():
            user = getattr(form, "user", None)  # of whom a password or a code is asked; a sign-in has what was typed
            tell(request, user.email if user else form.data.get("login", ""), WITHOUT_SIGNAL[code])
        if codes & {"too_many_login_attempts", "rate_limited"}:
            response.status_code, response["Retry-After"] = 429, WAIT
        return response
