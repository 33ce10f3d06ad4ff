"""The product's settings as they are, with the addresses and the template of the floor."""

from flatpeak_app.settings import *  # noqa: F403
from flatpeak_app.settings import BASE_DIR, TEMPLATES

ROOT_URLCONF = "bench.urls"
TEMPLATES[0] |= {"DIRS": [*TEMPLATES[0]["DIRS"], BASE_DIR / "bench"]}  # type: ignore[misc]
