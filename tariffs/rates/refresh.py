"""Asking FlatPeak for the rates that are due, once for everybody who looks."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import date, datetime, timedelta

from django.db import transaction

from .. import flatpeak, rates
from ..details import complete
from ..models import Tariff, Wait
from .days import fetch, store

SOON = timedelta(seconds=5)
MINUTE = timedelta(minutes=1)
QUARTER = timedelta(minutes=15)
DAY = timedelta(days=1)
NONE = ("no_tariff_connected", "no_price_data")  # as a last answer: FlatPeak was asked, and has no rates
FAILED, ASKING = "failed", "asking"  # what became of a question for some days
UNAVAILABLE = "unavailable"  # as a last answer: there was none
UNKNOWN_ZONE = "unknown_zone"  # as a last answer: FlatPeak told no time zone, or one that is not known here
RATE_LIMIT = "rate_limit"  # as a last answer: FlatPeak wants to be left alone until the tariff is due again


def refresh(tariff: Tariff, now: datetime) -> bool:
    """Ask for today's and tomorrow's rates if they are due, and store them; True if FlatPeak was asked.

    When it is due again is a column, and moving it on is the claim: of all who look at the same time, in whatever
    thread or process, one asks. `tariff` carries its location and is up to date afterwards.
    """
    if not is_due(tariff, now):
        return False
    claim = now + timedelta(seconds=3 * flatpeak.total_timeout())
    mine = Tariff.objects.filter(pk=tariff.pk, version=tariff.version)
    if not mine.filter(ask_at=tariff.ask_at).update(ask_at=claim, asking_until=claim):
        tariff.read_again()
        return False
    state, known = tariff.state, None
    try:
        known = _fetch(tariff, now)
    except flatpeak.Rejected as error:
        _rejected(tariff, error, now)
    except flatpeak.Unavailable:
        tariff.set_rates(Tariff.Rates.FAILING, UNAVAILABLE, now + MINUTE)
    since = tariff.state_since
    # For the mails; not if the rates were there at once.
    read = tariff.rates in (Tariff.Rates.OK, Tariff.Rates.ENDED)
    waits = tariff.state == Tariff.State.PENDING and (not read or now - since >= MINUTE)
    arrived = state in (Tariff.State.PENDING, Tariff.State.FAILED) and read
    if arrived:
        tariff.set_state(Tariff.State.CONNECTED)
    # Alone what was changed here: the tariff may have been disconnected while FlatPeak was answering.
    changed = ["state", "state_since"] if tariff.state != state else []
    names = ("rates", "rates_since", "rates_code", "ask_at", "asking_until", *changed)
    told = {name: getattr(tariff, name) for name in names}
    with transaction.atomic():
        kept = mine.filter(ask_at=claim).update(**told)
        if kept and known:
            store(tariff, *known, now)
        if kept and waits:
            Wait.objects.get_or_create(tariff=tariff, defaults={"since": since})
    if not kept:  # the customer has changed the tariff meanwhile, or the claim has passed to another
        tariff.read_again()
    elif (
        arrived
        or (read and _is_over(tariff, now))
        or (tariff.rates_code not in ("", UNAVAILABLE, UNKNOWN_ZONE, RATE_LIMIT) and _is_patient(tariff, now))
    ):
        with suppress(flatpeak.FlatPeakError):  # the tariff's names, now that FlatPeak may know them
            complete(tariff)
        if tariff.rates == Tariff.Rates.ENDED and not _is_last_day_begun(tariff, now):  # FlatPeak told of a later end
            mine.filter(rates=Tariff.Rates.ENDED).update(ask_at=now + MINUTE)
    return True


def ask_for(tariff: Tariff, days: Sequence[date], now: datetime) -> str:
    """Ask for what is due or missing of some local days, and store it.

    FAILED if FlatPeak could not be asked, ASKING if it is being asked for somebody else.
    """
    failed = False
    if is_of_refresh(tariff, days, now):
        refresh(tariff, now)
        failed = tariff.rates == Tariff.Rates.FAILING and tariff.rates_code not in (*NONE, UNKNOWN_ZONE)
    try:
        asking = fetch(tariff, days, now)
    except flatpeak.FlatPeakError:
        asking, failed = False, True
    return FAILED if failed else ASKING if asking else under_way(tariff, days, now)


def under_way(tariff: Tariff, days: Sequence[date], now: datetime) -> str:
    """ASKING if today or tomorrow is among the days and asked for at this moment, for whomever; "" if not."""
    asking = tariff.is_read and tariff.is_asked_for(now)
    return ASKING if asking and is_of_refresh(tariff, days, now) else ""


def is_of_refresh(tariff: Tariff, days: Sequence[date], now: datetime) -> bool:
    """Whether one of the days is today or tomorrow, as far as it is known when they begin."""
    today = now.astimezone(tariff.location.local_zone).date()
    return today in days or today + timedelta(days=1) in days or not tariff.location.zone


def is_due(tariff: Tariff, now: datetime) -> bool:
    return tariff.is_here and tariff.state != Tariff.State.DISCONNECTED and tariff.ask_at <= now


def _fetch(tariff: Tariff, now: datetime) -> tuple[list[date], list[rates.Segment]] | None:
    """Today and tomorrow, and the rates of both; None where it is not known when those days begin."""
    location = tariff.location
    if not location.zone or not location.currency_code:
        complete(tariff)
    zone = location.zone
    if not zone:
        tariff.set_rates(Tariff.Rates.FAILING, UNKNOWN_ZONE, now + QUARTER)
        return None
    today = now.astimezone(zone).date()
    days = [today, today + timedelta(days=1)]
    start, midnight, end = (rates.day_span(day, zone)[0] for day in (*days, days[1] + timedelta(days=1)))
    answer = flatpeak.rates(location.location_id, start, end, tariff.direction)
    segments = rates.parse(answer["data"])
    if any(segment.confidence == 0 for segment in segments):
        # FlatPeak is still working it out: usually for seconds, and one that takes long is not asked for ever so often.
        tariff.set_rates(Tariff.Rates.ESTIMATE, "", now)
        waited = now - tariff.rates_since
        tariff.ask_at = now + (SOON if waited < MINUTE else MINUTE if waited < 10 * MINUTE else QUARTER)
    elif not segments and _is_last_day_begun(tariff, now):
        _ended(tariff, "", now)
    else:
        tariff.set_rates(Tariff.Rates.OK, "", _ask_at(answer, now, midnight, end))
    return days, segments


def _rejected(tariff: Tariff, error: flatpeak.Rejected, now: datetime) -> None:
    if error.status == 429:
        tariff.pause = error.retry_after or MINUTE.total_seconds()
        # A page looks again when the tariff is due, so a second's pause would have each open page ask every other second.
        tariff.set_rates(Tariff.Rates.FAILING, RATE_LIMIT, now + max(timedelta(seconds=tariff.pause), MINUTE))
        return
    if error.code in NONE and _is_last_day_begun(tariff, now):
        _ended(tariff, error.code, now)
        return
    waiting = error.code == "pending_connect"
    tariff.set_rates(Tariff.Rates.PENDING if waiting else Tariff.Rates.FAILING, error.code, now)
    tariff.ask_at = now + (QUARTER if _is_patient(tariff, now) else MINUTE)
    if waiting and tariff.state == Tariff.State.CONNECTED:
        tariff.set_state(Tariff.State.PENDING)


def _is_last_day_begun(tariff: Tariff, now: datetime) -> bool:
    """Then the contract's end may be why there are no prices: FlatPeak does not say whether its last day has some."""
    left = tariff.days_left(now)
    return left is not None and left <= 0


def _is_over(tariff: Tariff, now: datetime) -> bool:
    return (tariff.days_left(now) or 0) < 0


def _ended(tariff: Tariff, code: str, now: datetime) -> None:
    """Asked for again in case FlatPeak learns of another end: once a day, when the last day is over."""
    tariff.set_rates(Tariff.Rates.ENDED, code, now)
    tariff.ask_at = now + (DAY if _is_over(tariff, now) and _is_patient(tariff, now) else QUARTER)


def _is_patient(tariff: Tariff, now: datetime) -> bool:
    return now - tariff.rates_since >= 10 * MINUTE


def _ask_at(answer: flatpeak.JSON, now: datetime, midnight: datetime, end: datetime) -> datetime:
    """FlatPeak's `next_update`, a minute ahead at least; local midnight where that is not before tomorrow's end.

    Then nothing new is to come tomorrow, but of the day after it nothing was asked.
    """
    try:
        next_update = rates.instant(answer["next_update"])
    except (KeyError, TypeError, ValueError, OverflowError):
        next_update = now
    if next_update <= now:
        next_update = now + QUARTER
    return max(next_update, now + MINUTE) if next_update < end else midnight
