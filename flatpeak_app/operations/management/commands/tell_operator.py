from django.core.management.base import BaseCommand
from django.utils import timezone

from flatpeak_app.operations.needs import tell_operator


class Command(BaseCommand):
    help = "Mail ADMINS when something needs attention, each kind once a day at most. A worker does this too."

    def handle(self, **options: object) -> None:
        tell_operator(timezone.now())
