"""The product's settings as they are, with two addresses more."""

from flatpeak_app.settings import *  # noqa: F403

ROOT_URLCONF = "bench.urls"
