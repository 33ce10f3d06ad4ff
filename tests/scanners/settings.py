"""The product's settings as production has them, without what would keep a scanner from trying the rest."""

import os

from flatpeak_app.settings import *  # noqa: F403
from flatpeak_app.settings import MIDDLEWARE

ACCOUNT_RATE_LIMITS = False
RATE_LIMITS = {}
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
if "UNCHECKED" in os.environ:
    # Wapiti sends the tokens that it once read, with other cookies: no form would ever see what else it sends.
    csrf = MIDDLEWARE.index("django.middleware.csrf.CsrfViewMiddleware")
    MIDDLEWARE = [*MIDDLEWARE[:csrf], "tests.scanners.middleware.Unchecked", *MIDDLEWARE[csrf + 1 :]]
