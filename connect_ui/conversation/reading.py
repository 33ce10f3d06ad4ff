"""What a page of Connect says: whether it is known and whole, what it names, what of it is kept."""

import logging
from decimal import Decimal
from types import UnionType
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import simplejson
from django.conf import settings

from tariffs import flatpeak
from tariffs.flatpeak import JSON

from ..forms import FORMS
from ..models import OTHER, ConnectSession, Page

logger = logging.getLogger(__name__)


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
