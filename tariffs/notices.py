"""Mails to customers about a pending tariff: that its rates have arrived, or that they are late.

A mail is marked as sent before it is sent: a worker that is killed in between loses one mail, and none is sent twice.
"""

from datetime import datetime

from django.utils import timezone

from . import letters, needed
from .models import Reminder, Tariff, Wait

UNREAD = (Tariff.State.PENDING, Tariff.State.FAILED)


def send_due(wait: Wait) -> bool | None:
    """Send the mail that is due; False if it could not be sent, None if another worker has the wait."""
    now = timezone.now()
    if not wait.claim():
        return None
    tariff = Tariff.objects.select_related("location__customer__user").get(pk=wait.tariff_id)
    mail = _mail_for(wait, tariff, now)
    if mail == "late":
        wait.told_late_at, wait.due_at = now, None
        marked = wait.release("told_late_at")
    elif mail or tariff.state == Tariff.State.DISCONNECTED:
        marked = bool(Wait.objects.filter(pk=wait.pk, claimed_until=wait.claimed_until).delete()[0])
        if marked and mail == "ended":
            needed.told(tariff, Reminder.Kind.ENDED, now)
    else:
        late_at = wait.since + Wait.LATE
        if tariff.state in UNREAD and (wait.told_late_at or late_at > now):
            wait.succeeded(None if wait.told_late_at else late_at)  # woken when the rates arrive
        else:  # the rates of a changed tariff have still to come, or the account is closed
            wait.put_off("", now)
        marked = wait.release()
    if not marked:
        return None
    if not mail or letters.send(mail, tariff) == letters.TAKEN:
        return True
    wait.told_late_at, wait.claimed_until = None, None
    wait.put_off(letters.NOT_SENT, now)
    wait.save()
    return False


def _mail_for(wait: Wait, tariff: Tariff, now: datetime) -> str:
    """The name of the mail that is due, "" if none is."""
    if not tariff.location.customer.user.is_active:
        return ""
    if tariff.state in UNREAD:
        return "late" if wait.since + Wait.LATE <= now and not wait.told_late_at else ""
    told: dict[str, str] = {Tariff.Rates.OK: "arrived", Tariff.Rates.ENDED: "ended"}
    return told.get(tariff.rates, "") if tariff.state == Tariff.State.CONNECTED else ""
