import logging
import signal
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from connect_ui.routes import START, Kind, ours, row, theirs
from flatpeak_app.operations.walk.conversation import HIDDEN_PARTS
from flatpeak_app.operations.walk.report import Report
from flatpeak_app.operations.walk.steps import Walk
from flatpeak_app.operations.walk.transcript import Transcript
from tariffs import flatpeak


class Command(BaseCommand):
    help = "Sign in to FlatPeak, make a connect token and open its conversation. Say what works, or what to fix."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--walk",
            action="store_true",
            help="walk through a whole conversation in test mode, compare its answers with what we expect, then delete it",
        )
        parser.add_argument(
            "--transcript",
            type=Path,
            metavar="PATH",
            help="where to write the calls of the walk (default: a file in var)",
        )

    def handle(self, *, walk: bool, transcript: Path | None, verbosity: int, **options: object) -> None:
        if transcript and not walk:
            raise CommandError("--transcript needs --walk.")
        if walk and verbosity < 2:
            logging.disable(logging.INFO)  # a line per call: the transcript has them
        try:
            self.look(walk, transcript)
        finally:
            logging.disable(logging.NOTSET)

    def look(self, walk: bool, transcript: Path | None) -> None:
        account = self.sign_in()
        if walk:
            self.walk(account, transcript or settings.VAR_DIR / f"walk-{timezone.now():%Y%m%dT%H%M%SZ}.jsonl")
        else:
            self.open()

    def sign_in(self) -> flatpeak.JSON:
        try:
            account = flatpeak.new_bearer()
        except flatpeak.Rejected as error:
            told = f"FlatPeak refused the credentials ({error.status}). Check FLATPEAK_ACCOUNT_ID and FLATPEAK_API_KEY."
            raise CommandError(told) from None
        except flatpeak.Unavailable as error:
            told = f"We can't reach {settings.FLATPEAK_API_URL} ({error}). Check FLATPEAK_API_URL and the network."
            raise CommandError(told) from None
        mode = "live" if account.get("live_mode") else "test"
        self.stdout.write(f"Signed in at {settings.FLATPEAK_API_URL}, {mode} mode.")
        return account

    def open(self) -> None:
        """Open a conversation and look at its first page."""
        back = settings.SITE_URL + "/"
        body = {"callback_uri": back, "connect_web_uri": back, "direction": "IMPORT", "type": "COMMODITY"}
        try:
            made = flatpeak.create_connect_token(body)
            column = flatpeak.of(made["flatpeak_version"]).name
            page = flatpeak.answer(made["connect_token"], theirs(START, column))
        except flatpeak.Rejected as error:
            raise CommandError(
                f"FlatPeak did not open a conversation ({error}) in release {flatpeak.told() or 'zero'}. "
                "Leave FLATPEAK_VERSION empty, and update this app."
            ) from None
        except flatpeak.Unavailable as error:
            raise CommandError(
                f"{settings.FLATPEAK_CONNECT_URL} gave no page ({error}). Check FLATPEAK_CONNECT_URL and the network."
            ) from None
        version = flatpeak.shown(made["flatpeak_version"], page)
        self.stdout.write(f"The first page is {page['route']}. The release is {version}.")
        if row(ours(page["route"], flatpeak.of(version).name)).kind is Kind.UNKNOWN:
            raise CommandError(f"This app does not know the page {page['route']} of release {version}. Update the app.")

    def walk(self, account: flatpeak.JSON, path: Path) -> None:
        """Walk through a conversation. SIGTERM ends it as Ctrl-C does: what it made is deleted first."""
        if account.get("live_mode") or settings.FLATPEAK_LIVE_MODE:
            raise CommandError(
                "A walk makes a customer and a location, so it needs test mode. We made nothing. Set FLATPEAK_API_KEY to "
                "a test key (sk_test_…)."
            )
        try:
            transcript = Transcript(path, HIDDEN_PARTS)
        except OSError as error:
            raise CommandError(f"We can't write {path} ({error}). Choose another file with --transcript.") from None
        before: Any = signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            with transcript:
                report = Report(transcript, self.stdout.write)
                Walk(report).run()
        finally:
            signal.signal(signal.SIGTERM, before)
        self.stdout.write(f"All calls are in {path}, without tokens, keys, account ids and addresses.")
        if report.differences:
            count = len(report.differences)
            raise CommandError(
                f"Differences from what this app expects: {count}. Send this text and that file to its authors."
            )
        self.stdout.write("FlatPeak answered as this app expects.")
