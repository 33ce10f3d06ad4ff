"""Telling customers what became of a pending tariff, once each, however many runs there are at the same time.

The claim comes before the mail, and is given back if the mail cannot be sent: a crash in between loses a mail, and none
is ever sent twice.
"""

import logging
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.core.mail import send_mail
from django.template.loader import render_to_string
from django.urls import reverse

from .models import Tariff, Wait

logger = logging.getLogger(__name__)

LATE = timedelta(hours=48)


def tell(now: datetime) -> int:
    """Send the mails that are due; the number of those that could not be sent, which the next call tries again."""
    waits = Wait.objects.filter(tariff__in=Tariff.objects.here())
    waits.filter(tariff__state=Tariff.State.DISCONNECTED).delete()
    waits = waits.filter(tariff__location__customer__user__is_active=True)
    told: dict[str, str] = {Tariff.Rates.OK: "arrived", Tariff.Rates.ENDED: "ended"}
    read = waits.filter(tariff__state=Tariff.State.CONNECTED, tariff__rates__in=told).select_related("tariff")
    late = waits.filter(
        tariff__state__in=[Tariff.State.PENDING, Tariff.State.FAILED], since__lte=now - LATE, told_late_at=None
    )
    failed = 0
    for pk in list(read.values_list("pk", flat=True)):
        wait = read.filter(pk=pk).first()
        if wait and Wait.objects.filter(pk=pk).delete()[0] and not _send(told[wait.tariff.rates], pk):
            Wait.objects.bulk_create([wait], ignore_conflicts=True)
            failed += 1
    for pk in list(late.values_list("pk", flat=True)):
        claim = Wait.objects.filter(pk=pk, told_late_at=None)
        if claim.update(told_late_at=now) and not _send("late", pk):
            Wait.objects.filter(pk=pk).update(told_late_at=None)
            failed += 1
    return failed


def _send(name: str, tariff_pk: UUID) -> bool:
    """The mail `templates/tariffs/mail/<name>.txt`: a first line that is the subject, and the text."""
    try:
        tariff = Tariff.objects.select_related("location__customer__user").get(pk=tariff_pk)
        link = settings.SITE_URL + reverse("tariffs:rates", args=[tariff.location_id])
        user = tariff.location.customer.user
        with user.in_their_language():
            mail = render_to_string(f"tariffs/mail/{name}.txt", {"tariff": tariff, "link": link})
        subject, text = mail.split("\n", 1)
        send_mail(subject, text, None, [user.email])
    except Exception as error:  # whatever a mail backend raises; its own text may have the customer's address
        logger.warning("the mail %r of tariff %s was not sent: %s", name, tariff_pk, type(error).__name__)
        return False
    return True
