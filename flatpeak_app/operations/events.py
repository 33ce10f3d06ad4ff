"""FlatPeak's events (webhooks): take each once, and do later what it asks for.

An event is a reason to ask FlatPeak, and no more: what is stored comes from FlatPeak's answers. So events may come twice,
late, in any order or never.
"""

import logging
import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt

from connect_ui.conversation.settle import settle_as_told
from connect_ui.models import ConnectSession
from tariffs import details, flatpeak
from tariffs.events import Event
from tariffs.models import Tariff, Wait
from tariffs.needed import find
from tariffs.rates.refresh import make_due

logger = logging.getLogger(__name__)

ID = re.compile(r"[\w.:-]{1,100}", re.ASCII)
COMPLETE = ("connect_session.complete", "connect.session.complete")
# Results: to be tried again, handled, about nothing that is stored here, a type without work, gone at FlatPeak.
BUSY, DONE, UNKNOWN, IGNORED, GONE = "busy", "done", "unknown", "ignored", "gone"


class Busy(Exception):
    """The customer is still in the conversation, or FlatPeak does not name its location yet, so the event has to wait."""


@csrf_exempt
@login_not_required
def receive(request: HttpRequest) -> HttpResponse:
    """Store an event that FlatPeak has signed, and answer 204; a worker does the rest.

    400 if it is no event, 401 if FlatPeak has not signed it, 503 if FlatPeak's keys can't be had: FlatPeak tries again.
    """
    if not settings.FLATPEAK_EVENTS:
        raise Http404
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    now = timezone.now()
    try:
        flatpeak.check_signature(request.headers, request.body, now)
    except flatpeak.Forged as forged:
        if not (settings.DEBUG and isinstance(forged, flatpeak.Unsigned)):
            logger.warning("an event was refused: %s", forged)
            return HttpResponse(status=401)
    except flatpeak.FlatPeakError:
        return HttpResponse(status=503)
    event = read(request.body, request.headers.get("Flatpeak-Version", ""), now)
    if not event:
        logger.warning("an event was refused: it cannot be read")
        return HttpResponse(status=400)
    Event.objects.bulk_create([event], ignore_conflicts=True)  # which it is if it was delivered before
    return HttpResponse(status=204)


def read(body: bytes, version: str, now: datetime) -> Event | None:
    """An event's ids, not stored yet; None if the body is no event."""
    try:
        said = flatpeak.parsed(body.decode())
    except (ValueError, ArithmeticError, RecursionError):
        return None
    said = said if isinstance(said, dict) else {}
    event_id, kind = _id(said.get("id")), _id(said.get("type"))
    if not (event_id and kind):
        return None
    data = said["data"] if isinstance(said.get("data"), dict) else {}
    own, place, has_work = _id(data.get("id")), _id(data.get("location_id")), kind in WORK
    if kind.startswith(("location.", "locaiton.")):
        place = place or own
    token = (_id(data.get("connect_token")) or own) if kind in COMPLETE else ""
    session = ConnectSession.of_token(token) if token else None
    try:
        told_at = min(flatpeak.instant(str(said.get("time_created"))), now)
    except (ValueError, OverflowError):
        told_at = now
    return Event(
        account=settings.FLATPEAK_REALM,
        live_mode=settings.FLATPEAK_LIVE_MODE,
        event_id=event_id,
        type=kind,
        flatpeak_version=flatpeak.word(version)[:40],
        location_id=place,
        tariff_id=_id(data.get("tariff_id")),
        session=session.pk if session else None,
        told_at=told_at,
        received_at=now,
        due_at=now if has_work else None,
        handled_at=None if has_work else now,
        last_result="" if has_work else IGNORED,
    )


def _id(value: Any) -> str:
    return value if isinstance(value, str) and ID.fullmatch(value) else ""


def handle(event: Event) -> bool | None:
    """Do what an event asks for; False if it is to be tried again, None if somebody else has it."""
    now = timezone.now()
    if not event.claim():
        return None
    try:
        result = WORK[event.type](event, now) if event.type in WORK else IGNORED
    except Busy:
        event.put_off(BUSY, now)
        event.release()
        return None
    except flatpeak.FlatPeakError as error:
        if error.status not in (404, 422):
            event.refused(error, now)
            event.release()
            return False
        result = GONE
    event.succeeded(None, result)
    event.handled_at = now
    return True if event.release("handled_at") else None


def settle(event: Event, now: datetime) -> str:
    """A conversation has led to a location with rates. The event may come before the customer's browser, or without it."""
    about = ConnectSession.objects.here()
    states = (ConnectSession.State.OPEN, ConnectSession.State.OWED)
    of_place = about.filter(location__location_id=event.location_id, state__in=states) if event.location_id else []
    sessions = list(about.filter(pk=event.session) if event.session else of_place)
    settled = [settle_as_told(session) for session in sessions]
    if not all(settled):
        raise Busy
    places = {each.location.location_id for each in sessions if each.location} | {event.location_id} - {""}
    woken = sum(make_due(place) for place in places)
    return DONE if woken or sessions else UNKNOWN


def fetch(event: Event, now: datetime) -> str:
    """Something at a location has changed, which may be its prices."""
    return DONE if make_due(event.location_id) else UNKNOWN


def look(event: Event, now: datetime) -> str:
    """Something has changed at a tariff: ask FlatPeak about it, and for its rates.

    Some things no answer tells. Then the event is believed about the very tariff that it names, or about those whose id
    FlatPeak has not told.
    """
    here = Tariff.objects.here().filter(location__location_id=event.location_id)
    tariffs = list(here.exclude(state=Tariff.State.DISCONNECTED).select_related("location"))
    for tariff in tariffs:
        details.complete(tariff)
    named = [tariff for tariff in tariffs if tariff.tariff_id == event.tariff_id]
    for tariff in named or [tariff for tariff in tariffs if not tariff.tariff_id]:
        believed = BELIEVED[event.type](tariff, event) if event.type in BELIEVED and event.tariff_id else {}
        if believed:
            Tariff.objects.filter(pk=tariff.pk, version=tariff.version).update(**believed)
        if "state" in believed:
            Wait.wake(tariff, now)
    find(now, here)
    return fetch(event, now)


def expired(tariff: Tariff, event: Event) -> dict[str, Any]:
    """The contract has ended, at the latest today, if FlatPeak names no day."""
    if tariff.contract_end:
        return {}
    day = event.told_at.astimezone(tariff.location.local_zone).date()
    return {"contract_end": day, "contract_open_ended": False}


def failed(tariff: Tariff, event: Event) -> dict[str, Any]:
    """A tariff that was pending for two days is no longer read. Of another one the status tells."""
    if tariff.state != Tariff.State.PENDING or tariff.state_since > event.told_at:
        return {}
    return {"state": Tariff.State.FAILED, "state_since": event.told_at}


def upgradable(tariff: Tariff, event: Event) -> dict[str, Any]:
    return {"upgrade_since": event.told_at}


BELIEVED: dict[str, Callable[[Tariff, Event], dict[str, Any]]] = {
    "tariff.expired": expired,
    "tariff.fetch.failed": failed,
    "tariff.connection.upgrade": upgradable,
}
WORK: dict[str, Callable[[Event, datetime], str]] = {
    **dict.fromkeys(COMPLETE, settle),
    **dict.fromkeys(("location.update", "locaiton.update"), fetch),  # FlatPeak's documentation has both
    **dict.fromkeys(("tariff.expiring", *BELIEVED), look),
}
