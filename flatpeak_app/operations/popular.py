"""Which providers come first in a country's list, by the funnel's counters."""

from datetime import timedelta
from itertools import groupby

from django.db.models import Sum
from django.utils import timezone

from connect_ui.models import OTHER
from connect_ui.popular import KEPT, PopularProviders

from .models import FunnelCount

COUNTED = timedelta(days=90)  # of conversations begun; what was chosen long ago is forgotten


def rank_providers() -> None:
    """Write the providers that were chosen most in each country, which is one query and one write per country."""
    begun = FunnelCount.objects.here().filter(day__gte=timezone.now().date() - COUNTED, route="", code="")
    chosen = begun.exclude(listed_provider__in=["", OTHER]).values_list("country_code", "listed_provider")
    ranked = chosen.annotate(conversations=Sum("reached")).order_by("country_code", "-conversations", "listed_provider")
    of_country = {
        country: [name for _country, name, _count in rows][:KEPT]
        for country, rows in groupby(ranked, lambda row: row[0])
    }
    here = PopularProviders.objects.here()
    for country, names in of_country.items():
        here.update_or_create(country_code=country, defaults={"names": names})
    here.exclude(country_code__in=of_country).delete()
