from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from flatpeak_app.accounts.models import User
from flatpeak_app.accounts.personal import erase_account
from flatpeak_app.operations.words import counted
from tariffs import flatpeak
from tariffs.erasure import erase_location
from tariffs.models import Location


class Command(BaseCommand):
    help = (
        "After a restore: delete what was deleted since the backup. Asks FlatPeak for each location, and finds those that it "
        "has no longer. Give the numbers of deleted accounts too, which the log has. Without --yes it deletes nothing."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--accounts", type=int, nargs="*", default=[], help="numbers of accounts that were deleted")
        parser.add_argument("--yes", action="store_true", help="delete them")

    def handle(self, accounts: list[int], yes: bool, **options: Any) -> None:
        locations = list(Location.objects.here())
        try:
            gone = [each for each in locations if not flatpeak.has_location(each.location_id)]
        except flatpeak.FlatPeakError as error:
            raise CommandError(f"FlatPeak does not say what it has: {error}. We deleted nothing.") from None
        if len(gone) == len(locations) > 0:
            raise CommandError(
                "FlatPeak has none of the locations. Is it the FlatPeak account of the backup? We deleted nothing."
            )
        users = User.objects.filter(pk__in=accounts)
        found = f"{counted(len(gone), 'location')} that FlatPeak has no longer, and {counted(len(users), 'account')}"
        if not yes:
            self.stdout.write(f"We found {found}. To delete them, give --yes too.")
            return
        for each in gone:
            erase_location(each)
        for user in users:
            erase_account(user)
        self.stdout.write(f"We deleted {found}.")
