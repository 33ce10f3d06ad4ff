"""Fetch the rates of today and tomorrow that are due: one call, however many look."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.db import transaction
from django.utils import timezone

from .. import flatpeak, rates
from ..details import complete
from ..models import Tariff, Wait, Wish
from ..queue import DAY, MINUTE, QUARTER, UNAVAILABLE
from .days import fetch, store
from .levels import worked_out

SOON, HOUR = timedelta(seconds=5), timedelta(hours=1)
PUBLISHED = time(13, 5)  # local; the first day-ahead markets have tomorrow's prices then, others hours later
NONE = ("no_tariff_connected", "no_price_data")  # last results: FlatPeak has no rates
FAILED, ASKING = "failed", "asking"  # what `ask_for` says
UNKNOWN_ZONE = "unknown_zone"  # last result: FlatPeak told no time zone, or one that this server does not know
RATE_LIMIT = "rate_limit"  # last result: status 429


def refresh(tariff: Tariff, now: datetime) -> bool:
    """Fetch and store the rates of today and tomorrow if they are due; True if FlatPeak was asked.

    Of all who look at the same time, in any process, one gets the claim and asks. `tariff` comes with its location, and is
    up to date afterwards.
    """
    if not (tariff.is_read and tariff.is_due(now)):
        return False
    if not tariff.claim(due_at=tariff.due_at, version=tariff.version):
        tariff.read_again()
        return False
    state, known = tariff.state, None
    try:
        known = _fetch(tariff, now)
    except flatpeak.Rejected as error:
        _rejected(tariff, error, now)
    except flatpeak.Unavailable:
        tariff.set_rates(Tariff.Rates.FAILING)
        tariff.put_off(UNAVAILABLE, now, longest=MINUTE)  # as the page says; the breaker spares FlatPeak meanwhile
    since = tariff.state_since
    # No mail if the rates are there within a minute.
    read = tariff.rates in (Tariff.Rates.OK, Tariff.Rates.ENDED)
    waits = tariff.state == Tariff.State.PENDING and (not read or now - since >= MINUTE)
    arrived = state in (Tariff.State.PENDING, Tariff.State.FAILED) and read
    if arrived:
        tariff.set_state(Tariff.State.CONNECTED)
    # Write the state only if it changed here: the tariff may have been disconnected during the call.
    changed = ["state", "state_since"] if tariff.state != state else []
    if known:
        days, segments = known
        tariff.levels = worked_out(tariff, segments, days)
        changed.append("levels")
    with transaction.atomic():
        kept = tariff.release("rates", "rates_since", *changed)
        if kept and known:
            store(tariff, *known, now)
        if kept and waits:
            Wait.begin(tariff, since)
        if kept and arrived:
            Wait.wake(tariff, now)
        if kept and known and tariff.has_wishes and tariff.rates == Tariff.Rates.OK:
            Wish.wake(tariff, now, but=known[0][0])
    if not kept:  # the customer has changed the tariff, or the claim is over
        tariff.read_again()
    elif (
        arrived
        or (read and _is_over(tariff, now))
        or (tariff.last_result not in ("", UNAVAILABLE, UNKNOWN_ZONE, RATE_LIMIT) and _is_patient(tariff, now))
    ):
        with suppress(flatpeak.FlatPeakError):  # FlatPeak may know the details by now
            complete(tariff)
        if tariff.rates == Tariff.Rates.ENDED and not _is_last_day_begun(tariff, now):  # it ends later
            Tariff.objects.filter(pk=tariff.pk, due_at=tariff.due_at).update(due_at=now + MINUTE)
    return True


def refresh_due(tariff: Tariff) -> bool | None:
    """`refresh`, for a worker: False if FlatPeak gave no rates and should have, None if it was not asked."""
    if not refresh(tariff, timezone.now()):
        return None
    return tariff.rates != Tariff.Rates.FAILING or tariff.last_result == UNKNOWN_ZONE


def ask_for(tariff: Tariff, days: Sequence[date], now: datetime) -> str:
    """Fetch what is due or missing of some days: FAILED without an answer, ASKING if a call is under way, else ""."""
    failed = False
    if is_of_refresh(tariff, days, now):
        refresh(tariff, now)
        failed = tariff.rates == Tariff.Rates.FAILING and tariff.last_result not in (*NONE, UNKNOWN_ZONE)
    try:
        asking = fetch(tariff, days, now)
    except flatpeak.FlatPeakError:
        asking, failed = False, True
    return FAILED if failed else ASKING if asking else under_way(tariff, days, now)


def under_way(tariff: Tariff, days: Sequence[date], now: datetime) -> str:
    """ASKING if today or tomorrow is among the days and a call for them is under way; "" if not."""
    asking = tariff.is_read and tariff.is_claimed(now)
    return ASKING if asking and is_of_refresh(tariff, days, now) else ""


def is_of_refresh(tariff: Tariff, days: Sequence[date], now: datetime) -> bool:
    """Whether one of the days is today or tomorrow; True while the time zone is not known."""
    today = now.astimezone(tariff.location.local_zone).date()
    return today in days or today + timedelta(days=1) in days or not tariff.location.zone


def _fetch(tariff: Tariff, now: datetime) -> tuple[list[date], list[rates.Segment]] | None:
    """Today and tomorrow with the rates of both; None without a known time zone, which says when the days begin."""
    location = tariff.location
    if not location.zone or not location.currency_code:
        complete(tariff)
    zone = location.zone
    if not zone:
        tariff.set_rates(Tariff.Rates.FAILING)
        tariff.put_off(UNKNOWN_ZONE, now, first=QUARTER)
        return None
    today = now.astimezone(zone).date()
    days = [today, today + timedelta(days=1)]
    start, midnight, end = (rates.day_span(day, zone)[0] for day in (*days, days[1] + timedelta(days=1)))
    answer = flatpeak.rates(location.location_id, start, end, tariff.direction)
    segments, dropped = rates.read(answer["data"])
    if any(segment.confidence == 0 for segment in segments):
        tariff.set_rates(Tariff.Rates.ESTIMATE)
        tariff.put_off("", now, first=SOON)  # usually exact within seconds
    elif not segments and _is_last_day_begun(tariff, now):
        _ended(tariff, "", now)
    else:
        tariff.set_rates(Tariff.Rates.OK)
        due = _next_update(answer, segments, now, midnight, end, zone)
        if dropped and _known_until(segments, now) < midnight:  # FlatPeak has a price that could not be read
            due = min(due, now + QUARTER)
        tariff.succeeded(due)
    return days, segments


def _rejected(tariff: Tariff, error: flatpeak.Rejected, now: datetime) -> None:
    if error.code in NONE and _is_last_day_begun(tariff, now):
        _ended(tariff, error.code, now)
        return
    waiting = error.code == "pending_connect"
    tariff.set_rates(Tariff.Rates.PENDING if waiting else Tariff.Rates.FAILING)
    tariff.refused(error, now)
    if error.status == 429:
        tariff.last_result = RATE_LIMIT
    if waiting and tariff.state == Tariff.State.CONNECTED:
        tariff.set_state(Tariff.State.PENDING)


def _is_last_day_begun(tariff: Tariff, now: datetime) -> bool:
    """If so, the contract's end may be why there are no prices: FlatPeak may have some for the last day, or none."""
    left = tariff.days_left(now)
    return left is not None and left <= 0


