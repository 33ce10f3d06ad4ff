"""Failed sign-ins: a log line for each, and 429 after too many.

The line has the client's address, to block it at a firewall, and a keyed digest of the e-mail address, which is the same
whether such an account exists or not.
"""

import logging
from typing import Any

from allauth.account.adapter import get_adapter
from allauth.mfa.signals import authentication_failed
from django.contrib.auth.signals import user_login_failed
from django.dispatch import receiver
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.utils.crypto import salted_hmac
from django.utils.deprecation import MiddlewareMixin

logger = logging.getLogger(__name__)

WAIT = "300"  # seconds, as long as allauth counts failed sign-ins and failed codes
# Errors of forms that send no signal, by code; the last two are of forms for a new password, which ask for the old one.
WITHOUT_SIGNAL = {
    "too_many_login_attempts": "too_many",
    "enter_current_password": "wrong_password",  # nosec B105  # a result, no password
    "password_incorrect": "wrong_password",  # nosec B105  # the same
}


def log_failure(request: HttpRequest, email: str, outcome: str) -> None:
    told = {
        "client": get_adapter().get_client_ip(request),
        "account": salted_hmac(__name__, email.strip().lower(), algorithm="sha256").hexdigest()[:20],
        "outcome": outcome,
    }
    logger.warning("failed sign-in from %(client)s: %(outcome)s, account %(account)s", told, extra=told)


@receiver(user_login_failed)
def password_failed(request: HttpRequest | None, credentials: dict[str, str], **signal: Any) -> None:
    if request:
        log_failure(request, credentials.get("email", ""), "wrong_password")


@receiver(authentication_failed)
def code_failed(request: HttpRequest, user: Any, **signal: Any) -> None:
    log_failure(request, user.email, "wrong_code")


class Failures(MiddlewareMixin):
    """Answer 429 when allauth refuses a form after too many attempts; the form keeps what was typed."""

    def process_template_response(self, request: HttpRequest, response: TemplateResponse) -> TemplateResponse:
        form: Any = (response.context_data or {}).get("form")
        errors = getattr(form, "errors", None)
        codes = {error.code for each in errors.as_data().values() for error in each} if errors else set()
        for code in codes & WITHOUT_SIGNAL.keys():
            user = getattr(form, "user", None)  # forms after the sign-in know the user, the sign-in what was typed
            log_failure(request, user.email if user else form.data.get("login", ""), WITHOUT_SIGNAL[code])
        if codes & {"too_many_login_attempts", "rate_limited"}:
            response.status_code, response["Retry-After"] = 429, WAIT
        return response
