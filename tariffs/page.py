"""What the rates pages show of a tariff, worked out from what is stored; no call and no query of its own."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any, NamedTuple
from urllib.parse import urlencode
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.http import QueryDict
from django.utils.translation import gettext

from . import money, rates
from .chart import chart
from .forms import HOURS, CheapestForm
from .models import Location, RateDay, Tariff
from .rates import Segment
from .windows import best

MOST_PERIODS = 3  # a day of so many prices is said in a line each


class Gap(NamedTuple):
    """A time without a known rate, before or between others."""

    start: datetime
    end: datetime


class Day(NamedTuple):
    """One local day: its rows, the past apart; `known_until` is None if it is known to its end, or not at all."""

    date: date
    past: list[Segment | Gap]
    rows: list[Segment | Gap]
    known_until: datetime | None
    has_carbon: bool
    change: timedelta  # by how much it is longer than 24 hours, where the clock is changed


class Period(NamedTuple):
    """A price by local time of day; `start` is `end` where it holds around the clock."""

    start: time
    end: time
    rate: Decimal


def zone_of(location: Location) -> ZoneInfo:
    try:
        return location.zone
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")


def stored(tariff: Tariff) -> list[Segment]:
    return [segment for day in tariff.days.all() for segment in rates.load(day.segments)]


def is_read(tariff: Tariff) -> bool:
    """Whether this site reads the tariff's rates: connected, and of the account that it speaks to."""
    return tariff.state != Tariff.State.DISCONNECTED and tariff.is_here


def without_carbon(segments: Iterable[Segment]) -> list[Segment]:
    """Neighbours that differ in carbon alone as one: what a price, a chart and a window are about."""
    return rates.joined(s._replace(carbon=None) for s in segments)


def view_of(tariff: Tariff, location: Location, now: datetime, query: QueryDict) -> dict[str, Any]:
    """Today and tomorrow of a tariff, for `tariffs/rates.html`."""
    zone = zone_of(location)
    today = now.astimezone(zone).date()
    dates = [today, today + timedelta(days=1)]
    midnight = rates.day_span(today, zone)[1]
    span = rates.day_span(dates[0], zone)[0], rates.day_span(dates[1], zone)[1]
    exact = rates.clip(stored(tariff), *span) if is_read(tariff) else []
    segments = without_carbon(exact)
    current = rates.current(segments, now)
    ahead = rates.clip(segments, now, span[1])
    days = [day_of(exact, day, zone, now) for day in dates]
    today_alone = bool(segments) and segments[-1].end <= midnight
    view = {
        "tariff": tariff,
        "connected": is_read(tariff),
        "currency": location.currency_code,
        "zone": zone,
        "now": current,
        "until": current.end if current and current.end < span[1] else None,
        "next": next((s for s in ahead if current and s.start == current.end), None),
        "level": level(current, rates.clip(segments, *rates.day_span(today, zone))),
        # Without a half that is empty for certain.
        "chart": chart(segments, span[0], midnight if today_alone else span[1], zone, location.currency_code, now),
        "charted": gettext("Today") if today_alone else gettext("Today and tomorrow"),
        "periods": periods(segments, dates, zone),
        "days": days if exact else [],
        "first": is_first(tariff, now) and not exact,
        "today": today,
        "yesterday": today - timedelta(days=1),
        "fetched_at": min((day.fetched_at for day in tariff.days.all() if day.day in dates), default=None),
        "look_again": look_again(tariff, now) if is_read(tariff) else None,
        "changes_at": next((at for s in ahead for at in (s.start, s.end) if at > now), span[1]),
        "asked": None,
    }
    form = cheapest_form(tariff, query, now, zone)
    return view | ({"asked": cheapest(view, ahead, form, now)} if ahead or (form.is_bound and is_read(tariff)) else {})


def look_again(tariff: Tariff, now: datetime) -> int | None:
    """Seconds after which a page that waits for FlatPeak looks again; when FlatPeak is asked is the column's business."""
    if is_first(tariff, now):
        return 5
    if tariff.rates == Tariff.Rates.ESTIMATE:
        return 5 if now - tariff.rates_since < timedelta(minutes=1) else 30
    return 30 if tariff.rates == Tariff.Rates.PENDING else None


def is_first(tariff: Tariff, now: datetime) -> bool:
    """Whether somebody is asking for its rates at this moment, for the first time."""
    return tariff.rates == Tariff.Rates.NONE and tariff.state != Tariff.State.FAILED and tariff.ask_at > now


def day_of(segments: Sequence[Segment], day: date, zone: ZoneInfo, now: datetime) -> Day:
    """The rows of a local day, joined where price, confidence and carbon are equal."""
    start, end = rates.day_span(day, zone)
    known = rates.joined(rates.clip(segments, start, end))
    rows: list[Segment | Gap] = []
    last = start
    for segment in known:
        if segment.start > last:
            rows.append(Gap(last, segment.start))
        rows.append(segment)
        last = segment.end
    return Day(
        day,
        [row for row in rows if row.end <= now],
        [row for row in rows if row.end > now],
        last if start < last < end else None,
        any(s.carbon is not None for s in known),
        end - start - timedelta(days=1),
    )


