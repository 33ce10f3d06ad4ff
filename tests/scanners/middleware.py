from typing import Any

from django.http import HttpRequest
from django.middleware.csrf import CsrfViewMiddleware


class Unchecked(CsrfViewMiddleware):
    """Add CSRF tokens to forms and accept any."""

    def process_view(self, request: HttpRequest, *_: Any) -> None:
        return None
