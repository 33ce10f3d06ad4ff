"""Begin a conversation, send an answer, ask where Connect stands, and store the page that comes back.

The caller of each function holds the session's claim.
"""

from contextlib import suppress

from django.db import transaction
from django.utils import timezone

from tariffs import flatpeak
from tariffs.flatpeak import JSON
from tariffs.models import Location, Tariff

from ..forms.base import RouteForm
from ..models import ConnectSession, Page
from ..routes import Kind, row
from .reading import note_country, note_provider, report
from .settle import owe, settle, store_now
from .tokens import make_token, renew
from .wire import say, stand


def begin(
    user_id: int,
    *,
    direction: str,
    country_code: str,
    location: Location | None = None,
    type: str = "COMMODITY",
    not_listed: JSON | None = None,
) -> ConnectSession:
    """Make a connect token and store the session, claimed so that its first page can be fetched. Raises FlatPeakError."""
    session = ConnectSession(
        user_id=user_id,
        location=location,
        direction=direction,
        type=type,
        country_code=location.country_code if location else country_code,
        not_listed=not_listed or {},
    )
    make_token(session)
    session.save_claimed()
    return session


def catch_up(session: ConnectSession, anew: bool = False) -> None:
    """Ask Connect where it stands, and store its page if that is a new one. Raises FlatPeakError.

    A login that was not finished gets a new token. Of a session that is held no page is stored, because it may be somebody
    else's; it gets a new token only if `anew`.
    """
    held = session.is_held
    try:
        page = None if held and anew else stand(session)
        if held and not anew:
            return
        if page is None or (session.login and page.row.kind is Kind.REDIRECT and session.is_at_login):
            page, _ = renew(session, session.pages.get(number=session.newest))
    except flatpeak.Rejected as error:
        refused(session, error, session.last_route)
        raise
    go_on_from(session, page)


def go_on_from(session: ConnectSession, stands: Page) -> None:
    """Store where Connect stands. If that is the newest page already, store its new body."""
    session.doubtful = False
    if stands.route == session.last_route:
        report(stands)
        session.pages.filter(number=session.newest).update(body=stands.body, answer=None)
    else:
        append(session, stands)


def send(session: ConnectSession, page: Page, answer: JSON, typed: JSON, form: RouteForm | None) -> Page | None:
    """Send the answer to a page, and store and return the page that follows.

    Returns None if the answer was not sent, or its page not stored; the session then tells where the conversation stands.
    Raises FlatPeakError, and the page stays as it was. If it is doubtful whether an earlier answer arrived, Connect is
    asked first where it stands, so that no answer is sent twice.

    Once a link to a login was given out, an answer that leaves the login, or leads to another one, is sent with a new
    token, because somebody else may have signed in with the old one.
    """
    held = session.is_held
    try:
        if session.doubtful and not held:
            stands = stand(session)
            session.doubtful = False
            # An earlier question can be answered again, at whichever question Connect is by now.
            if stands.route != session.last_route and not (page.number != session.newest and stands.goes_on):
                append(session, stands)
                return None
        try:
            new, given = say_safely(session, page, page, answer)
        except flatpeak.Rejected as error:
            if held or gone(session, error) or (form and form.field_of(error.code)):
                raise
            earlier = page.number != session.newest
            # Connect refuses answers to earlier pages, or to this one, or the account was raised to another release.
            there = go_back(session, page.route) if earlier else moved(session, error)
            if not there:
                raise
            said = answer if earlier else anew(page, there, form, answer)
            if there.route == page.route and said:
                answer = said
                new, given = say_safely(session, there, page, answer)
            else:
                # Not where FlatPeak has a tariff already, as that would be erased with its token.
                leads = earlier and there.goes_on and not session.is_unsettled
                new, given = renew(session, page, answer, there) if leads else (there, False)
                if not given and new is not there:  # another question comes first
                    page.answer, page.typed, session.returns_to = answer, typed, session.newest
                    page.save(update_fields=["answer", "typed"])
                if not given:
                    go_on_from(session, new)
                    return None
    except flatpeak.Rejected as error:
        refused(session, error, page.route)
        raise
    except flatpeak.Unavailable:
        session.doubtful = True
        if page.number == session.newest:  # it tells how the conversation ended, if Connect took it
            page.answer, page.typed = answer, typed
            page.save(update_fields=["answer", "typed"])
        raise
    if given:
        page.answer, page.typed = answer, typed
    return append(session, new, page)