def level(current: Segment | None, today: Sequence[Segment]) -> str:
    """Where the price now stands between the day's lowest and highest: low, middle or high; "" if they are the same."""
    found = [s.rate for s in today]
    if not current or min(found) == max(found):
        return ""
    lowest, highest = min(found), max(found)
    place = (current.rate - lowest) / (highest - lowest)
    return "low" if place * 3 < 1 else "high" if place * 3 > 2 else "middle"


def periods(segments: Sequence[Segment], dates: Sequence[date], zone: ZoneInfo) -> list[Period]:
    """The prices of every day by time of day, where there are few and each day has the same; else none."""
    found = [periods_of_day(segments, day, zone) for day in dates]
    return found[0] if all(found) and all(day == found[0] for day in found) else []


def periods_of_day(segments: Sequence[Segment], day: date, zone: ZoneInfo) -> list[Period]:
    start, end = rates.day_span(day, zone)
    rows = rates.clip(segments, start, end)
    whole = rows and rows[0].start == start and rows[-1].end == end
    if not whole or any(a.end != b.start for a, b in pairwise(rows)) or len(rows) > MOST_PERIODS + 1:
        return []
    local = [Period(s.start.astimezone(zone).time(), s.end.astimezone(zone).time(), s.rate) for s in rows]
    if len(local) > 1 and local[0].rate == local[-1].rate:  # a night across midnight is one period
        local = [*local[1:-1], local[-1]._replace(end=local[0].end)]
    return local if len(local) <= MOST_PERIODS else []


def cheapest(view: dict[str, Any], ahead: Sequence[Segment], form: CheapestForm, now: datetime) -> dict[str, Any]:
    """The cheapest time ahead, or the dearest for what is sold, as the form asks; else for three hours."""
    tariff = view["tariff"]
    asked = form.cleaned_data if form.is_bound and form.is_valid() else {}
    hours, deadline, energy = asked.get("hours", 3), asked.get("deadline"), asked.get("kwh")
    known = ahead[-1].end if ahead else None
    sells = tariff.direction == "EXPORT"
    window = best(ahead, timedelta(hours=hours), now, deadline or known or now, dearest=sells)
    others = {name: form.data[name] for name in ("before", "kwh") if asked.get(name)}
    gain = (view["now"].rate - window.mean) * (-1 if sells else 1) if window and view["now"] else None
    return {
        "form": form,
        "hours": hours,
        "deadline": deadline,
        "window": window,
        "same": len({segment.rate for segment in ahead}) == 1,
        "gain": gain if gain and money.rounded(gain, 4) > 0 else None,
        "energy": energy,
        "cost": energy * window.mean if energy and window else None,
        "known": known,
        "links": [(n, f"?{urlencode({'direction': tariff.direction, 'hours': n} | others)}") for n in HOURS],
    }


def cheapest_form(tariff: Tariff, query: QueryDict, now: datetime, zone: ZoneInfo) -> CheapestForm:
    """The question for a tariff's cheapest time, bound if the query is about this tariff."""
    given = query if query.get("direction") == tariff.direction else None
    return CheapestForm(now, zone, given, initial={"hours": 3}, label_suffix="", auto_id=f"id_{tariff.direction}_%s")


def mean(segments: Sequence[Segment]) -> Decimal | None:
    """The price of a kWh, each rate counted by its length; None without a rate."""
    length = sum((s.end - s.start for s in segments), timedelta())
    if not length:
        return None
    return sum((Decimal((s.end - s.start) // timedelta(microseconds=1)) * s.rate for s in segments), Decimal(0)) / (
        length // timedelta(microseconds=1)
    )


def history_of(
    tariff: Tariff, known: Sequence[RateDay], dates: Sequence[date], location: Location, now: datetime
) -> dict[str, Any]:
    """A day or a week of a tariff, for `tariffs/other_days.html`."""
    zone = zone_of(location)
    exact = [segment for day in known for segment in rates.load(day.segments)]
    segments = without_carbon(exact)
    span = rates.day_span(dates[0], zone)[0], rates.day_span(dates[-1], zone)[1]
    by_day = [(day, rates.clip(segments, *rates.day_span(day, zone))) for day in dates]
    return {
        "tariff": tariff,
        "currency": location.currency_code,
        "chart": chart(segments, *span, zone, location.currency_code, now),
        "days": [day_of(exact, day, zone, now) for day in dates],
        "week": [
            (day, mean(found), pick(found, min), pick(found, max), any(s.confidence < 1 for s in found))
            for day, found in by_day
        ],
    }


def pick(segments: Sequence[Segment], extreme: Any) -> Decimal | None:
    return extreme((s.rate for s in segments), default=None)