def _is_over(tariff: Tariff, now: datetime) -> bool:
    return (tariff.days_left(now) or 0) < 0


def _ended(tariff: Tariff, code: str, now: datetime) -> None:
    """Ask again in case the contract was extended: at last once a day."""
    tariff.set_rates(Tariff.Rates.ENDED)
    tariff.succeeded(now + (DAY if _is_over(tariff, now) and _is_patient(tariff, now) else QUARTER), code)


def _is_patient(tariff: Tariff, now: datetime) -> bool:
    return now - tariff.rates_since >= 10 * MINUTE


def _next_update(
    answer: flatpeak.JSON,
    segments: Sequence[rates.Segment],
    now: datetime,
    midnight: datetime,
    end: datetime,
    zone: ZoneInfo,
) -> datetime:
    """FlatPeak's `next_update`, at least a minute ahead; local midnight if that is after the end of tomorrow.

    At midnight a new day comes into view, whose rates were not in this answer.
    """
    if answer.get("next_update") is None:  # anode may leave it out
        return _when_not_told(segments, now, midnight, end, zone)
    try:
        next_update = rates.instant(answer["next_update"])
    except (TypeError, ValueError, OverflowError):
        next_update = now
    if next_update <= now:
        next_update = now + QUARTER
    return max(next_update, now + MINUTE) if next_update < end else midnight


def _when_not_told(
    segments: Sequence[rates.Segment], now: datetime, midnight: datetime, end: datetime, zone: ZoneInfo
) -> datetime:
    """When to ask again if FlatPeak does not say: at local midnight, once tomorrow's rates are known.

    Until then at the hour at which the first markets publish them, and every hour after that.
    """
    known = _known_until(segments, now)
    if known >= end:
        return midnight
    if known < midnight:
        return min(now + QUARTER, midnight)
    published = datetime.combine(now.astimezone(zone).date(), PUBLISHED, zone)
    return min(published if now < published else now + HOUR, midnight)


def _known_until(segments: Sequence[rates.Segment], now: datetime) -> datetime:
    """The first instant from now on that has no rate, or a forecast. The segments are in order."""
    until = now
    for segment in segments:
        if segment.start <= until < segment.end and segment.confidence >= 1:
            until = segment.end
    return until


def make_due(location_id: str) -> int:
    """FlatPeak told that something at a location has changed: its rates are due now. Returns the number of tariffs.

    A call under way loses its claim, because its answer may be from before the change.
    """
    here = Tariff.objects.here().filter(location__location_id=location_id)
    read = here.exclude(state=Tariff.State.DISCONNECTED)
    return read.update(due_at=timezone.now(), claimed_until=None, attempts=0)
