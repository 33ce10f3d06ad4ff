"""One function per call."""

from datetime import UTC, datetime
from typing import NotRequired, TypedDict

from django.conf import settings

from .errors import JSON, Rejected
from .http import ask
from .release import Release
from .rest import at_first_of, rest, speaking

# Names of the flag that says whether the tariff's rates are there: FlatPeak's pages disagree.
PROCESSED = ("is_tariff_processed", "tariff_available", "price_available", "data_available")
MAX_ID = 100  # characters of an id, as long as its column


class WirePage(TypedDict):
    """A page as Connect sends it; the route decides what is in `data` and `actions`."""

    route: str
    connect_token: str
    type: NotRequired[str]
    direction: NotRequired[str]
    live_mode: NotRequired[bool]
    actions: NotRequired[list[str]]
    data: NotRequired[JSON]


def answer(connect_token: str, route: str, data: JSON | None = None, action: str = "") -> WirePage:
    """Send one answer to Connect, with `data` or an `action`, and return the next page.

    Never retried, because a POST to Connect is not idempotent; only the route that starts a session changes nothing, and
    tells where it stands. Reference: Connect-headless.
    """
    body: JSON = {"connect_token": connect_token, "route": route}
    if action:
        body["action"] = action
    elif data is not None:
        body["data"] = data
    url = settings.FLATPEAK_CONNECT_URL + "/"
    return ask("Connect", "POST", url, body=body, unfit=_no_page)  # type: ignore[return-value]


def _no_page(page: JSON) -> str:
    is_end = "route" not in page and isinstance(page.get("callback_url"), str)  # an ending that anode may have
    is_page = (is_end or isinstance(page.get("route"), str)) and isinstance(page.get("data") or {}, dict)
    return "" if is_page else "the answer is no page"


def create_connect_token(body: JSON) -> JSON:
    """`{connect_token, expires_in (seconds), live_mode, flatpeak_version}`; the last is the release that it speaks.

    Reference: create connect token.
    """

    def make(spoken: Release) -> JSON:
        asked = {spoken.fields.theirs(name): value for name, value in body.items()} | dict(spoken.token_options)
        needs = {spoken.fields.theirs("connect_token"): str}
        made = at_first_of(spoken.token_paths, spoken, "POST", body=asked, needs=needs)
        return _ours(spoken, made) | {"flatpeak_version": spoken.version}

    return speaking(make)


def _ours(spoken: Release, token: JSON) -> JSON:
    return {spoken.fields.ours(name): value for name, value in token.items()}


def exchange(connect_token: str, began: Release) -> JSON:
    """`{customer_id, location_id, is_tariff_processed, complete_action, …}` of a token that began in a release; idempotent.

    `customer_id` and `complete_action` are "", and `is_tariff_processed` is None, if FlatPeak leaves them out.
    Reference: exchange connect token.
    """

    def make(spoken: Release) -> JSON:
        told = at_first_of(
            spoken.exchange_paths,
            spoken,
            "GET",
            connect_token,
            params={spoken.fields.theirs("connect_token"): connect_token},
            needs={spoken.fields.theirs("location_id"): str},
            unfit=lambda answered: _long_id(_ours(spoken, answered)),
        )
        ids = _ours(spoken, told)
        action = ids.get("complete_action")
        return ids | {
            "customer_id": _customer_of(ids),
            "is_tariff_processed": next((ids[name] for name in PROCESSED if isinstance(ids.get(name), bool)), None),
            "complete_action": spoken.actions.ours(action) if isinstance(action, str) else "",
        }

    return speaking(make, began)


def _customer_of(ids: JSON) -> str:
    return customer_id if isinstance(customer_id := ids.get("customer_id"), str) else ""


def _long_id(ids: JSON) -> str:
    is_long = max(len(_customer_of(ids)), len(ids["location_id"])) > MAX_ID
    return f"an id is longer than {MAX_ID} characters" if is_long else ""


def location(location_id: str) -> JSON:
    """`{timezone, currency_code, postal_address, …}`. Reference: retrieve location."""
    return speaking(lambda spoken: rest(spoken, "GET", "/locations/{}", location_id))


def has_location(location_id: str) -> bool:
    """Whether FlatPeak has this location. Reference: retrieve location."""
    try:
        speaking(lambda spoken: rest(spoken, "GET", "/locations/{}", location_id, expected=(404,)))
    except Rejected as error:
        if error.status != 404:
            raise
        return False
    return True


def location_status(location_id: str) -> JSON:
    """`{tariff_status: {commodity_import: {status, provider, tariff}, …}}`. Reference: location status."""
    needs = {"tariff_status": dict}
    return speaking(lambda spoken: rest(spoken, "GET", "/locations/{}/status", location_id, needs=needs))


def delete_location(location_id: str) -> None:
    """Delete a location with its tariffs; Rejected with status 404 if there is none. Reference: delete location."""
    speaking(lambda spoken: rest(spoken, "DELETE", "/locations/{}", location_id))


def delete_customer(customer_id: str) -> None:
    """Delete a customer with all locations; Rejected with status 404 if there is none. Reference: delete customer."""
    speaking(lambda spoken: rest(spoken, "DELETE", "/customers/{}", customer_id))


def rates(location_id: str, start: datetime, end: datetime, direction: str) -> JSON:
    """`{location_timezone, currency_code, next_update, data: [segments]}` between two instants, at most 90 days apart.

    Anode may leave out `next_update`. Rejected with code pending_connect, no_tariff_connected or no_price_data (422).
    Reference: tariff rates; in anode retrieve a price.
    """
    times, needs = {"start_time": _utc(start), "end_time": _utc(end)}, {"data": list}

    def make(spoken: Release) -> JSON:
        if spoken.prices_path:
            asked = times | {"tariff_direction": direction}
            return rest(spoken, "POST", spoken.prices_path, location_id, body=asked, needs=needs)
        asked = times | {"direction": direction, "include_tariff": "true", "include_carbon": "true"}
        return rest(spoken, "GET", "/tariffs/rates/{}", location_id, params=asked, needs=needs)

    return speaking(make)


def _utc(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
