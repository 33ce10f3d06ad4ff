"""The conversation with Connect: claim the session, call, write what came back. No transaction spans a call."""

import logging
from collections.abc import Iterable
from contextlib import suppress
from datetime import timedelta
from decimal import Decimal
from types import UnionType
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import simplejson
from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import transaction
from django.urls import reverse
from django.utils import timezone

from tariffs import connected, flatpeak
from tariffs.models import Customer, Location, Tariff
from tariffs.rates import number

from .forms import FORMS, RouteForm, form_for
from .models import OTHER, ConnectSession, Page

logger = logging.getLogger(__name__)

JSON = dict[str, Any]
COMPLETE = ("session_complete", "complete_tariff")  # the second is the first's old name
PROVIDER = ("provider_select", "provider_name_capture")
PENDING = ("summary_tariff_inprogress",)
FAILED = ("summary_tariff_failed",)
WITHOUT_FORM = {
    *COMPLETE,
    *PENDING,
    *FAILED,
    "summary_fixed_confirm",
    "summary_tou_confirm",
    "session_redirect",
    "error",
}

# What a page can't be without.
NEEDED: dict[str, dict[str, type | UnionType]] = {
    "provider_select": {"providers": list},
    "tariff_select": {"tariffs": list},
    "tariff_structure_select": {"options": list},
    "rate_fixed_capture": {"currency_code": str},
    "rate_tod_capture": {"currency_code": str},
    "market_surcharge_capture": {"currency_code": str},
    "summary_fixed_confirm": {"currency_code": str, "cost": int | Decimal},
    "summary_tou_confirm": {"currency_code": str, "rates": dict},
}


def known(route: str) -> bool:
    return route in FORMS or route in WITHOUT_FORM


def start(
    user_id: int,
    *,
    direction: str,
    country_code: str,
    location: Location | None = None,
    type: str = "COMMODITY",
) -> ConnectSession:
    """Make a connect token and open its conversation; its first page may come later. Raises FlatPeakError without a token."""
    session = begin(user_id, direction=direction, country_code=country_code, location=location, type=type)
    with suppress(flatpeak.FlatPeakError):
        catch_up(session)
    return session


def begin(user_id: int, *, direction: str, country_code: str, location: Location | None, type: str) -> ConnectSession:
    """Make a connect token; the conversation is claimed, for its first page to be asked for. Raises FlatPeakError."""
    if location:
        customer, country_code = location.customer, location.country_code
    else:
        with transaction.atomic():  # one, also for a start that is pressed twice at once
            get_user_model().objects.select_for_update(no_key=True).get(pk=user_id)
            customers = Customer.objects.here().filter(user_id=user_id)
            customer = customers.order_by("-customer_id").first() or Customer.objects.create(user_id=user_id)
    body: JSON = {
        "direction": direction,
        "type": type,
        "callback_uri": settings.SITE_URL + reverse("connect_ui:callback"),
        "connect_web_uri": settings.SITE_URL + reverse("connect_ui:return"),
        "customer_reference_id": str(customer.pk),
    }
    if customer.customer_id:
        body["customer_id"] = customer.customer_id
    if location:
        body["location_id"] = location.location_id
    else:
        body["postal_address"] = {"country_code": country_code}
    with flatpeak.purpose("a new conversation"):
        made = flatpeak.create_connect_token(body)
    if ConnectSession.of_token(made["connect_token"]):
        logger.warning("Connect: a token that was handed out before")
        raise flatpeak.Unavailable("a token that was handed out before")
    now = timezone.now()
    session = ConnectSession(
        user_id=user_id,
        location=location,
        expires_at=now + timedelta(seconds=int(number(made.get("expires_in")) or 86400)),
        direction=direction,
        type=type,
        country_code=country_code,
        claimed_at=now,
    )
    session.connect_token = made["connect_token"]
    session.save()
    return session


# What may be said again to a new conversation without asking: nothing that ends one, or leads to another site.
REPEATED_ACTIONS = ("PROVIDER_MISSING", "TARIFF_MISSING")


def again(old: ConnectSession) -> ConnectSession:
    """Another conversation in the place of one whose token has expired, led to the same question as far as Connect goes.

    The answers that were given are given again, page by page, for as long as Connect asks the same; what was typed last
    and never taken stands in the form. Raises FlatPeakError where FlatPeak is not there for all of that; it can be begun
    anew then.
    """
    new = begin(
        old.user_id, direction=old.direction, country_code=old.country_code, location=old.location, type=old.type
    )
    try:
        catch_up(new)
        new.not_listed = old.not_listed
        follow(old, new)
    except flatpeak.FlatPeakError:
        ConnectSession.objects.filter(pk=new.pk).update(counted=True)  # no customer saw it, so none has left it
        new.delete()
        raise
    return new


