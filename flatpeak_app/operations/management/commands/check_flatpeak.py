from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from connect_ui.routes import START, Kind, ours, row, theirs
from tariffs import flatpeak


class Command(BaseCommand):
    help = "Log in to FlatPeak, make a connect token and open its conversation; say what was found, or what to fix."

    def handle(self, **options: object) -> None:
        try:
            account = flatpeak.login()
        except flatpeak.Rejected as error:
            told = f"FlatPeak refused the credentials ({error.status}): check FLATPEAK_ACCOUNT_ID and FLATPEAK_API_KEY."
            raise CommandError(told) from None
        except flatpeak.Unavailable as error:
            told = f"{settings.FLATPEAK_API_URL} can't be reached ({error}): check FLATPEAK_API_URL and the network."
            raise CommandError(told) from None
        mode = "live" if account.get("live_mode") else "test"
        self.stdout.write(f"Signed in at {settings.FLATPEAK_API_URL}, {mode} mode.")
        back = settings.SITE_URL + "/"
        body = {"callback_uri": back, "connect_web_uri": back, "direction": "IMPORT", "type": "COMMODITY"}
        try:
            made = flatpeak.create_connect_token(body)
            column = flatpeak.of(made["flatpeak_version"]).name
            page = flatpeak.answer(made["connect_token"], theirs(START, column))
        except flatpeak.Rejected as error:
            raise CommandError(
                f"FlatPeak did not open a conversation ({error}) in release {flatpeak.told() or 'zero'}: "
                "leave FLATPEAK_VERSION out, and update this app."
            ) from None
        except flatpeak.Unavailable as error:
            raise CommandError(
                f"{settings.FLATPEAK_CONNECT_URL} gave no page ({error}): check FLATPEAK_CONNECT_URL and the network."
            ) from None
        version = flatpeak.shown(made["flatpeak_version"], page)
        self.stdout.write(f"The first page is {page['route']}, of release {version}.")
        if row(ours(page["route"], flatpeak.of(version).name)).kind is Kind.UNKNOWN:
            raise CommandError(f"This app does not know {page['route']}, a page of release {version}: update it.")
