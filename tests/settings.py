"""The product's settings for tests: a sandbox on a free port, nothing read from `.env`, every answer scanned."""

import os
import tempfile

from tests.programs import free_port

scratch = tempfile.mkdtemp(prefix="flatpeak-tests-")
os.mkdir(f"{scratch}/static")
for name in (
    "FLATPEAK_ACCOUNT_ID",
    "FLATPEAK_API_KEY",
    "FLATPEAK_API_URL",
    "FLATPEAK_CONNECT_URL",
    "SITE_URL",
    "DEBUG",
    "STAFF_MFA",
    "FRAME_ANCESTORS",
):
    os.environ.pop(name, None)
os.environ |= {"ENV_FILE": os.devnull, "VAR_DIR": scratch, "SANDBOX_PORT": str(free_port())}

from flatpeak_app.settings import *  # noqa: E402, F403
from flatpeak_app.settings import CACHES, DATABASES, MIDDLEWARE, STORAGES  # noqa: E402

MIDDLEWARE = ["tests.scan.middleware", *MIDDLEWARE]
STORAGES["staticfiles"] = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    # A file, because the threads of a live server would share the one connection of a database in memory.
    DATABASES["default"]["TEST"] = {"NAME": f"{scratch}/test.sqlite3"}
FLATPEAK_CONNECT_TIMEOUT = FLATPEAK_READ_TIMEOUT = 20.0  # a busy machine answers late
ACCOUNT_RATE_LIMITS = False
RATE_LIMITS = {}
if (worker := os.environ.get("PYTEST_XDIST_WORKER")) and "CACHE_URL" in os.environ:
    # One Redis database per process, because tests empty it.
    CACHES["default"]["LOCATION"] = f"{CACHES['default']['LOCATION'].rpartition('/')[0]}/{worker.removeprefix('gw')}"
