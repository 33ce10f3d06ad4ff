"""What an answer, an action or a resume does: each function changes the session and returns a key of the page's `next`.

A page that leads to one page only has the key None.
"""

import re
from datetime import timedelta

from . import catalog, checks, holds, tariff
from .catalog import Provider
from .codec import Json, rfc3339
from .errors import Failure, tolerated
from .session import Session, tariff_key, test_failure
from .tariff import provider_of
from .wire import Reply, problem

# Resuming, by the page that the conversation is at


def begin(session: Session) -> str:
    """Start with the stage of the location's tariff, or else with the address or the providers."""
    found = session.location["tariffs"].get(tariff_key(session.token))
    if found:
        if found.get("unreadable"):
            found["unreadable"] = "failed"
        session.token["draft"] = dict(found)
        return session.stage
    address = session.token["postal_address"]
    known = address["city"] and address["country_code"] and checks.has_timezone(address)
    return "provider" if known else "address"


def after_login(session: Session) -> str | None:
    """The outcome of the login, or the stage of the tariff that it found. None: the customer is still there."""
    outcome, session.token["login"] = session.token["login"], None
    if outcome in (None, "manual", "decline"):
        return outcome
    provider, more = provider_of(session.draft), {}
    if outcome == "unreachable":
        seconds = int(provider.test.get("pending_seconds", session.switch("pending_seconds")))
        more["pending_until"] = (session.now + timedelta(seconds=seconds)).isoformat()
    if outcome == "unreadable":
        more["unreadable"] = "new"
    template = catalog.priced(provider.tariff, provider, session.token["direction"])
    return session.take_over(template, connection="DIRECT", **more)


# Answers, whose data was cleaned field by field


def address(session: Session, data: Json) -> None:
    found = checks.postal_address(data["postal_address"], session.switch("post_code"))
    if found["country_code"] != session.country:
        session.token["draft"] = {}
    session.token["postal_address"] = found


def provider(session: Session, data: Json) -> str | Json | Reply:
    token, provider_id = session.token, data["provider"]
    found = catalog.providers(session.country).get(provider_id)
    if not found and catalog.provider_by_id(provider_id):
        raise Failure("provider_id_invalid/elsewhere", country=session.country)
    if not found:
        raise Failure("provider_not_found")
    if odd := _odd(session, found):
        return odd
    kind = "MANUAL" if found.id in token["dismissed"] else found.kind
    if kind == "DIRECT" and not token["connect_web_uri"]:
        raise Failure("connect_web_uri_missing")
    token["login"] = None
    if session.draft.get("provider") != found.id:
        token["draft"] = {"provider": found.id, "connection": "MANUAL"}
    if kind not in ("DIRECT", "LIBRARY"):
        session.by_hand()
    session.lost = "lost" in found.test
    return kind


def _odd(session: Session, provider: Provider) -> str | Json | Reply | None:
    """What a test provider answers that a real one never does. None for all others."""
    test, token = provider.test, session.token
    if "no_providers" in test:
        token["no_providers"] = True
        return "NONE"
    if "expires" in test:
        token["expires"] = rfc3339(session.now)
        raise Failure("connect_token_expired")
    if "always" in test:
        raise test_failure(test["always"])
    if "once" in test and session.once(f"provider {test['once']}"):
        if test["once"] == "not_json":
            return problem(502, "This is the sandbox's test of an answer that is not JSON.")
        raise test_failure(test["once"])
    return test.get("page")


def library_tariff(session: Session, data: Json) -> str:
    for template in catalog.library(provider_of(session.draft), session.token["direction"]):
        if template["id"] == data["tariff"]:
            return session.take_over(template, connection="LIBRARY")
    raise Failure("tariff_id_invalid/elsewhere" if catalog.tariff_exists(data["tariff"]) else "tariff_not_found")


def structure(session: Session, data: Json) -> str:
    if data["options"] not in holds.options(session):
        raise Failure("option_not_supported", option=data["options"])
    session.by_hand(structure=data["options"])
    return data["options"]


def surcharge(session: Session, data: Json) -> None:
    regions = holds.regions(session)
    if regions is holds.ABSENT:
        if "region" in data and not tolerated("region"):
            raise Failure("data_json_invalid/fields", where="data", wrong="region", known="surcharge")
        data = data | {"region": None}
    elif data.get("region") not in regions:
        raise Failure("market_region_invalid", regions=", ".join(regions))
    if has_no_place(session):
        raise Failure("geo_location_not_found")
    session.by_hand(structure="MARKET", **data)


def has_no_place(session: Session) -> bool:
    """Whether the post code is the test input for a place that is not known."""
    return re.fullmatch("0+", session.token["postal_address"]["post_code"]) is not None


def contract_term(session: Session, data: Json) -> str:
    """Return what the draft still lacks, since the provider may have changed after this page was shown, or its stage."""
    start, end = data.get("contract_start_date"), data.get("contract_end_date")
    if start and end and end != checks.OPEN_END and end <= start:
        raise Failure("date_format_invalid/order")
    session.by_hand(start=start, end=end)
    if not tariff.stage({**session.draft, "name": "-"}, session.now):
        return session.draft.get("structure", "structure")
    return session.stage or "name"


# Actions that do more than lead on


def start_again(session: Session) -> None:
    session.location["tariffs"].pop(tariff_key(session.token), None)
    session.token["draft"] = {}


def dismiss_login(session: Session) -> None:
    """Set the tariff by hand, and never offer this provider's login again."""
    dismissed = session.token["dismissed"]
    dismissed.append(session.draft["provider"])
    session.location["dismissed"] = dismissed
    session.by_hand()
