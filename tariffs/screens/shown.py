"""What the rates pages show of a tariff, worked out from what is stored; no call and no query of its own."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any, NamedTuple
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from django.http import QueryDict

from .. import money, rates
from ..models import Location, RateDay, Tariff
from ..rates import Segment
from ..rates.windows import best
from .chart import chart, heading
from .forms import HOURS, CheapestForm

MINUTE, QUARTER = timedelta(minutes=1), timedelta(minutes=15)
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


def stored(tariff: Tariff) -> list[Segment]:
    return [segment for day in tariff.days.all() for segment in rates.load(day.segments)]


def without_carbon(segments: Iterable[Segment]) -> list[Segment]:
    """Neighbours that differ in carbon alone as one: what a price, a chart and a window are about."""
    return rates.joined(s._replace(carbon=None) for s in segments)


def view_of(tariff: Tariff, location: Location, now: datetime, query: QueryDict) -> dict[str, Any]:
    """Today and tomorrow of a tariff, for `tariffs/rates.html`."""
    zone = location.local_zone
    today = now.astimezone(zone).date()
    dates = [today, today + timedelta(days=1)]
    midnight = rates.day_span(today, zone)[1]
    span = rates.day_span(dates[0], zone)[0], rates.day_span(dates[1], zone)[1]
    exact = rates.clip(stored(tariff), *span) if tariff.is_read else []
    segments = without_carbon(exact)
    current = rates.current(segments, now)
    ahead = rates.clip(segments, now, span[1])
    days = [day_of(exact, day, zone, now) for day in dates]
    # Without a half that is empty for certain.
    charted = (
        span[0] if not segments or segments[0].start < midnight else midnight,
        span[1] if not segments or segments[-1].end > midnight else midnight,
    )
    view = {
        "tariff": tariff,
        "connected": tariff.is_read,
        "currency": location.currency_code,
        "zone": zone,
        "now": current,
        "until": current.end if current and current.end < span[1] else None,
        "next": next((s for s in ahead if current and s.start == current.end), None),
        "level": level(current, rates.clip(segments, *rates.day_span(today, zone))),
        "chart": chart(segments, *charted, zone, location.currency_code, now),
        "charted": heading(segments, zone, now),
        "periods": periods(segments, dates, zone),
        "days": days if exact else [],
        "awaited": is_awaited(tariff, now),
        "last": exact[-1].end if exact else None,
        "today": today,
        "yesterday": today - timedelta(days=1),
        "fetched_at": min((day.fetched_at for day in tariff.days.all() if day.day in dates), default=None),
        **contract_of(tariff, ahead, now),
        "look_again": look_again(tariff, now) if tariff.is_read else None,
    }
    form = cheapest_form(tariff, query, now, zone)
    is_answered = ahead or (form.is_bound and tariff.is_read and not (view["over"] or view["stopped"]))
    asked = cheapest(view, ahead, form, now) if is_answered else None
    moments = changes(tariff, exact, now) + (changes_of_answer(asked, now) if asked else [])
    return view | {"asked": asked, "changes_at": first_of(moments, now, zone)}


def first_of(moments: Iterable[datetime], now: datetime, zone: ZoneInfo) -> datetime:
    """When a page says something else: the first of some moments to come, or the end of the day that it calls today."""
    midnight = rates.day_span(now.astimezone(zone).date(), zone)[1]
    return min(at for at in (midnight, *moments) if at > now)


def changes(tariff: Tariff, segments: Iterable[Segment], now: datetime) -> list[datetime]:
    """When what is said of a tariff changes: a rate begins or ends, FlatPeak is asked again, or its answer may be there."""
    if not tariff.is_read:
        return []
    moments = [at for s in rates.joined(segments) for at in (s.start, s.end)]
    moments.append(tariff.ask_at if tariff.ask_at > now else now + MINUTE)
    if tariff.rates == Tariff.Rates.FAILING:  # then it says how old the prices are
        moments.append(now + QUARTER)
    if seconds := look_again(tariff, now):
        moments.append(now + timedelta(seconds=seconds))
    return moments


def changes_of_answer(asked: dict[str, Any], now: datetime) -> list[datetime]:
    """When the answer to `cheapest` changes: its time begins, or it is too late to begin."""
    window, deadline = asked["window"], asked["deadline"]
    if asked["same"] and not deadline:  # then it names no time
        return []
    length = timedelta(hours=asked["hours"])
    moments = [at for at in (window.start, window.until - length) if at > now] if window else []
    if window and not moments:  # it begins now, whenever that is
        moments = [now + 5 * MINUTE]
    return [*moments, deadline - length] if deadline else moments


def contract_of(tariff: Tariff, ahead: Sequence[Segment], now: datetime) -> dict[str, bool]:
    """Whether the contract is `over`, or has `stopped`: it ends by tomorrow, and has no more prices."""
    left = tariff.days_left(now)
    known = tariff.is_read and tariff.state != Tariff.State.FAILED
    if left is None or not known or tariff.rates not in (Tariff.Rates.OK, Tariff.Rates.ENDED):
        return {"over": False, "stopped": False}
    return {"over": left < 0, "stopped": left in (0, 1) and not ahead}


def look_again(tariff: Tariff, now: datetime) -> int | None:
    """Seconds after which a page that waits for FlatPeak looks again; when FlatPeak is asked is the column's business."""
    if is_awaited(tariff, now):
        return 5
    if tariff.rates == Tariff.Rates.ESTIMATE:
        return 5 if now - tariff.rates_since < timedelta(minutes=1) else 30
    return 30 if tariff.rates == Tariff.Rates.PENDING else None


