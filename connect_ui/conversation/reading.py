"""What a page of Connect says: whether it can be answered, and which provider it is about."""

import logging
from urllib.parse import urlsplit

from django.conf import settings

from tariffs import flatpeak
from tariffs.flatpeak import JSON

from ..models import OTHER, ConnectSession, Page
from ..routes import Kind

logger = logging.getLogger(__name__)


def report(page: Page) -> None:
    """Log a page that the customer can't answer; an unknown route is an error, which is mailed to the operator."""
    if page.row.kind is Kind.UNKNOWN:
        logger.error("Connect: the unknown route %r, for session %s", flatpeak.word(page.route), page.session_id)
    elif page.row.kind is Kind.ERROR:
        code = flatpeak.word(page.body.get("error_code"))
        logger.warning("Connect: stopped, %s, for session %s", code or "no code", page.session_id)
    elif is_incomplete(page):
        logger.warning("Connect: %s without what it needs, for session %s", page.route, page.session_id)


def is_incomplete(page: Page) -> bool:
    """Whether a page lacks something that the customer needs to answer it."""
    if page.row.kind is Kind.REDIRECT:
        return not login_url(page)
    return not all(isinstance(page.data.get(name), kind) for name, kind in page.row.needs.items())


def login_url(page: Page) -> str:
    """The address of a provider's login; empty if the customer may not be sent there, as it has no https or no host."""
    try:
        parts = urlsplit(page.redirect_url)
    except ValueError:
        return ""
    safe = parts.hostname and parts.scheme in (("https", "http") if settings.SANDBOX else ("https",))
    return page.redirect_url if safe else ""


def note_country(session: ConnectSession, answered: Page | None) -> None:
    """Note the country of the address that was given: the customer may have changed it since the start."""
    address = ((answered.answer or {}).get("data") or {}).get("postal_address") if answered else None
    if isinstance(address, dict):
        session.country_code = address["country_code"]


def provider_at_login(shown: Page, before: Page | None) -> JSON:
    """The listed provider of a login, `{id, display_name, logo_url}`; {} if the page is about no login.

    That is the page that leads to a login, after the list on `before`, or the list that follows a login without a tariff.
    """
    if before and shown.row.kind is Kind.REDIRECT:
        return next((each for each in before.parts("providers") if each.get("id") == before.typed.get("provider")), {})
    if before and before.row.kind is Kind.REDIRECT and shown.row.asks == "provider":
        name = shown.session.provider
        return next((each for each in shown.parts("providers") if name and each.get("display_name") == name), {})
    return {}


def note_provider(session: ConnectSession, page: Page, answered: Page | None) -> None:
    """Note the provider that a page is about, or that was chosen before it.

    `listed_provider` is for the funnel: a name from FlatPeak's list, or OTHER. A name that the customer typed would
    identify people, and Connect repeats it on later pages and in later conversations about the location.
    """
    about = page.part("provider")
    told, chosen = str(about.get("display_name") or about.get("name") or ""), ""
    if answered and answered.row.asks == "provider":
        listed = {str(each.get("id")): str(each.get("display_name") or "") for each in answered.parts("providers")}
        chosen = listed.get(str(answered.typed.get("provider")), "")
        session.listed_provider = (chosen or (told if told in listed.values() else "") or OTHER)[:300]
    session.provider = (told or chosen or session.provider)[:300]
    session.listed_provider = session.listed_provider or (OTHER if session.provider else "")
