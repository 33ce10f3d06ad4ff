"""What the rates pages show of a tariff: today and tomorrow, or other days; and the moments at which that changes.

Makes no call and no query. The moments limit how long a page is shown and cached.
"""

from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.http import QueryDict

from .. import rates
from ..models import Location, RateDay, Tariff
from .chart import chart, heading
from .cheapest import CheapestForm, changes_of_answer, cheapest
from .day import day_of, figures, level, periods, segments_of, without_carbon

MINUTE, QUARTER = timedelta(minutes=1), timedelta(minutes=15)


def view_of(tariff: Tariff, location: Location, now: datetime, query: QueryDict) -> dict[str, Any]:
    """Today and tomorrow of a tariff, for `tariffs/_tariff.html`."""
    zone = location.local_zone
    today = now.astimezone(zone).date()
    dates = [today, today + timedelta(days=1)]
    (start, midnight), (_, end) = (rates.day_span(day, zone) for day in dates)
    exact = rates.clip(segments_of(tariff.days.all()), start, end) if tariff.is_read else []
    segments = without_carbon(exact)
    current = rates.current(segments, now)
    ahead = rates.clip(segments, now, end)
    # Leave out a day of which nothing is known.
    charted = (
        start if not segments or segments[0].start < midnight else midnight,
        end if not segments or segments[-1].end > midnight else midnight,
    )
    view = {
        "tariff": tariff,
        "currency": location.currency_code,
        "zone": zone,
        "now": current,
        "until": current.end if current and current.end < end else None,
        "next": next((s for s in ahead if current and s.start == current.end), None),
        "level": level(current, rates.clip(segments, start, midnight)),
        "chart": chart(segments, *charted, zone, location.currency_code, now),
        "charted": heading(segments, zone, now),
        "periods": periods(segments, dates, zone),
        "days": [day_of(exact, day, zone, now) for day in dates] if exact else [],
        "awaited": is_awaited(tariff, now),
        "last": exact[-1].end if exact else None,
        "today": today,
        "yesterday": today - timedelta(days=1),
        "fetched_at": min((day.fetched_at for day in tariff.days.all() if day.day in dates), default=None),
        **contract_of(tariff, ahead, now),
        "look_again": look_again(tariff, now) if tariff.is_read else None,
    }
    form = CheapestForm(tariff, query, now)
    is_answered = ahead or (form.is_bound and tariff.is_read and not (view["over"] or view["stopped"]))
    asked = cheapest(view, ahead, form, now) if is_answered else None
    moments = changes(tariff, exact, now) + (changes_of_answer(asked, now) if asked else [])
    return view | {"asked": asked, "changes_at": first_of(moments, now, zone)}


def contract_of(tariff: Tariff, ahead: Sequence[rates.Segment], now: datetime) -> dict[str, bool]:
    """Whether the contract is `over`, or has `stopped`: it ends by tomorrow, and has no more prices."""
    left = tariff.days_left(now)
    known = tariff.is_read and tariff.state != Tariff.State.FAILED
    if left is None or not known or tariff.rates not in (Tariff.Rates.OK, Tariff.Rates.ENDED):
        return {"over": False, "stopped": False}
    return {"over": left < 0, "stopped": left in (0, 1) and not ahead}


def history_of(tariff: Tariff, known: Sequence[RateDay], dates: Sequence[date], now: datetime) -> dict[str, Any]:
    """A day or a week of a tariff, for `tariffs/other_days.html`."""
    zone, currency = tariff.location.local_zone, tariff.location.currency_code
    exact = segments_of(known)
    segments = without_carbon(exact)
    start, end = rates.day_span(dates[0], zone)[0], rates.day_span(dates[-1], zone)[1]
    # FlatPeak is asked again for a single day, today or tomorrow, for which it had no prices so far.
    answered = tariff.rates in (Tariff.Rates.OK, Tariff.Rates.ESTIMATE)
    today = now.astimezone(zone).date()
    near = len(dates) == 1 and timedelta() <= dates[0] - today <= timedelta(days=1)
    by_day = [(day, rates.clip(segments, *rates.day_span(day, zone))) for day in dates]
    told = [day for day, found in by_day if found]
    return {
        "tariff": tariff,
        "names": list(dict.fromkeys(day.former or str(tariff) for day in known)) or [str(tariff)],
        "currency": currency,
        "chart": chart(segments, start, end, zone, currency, now),
        "tiered": any(day.tiered for day in known),
        "lacks": len(told) < len(by_day),
        "with_price": today if today in told else next(iter(told), None),
        "next": tariff.due_after(now) if tariff.is_read and answered and near else None,
        "days": [day_of(exact, day, zone, now) for day in dates],
        "changes": changes(tariff, exact, now) if start <= now + timedelta(days=1) and now < end else [],
        "week": [(day, *figures(found), any(s.confidence < 1 for s in found)) for day, found in by_day],
    }


def first_of(moments: Iterable[datetime], now: datetime, zone: ZoneInfo) -> datetime:
    """The first moment after now, at the latest the end of the local day, since a page says "today"."""
    midnight = rates.day_span(now.astimezone(zone).date(), zone)[1]
    return min(at for at in (midnight, *moments) if at > now)


def changes(tariff: Tariff, segments: Iterable[rates.Segment], now: datetime) -> list[datetime]:
    """The moments at which a rate begins or ends, FlatPeak is asked again, or its answer may have arrived."""
    if not tariff.is_read:
        return []
    moments = [at for s in rates.joined(segments) for at in (s.start, s.end)]
    moments.append(tariff.due_after(now) or now + MINUTE)
    if tariff.rates == Tariff.Rates.FAILING:  # the page says how old its prices are
        moments.append(now + QUARTER)
    if seconds := look_again(tariff, now):
        moments.append(now + timedelta(seconds=seconds))
    return moments


def look_again(tariff: Tariff, now: datetime) -> int | None:
    """Seconds after which a page that waits for rates reloads. Only the reload interval: `ask_at` decides when to fetch."""
    if is_awaited(tariff, now):
        return 5
    if tariff.rates == Tariff.Rates.ESTIMATE:
        return 5 if now - tariff.rates_since < MINUTE else 30
    return 30 if tariff.rates == Tariff.Rates.PENDING else None


def is_awaited(tariff: Tariff, now: datetime) -> bool:
    """Whether rates are being fetched at this moment. False if FlatPeak has not read the tariff."""
    waits = tariff.state == Tariff.State.FAILED or tariff.rates == Tariff.Rates.PENDING
    return tariff.is_read and tariff.is_claimed(now) and not waits
