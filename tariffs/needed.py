"""Mails that customers need: a contract ends or has ended, or a tariff is no longer read or has a sign-in now.

They follow from what is stored, whoever told it: an event of FlatPeak's or an answer. So each is told once. A mail is marked
as sent after it is sent: a worker that is killed in between sends it again, with the same Message-ID.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, time, timedelta
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.urls import reverse
from django.utils import timezone

from . import letters
from .models import Reminder, Tariff, Wait
from .queue import DAY, QueueQuerySet

Kind = Reminder.Kind
Need = tuple[str, str]  # a kind, and what it is about
MORNING, EVENING = time(9), time(21)  # at the location: nobody is woken
AFTER = 7  # days after the end of a contract in which it is told
BATCH = 500
TEMPLATES = {Kind.ENDS_IN_30: "ends", Kind.ENDS_IN_7: "ends", Kind.ENDED: "over"}  # others are named as their kind


def needs(tariff: Tariff, now: datetime) -> list[Need]:
    """What its customer has to do, of which one thing is told at a time: the most urgent."""
    left, known_since = tariff.days_left(now), tariff.state_since.astimezone(tariff.location.local_zone).date()
    if not tariff.is_read or tariff.state == Tariff.State.PENDING:
        return []
    if left is not None and left <= 30 and tariff.contract_end:
        last = tariff.contract_end
        kind, days = (Kind.ENDED, 0) if left < 0 else (Kind.ENDS_IN_7, 7) if left <= 7 else (Kind.ENDS_IN_30, 30)
        # Who connected it after that day has seen when it ends.
        is_news = known_since <= last - timedelta(days=days) and left >= -AFTER
        return [(kind, last.isoformat())] if is_news and tariff.state == Tariff.State.CONNECTED else []
    if since := unread_since(tariff):
        return [(Kind.UNREAD, since.date().isoformat())] if since <= now - DAY else []  # it may be read again by then
    return [(Kind.LOGIN, str(tariff.version))] if tariff.upgrade_since else []


def unread_since(tariff: Tariff) -> datetime | None:
    if tariff.state == Tariff.State.FAILED:
        return tariff.state_since
    is_gone = tariff.rates == Tariff.Rates.FAILING and tariff.last_result == "no_tariff_connected"
    return tariff.rates_since if is_gone else None


def find(now: datetime, among: QueueQuerySet | None = None) -> int:
    """Make a reminder of whatever a customer has to do, unless there is one; returns how many are new.

    A customer who waits for the rates of a pending tariff is told by `notices`.
    """
    everywhere = Tariff.objects.all() if among is None else among
    read = everywhere.here().exclude(state=Tariff.State.DISCONNECTED).filter(wait=None).select_related("location")
    day, made = now.date(), 0
    for rows in (
        read.filter(contract_end__range=(day - timedelta(days=AFTER + 1), day + timedelta(days=31))),
        read.filter(state=Tariff.State.FAILED),
        read.filter(rates=Tariff.Rates.FAILING, last_result="no_tariff_connected"),
        read.filter(upgrade_since__isnull=False),
    ):
        for tariffs in _batches(rows):
            known = set(Reminder.objects.filter(tariff__in=tariffs).values_list("tariff", "kind", "about"))
            new = [
                _new(tariff, need, now)
                for tariff in tariffs
                for need in needs(tariff, now)
                if (tariff.pk, *need) not in known
            ]
            Reminder.objects.bulk_create(new, ignore_conflicts=True)  # another worker may be as fast
            made += len(new)
    return made


def _batches(rows: Any) -> Iterator[Sequence[Tariff]]:
    rows, last = rows.order_by("pk"), None
    while batch := list((rows.filter(pk__gt=last) if last else rows)[:BATCH]):
        yield batch
        last = batch[-1].pk


def _new(tariff: Tariff, need: Need, now: datetime) -> Reminder:
    here = {"account": tariff.account, "live_mode": tariff.live_mode}
    return Reminder(tariff=tariff, kind=need[0], about=need[1], made_at=now, due_at=by_day(tariff, now), **here)


def by_day(tariff: Tariff, now: datetime) -> datetime:
    """Now, or the next morning at the location."""
    zone = tariff.location.local_zone
    local = now.astimezone(zone)
    if MORNING <= local.time() < EVENING:
        return now
    return datetime.combine(local.date() + timedelta(days=local.time() >= EVENING), MORNING, zone)


def told(tariff: Tariff, kind: str, now: datetime) -> None:
    """Another mail has said so: there is no reminder of it."""
    about = str(tariff.contract_end or "")
    Reminder.objects.get_or_create(tariff=tariff, kind=kind, about=about, defaults={"due_at": None, "sent_at": now})


def remind(reminder: Reminder) -> bool | None:
    """Send the mail; False if it was not taken, None if another worker has the reminder."""
    now = timezone.now()
    if not reminder.claim():
        return None
    tariff = Tariff.objects.select_related("location__customer__user").get(pk=reminder.tariff_id)
    is_open = tariff.location.customer.user.is_active and not Wait.objects.filter(tariff=tariff).exists()
    if not is_open or (reminder.kind, reminder.about) not in needs(tariff, now):
        # Found again if it is needed again.
        return bool(Reminder.objects.filter(pk=reminder.pk, claimed_until=reminder.claimed_until).delete()[0]) or None
    page = reverse("tariffs:tariff", args=[tariff.location_id], query={"direction": tariff.direction})
    more = {"days": tariff.days_left(now)} | ({} if reminder.kind == Kind.ENDED else {"link": settings.SITE_URL + page})
    name = TEMPLATES.get(Kind(reminder.kind), reminder.kind)
    fate = letters.send(name, tariff, more, letters.AUTOMATIC | {"Message-ID": message_id(reminder)})
    if fate == letters.TAKEN:
        reminder.sent_at = now
        reminder.succeeded()
    else:
        reminder.retry_after = letters.BUSY if fate == letters.DOWN else None
        reminder.put_off(fate, now)
    return fate == letters.TAKEN if reminder.release("sent_at") else None


def message_id(reminder: Reminder) -> str:
    """The same each time, so that a mail program shows a mail that came twice once."""
    host = urlsplit(settings.SITE_URL).hostname
    return f"<{reminder.kind}.{reminder.about}.{reminder.tariff_id}@{host}>"
