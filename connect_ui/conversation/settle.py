"""The end: exchange the connect token for the two ids, and store them."""

import logging
from contextlib import suppress

from django.db import transaction
from django.utils import timezone

from flatpeak_app.web import vault
from tariffs import details, flatpeak, storing
from tariffs.models import Tariff

from ..models import ConnectSession, Page
from ..routes import END, Kind

logger = logging.getLogger(__name__)


def settle(session: ConnectSession) -> flatpeak.FlatPeakError | None:
    """Exchange the connect token and store what it gives. The caller holds the claim.

    Returns the error if FlatPeak does not give the ids. The exchange stays owed then, because nothing else knows them.
    """
    owed = session.state == ConnectSession.State.OWED
    if not session.connect_token:
        session.note_error(vault.KEY_MISSING, session.last_route)
        if owed:
            session.put_off(vault.KEY_MISSING, timezone.now())
        return flatpeak.Unavailable("the exchange: not tried, as no key reads the token")
    try:
        with flatpeak.purpose(f"session {session.pk}" if owed else ""):
            ids = flatpeak.exchange(session.connect_token, session.spoken)
    except flatpeak.FlatPeakError as error:
        if owed:
            session.refused(error, timezone.now())
            if isinstance(error, flatpeak.Rejected):
                session.note_error(session.last_result, session.last_route)
        return error
    if session.state == ConnectSession.State.OPEN:  # the browser's callback came, and Connect's last page was lost
        last = Page(session=session, number=session.newest + 1, route=END, body={}, came_from=session.newest)
        session.newest, session.last_route = last.number, last.route
        session.owe_exchange()
        with transaction.atomic():
            if not session.keep():
                return None
            last.save()
    before = session.pages.filter(number=session.newest).values("came_from")
    summary = session.pages.filter(number__in=before).first()
    answered = (summary.answer or {}).get("action") if summary else None
    if (ids.get("complete_action") or answered) == "DISCONNECT":
        state = Tariff.State.DISCONNECTED
    elif ids["is_tariff_processed"] is False or (summary and summary.row.kind is Kind.PENDING):
        state = Tariff.State.PENDING
    else:
        state = Tariff.State.CONNECTED
    facts = details.facts(summary.data) if summary else {}
    try:
        tariff = storing.store(session.user_id, ids, storing.Connected(session.direction, session.type, state, facts))
    except storing.Conflict as conflict:
        logger.error("session %s: %s", session.pk, conflict)
        session.end(ConnectSession.State.CONFLICT)
        return None
    session.tariff, session.location = tariff, tariff.location
    gone_now = state == Tariff.State.DISCONNECTED
    session.end(ConnectSession.State.DISCONNECTED if gone_now else ConnectSession.State.CONNECTED)
    session.release()
    with suppress(flatpeak.FlatPeakError):  # the rates' refresh fetches the details then
        details.complete(tariff)
    return None


def exchange_owed(session: ConnectSession) -> bool | None:
    """Make the exchange that a session is owed; whether it is made, None if another process is at it."""
    with session.claimed() as mine:
        return settle(session) is None if mine else None
