"""Begin a conversation, send an answer, ask where Connect stands, and store the page that comes back."""

from django.db import transaction
from django.utils import timezone

from tariffs import flatpeak
from tariffs.flatpeak import JSON
from tariffs.models import Location, Tariff
from tariffs.queue import claim_end

from ..forms.base import RouteForm
from ..models import ConnectSession, Page
from ..routes import Kind
from .reading import note_provider, report
from .settle import exchange
from .tokens import make_token, renew
from .wire import say, stand


def begin(
    user_id: int,
    *,
    direction: str,
    country_code: str,
    location: Location | None = None,
    type: str = "COMMODITY",
) -> ConnectSession:
    """Make a connect token; the conversation is claimed, for its first page to be asked for. Raises FlatPeakError."""
    session = ConnectSession(
        user_id=user_id,
        location=location,
        direction=direction,
        type=type,
        country_code=location.country_code if location else country_code,
        claimed_until=claim_end(),
    )
    make_token(session)
    session.save()
    return session


def catch_up(session: ConnectSession, anew: bool = False) -> None:
    """Ask Connect where it stands, and show that if it is something new. The caller holds the claim; it is given back.

    A login that was not finished is prepared anew. Of one that is held nothing is shown, but whether its time is over; it is
    prepared `anew` for who asks for that.
    """
    held = session.is_held
    try:
        page = None if held and anew else stand(session)
        if held and not anew:
            session.release()
            return
        if page is None or (session.login and page.row.kind is Kind.REDIRECT and session.is_at_login):
            page, _ = renew(session, session.pages.get(number=session.newest))
    except flatpeak.Rejected as error:
        refused(session, error, session.last_route)
        raise
    except flatpeak.Unavailable:
        session.release()
        raise
    go_on_from(session, page)


def go_on_from(session: ConnectSession, stands: Page) -> None:
    """Show where Connect stands; if it is in view already, as Connect tells it now."""
    session.doubtful = False
    if stands.route == session.last_route:
        report(stands)
        session.pages.filter(number=session.newest).update(body=stands.body)
        session.release()
    else:
        append(session, stands)


def send(session: ConnectSession, page: Page, answer: JSON, typed: JSON, form: RouteForm | None) -> Page | None:
    """Send the answer to a page; the page that Connect answered with. The caller holds the claim; it is given back.

    None where something else came of it: the session's own columns say what. Raises FlatPeakError; the page then stays
    as it was. Where an earlier answer was lost on its way, Connect is asked first where it stands, and if it went on,
    that is shown instead of answering twice.

    Where a link to a login was given out, an answer that leaves the login, or leads to another one, is sent with another
    token: what Connect has under that one may be somebody else's.
    """
    held = session.is_held
    try:
        if session.doubtful and not held:
            stands = stand(session)
            session.doubtful = False
            if stands.route != session.last_route:
                append(session, stands, page)
                return None
        try:
            new, given = None, True
            if not held:
                new = say(session, page, answer)
            if new is None or (session.login and new.row.kind is Kind.REDIRECT):
                new, given = renew(session, page, answer)
                session.doubtful = False
        except flatpeak.Rejected as error:
            earlier = page.number != session.newest
            if held or not earlier or gone(session, error) or (form and form.field_of(error.code)):
                raise
            # Connect does not take answers to earlier pages, or not to this one: go on from where it stands.
            go_on_from(session, stand(session))
            return None
    except flatpeak.Rejected as error:
        refused(session, error, page.route)
        raise
    except flatpeak.Unavailable:
        session.doubtful = True
        session.release()
        raise
    if given:
        page.answer, page.typed = answer, typed
    return append(session, new, page)


def refused(session: ConnectSession, error: flatpeak.Rejected, route: str) -> None:
    session.note_error(error.code or str(error.status), route)
    if gone(session, error):
        session.end(ConnectSession.State.EXPIRED)
    session.release(*ConnectSession.ERROR, *ConnectSession.ENDED)


def gone(session: ConnectSession, error: flatpeak.Rejected) -> bool:
    """Whether the connect token, and with it the conversation, has come to its end."""
    return "connect_token" in error.code or session.expires_at <= timezone.now()


def append(session: ConnectSession, page: Page, answered: Page | None = None) -> Page | None:
    """Store Connect's page as the newest; if it is the last one, exchange the token. The claim is given back.

    The page as it is stored, None if it is not: see `ConnectSession.keep`.
    """
    page.number = session.newest + 1
    page.came_from = answered.number if answered else (session.newest or None)
    if answered and answered.answer == {"action": "BACK"}:
        before = session.pages.filter(number=answered.came_from or 0, route=page.route).first()
        if before:  # the same question once more: it was reached from where it was reached before
            page.came_from, page.typed = before.came_from, before.typed
    session.newest, session.last_route = page.number, page.route
    fields = ["newest", "last_route", *note_provider(session, page, answered)]
    if page.row.kind is Kind.END:
        session.owe_exchange()
        fields += ConnectSession.OWED
    elif session.not_listed:
        fields.append("not_listed")
    report(page)
    owed = session.state == ConnectSession.State.OWED
    with transaction.atomic():
        if not (session.keep(*fields) if owed else session.release(*fields)):
            return None
        page.save()
        if answered and answered.answer is not None:
            answered.led_to = page.number
            answered.save(update_fields=["answer", "typed", "led_to"])
        if page.row.kind is Kind.FAILED and session.location_id:
            Tariff.objects.filter(
                location_id=session.location_id, direction=session.direction, type=session.type
            ).exclude(state=Tariff.State.FAILED).update(state=Tariff.State.FAILED, state_since=timezone.now())
    if owed:
        exchange(session)
    return page
