"""The product's settings, with the floor's addresses and templates."""

from flatpeak_app.settings import *  # noqa: F403
from flatpeak_app.settings import BASE_DIR, TEMPLATES

ROOT_URLCONF = "bench.urls"
TEMPLATES[0] |= {"DIRS": [*TEMPLATES[0]["DIRS"], BASE_DIR / "bench"]}  # type: ignore[misc]
