"""The providers that most customers of a country chose, which come first in the list."""

from django.conf import settings
from django.core.cache import cache
from django.db import models

from tariffs.realm import FlatPeakObject

KEPT = 30  # names of a country, of which the list of an address may lack some
FRESH = 600  # seconds that a process or Redis remembers them


class PopularProviders(FlatPeakObject):
    """The names in FlatPeak's list that were chosen most in a country, the most chosen first.

    `purge_sessions` writes them from the funnel's counters, so that no customer waits for a count.
    """

    country_code = models.CharField(max_length=2)
    names = models.JSONField(default=list)

    class Meta:
        verbose_name_plural = "popular providers"
        constraints = [
            models.UniqueConstraint(fields=["account", "live_mode", "country_code"], name="popular_of_country_once")
        ]

    def __str__(self) -> str:
        return self.country_code


def popular(country_code: str) -> list[str]:
    """The names for a country, the most chosen first, then those of POPULAR_PROVIDERS. Rarely a query."""
    key = f"popular:{settings.FLATPEAK_REALM}:{settings.FLATPEAK_LIVE_MODE}:{country_code}"
    counted: list[str] | None = cache.get(key)
    if counted is None:
        of_country = PopularProviders.objects.here().filter(country_code=country_code)
        counted = of_country.values_list("names", flat=True).first() or []
        cache.set(key, counted, FRESH)
    return counted + settings.POPULAR_PROVIDERS.get(country_code, [])
