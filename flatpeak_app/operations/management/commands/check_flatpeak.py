from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from connect_ui.routes import START, Kind, ours, row, theirs
from tariffs import flatpeak


def release_of(page: flatpeak.WirePage) -> str:
    """Tell the release by a first page: anode has BACK, CLOSE and a type, and busbar has other routes."""
    if row(ours(page["route"])).kind is Kind.UNKNOWN:
        return "busbar"
    later = {"BACK", "CLOSE"} & set(page.get("actions") or []) or page.get("type") in ("COMMODITY", "NON_COMMODITY")
    return "anode" if later else "zero"


class Command(BaseCommand):
    help = "Log in to FlatPeak, make a connect token and open its conversation; say what was found, or what to fix."

    def handle(self, **options: object) -> None:
        try:
            account = flatpeak.login()
        except flatpeak.Rejected as error:
            raise CommandError(
                f"FlatPeak refused the credentials ({error.status}): check FLATPEAK_ACCOUNT_ID and FLATPEAK_API_KEY."
            ) from None
        except flatpeak.Unavailable as error:
            raise CommandError(
                f"{settings.FLATPEAK_API_URL} can't be reached ({error}): check FLATPEAK_API_URL and the network."
            ) from None
        mode = "live" if account.get("live_mode") else "test"
        self.stdout.write(f"Signed in at {settings.FLATPEAK_API_URL}, {mode} mode.")
        try:
            made = flatpeak.create_connect_token({"callback_uri": settings.SITE_URL + "/", "direction": "IMPORT"})
            page = flatpeak.answer(made["connect_token"], theirs(START))
        except flatpeak.Rejected as error:
            raise CommandError(
                f"FlatPeak did not open a conversation ({error}): the account may be on another release than "
                f"{settings.FLATPEAK_VERSION or 'its own default'}; set FLATPEAK_VERSION to 2024-08-24.zero."
            ) from None
        except flatpeak.Unavailable as error:
            raise CommandError(
                f"{settings.FLATPEAK_CONNECT_URL} gave no page ({error}): check FLATPEAK_CONNECT_URL and the network."
            ) from None
        release = release_of(page)
        self.stdout.write(f"The first page is {page['route']}, of release {release}.")
        if release != "zero":
            raise CommandError(
                f"The account is on release {release}, and this app speaks zero: set FLATPEAK_VERSION to 2024-08-24.zero, "
                "or ask FlatPeak to put the account on that release."
            )
