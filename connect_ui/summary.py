"""What a summary page says, in words, prices and a chart."""

from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta, tzinfo
from itertools import groupby
from typing import Any
from zoneinfo import ZoneInfo

from django.utils.html import format_html
from django.utils.text import capfirst
from django.utils.translation import gettext

from tariffs import details, rates
from tariffs.addresses import written
from tariffs.screens.chart import chart, heading
from tariffs.templatetags.prices import rate_in_words
from tariffs.times import local, zone_in_words

from .fields import in_words, today_in, zones
from .models import Page
from .routes import row


def describe(page: Page, now: datetime) -> dict[str, Any]:
    """The page's tariff for its template."""
    data, tariff = page.data, page.part("tariff")
    facts = details.facts(data)
    currency = str(data.get("currency_code") or "")
    days = [page.part("rates").get(day) for day in ("today", "tomorrow")]
    # Wide enough for today and tomorrow in any time zone: a segment may be of any length.
    window = now - timedelta(days=2), now + timedelta(days=3)
    segments = rates.clip(rates.parse([entry for day in days if isinstance(day, list) for entry in day]), *window)
    zone = zone_of(page, days, window)
    open_ended, end = details.term(facts["contract_end"])
    ended = end is not None and end < today_in(page.session.country_code, now)
    current = rates.current(segments, now)
    varies = len({segment.rate for segment in segments}) > 1  # a chart of one price would say nothing
    return facts | {
        "structure": details.STRUCTURES.get(str(facts["structure"]), facts["structure"]),
        "contract": contract(end, ended, open_ended),
        "ended": ended,
        "currency": currency,
        "at": now if current and varies else None,
        "now": current.rate if current else rates.number(data.get("cost")),
        "tiered": tariff.get("tiered") is True,
        "reconnect": tariff.get("reconnect_required") is True,
        "zone": zone,
        "where": zone_in_words(zone, now),
        "charted": heading(segments, zone),
        "chart": chart(segments, segments[0].start, segments[-1].end, zone, currency, now) if varies else None,
        "days": [
            (found[0].start.astimezone(zone).date(), rates.joined(found))
            for day in days
            if varies and (found := rates.clip(rates.parse(day), *window))
        ],
    }


def rows(page: Page, tariff: dict[str, Any]) -> list[tuple[str, str, int]]:
    """A summary's rows: what each is about, what it says, and the page to change it on, 0 if there is none."""
    asked, address = answers(page)
    is_newest = page.session.is_open and page.number == page.session.newest
    direction = page.body.get("direction")
    buys = gettext("Electricity you sell") if direction == "EXPORT" else gettext("Electricity you buy")
    found = [
        (gettext("Address"), address, "address"),
        (gettext("Provider"), tariff["provider"], "provider"),
        (gettext("Tariff"), tariff["name"], "tariff"),
        (gettext("Price"), tariff["structure"], "structure"),
        (gettext("Direction"), buys, ""),
        (gettext("Contract"), capfirst(tariff["contract"]), "contract"),
    ]
    if tariff["now"] is not None:
        said = gettext("Price per kWh")
        if tariff["at"]:
            said = gettext("Price at %(time)s") % {"time": local(tariff["at"], tariff["zone"])}
        price = rate_in_words(tariff["now"], tariff["currency"], direction)
        found.append((said, format_html("<strong>{}</strong>", price), "price"))
    return [(what, told, asked.get(subject, 0) if is_newest else 0) for what, told, subject in found if told]


def answers(page: Page) -> tuple[dict[str, int], str]:
    """The numbers of the pages that led to a page, by what they ask for, and the address that was given on the way.

    The address is that of a known location if it was not asked for.
    """
    session = page.session
    asked: dict[str, int] = {}
    address = str(session.location or "")
    if not page.came_from:
        return asked, address
    rows = session.pages.filter(number__lt=page.number).values_list("number", "route", "came_from", "answer")
    pages: dict[Any, Any] = {number: each for number, *each in rows}
    number = page.came_from
    while number and number in pages:
        route, came_from, answer = pages.pop(number)
        subject = row(route).asks
        if answer and "data" in answer and subject not in asked:
            asked[subject] = number
            if subject == "address":
                address = written(answer["data"].get("postal_address") or {})
        number = came_from
    return asked, address


def contract(end: date | None, ended: bool, open_ended: bool) -> str:
    if not end:
        return gettext("until terminated") if open_ended else gettext("end date not known")
    return (gettext("ended on %(day)s") if ended else gettext("until %(day)s")) % {"day": in_words(end)}


def zone_of(page: Page, days: list[Any], window: tuple[datetime, datetime]) -> tzinfo:
    """The time zone whose offsets fit the times on the page, since no page of Connect names the location's.

    The candidates are the known location's zone, then those of the country, then, if the offsets change on the page, all.
    If none fits, it is the offset of the first time, or UTC.
    """
    times = list(_times(days))
    near = [moment for moment in times if window[0] <= moment <= window[1]]
    runs = [list(run) for _, run in groupby(near, datetime.utcoffset)][:50]
    edges = [moment for run in runs for moment in (run[0], run[-1])]

    def fit(zone: ZoneInfo) -> int:
        return sum(moment.astimezone(zone).utcoffset() == moment.utcoffset() for moment in edges)

    location, country = page.session.location, page.session.country_code
    likely = [location.zone] if location and location.zone else []
    likely += zones(country) if country else ()
    best = max(likely, key=fit, default=None)
    if len(runs) > 1 and (not best or fit(best) < len(edges)):
        best = max([*likely, *zones()], key=fit)
    if best and fit(best):
        return best
    return (times[0].tzinfo if times else None) or UTC


def _times(days: list[Any]) -> Iterator[datetime]:
    """The times on the page that have an offset."""
    for entry in (entry for day in days if isinstance(day, list) for entry in day if isinstance(entry, dict)):
        for name in ("valid_from", "valid_to"):
            with suppress(TypeError, ValueError):
                moment = datetime.fromisoformat(entry.get(name))  # type: ignore[arg-type]
                if moment.tzinfo:
                    yield moment