def say_safely(session: ConnectSession, at: Page, page: Page, answer: JSON) -> tuple[Page, bool]:
    """Give a page's answer where Connect asks it, with a new token if need be. As `renew`, tells whether it was given."""
    if not session.is_held:
        new = say(session, at, answer)
        if not (session.login and new.row.kind is Kind.REDIRECT):
            return new, True
    renewed = renew(session, page, answer)
    session.doubtful = False
    return renewed


def go_back(session: ConnectSession, route: str) -> Page:
    """Go back page by page, where Connect offers it, until it asks a question again. Returns where that led.

    Stops at the first page, because going back from there ends the conversation.
    """
    stands = stand(session)
    first = session.pages.filter(number=1).values_list("route", flat=True).first()
    for _ in range(session.newest):
        if stands.route in (route, first) or "BACK" not in stands.actions:
            break
        stands = say(session, stands, {"action": "BACK"})
    return stands


def moved(session: ConnectSession, error: flatpeak.Rejected) -> Page | None:
    """Where Connect stands, if it goes on in a later release since the account was raised; otherwise None."""
    before = session.spoken
    if before == flatpeak.KNOWN[-1] or error.status == 429:
        return None
    with suppress(flatpeak.FlatPeakError):
        stands = stand(session)
        return stands if session.spoken != before else None
    return None


def anew(page: Page, stands: Page, form: RouteForm | None, answer: JSON) -> JSON | None:
    """The answer to the same page in another release; None if the customer has to look at it again."""
    if stands.route != page.route or not form:
        return answer
    page.body = stands.body
    page.save(update_fields=["body"])
    form = type(form)(page, form.data)
    return {"data": form.to_data()} if form.is_valid() else None


def refused(session: ConnectSession, error: flatpeak.Rejected, route: str) -> None:
    session.note_error(error.code or str(error.status), route)
    if not gone(session, error):
        return
    if session.is_unsettled and not session.is_held:
        owe(session)  # FlatPeak has a tariff, so the token must be kept for the exchange
    else:
        session.expire()


def gone(session: ConnectSession, error: flatpeak.Rejected) -> bool:
    """Whether the connect token has expired, or FlatPeak does not know it."""
    return "connect_token" in error.code or session.expires_at <= timezone.now()


def append(session: ConnectSession, page: Page, answered: Page | None = None) -> Page | None:
    """Store Connect's page as the newest one, and give the claim back; if it is the last page, exchange the token first.

    Without `answered`, Connect was asked where it stands: it took an answer that was lost, or a login is over.
    Returns the page, or None if the claim was lost and nothing is stored.
    """
    if session.newest and not answered:
        answered = session.pages.filter(number=session.newest).first()
    page.number = session.newest + 1
    page.came_from = answered.number if answered else (session.newest or None)
    if answered and answered.answer == {"action": "BACK"}:
        before = session.pages.filter(number=answered.came_from or 0, route=page.route).first()
        if before:  # the question was asked before, so it comes from where it came from then
            page.came_from, page.typed = before.came_from, before.typed
    if answered and answered.number < session.newest and row(session.last_route).kind is Kind.SUMMARY:
        session.returns_to = session.newest
    if page.row.kind is Kind.SUMMARY:
        session.returns_to = None
    session.newest, session.last_route = page.number, page.route
    note_country(session, answered)
    note_provider(session, page, answered)
    said = (answered.answer or {}).get("action") if answered else None
    owed = page.row.kind is Kind.END
    if owed and said in ("BACK", "CLOSE") and not session.is_unsettled:  # nothing was connected
        owed = False
        session.end(ConnectSession.State.LEFT)
        if answered:
            answered.typed = {}
    elif owed:
        session.owe_exchange()
    elif page.row.is_stored and not (session.location_id and (not answered or page.data == answered.data)):
        session.watch()  # what is known of a location need not be settled
    report(page)
    with transaction.atomic():
        if not (session.keep() if owed else session.release()):
            return None
        page.save()
        if answered and answered.answer is not None:
            answered.led_to = page.number
            answered.save(update_fields=["answer", "typed", "led_to"])
        if page.row.kind is Kind.FAILED and session.location_id:
            Tariff.objects.filter(
                location_id=session.location_id, direction=session.direction, type=session.type
            ).exclude(state=Tariff.State.FAILED).update(state=Tariff.State.FAILED, state_since=timezone.now())
    if session.location_id and answered:
        store_now(session, page, answered)
    if owed:
        settle(session)
    return page