def follow(old: ConnectSession, new: ConnectSession) -> None:
    """Give the answers of one conversation in another. Raises Unavailable."""
    for said in path_to_newest(old):
        asked = new.pages.filter(number=new.newest, route=said.route).first()
        if not asked or not new.is_open:
            break
        answer = said.answer or {}
        repeatable = "data" in answer or answer.get("action") in REPEATED_ACTIONS
        if not repeatable or said.number == old.newest:
            asked.typed = said.typed
            asked.save(update_fields=["typed"])
            break
        form = form_for(asked)
        if not new.claim():
            break
        try:
            send(new, asked, answer, said.typed, form)
        except flatpeak.Rejected:
            asked.typed = said.typed
            asked.save(update_fields=["typed"])
            break


def path_to_newest(session: ConnectSession) -> list[Page]:
    """The pages that led to the newest one, without those that were left by going back."""
    pages = {page.number: page for page in session.pages.all()}
    path: list[Page] = []
    number: int | None = session.newest
    while number and (page := pages.pop(number, None)):
        path.append(page)
        number = page.came_from
    return path[::-1]


def catch_up(session: ConnectSession) -> None:
    """Ask Connect where it stands, and show that if it is something new. The caller holds the claim; it is given back."""
    try:
        page = flatpeak.restore(session.connect_token)
    except flatpeak.Rejected as error:
        refused(session, error, session.last_route)
        raise
    except flatpeak.Unavailable:
        session.release()
        raise
    go_on_from(session, page)


def go_on_from(session: ConnectSession, stands: flatpeak.Page) -> None:
    """Show where Connect stands, after `restore`; if it is in view already, as Connect tells it now."""
    session.doubtful = False
    if stands["route"] == session.last_route:
        body = body_of(stands, session)
        report(Page(session=session, route=session.last_route, body=body))
        session.pages.filter(number=session.newest).update(body=body)
        session.release()
    else:
        append(session, stands)


def send(session: ConnectSession, page: Page, answer: JSON, typed: JSON, form: RouteForm | None) -> Page | None:
    """Send the answer to a page; the page that Connect answered with. The caller holds the claim; it is given back.

    None where something else came of it: the session's own columns say what. Raises FlatPeakError; the page then stays
    as it was. Where an earlier answer was lost on its way, Connect is asked first where it stands, and if it went on,
    that is shown instead of answering twice.
    """
    try:
        if session.doubtful:
            stands = flatpeak.restore(session.connect_token)
            session.doubtful = False
            if stands["route"] != session.last_route:
                append(session, stands, page)
                return None
        try:
            new = flatpeak.answer(
                session.connect_token, page.route, answer.get("data"), action=answer.get("action", "")
            )
        except flatpeak.Rejected as error:
            earlier = page.number != session.newest
            if not earlier or gone(session, error) or (form and form.field_of(error.code)):
                raise
            # Connect does not take answers to earlier pages, or not to this one: go on from where it stands.
            go_on_from(session, flatpeak.restore(session.connect_token))
            return None
    except flatpeak.Rejected as error:
        refused(session, error, page.route)
        raise
    except flatpeak.Unavailable:
        session.doubtful = True
        session.release()
        raise
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


def append(session: ConnectSession, new: flatpeak.Page, answered: Page | None = None) -> Page | None:
    """Store Connect's page as the newest; if it is the last one, exchange the token. The claim is given back.

    The page as it is stored, None if it is not: see `ConnectSession.keep`.
    """
    page = Page(session=session, number=session.newest + 1, route=new["route"][:100], body=body_of(new, session))
    page.came_from = answered.number if answered else (session.newest or None)
    session.newest, session.last_route = page.number, page.route
    fields = ["newest", "last_route", *note_provider(session, page, answered)]
    if page.route in COMPLETE:
        session.state = ConnectSession.State.OWED
        fields.append("state")
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
        if page.route in FAILED and session.location_id:
            Tariff.objects.filter(
                location_id=session.location_id, direction=session.direction, type=session.type
            ).exclude(state=Tariff.State.FAILED).update(state=Tariff.State.FAILED, state_since=timezone.now())
    if owed:
        exchange(session)
    return page


def report(page: Page) -> None:
    """Tell the log of a page that the customer can't answer; a page of a kind that is not known here is an error."""
    if not known(page.route):
        logger.error("Connect: the unknown route %r, for session %s", flatpeak.word(page.route), page.session_id)
    elif page.route == "error":
        code = flatpeak.word(page.body.get("error_code"))
        logger.warning("Connect: stopped, %s, for session %s", code or "no code", page.session_id)
    elif is_incomplete(page):
        logger.warning("Connect: %s without what it needs, for session %s", page.route, page.session_id)


def body_of(page: flatpeak.Page, session: ConnectSession) -> JSON:
    body: JSON = {key: value for key, value in page.items() if key != "connect_token"}
    token = session.connect_token
    # Most have it nowhere else, which is faster to see in all of a page's text than in each of thousands of names.
    has_token = simplejson.dumps(token)[1:-1] in simplejson.dumps(body, use_decimal=True)
    return without_token(body, token) if has_token else body


def is_incomplete(page: Page) -> bool:
    """Whether something is missing without which a page can't be answered, or not knowingly."""
    if page.route == "session_redirect":
        return not may_leave_to(page.data.get("redirect_uri") or page.data.get("redirect_url"))
    return not all(isinstance(page.data.get(name), kind) for name, kind in NEEDED.get(page.route, {}).items())


