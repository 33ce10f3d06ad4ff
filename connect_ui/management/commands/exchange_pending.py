from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from connect_ui.conversation import exchange
from connect_ui.models import ConnectSession


class Command(BaseCommand):
    help = (
        "Finish the exchanges that FlatPeak owes: connect tokens whose customer_id and location_id are not stored yet."
    )

    def handle(self, **options: Any) -> None:
        owed = ConnectSession.objects.here().filter(state=ConnectSession.State.OWED, exchange_after__lte=timezone.now())
        finished = left = 0
        for session in owed.order_by("exchange_after").iterator():
            if session.claim():
                exchange(session)
            finished, left = (
                finished + (session.state != session.State.OWED),
                left + (session.state == session.State.OWED),
            )
        self.stdout.write(f"{finished} finished, {left} still owed")
