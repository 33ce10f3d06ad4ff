"""Asking FlatPeak for the rates that are due, once for everybody who looks."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import date, datetime, timedelta

from . import flatpeak, rates
from .connected import complete, is_zone
from .history import fetch, store
from .models import Tariff, Wait
from .page import zone_of

SOON = timedelta(seconds=5)
MINUTE = timedelta(minutes=1)
QUARTER = timedelta(minutes=15)
NONE = ("no_tariff_connected", "no_price_data")  # as a last answer: FlatPeak was asked, and has no rates
RATE_LIMIT = "rate_limit"  # as a last answer: FlatPeak wants to be left alone until the tariff is due again


def refresh(tariff: Tariff, now: datetime) -> bool:
    """Ask for today's and tomorrow's rates if they are due, and store them; True if FlatPeak was asked.

    When it is due again is a column, and moving it on is the claim: of all who look at the same time, in whatever
    thread or process, one asks. `tariff` carries its location and is up to date afterwards.
    """
    if not is_due(tariff, now):
        return False
    claim = now + timedelta(seconds=3 * flatpeak.total_timeout())
    if not Tariff.objects.filter(pk=tariff.pk, ask_at=tariff.ask_at).update(ask_at=claim):
        tariff.refresh_from_db(fields=["rates", "rates_since", "rates_code", "ask_at"])
        return False
    state = tariff.state
    try:
        _fetch(tariff, now)
    except flatpeak.Rejected as error:
        _rejected(tariff, error, now)
    except flatpeak.Unavailable:
        tariff.set_rates(Tariff.Rates.FAILING, "unavailable", now + MINUTE)
    if tariff.state == Tariff.State.PENDING:
        _wait(tariff, now)
    if state in (Tariff.State.PENDING, Tariff.State.FAILED) and tariff.rates == Tariff.Rates.OK:
        tariff.set_state(Tariff.State.CONNECTED)
        _complete(tariff)
    # Alone what was changed here: the tariff may have been disconnected while FlatPeak was answering.
    changed = ["state", "state_since"] if tariff.state != state else []
    tariff.save(update_fields=["rates", "rates_since", "rates_code", "ask_at", *changed])
    return True


def ask_for(tariff: Tariff, days: Sequence[date], now: datetime) -> bool:
    """Ask for what is due or missing of some local days, and store it; False if FlatPeak could not be asked."""
    today = now.astimezone(zone_of(tariff.location)).date()
    asked = True
    if today in days or today + timedelta(days=1) in days:
        refresh(tariff, now)
        asked = tariff.rates != Tariff.Rates.FAILING or tariff.rates_code in NONE
    try:
        fetch(tariff, days, now)
    except flatpeak.FlatPeakError:
        return False
    return asked


def is_due(tariff: Tariff, now: datetime) -> bool:
    return tariff.is_here and tariff.state != Tariff.State.DISCONNECTED and tariff.ask_at <= now


def _fetch(tariff: Tariff, now: datetime) -> None:
    location = tariff.location
    if not is_zone(location.time_zone) or not location.currency_code:
        complete(tariff)
    if not is_zone(location.time_zone):
        raise flatpeak.Unavailable("a time zone that is not known here")
    zone = location.zone
    today = now.astimezone(zone).date()
    days = [today, today + timedelta(days=1)]
    start, midnight, end = (rates.day_span(day, zone)[0] for day in (*days, days[1] + timedelta(days=1)))
    answer = flatpeak.rates(location.location_id, start, end, tariff.direction)
    segments = rates.parse(answer["data"])
    store(tariff, days, segments, now)
    if any(segment.confidence == 0 for segment in segments):
        # FlatPeak is still working it out: usually for seconds, and one that takes long is not asked for ever so often.
        tariff.set_rates(Tariff.Rates.ESTIMATE, "", now)
        waited = now - tariff.rates_since
        tariff.ask_at = now + (SOON if waited < MINUTE else MINUTE if waited < 10 * MINUTE else QUARTER)
        return
    tariff.set_rates(Tariff.Rates.OK, "", _ask_at(answer, now, midnight, end))


def _rejected(tariff: Tariff, error: flatpeak.Rejected, now: datetime) -> None:
    if error.status == 429:
        pause = timedelta(seconds=error.retry_after) if error.retry_after else MINUTE
        tariff.set_rates(Tariff.Rates.FAILING, RATE_LIMIT, now + pause)
        return
    waiting = error.code == "pending_connect"
    tariff.set_rates(Tariff.Rates.PENDING if waiting else Tariff.Rates.FAILING, error.code, now)
    patient = now - tariff.rates_since >= 10 * MINUTE
    tariff.ask_at = now + (QUARTER if patient else MINUTE)
    if waiting and tariff.state == Tariff.State.CONNECTED:
        tariff.set_state(Tariff.State.PENDING)
    if patient:
        _complete(tariff)


def _wait(tariff: Tariff, now: datetime) -> None:
    """Remember that the customer waits, for the mails; not if the rates were there at once."""
    if tariff.rates != Tariff.Rates.OK or now - tariff.state_since >= MINUTE:
        Wait.objects.get_or_create(tariff=tariff, defaults={"since": tariff.state_since})


def _complete(tariff: Tariff) -> None:
    """The tariff's names, now that FlatPeak may know them; without them nothing is lost."""
    with suppress(flatpeak.FlatPeakError):
        complete(tariff)


def _ask_at(answer: flatpeak.JSON, now: datetime, midnight: datetime, end: datetime) -> datetime:
    """FlatPeak's `next_update`; local midnight where that is not before tomorrow's end.

    Then nothing new is to come tomorrow, but of the day after it nothing was asked.
    """
    try:
        next_update = rates.instant(answer["next_update"])
    except (KeyError, TypeError, ValueError, OverflowError):
        next_update = now
    if next_update <= now:
        next_update = now + QUARTER
    return next_update if next_update < end else midnight
