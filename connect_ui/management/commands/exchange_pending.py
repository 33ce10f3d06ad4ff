from typing import Any

from django.core.management.base import BaseCommand

from connect_ui.conversation import finish
from connect_ui.models import ConnectSession


class Command(BaseCommand):
    help = (
        "Finish the exchanges that FlatPeak owes: connect tokens whose customer_id and location_id are not stored yet."
    )

    def handle(self, **options: Any) -> None:
        finished, left = finish(ConnectSession.owed().order_by("exchange_after").in_turn())
        self.stdout.write(f"{finished} finished, {left} still owed")
