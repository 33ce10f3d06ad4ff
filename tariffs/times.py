"""Times in words: by the clock of a location, by the day as seen from now, and with the zone."""

from datetime import date, datetime, time, timedelta, timezone, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

from babel import Locale, dates
from django.utils.translation import gettext, gettext_lazy as _, pgettext

from .money import locale

# For today, tomorrow and another day, by the word that joins the day and the time.
TIMES = {
    "": (_("today %(time)s"), _("tomorrow %(time)s"), _("%(day)s %(time)s")),
    "at": (_("today at %(time)s"), _("tomorrow at %(time)s"), _("%(day)s at %(time)s")),
    "to": (_("today %(time)s to %(end)s"), _("tomorrow %(time)s to %(end)s"), _("%(day)s %(time)s to %(end)s")),
}


def clock(moment: datetime, zone: tzinfo) -> str:
    return of_day(moment.astimezone(zone))


def of_day(at: time | datetime) -> str:
    """23:30, or 23 h 30 in French."""
    return _clock(at.hour, at.minute, locale())


@lru_cache(1440)
def _clock(hour: int, minute: int, where: Locale) -> str:
    whole, other = pgettext("pattern of a full hour", "HH:mm"), pgettext("pattern of a time of day", "HH:mm")
    return dates.format_time(time(hour, minute), other if minute else whole, locale=where)


def local(moment: datetime, zone: tzinfo) -> str:
    """The time of day at a location; with the zone's name, 01:00 BST, where the clock shows that time twice."""
    at = moment.astimezone(zone)
    first, second = (at.replace(fold=fold).utcoffset() or timedelta() for fold in (0, 1))
    return clock(at, zone) + (f" {at.tzname()}" if first > second else "")


def zone_in_words(zone: tzinfo, now: datetime) -> str:
    """London (UTC), Los Angeles (UTC-08:00); without a place UTC, UTC+01:00."""
    offset = str(timezone(now.astimezone(zone).utcoffset() or timedelta()))
    if not isinstance(zone, ZoneInfo) or zone.key == "UTC":
        return offset
    return f"{dates.get_timezone_location(zone, locale=locale(), return_city=True)} ({offset})"


def short_date(day: date) -> str:
    """Mon 26 Oct."""
    return dates.format_skeleton("MMMEd", day, locale=locale())


def long_date(day: date) -> str:
    """Monday 26 October 2026."""
    return dates.format_date(day, pgettext("pattern of a date", "EEEE d MMMM y"), locale=locale())


def month_of_year(day: date) -> str:
    """October 2026."""
    return dates.format_skeleton("yMMMM", day, locale=locale())


def local_day(moment: datetime, zone: tzinfo) -> str:
    return short_date(moment.astimezone(zone).date())


def moment_of_year(at: datetime) -> str:
    """26 October 2026, 16:00; in UTC."""
    return dates.format_datetime(at, pgettext("pattern of a date and time", "d MMMM y, HH:mm"), locale=locale())


def _days_ahead(moment: datetime, now: datetime, zone: tzinfo) -> int:
    return (moment.astimezone(zone).date() - now.astimezone(zone).date()).days


def when(moment: datetime, now: datetime, zone: tzinfo, joint: str = "", end: str = "") -> str:
    """A time to come: today 23:00, tomorrow 02:00; with the joint "at" today at 23:00."""
    days = _days_ahead(moment, now, zone)
    said = TIMES[joint][days if days in (0, 1) else 2]
    return said % {"day": local_day(moment, zone), "time": local(moment, zone), "end": end}


def span(start: datetime, end: datetime, now: datetime, zone: tzinfo) -> str:
    """A time to come with its end: today 15:00 to 18:00, today 23:00 to tomorrow 02:00."""
    if start.astimezone(zone).date() == end.astimezone(zone).date():
        return when(start, now, zone, "to", local(end, zone))
    return gettext("%(start)s to %(end)s") % {"start": when(start, now, zone), "end": until(end, now, zone)}


def until(moment: datetime, now: datetime, zone: tzinfo) -> str:
    """A time of day at a location, with its day if that is not today: 16:00, midnight, tomorrow 07:00."""
    days = _days_ahead(moment, now, zone)
    if days == 1 and moment.astimezone(zone).time() == time.min:
        return gettext("midnight")
    if days == 0:
        return pgettext("a time of day in a sentence", "%(time)s") % {"time": local(moment, zone)}
    return when(moment, now, zone)
