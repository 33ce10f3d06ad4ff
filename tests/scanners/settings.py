"""Production's settings, without limits and slow password hashes, which would stop a scanner."""

import os

from flatpeak_app.settings import *  # noqa: F403
from flatpeak_app.settings import MIDDLEWARE

ACCOUNT_RATE_LIMITS = False
RATE_LIMITS = {}
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
if "UNCHECKED" in os.environ:
    # Wapiti sends old tokens with new cookies, so no form would get to its other input.
    csrf = MIDDLEWARE.index("django.middleware.csrf.CsrfViewMiddleware")
    MIDDLEWARE = [*MIDDLEWARE[:csrf], "tests.scanners.middleware.Unchecked", *MIDDLEWARE[csrf + 1 :]]
