from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.utils import timezone

from connect_ui.models import ConnectSession, Page
from flatpeak_app.accounts.models import unconfirmed
from flatpeak_app.operations.funnel import count_ended

State = ConnectSession.State


class Command(BaseCommand):
    help = (
        "Close the conversations whose token has expired, count for the funnel those that are over, and delete what was "
        "typed in conversations that nobody has touched for KEEP_TYPED_DAYS days, unless their exchange is owed. Delete "
        "sign-ups that nobody confirmed for KEEP_UNCONFIRMED_DAYS days. May be run at any time, twice at once, and again "
        "after it was killed."
    )

    def handle(self, **options: Any) -> None:
        closed = count_ended()
        old = ConnectSession.objects.filter(
            counted=True, updated_at__lte=timezone.now() - timedelta(days=settings.KEEP_TYPED_DAYS)
        ).exclude(state__in=(State.OPEN, State.OWED))
        old.exclude(not_listed={}).update(not_listed={})
        pages, _ = Page.objects.filter(session__in=old).delete()
        self.stdout.write(f"{closed} closed, {pages} pages deleted")
        if sign_ups := [user.delete() for user in unconfirmed(timezone.now())]:
            self.stdout.write(f"{len(sign_ups)} unconfirmed sign-ups deleted")
