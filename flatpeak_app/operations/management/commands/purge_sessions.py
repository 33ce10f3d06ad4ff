from datetime import timedelta

from django.conf import settings
from django.core.management.base import BaseCommand
from django.utils import timezone

from connect_ui.models import ConnectSession, Page
from flatpeak_app.accounts.models import unconfirmed
from flatpeak_app.operations.funnel import count_ended
from flatpeak_app.operations.popular import rank_providers
from flatpeak_app.operations.words import counted
from tariffs import events, mails
from tariffs.models import Event, Mail, WrongPrice


class Command(BaseCommand):
    help = (
        "Close conversations whose connect token has expired. Count those that ended, for the funnel and for the order of "
        "the providers. Delete what customers entered in conversations that nobody has used for KEEP_TYPED_DAYS days, unless "
        "an exchange is owed. Delete reports of a wrong price as many days after somebody dealt with them. Delete sign-ups "
        "that nobody confirmed for KEEP_UNCONFIRMED_DAYS days. Delete events and records of mails after 30 days. You can run "
        "it at any time, several times at once, and again after it was killed."
    )

    def handle(self, **options: object) -> None:
        closed, now = count_ended(), timezone.now()
        rank_providers()
        untouched_since = now - timedelta(days=settings.KEEP_TYPED_DAYS)
        old = ConnectSession.objects.filter(counted=True, updated_at__lte=untouched_since)
        old = old.exclude(state__in=[ConnectSession.State.OPEN, ConnectSession.State.OWED])
        old.exclude(not_listed={}).update(not_listed={})
        pages, _ = Page.objects.filter(session__in=old).delete()
        self.stdout.write(f"{closed} closed, {counted(pages, 'page')} deleted")
        sign_ups = [user.delete() for user in unconfirmed(now)]
        for number, one, several in [
            (
                WrongPrice.objects.filter(dealt_with_at__lte=untouched_since).delete()[0],
                "report of a wrong price",
                "reports of wrong prices",
            ),
            (len(sign_ups), "unconfirmed sign-up", ""),
            (Event.objects.filter(received_at__lte=now - events.KEPT).delete()[0], "event", ""),
            (Mail.objects.filter(sent_at__lte=now - mails.KEPT).delete()[0], "record of a mail", "records of mails"),
        ]:
            if number:
                self.stdout.write(f"{counted(number, one, several)} deleted")
