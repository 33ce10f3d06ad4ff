"""What a summary page says, in words, prices and a chart."""

from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

from babel.dates import format_date
from django.utils.translation import gettext, pgettext

from tariffs import connected, rates
from tariffs.chart import chart
from tariffs.money import locale

from .forms import StructureForm, utc_day
from .models import Page


def describe(page: Page, now: datetime) -> dict[str, Any]:
    """The page's tariff for its template. Times are shown at the offset that they come with, the location's."""
    data = page.data
    facts = connected.facts(data)
    tariff, listed = (found if isinstance(found := data.get(name), dict) else {} for name in ("tariff", "rates"))
    currency = str(data.get("currency_code") or "")
    days = [listed.get(day) for day in ("today", "tomorrow")]
    # Whatever the page calls today and tomorrow anywhere on earth; a segment may have any length.
    window = now - timedelta(days=2), now + timedelta(days=3)
    segments = rates.clip(rates.parse([entry for day in days if isinstance(day, list) for entry in day]), *window)
    zone = offset_of(days)
    current = rates.current(segments, now)
    return facts | {
        "structure": StructureForm.WORDS.get(str(facts["structure"]), (facts["structure"],))[0],
        "contract": contract(facts),
        "currency": currency,
        "now": current.rate if current else rates.number(data.get("cost")),
        "tiered": tariff.get("tiered") is True,
        "reconnect": tariff.get("reconnect_required") is True,
        "zone": zone,
        "chart": chart(segments, segments[0].start, segments[-1].end, zone, currency, now) if segments else None,
        "days": [
            (found[0].start.astimezone(own).date(), own, rates.joined(found))
            for day in days
            if (own := offset_of([day])) and (found := rates.clip(rates.parse(day), *window))
        ],
    }


def contract(facts: dict[str, Any]) -> str:
    end = utc_day(facts["contract_end"])
    if not end:
        return gettext("until terminated")
    return gettext("until %(day)s") % {"day": format_date(end, pgettext("pattern of a date", "d MMMM y"), locale())}


def offset_of(days: list[Any]) -> tzinfo:
    """The offset of the first time on the page, UTC where there is none."""
    for day in days:
        try:
            return datetime.fromisoformat(day[0]["valid_from"]).tzinfo or UTC
        except (TypeError, KeyError, IndexError, ValueError):
            continue
    return UTC
