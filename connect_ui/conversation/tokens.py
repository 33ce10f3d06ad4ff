"""New connect tokens: for a new conversation, and for the same one with its answers repeated."""

import logging
import secrets
from copy import copy
from datetime import timedelta

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import transaction
from django.urls import reverse
from django.utils import timezone

from flatpeak_app.web import vault
from tariffs import flatpeak
from tariffs.flatpeak import JSON
from tariffs.models import Customer
from tariffs.rates import number

from ..models import SILENCE, ConnectSession, Page
from ..routes import START, Kind
from .wire import say, stand

logger = logging.getLogger(__name__)


def make_token(session: ConnectSession) -> None:
    """Give the conversation a new connect token. The caller saves it. Raises FlatPeakError."""
    user_id, location = session.user_id, session.location
    if location:
        customer = location.customer
    else:
        with transaction.atomic():  # the lock keeps two starts at once from creating two customers
            get_user_model().objects.select_for_update(no_key=True).get(pk=user_id)
            customers = Customer.objects.here().filter(user_id=user_id)
            customer = customers.order_by("-customer_id").first() or Customer.objects.create(user_id=user_id)
    secret = secrets.token_urlsafe(32)
    body: JSON = {
        "direction": session.direction,
        "type": session.type,
        "callback_uri": settings.SITE_URL + reverse("connect_ui:callback"),
        "connect_web_uri": f"{settings.SITE_URL}{reverse('connect_ui:return', args=[session.pk])}{secret}/",
        "customer_reference_id": str(customer.pk),
    }
    if customer.customer_id:
        body["customer_id"] = customer.customer_id
    if location:
        body["location_id"] = location.location_id
    else:
        body["postal_address"] = {"country_code": session.country_code}
    with flatpeak.purpose("a new conversation"):
        made = flatpeak.create_connect_token(body)
    if ConnectSession.of_token(made["connect_token"]):
        logger.warning("Connect: a token that was handed out before")
        raise flatpeak.Unavailable("a token that was handed out before")
    session.connect_token, session.return_digest = made["connect_token"], vault.digests(secret)[0]
    session.flatpeak_version = made["flatpeak_version"]
    session.expires_at = timezone.now() + timedelta(seconds=int(number(made.get("expires_in")) or 86400))
    session.login = ConnectSession.Login.NONE


# Actions that a new conversation may repeat: none that ends it or leads to another site.
REPEATED_ACTIONS = ("PROVIDER_MISSING", "TARIFF_MISSING")
# Actions that the same conversation may repeat with a new token.
RENEWED_ACTIONS = (*REPEATED_ACTIONS, "ADDRESS_CHANGE", "EDIT", "RECONNECT")


def path_to(session: ConnectSession, number: int | None) -> list[Page]:
    """The pages that led to this one, and this one, without those that the customer left by going back."""
    pages = {page.number: page for page in session.pages.all()}
    path: list[Page] = []
    while number and (page := pages.pop(number, None)):
        path.append(page)
        number = page.came_from
    return path[::-1]


def renew(session: ConnectSession, to: Page, answer: JSON | None = None, stay: Page | None = None) -> tuple[Page, bool]:
    """Take a new token and repeat the answers on the way to a page, then its own answer. Raises FlatPeakError.

    Whoever has the link to a provider's login knows the old token. And where Connect takes no answer to an earlier page,
    the old token stays where it is: at `stay`, which is kept if the way leads to no question. Returns the page where this
    led, and whether the page's own answer was given: Connect may ask something else on the way.
    """
    path = [(page.route, page.answer or {}) for page in path_to(session, to.number)]
    path[-1] = (to.route, answer or {})
    at, last = -1, len(path) - 1
    before = copy(session)
    try:
        make_token(session)
        stands = stand(session, START)
        # If a question was asked twice, its last answer counts.
        while after := [n for n, (route, _) in enumerate(path) if n > at and route == stands.route]:
            at = after[-1]
            said, action = path[at][1], path[at][1].get("action", "")
            if not said or (action and action not in RENEWED_ACTIONS and at < last):
                break
            try:
                stands = say(session, stands, said)
            except flatpeak.Rejected as error:
                if not stay or at == last or error.status == 429:
                    raise
                break  # the customer answers it anew
    except flatpeak.FlatPeakError:
        session.undo()
        raise
    given = bool(answer) and at == last
    if stay and not given and stands.row.kind is not Kind.QUESTION:
        session.undo()
        return stay, False
    has_tariff = before.may_have_tariff and not session.location_id
    if has_tariff:
        session.due_at = None  # nothing is stored under the new token yet
    if session.keep() and has_tariff:
        # FlatPeak may have stored a tariff under the old token. By then the location is stored here if it is the same one.
        before.owe_erasure(due_at=timezone.now() + SILENCE)
    return stands, given
