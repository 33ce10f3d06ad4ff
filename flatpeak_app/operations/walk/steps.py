"""The steps of a walk: the connect token, the conversation, the exchange, what can be read then, and the deletion."""

import secrets
import time
from collections.abc import Callable
from datetime import datetime
from uuid import uuid4
from zoneinfo import ZoneInfo

from django.conf import settings
from django.urls import reverse
from django.utils import timezone

from tariffs import flatpeak
from tariffs.rates import segments

from . import expected
from .conversation import ADDRESS, Conversation, Stopped
from .report import Report

PAUSES = (2, 5, 10, 20, 30)  # seconds to wait for rates that FlatPeak does not have yet
NOT_YET = ("pending_connect", "no_tariff_connected", "no_price_data")


class Walk:
    """One walk. `reference` is ours for the customer that FlatPeak makes."""

    def __init__(self, report: Report) -> None:
        self.report = report
        self.reference = f"check-{secrets.token_hex(8)}"
        self.talk: Conversation | None = None
        self.location_id = self.customer_id = ""

    def run(self) -> None:
        """Walk, compare, and delete what was made, also if the walk stops halfway. FlatPeak's errors are differences."""
        with flatpeak.recording(self.report.transcript.add):
            try:
                talk = self.begin()
                talk.hold()
                self.exchange(talk)
                self.read(talk)
            except (Stopped, flatpeak.FlatPeakError) as error:
                self.report.differ(str(error))
            except KeyboardInterrupt:
                self.report.differ("The walk was interrupted.")
            finally:
                self.delete()
        self.report.tell(f"Pages: {', '.join(self.talk.path if self.talk else ()) or 'none'}.")

    def begin(self) -> Conversation:
        callback = settings.SITE_URL + reverse("connect_ui:callback")
        body = {
            "callback_uri": callback,
            "connect_web_uri": settings.SITE_URL + reverse("connect_ui:return", args=[uuid4()]),
        }
        body |= {"direction": "IMPORT", "type": "COMMODITY", "customer_reference_id": self.reference}
        asked = body | {"postal_address": {"country_code": ADDRESS["country_code"]}}
        made = self.report.asked(lambda: flatpeak.create_connect_token(asked), expected.TOKEN, {})
        if made.get("live_mode"):
            raise Stopped("The connect token is for live mode, so the walk ends here.")
        self.talk = Conversation(self.report, made["connect_token"], made["flatpeak_version"], callback)
        return self.talk

    def exchange(self, talk: Conversation) -> None:
        wanted = {"customer_reference_id": self.reference, "is_tariff_processed": True}
        self.report.asked(lambda: self.learn(talk), expected.EXCHANGE, wanted)

    def learn(self, talk: Conversation) -> flatpeak.JSON:
        """Exchange the token and keep the ids, which are needed for the deletion."""
        ids = flatpeak.exchange(talk.token, talk.spoken)
        self.location_id, self.customer_id = ids["location_id"], ids["customer_id"]
        return ids

    def read(self, talk: Conversation) -> None:
        """Read the location, its status and today's rates."""
        currency = {"currency_code": talk.currency} if talk.currency else {}
        wanted = {"customer_id": self.customer_id} if self.customer_id else {}
        place = self.report.asked(lambda: flatpeak.location(self.location_id), expected.LOCATION, wanted | currency)
        if not self.customer_id and isinstance(place.get("customer_id"), str):
            self.customer_id = place["customer_id"]
        zone = flatpeak.zone_named(place.get("timezone"))
        if not zone:
            self.report.differ("GET /locations", f"timezone {place.get('timezone')} is not known to this server")
        element = "tariff_status.commodity_import"
        status = {f"{element}.status": "CONNECTED", f"{element}.tariff.structure_type": "FIXED"}
        self.report.asked(lambda: flatpeak.location_status(self.location_id), expected.STATUS, status)
        wanted = {"location_id": self.location_id} | currency
        kinds, now = expected.RATES[talk.spoken.name], timezone.now()
        found = segments.parse(
            self.report.asked(lambda: self.rates(now, zone or ZoneInfo("UTC")), kinds, wanted)["data"]
        )
        where = self.report.transcript.calls[-1].name
        if not segments.current(found, now):
            self.report.differ(where, "has no price for this moment")
        elif not any(segment.confidence for segment in found):
            self.report.differ(where, f"the prices are an estimate (confidence 0), also {sum(PAUSES)} seconds later")
        else:
            talk.compare_price(where, [segment.rate for segment in found])

    def rates(self, now: datetime, zone: ZoneInfo) -> flatpeak.JSON:
        """Today's rates. If FlatPeak does not have them yet, ask again after each of some pauses."""
        start, end = segments.day_span(now.astimezone(zone).date(), zone)
        for pause in (*PAUSES, 0):
            try:
                answer = flatpeak.rates(self.location_id, start, end, "IMPORT")
                if any(segment.confidence for segment in segments.parse(answer["data"])) or not pause:
                    return answer
            except flatpeak.Rejected as error:
                if error.code not in NOT_YET or not pause:
                    raise
            self.report.tell(f"There are no rates yet. Asking again in {pause} seconds.")
            time.sleep(pause)
        raise AssertionError("the last pause is 0")

    # --- the end

    def delete(self) -> None:
        """Delete the location and the customer at FlatPeak, and say what could not be deleted."""
        if self.talk and not self.location_id:
            self.learn_late(self.talk)
        made: list[tuple[str, str, Callable[[str], None]]] = [
            ("location", self.location_id, flatpeak.delete_location),
            ("customer", self.customer_id, flatpeak.delete_customer),
        ]
        if self.location_id and not self.customer_id:
            self.report.differ(f"FlatPeak gave no id of the customer {self.reference}: delete the customer at FlatPeak")
        for what, its_id, delete in made:
            try:
                if its_id:
                    delete(its_id)
                    self.report.tell(f"Deleted the {what}.")
            except flatpeak.FlatPeakError as error:
                self.report.differ(f"The {what} {its_id} was not deleted ({error}): delete it at FlatPeak")

    def learn_late(self, talk: Conversation) -> None:
        """Ask what a walk that stopped halfway has made."""
        try:
            self.learn(talk)
        except flatpeak.Rejected as error:
            self.report.tell(
                f"FlatPeak names nothing that the walk made ({error}), so nothing was deleted. If there is a customer, it "
                f"has the reference {self.reference}."
            )
        except flatpeak.FlatPeakError as error:
            self.report.differ(
                f"It is not known what the walk has made ({error}): delete the customer with the reference {self.reference} "
                "at FlatPeak, if there is one"
            )
