"""What a page of Connect says: whether it is known and whole, what it names, what of it is kept."""

import logging
from urllib.parse import urlsplit

from django.conf import settings

from tariffs import flatpeak

from ..models import OTHER, ConnectSession, Page
from ..routes import Kind

logger = logging.getLogger(__name__)


def report(page: Page) -> None:
    """Tell the log of a page that the customer can't answer; a page of a kind that is not known here is an error."""
    if page.row.kind is Kind.UNKNOWN:
        logger.error("Connect: the unknown route %r, for session %s", flatpeak.word(page.route), page.session_id)
    elif page.row.kind is Kind.ERROR:
        code = flatpeak.word(page.body.get("error_code"))
        logger.warning("Connect: stopped, %s, for session %s", code or "no code", page.session_id)
    elif is_incomplete(page):
        logger.warning("Connect: %s without what it needs, for session %s", page.route, page.session_id)


def is_incomplete(page: Page) -> bool:
    """Whether something is missing without which a page can't be answered, or not knowingly."""
    if page.row.kind is Kind.REDIRECT:
        return not may_leave_to(page.redirect_url)
    return not all(isinstance(page.data.get(name), kind) for name, kind in page.row.needs.items())


def may_leave_to(url: str) -> bool:
    """Whether the customer may be led to an address of a provider's login."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return bool(parts.hostname) and (parts.scheme == "https" or (settings.SANDBOX and parts.scheme == "http"))


def note_provider(session: ConnectSession, page: Page, answered: Page | None) -> list[str]:
    """The provider that a page is about, or that was chosen on the page before it; and what the funnel counts it under.

    That is a name of FlatPeak's list, and never one that the customer typed: Connect shows those too, also in a later
    conversation about the same location. The columns that have changed.
    """
    before = session.provider, session.listed_provider
    about = page.part("provider")
    told, chosen = str(about.get("display_name") or about.get("name") or ""), ""
    if answered and answered.row.asks == "provider":
        listed = {str(each.get("id")): str(each.get("display_name") or "") for each in answered.parts("providers")}
        chosen = listed.get(str(answered.typed.get("provider")), "")
        session.listed_provider = (chosen or (told if told in listed.values() else "") or OTHER)[:300]
    session.provider = (told or chosen or session.provider)[:300]
    session.listed_provider = session.listed_provider or (OTHER if session.provider else "")
    return ["provider", "listed_provider"] if before != (session.provider, session.listed_provider) else []
