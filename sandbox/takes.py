"""What answers and actions do: each function changes the session and returns the key of the page that follows.

Where a row of the table has one page that follows there is no key to return.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from . import catalog, checks, holds, tariff
from .catalog import Provider
from .session import Session, tariff_key, test_failure
from .tariff import provider_of
from .wire import Failure, Json, Reply, problem, rfc3339, tolerated


@dataclass(frozen=True)
class Field:
    """One field of an answer's data: `clean` returns its value or raises the Failure that FlatPeak documents.

    shape is what its value looks like, in words; absent is the code for an answer without it, data_json_invalid if none.
    """

    clean: Callable[[Any], Any] = lambda value: value
    shape: str = ""
    required: bool = True
    absent: str = ""


# session_restore, by the page that the conversation stands at


def begin(session: Session) -> str:
    """Start: the stage of the location's tariff, or which of address and provider is to be asked for first."""
    found = session.location["tariffs"].get(tariff_key(session.token))
    if found:
        if found.get("unreadable"):
            found["unreadable"] = "failed"
        session.token["draft"] = dict(found)
        return tariff.stage(found, session.now)
    address = session.token["postal_address"]
    known = address["city"] and address["country_code"] and checks.has_timezone(address)
    return "provider" if known else "address"


def after_login(session: Session) -> str | None:
    """What the login came to, None while the customer is still there."""
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


def stage(session: Session) -> str:
    return tariff.stage(session.draft, session.now)


# Answers, whose data is clean


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
    """What the test providers do that leads to no page of a real one's; None for all others."""
    test, token = provider.test, session.token
    if "no_providers" in test:
        token["no_providers"] = True
        return "NONE"
    if "expires" in test:
        token["expires"] = rfc3339(session.now)
        raise Failure("connect_token_expired")
    if "page" in test:
        return test["page"]
    if "always" in test:
        raise test_failure(test["always"])
    if "once" in test and session.once(f"provider {test['once']}"):
        if test["once"] == "not_json":
            return problem(502, "This is the sandbox's test of an answer that is not JSON.")
        raise test_failure(test["once"])
    return None


def provider_name(session: Session, data: Json) -> None:
    session.by_hand(provider=None, provider_name=data["provider"])


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


def fixed(session: Session, data: Json) -> None:
    session.by_hand(structure="FIXED", **data)


def time_of_day(session: Session, data: Json) -> None:
    session.by_hand(structure="TIME_OF_DAY", **data)


def surcharge(session: Session, data: Json) -> None:
    regions = holds.regions(session)
    if regions is holds.ABSENT:
        if "region" in data and not tolerated("region"):
            raise Failure("data_json_invalid/fields", where="data", wrong="region", known="surcharge")
        data = data | {"region": None}
    elif data.get("region") not in regions:
        raise Failure("market_region_invalid", regions=", ".join(regions))
    if re.fullmatch("0+", session.token["postal_address"]["post_code"]):
        raise Failure("geo_location_not_found")
    session.by_hand(structure="MARKET", **data)


def tariff_name(session: Session, data: Json) -> None:
    session.by_hand(name=data["tariff"])


def contract_term(session: Session, data: Json) -> str:
    """The stage of the draft, or what it lacks: pages can be answered for one provider and then another be chosen."""
    start, end = data.get("contract_start_date"), data.get("contract_end_date")
    if start and end and end != checks.OPEN_END and end <= start:
        raise Failure("date_format_invalid/order")
    session.by_hand(start=start, end=end)
    if not tariff.stage({**session.draft, "name": "-"}, session.now):
        return session.draft.get("structure", "structure")
    return stage(session) or "name"


# Actions


def save(session: Session) -> None:
    session.complete("SAVE")


def disconnect(session: Session) -> None:
    session.complete("DISCONNECT")


def start_again(session: Session) -> None:
    session.location["tariffs"].pop(tariff_key(session.token), None)
    session.token["draft"] = {}


def dismiss_login(session: Session) -> None:
    """Set the tariff by hand, and never offer this provider's login again."""
    dismissed = session.token["dismissed"]
    dismissed.append(session.draft["provider"])
    session.location["dismissed"] = dismissed
    session.by_hand()


def by_hand(session: Session) -> None:
    session.by_hand()


def nothing(session: Session) -> None:
    """The action only leads on."""