def may_leave_to(url: Any) -> bool:
    """Whether the customer may be led to an address of a provider's login."""
    try:
        parts = urlsplit(url if isinstance(url, str) else "")
    except ValueError:
        return False
    return bool(parts.hostname) and (parts.scheme == "https" or (settings.SANDBOX and parts.scheme == "http"))


def note_provider(session: ConnectSession, page: Page, answered: Page | None) -> list[str]:
    """The provider that a page is about, or that was chosen on the page before it; and what the funnel counts it under.

    That is a name of FlatPeak's list, and never one that the customer typed: Connect shows those too, also in a later
    conversation about the same location. The columns that have changed.
    """
    before = session.provider, session.listed_provider
    about = page.data.get("provider")
    about = about if isinstance(about, dict) else {}
    told, chosen = str(about.get("display_name") or about.get("name") or ""), ""
    if answered and answered.route in PROVIDER:
        offered = answered.data.get("providers")
        items = [item for item in offered if isinstance(item, dict)] if isinstance(offered, list) else []
        listed = {str(item.get("id")): str(item.get("display_name") or "") for item in items}
        chosen = listed.get(str(answered.typed.get("provider")), "")
        session.listed_provider = (chosen or (told if told in listed.values() else "") or OTHER)[:300]
    session.provider = (told or chosen or session.provider)[:300]
    session.listed_provider = session.listed_provider or (OTHER if session.provider else "")
    return ["provider", "listed_provider"] if before != (session.provider, session.listed_provider) else []


def without_token(value: Any, token: str) -> Any:
    """The same JSON without the connect token, be it in an address (`fp_cot=…`) or anywhere else."""
    if isinstance(value, dict):
        return {key: without_token(item, token) for key, item in value.items()}
    if isinstance(value, list):
        return [without_token(item, token) for item in value]
    if not isinstance(value, str) or token not in value:
        return value
    url = urlsplit(value)
    query = urlencode([(k, v) for k, v in parse_qsl(url.query, keep_blank_values=True) if k != "fp_cot"])
    return url._replace(query=query).geturl().replace(token, "")


def exchange(session: ConnectSession) -> flatpeak.FlatPeakError | None:
    """Exchange the connect token and store what it gives. The caller holds the claim; it is given back.

    If FlatPeak does not give the ids, which the error says, the exchange stays owed: nothing else knows them.
    """
    owed = session.state == ConnectSession.State.OWED
    try:
        with flatpeak.purpose(f"session {session.pk}" if owed else ""):
            ids = flatpeak.exchange(session.connect_token)
    except flatpeak.FlatPeakError as error:
        if owed:
            session.exchange_after = timezone.now() + timedelta(minutes=1)
            if isinstance(error, flatpeak.Rejected):
                session.exchange_after = timezone.now() + timedelta(minutes=15)
                session.note_error(error.code or str(error.status), session.last_route)
        session.release("exchange_after", *ConnectSession.ERROR)
        return error
    if session.state == ConnectSession.State.OPEN:  # a callback told of the end, whose page was lost on its way
        last = Page(session=session, number=session.newest + 1, route=COMPLETE[0], body={}, came_from=session.newest)
        session.newest, session.last_route, session.state = last.number, last.route, ConnectSession.State.OWED
        with transaction.atomic():
            if not session.keep("newest", "last_route", "state"):
                return None
            last.save()
    before = session.pages.filter(number=session.newest).values("came_from")
    summary = session.pages.filter(number__in=before).first()
    answered = (summary.answer or {}).get("action") if summary else None
    processed = ids.get("is_tariff_processed", ids.get("tariff_available"))
    if (ids.get("complete_action") or answered) == "DISCONNECT":
        state = Tariff.State.DISCONNECTED
    elif processed is False or (summary and summary.route in PENDING):
        state = Tariff.State.PENDING
    else:
        state = Tariff.State.CONNECTED
    facts = connected.facts(summary.data) if summary else {}
    try:
        tariff = connected.store(
            session.user_id, ids, connected.Connected(session.direction, session.type, state, facts)
        )
    except connected.Conflict as conflict:
        logger.error("session %s: %s", session.pk, conflict)
        session.end(ConnectSession.State.CONFLICT)
        session.release(*ConnectSession.ENDED)
        return None
    session.tariff, session.location = tariff, tariff.location
    gone_now = state == Tariff.State.DISCONNECTED
    session.end(ConnectSession.State.DISCONNECTED if gone_now else ConnectSession.State.CONNECTED)
    session.release("tariff", "location", *ConnectSession.ENDED)
    with suppress(flatpeak.FlatPeakError):  # they come with the rates then
        connected.complete(tariff)
    return None


def finish(owed: Iterable[ConnectSession]) -> tuple[int, int]:
    """Make the exchanges that these sessions are owed; how many are finished now, and how many are still owed."""
    finished = left = 0
    for session in owed:
        if session.is_here and session.claim():
            exchange(session)
        done = session.state != ConnectSession.State.OWED
        finished, left = finished + done, left + (not done)
    return finished, left
