"""Mails to customers about a pending tariff: that its rates have arrived, or that they are late.

A mail is marked as sent before it is sent: a worker that is killed in between loses one mail, and none is sent twice.
"""

import logging
from datetime import datetime

from django.conf import settings
from django.core.mail import send_mail
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone

from .models import Mail, Tariff, Wait

logger = logging.getLogger(__name__)

NOT_SENT = "not_sent"  # as a last result: the mail server did not take the mail
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
    else:
        late_at = wait.since + Wait.LATE
        if tariff.state in UNREAD and (wait.told_late_at or late_at > now):
            wait.succeeded(None if wait.told_late_at else late_at)  # woken when the rates arrive
        else:  # the rates of a changed tariff have still to come, or the account is closed
            wait.put_off("", now)
        marked = wait.release()
    if not marked:
        return None
    if not mail or _send(mail, tariff):
        return True
    wait.told_late_at, wait.claimed_until = None, None
    wait.put_off(NOT_SENT, now)
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


def _send(name: str, tariff: Tariff) -> bool:
    """Send `templates/tariffs/mail/<name>.txt`: its first line is the subject."""
    user = tariff.location.customer.user
    try:
        link = settings.SITE_URL + reverse("tariffs:rates", args=[tariff.location_id])
        with user.in_their_language():
            mail = render_to_string(f"tariffs/mail/{name}.txt", {"tariff": tariff, "link": link})
        subject, text = mail.split("\n", 1)
        send_mail(subject, text, None, [user.email])
        taken = True
    except Exception as error:  # whatever a mail backend raises; its own text may have the customer's address
        logger.warning("the mail %r of tariff %s was not sent: %s", name, tariff.pk, type(error).__name__)
        taken = False
    Mail.note(user, name, taken)
    return taken