def is_awaited(tariff: Tariff, now: datetime) -> bool:
    """Whether its rates are on their way at this moment; not where FlatPeak has still to read the tariff, or could not."""
    waits = tariff.state == Tariff.State.FAILED or tariff.rates == Tariff.Rates.PENDING
    return tariff.is_read and tariff.is_asked_for(now) and not waits


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
    currency = view["currency"]
    mean = money.shown(window.mean, currency) if window else None
    gain = (
        (money.shown(view["now"].rate, currency) - mean) * (-1 if sells else 1)
        if mean is not None and view["now"]
        else None
    )
    return {
        "form": form,
        "hours": hours,
        "deadline": deadline,
        "window": window,
        "same": len({segment.rate for segment in ahead}) == 1,
        "gain": gain,  # of the prices as they are shown; below zero where now is the better time
        "energy": energy,
        "cost": money.coins(energy * mean, currency) if energy and mean is not None else None,
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
    zone = location.local_zone
    exact = [segment for day in known for segment in rates.load(day.segments)]
    segments = without_carbon(exact)
    span = rates.day_span(dates[0], zone)[0], rates.day_span(dates[-1], zone)[1]
    by_day = [(day, rates.clip(segments, *rates.day_span(day, zone))) for day in dates]
    return {
        "tariff": tariff,
        "names": list(dict.fromkeys(day.former or str(tariff) for day in known)) or [str(tariff)],
        "currency": location.currency_code,
        "chart": chart(segments, *span, zone, location.currency_code, now),
        "tiered": any(day.tiered for day in known),
        "lacks": not all(found for _, found in by_day),
        "next": _asked_next(tariff, dates, now.astimezone(zone).date(), now),
        "days": [day_of(exact, day, zone, now) for day in dates],
        "changes": changes(tariff, exact, now) if span[0] <= now + timedelta(days=1) and now < span[1] else [],
        "week": [
            (day, mean(found), pick(found, min), pick(found, max), any(s.confidence < 1 for s in found))
            for day, found in by_day
        ],
    }


def _asked_next(tariff: Tariff, dates: Sequence[date], today: date, now: datetime) -> datetime | None:
    """When FlatPeak is asked for a day that is today or tomorrow, and that it has had nothing to say of so far."""
    answered = tariff.rates in (Tariff.Rates.OK, Tariff.Rates.ESTIMATE)
    near = len(dates) == 1 and timedelta() <= dates[0] - today <= timedelta(days=1)
    return tariff.ask_at if tariff.is_read and answered and near and tariff.ask_at > now else None


def pick(segments: Sequence[Segment], extreme: Any) -> Decimal | None:
    return extreme((s.rate for s in segments), default=None)
