"""The end: exchange the connect token for the two ids, and store them."""

import logging
from contextlib import suppress

from django.db import transaction
from django.utils import timezone

from flatpeak_app.web import vault
from tariffs import details, flatpeak, storing
from tariffs.models import Tariff

from ..models import SILENCE, ConnectSession, Page
from ..routes import END, Kind, named

logger = logging.getLogger(__name__)
TOLD = named(kind=Kind.SUMMARY) + named(kind=Kind.PENDING)  # pages that tell of the tariff that is connected
QUIET = SILENCE / 4  # without a request, until a conversation counts as left once FlatPeak tells that it is complete


def settle(session: ConnectSession) -> flatpeak.FlatPeakError | None:
    """Exchange the connect token and store what it gives; the caller holds the claim.

    The browser's callback, the worker, an event and the customer's own end of a conversation all come here; whoever is
    second finds it done. Returns the error if FlatPeak does not give the ids. The exchange stays owed then, because nothing
    else knows them.
    """
    waiting, now = session.is_unsettled, timezone.now()
    if not session.connect_token:
        session.note_error(vault.KEY_MISSING, session.last_route)
        if waiting:
            session.put_off(vault.KEY_MISSING, now)
        return flatpeak.Unavailable("the exchange: not tried, as no key reads the token")
    try:
        with flatpeak.purpose(f"session {session.pk}" if session.state == ConnectSession.State.OWED else ""):
            ids = flatpeak.exchange(session.connect_token, session.spoken)
    except flatpeak.FlatPeakError as error:
        if waiting:
            if session.expires_at <= now:
                owe(session)  # the operator sees it from now on
            session.refused(error, now)
            if isinstance(error, flatpeak.Rejected):
                session.note_error(session.last_result, session.last_route)
        return error
    if not owe(session):
        return None
    before = session.pages.filter(number=session.newest).values("came_from")
    left_by = session.pages.filter(number__in=before).first()
    summary = left_by if left_by and left_by.route in TOLD else None
    summary = summary or session.pages.filter(route__in=TOLD).order_by("-number").first()
    # An answer that was lost may not have reached Connect.
    unheard = session.doubtful and ids["is_tariff_processed"]
    answered = (left_by.answer or {}).get("action") if left_by and not unheard else None
    if "DISCONNECT" in (ids.get("complete_action"), answered):
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


def owe(session: ConnectSession) -> bool:
    """Note that the exchange of an open conversation is owed; False if its claim was lost.

    Connect's last page was lost, or the customer closed the browser, so we add it.
    """
    if session.state != ConnectSession.State.OPEN:
        return True
    last = Page(session=session, number=session.newest + 1, route=END, body={}, came_from=session.newest)
    session.newest, session.last_route = last.number, last.route
    session.owe_exchange()
    with transaction.atomic():
        if kept := session.keep():
            last.save()
    return kept


def store_now(session: ConnectSession, page: Page, answered: Page) -> None:
    """Store at a known location what FlatPeak has stored before this page, so that rates of the tariff before end now.

    The exchange at the end stores it once more: the same tariff, of which the rates are asked for again.
    """
    location = session.location
    if page.row.is_stored and page.data != answered.data:
        state = Tariff.State.PENDING if page.row.kind is Kind.PENDING else Tariff.State.CONNECTED
    elif page.row.kind is Kind.END and answered.row.is_stored and answered.answer == {"action": "DISCONNECT"}:
        state = Tariff.State.DISCONNECTED
    else:
        return
    if location:
        ids = {"location_id": location.location_id, "customer_id": location.customer.customer_id}
        connected = storing.Connected(session.direction, session.type, state, details.facts(page.data))
        with suppress(storing.Conflict):  # deleted meanwhile; the exchange finds that too, and says it
            storing.store(session.user_id, ids, connected)


def exchange_owed(session: ConnectSession) -> bool | None:
    """Settle a conversation that is due; whether that went well, None if another process is at it.

    One that is held for a login is not settled, because FlatPeak may have somebody else's tariff. It ends with its token.
    """
    with session.claimed(held=True) as mine:
        if not mine:
            return None
        if not session.is_held:
            return settle(session) is None
        now = timezone.now()
        if session.expires_at > now:
            session.due_at = session.expires_at
        else:
            session.expire()
        return True


def settle_as_told(session: ConnectSession) -> bool:
    """FlatPeak tells that a conversation has led to a location: make the exchange. False if that has to wait.

    While the customer is still at it, the exchange would end the conversation under their hands. One that is held for a
    login is left alone, because somebody else may have signed in.
    """
    if session.state == ConnectSession.State.OWED:
        exchange_owed(session)  # if it fails, its own queue tries again
    if session.state != ConnectSession.State.OPEN or session.is_held:
        return True
    now, seen_at = timezone.now(), session.updated_at
    if session.due_at:
        seen_at = max(seen_at, session.due_at - SILENCE)
    if seen_at > now - QUIET:
        return False
    return exchange_owed(session) is True or session.expires_at <= now
