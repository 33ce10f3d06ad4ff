from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.utils import timezone

from connect_ui.models import ConnectSession, Page

State = ConnectSession.State


class Command(BaseCommand):
    help = (
        "Close the conversations with FlatPeak whose token has expired, and delete what was typed in conversations that "
        "nobody has touched for KEEP_TYPED_DAYS days. What FlatPeak still owes an exchange for is left alone."
    )

    def handle(self, **options: Any) -> None:
        now = timezone.now()
        late = ConnectSession.objects.filter(state=State.OPEN, expires_at__lte=now)
        closed = late.update(state=State.EXPIRED, ended_at=now, encrypted_token="")  # nosec B106  # wiped
        old = ConnectSession.objects.exclude(state__in=(State.OPEN, State.OWED)).filter(
            updated_at__lte=now - timedelta(days=settings.KEEP_TYPED_DAYS)
        )
        old.exclude(not_listed={}).update(not_listed={})
        pages, _ = Page.objects.filter(session__in=old).delete()
        self.stdout.write(f"{closed} closed, {pages} pages deleted")
