"""Mails that customers want: tomorrow's prices once they are known, and a price below or above a limit.

A mail is marked as sent before the server can have it, and no two at a time: a worker that is killed in between loses one,
and none is sent twice.
"""

from collections.abc import Iterable, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

from django.conf import settings
from django.core import signing
from django.urls import reverse
from django.utils import timezone

from . import letters, money, rates
from .models import RateDay, Tariff, Wish
from .queue import MINUTE
from .rates import Segment
from .rates.outlook import outlook, segments_of, without_carbon

NOON = time(12)  # a mail about tomorrow is not sent earlier: many tariffs have tomorrow's prices at midnight already
signer = signing.Signer(salt="tariffs.wanted.stop")


class Look(NamedTuple):
    """What looking at a wish found: when to look again, and the facts of the mail that is due, if one is."""

    due_at: datetime | None  # None: once new rates have arrived
    facts: dict[str, Any] | None = None
    until: datetime | None = None  # the end of the time beyond the limit that begins or goes on now


def tell(wish: Wish) -> bool | None:
    """Send the mail that is due; False if it could not be sent, None if another worker has the wish."""
    now = timezone.now()
    if not wish.claim():
        return None
    tariff = wish.tariff
    look = look_at(wish, known_rates(tariff, now), now)
    if not look.facts:
        wish.succeeded(look.due_at, wish.last_result)
        wish.told_until = look.until or wish.told_until
        return True if wish.release("told_until") else None
    stop = link_to_stop(wish)
    headers = {"List-Unsubscribe": f"<{stop}>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}
    more = {"wish": wish, "stop": stop, "at": now, "zone": tariff.location.local_zone} | look.facts
    name = "tomorrow" if wish.kind == Wish.Kind.TOMORROW else "limit"
    before = wish.attempts, wish.told_day, wish.told_until
    held, today = wish.claimed_until, today_of(tariff, now)

    def mark(result: str = "") -> bool:
        wish.told_day, wish.told_until = today, look.until or wish.told_until
        wish.succeeded(look.due_at, result)
        return wish.release("told_day", "told_until")

    fate = letters.send(name, tariff, more, headers | letters.AUTOMATIC, mark)
    if fate == letters.STOPPED:
        return None
    is_marked = wish.claimed_until is None
    if fate in (letters.NOT_SENT, letters.DOWN):
        wish.retry_after = letters.BUSY if fate == letters.DOWN else None
        wish.attempts, wish.told_day, wish.told_until = before
        wish.put_off(fate, now)
        names = ("attempts", "told_day", "told_until", "due_at", "last_result")
        as_left = {"told_day": today, "wanted": True} if is_marked else {"claimed_until": held}
        mine = Wish.objects.filter(pk=wish.pk, **{"claimed_until": None} | as_left)
        mine.update(claimed_until=None, **{name: getattr(wish, name) for name in names})
    elif not is_marked:  # refused before it was marked: not again today
        mark(fate)
    elif fate != letters.TAKEN:
        Wish.objects.filter(pk=wish.pk).update(last_result=fate)
    return fate == letters.TAKEN


def today_of(tariff: Tariff, now: datetime) -> date:
    return now.astimezone(tariff.location.local_zone).date()


def known_rates(tariff: Tariff, now: datetime) -> list[Segment]:
    """The stored rates of today and tomorrow."""
    today, zone = today_of(tariff, now), tariff.location.local_zone
    days = RateDay.objects.filter(tariff=tariff, day__in=(today, today + timedelta(days=1))).order_by("day")
    start, end = rates.day_span(today, zone)[0], rates.day_span(today + timedelta(days=1), zone)[1]
    return without_carbon(rates.clip(segments_of(days), start, end))


def look_at(wish: Wish, segments: Sequence[Segment], now: datetime) -> Look:
    tariff = wish.tariff
    today, zone = today_of(tariff, now), tariff.location.local_zone
    if not (wish.wanted and tariff.is_read and tariff.location.zone and tariff.location.customer.user.is_active):
        return Look(None)
    found = _tomorrow(tariff, segments, now) if wish.kind == Wish.Kind.TOMORROW else _limit(wish, segments, now)
    if wish.told_day and wish.told_day >= today:  # a later day if the clock was wrong
        return Look(rates.day_span(wish.told_day, zone)[1], None, None if found.facts else found.until)
    if found.facts:
        return found._replace(due_at=rates.day_span(today, zone)[1])
    if tariff.is_claimed(now) or (tariff.due_at and tariff.due_at <= now):  # its rates are being asked for
        return found._replace(due_at=min(now + MINUTE, found.due_at or now + MINUTE))
    return found


def _tomorrow(tariff: Tariff, segments: Sequence[Segment], now: datetime) -> Look:
    """Due once most of tomorrow's prices are known: a market's last hour may belong to the day after."""
    zone = tariff.location.local_zone
    today = today_of(tariff, now)
    start, end = rates.day_span(today + timedelta(days=1), zone)
    known = start
    for segment in rates.clip(segments, start, end):
        if segment.start == known and segment.confidence >= 1:
            known = segment.end
    if (known - start) * 4 < (end - start) * 3:
        return Look(None)
    noon = datetime.combine(today, NOON, zone)
    if now < noon:
        return Look(noon)
    of_day = rates.clip(segments, start, known)
    lowest, highest = (choose(of_day, key=lambda segment: segment.rate) for choose in (min, max))
    facts = {
        "day": today + timedelta(days=1),
        "lowest": lowest,
        "highest": highest,
        "best": outlook(tariff, of_day, start).best,
        "known_until": known if known < end else None,
    }
    return Look(None, facts)


def _limit(wish: Wish, segments: Sequence[Segment], now: datetime) -> Look:
    """Due when the price has crossed the limit, once for each time beyond it."""
    tariff = wish.tariff
    spans = beyond(wish.kind, wish.limit, tariff.location.currency_code, segments)
    span = next((each for each in spans if each[0] <= now < each[1]), None)
    if not span:
        return Look(next((start for start, _ in spans if start > now), None))
    if wish.told_until and wish.told_until >= span[0]:  # it goes on, maybe for longer than was told
        return Look(next((start for start, _ in spans if start > now), None), None, span[1])
    known, last = outlook(tariff, segments, now), segments[-1].end
    facts = {
        "now": known.now,
        "now_until": known.now.end if known.now and known.now.end < last else None,
        "until": span[1] if span[1] < last else None,
        "best": known.best,
    }
    return Look(None, facts, span[1])


def beyond(
    kind: str, limit: Decimal | None, currency: str, segments: Iterable[Segment]
) -> list[tuple[datetime, datetime]]:
    """The times at which the price, as people read it, is below the limit, or above; estimates do not count."""
    spans: list[tuple[datetime, datetime]] = []
    for segment in segments:
        shown = money.shown(segment.rate, currency)
        crossed = limit is not None and (shown < limit if kind == Wish.Kind.BELOW else shown > limit)
        if not crossed or segment.confidence < 1:
            continue
        if spans and spans[-1][1] == segment.start:
            spans[-1] = (spans[-1][0], segment.end)
        else:
            spans.append((segment.start, segment.end))
    return spans


def holds_until(wish: Wish, now: datetime) -> datetime | None:
    """Until when the price is beyond the limit, if it is so now."""
    spans = beyond(wish.kind, wish.limit, wish.tariff.location.currency_code, known_rates(wish.tariff, now))
    return next((end for start, end in spans if start <= now < end), None)


def link_to_stop(wish: Wish) -> str:
    """The link that ends a wish without a sign-in. The signature is in the query string, which no log has."""
    return settings.SITE_URL + reverse("tariffs:stop_mails", query={"of": signer.sign(str(wish.pk))})


def named_by(text: str) -> UUID | None:
    """The wish that such a link names, which may be gone; None if we have not made the link."""
    try:
        return UUID(signer.unsign(text))
    except (signing.BadSignature, ValueError):
        return None
