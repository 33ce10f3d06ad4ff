"""What an exchange brought, stored: the customer, the location and its tariff."""

import logging
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.db import IntegrityError, transaction
from django.utils import timezone

from . import flatpeak
from .models import Customer, Erasure, Location, Tariff
from .rates import instant

logger = logging.getLogger(__name__)

JSON = dict[str, Any]
OPEN_ENDED = "0001-01-01"  # how FlatPeak writes a contract without an end


class Conflict(Exception):
    """FlatPeak named an id that is another user's, or was deleted here; `str()` of it has no personal data."""


class Connected(NamedTuple):
    """What the conversation told about the tariff, beside the ids that the exchange gives."""

    direction: str
    type: str
    state: str
    facts: JSON  # provider, name, structure, contract_end (RFC 3339), as far as they are known


def store(user_id: int, exchanged: JSON, connected: Connected) -> Tariff:
    """Store the ids of `flatpeak.exchange` for the user; again is the same. Raises Conflict, and stores nothing then."""
    try:
        return _store(user_id, exchanged, connected)
    except IntegrityError:  # another request stored the same just now
        return _store(user_id, exchanged, connected)


@transaction.atomic
def _store(user_id: int, exchanged: JSON, connected: Connected) -> Tariff:
    if Erasure.names(exchanged["location_id"], exchanged["customer_id"]):  # deleted while the exchange was under way
        raise Conflict("the customer or the location was deleted")
    location = Location.objects.here().select_related("customer").filter(location_id=exchanged["location_id"]).first()
    if location and location.customer.user_id != user_id:
        raise Conflict(f"location {location.pk} is stored for another user")
    customer = _customer(user_id, exchanged["customer_id"])
    if not location:
        location = Location.objects.create(customer=customer, location_id=exchanged["location_id"])
    tariff = (
        Tariff.objects.filter(location=location, direction=connected.direction, type=connected.type).first()
        or Tariff(location=location, direction=connected.direction, type=connected.type)
    )  # fmt: skip
    tariff.location = location
    tariff.set_state(connected.state)
    # An edited tariff has new prices from now on: what was stored of today is asked for again.
    tariff.set_rates(Tariff.Rates.NONE, "", timezone.now())
    _note(tariff, connected.facts)
    tariff.save()
    return tariff


def _customer(user_id: int, customer_id: str) -> Customer:
    customers = Customer.objects.here()
    known = customers.filter(customer_id=customer_id).first()
    if known:
        if known.user_id != user_id:
            raise Conflict(f"customer {known.pk} is stored for another user")
        return known
    # Locked, or two exchanges at once would both write their id into the one that has none yet.
    nameless = customers.select_for_update().filter(user_id=user_id, customer_id="").first()
    new = nameless or Customer(user_id=user_id)
    new.customer_id = customer_id
    new.save()
    return new


def facts(data: JSON) -> JSON:
    """What a summary page, or a tariff in a location's status, says of the tariff."""
    provider, tariff = data.get("provider"), data.get("tariff")
    provider = provider if isinstance(provider, dict) else {}
    tariff = tariff if isinstance(tariff, dict) else {}
    return {
        "provider": provider.get("display_name") or provider.get("name"),
        "name": tariff.get("display_name") or tariff.get("name"),
        "structure": tariff.get("structure_type") or tariff.get("structure"),
        "contract_end": tariff.get("contract_end_date"),
    }


def _note(tariff: Tariff, known: JSON) -> None:
    for name in ("provider", "name", "structure"):
        if known.get(name):
            setattr(tariff, name, fitting(Tariff, name, known[name]))
    if end := known.get("contract_end"):
        tariff.contract_open_ended = str(end).startswith(OPEN_ENDED)
        try:
            tariff.contract_end = None if tariff.contract_open_ended else instant(end).date()
        except (TypeError, ValueError):
            tariff.contract_end = None


def fitting(model: type[Location | Tariff], name: str, value: Any) -> str:
    """FlatPeak's text, no longer than its column; "" for what is no text."""
    return (str(value) if isinstance(value, str | int) else "")[: model._meta.get_field(name).max_length]  # type: ignore[union-attr]


def is_zone(name: Any) -> bool:
    try:
        return isinstance(name, str) and bool(ZoneInfo(name))
    except (ZoneInfoNotFoundError, ValueError):
        return False


def complete(tariff: Tariff) -> None:
    """Fetch what the ids alone do not tell: address, time zone, currency, and the tariff as FlatPeak names it.

    Raises FlatPeakError; the tariff is stored without these until the next try.
    """
    location = tariff.location
    found = flatpeak.location(location.location_id)
    address = found.get("postal_address")
    for name, value in (address if isinstance(address, dict) else {}).items():
        if name in ("address_line1", "address_line2", "city", "state", "post_code", "country_code"):
            setattr(location, name, fitting(Location, name, value))
    if is_zone(found.get("timezone")):
        location.time_zone = found["timezone"]
    else:
        zone = flatpeak.word(found.get("timezone"))
        logger.error("GET /locations: the unknown time zone %r, for location %s", zone, location.pk)
    location.currency_code = fitting(Location, "currency_code", found.get("currency_code"))
    location.save()
    statuses = flatpeak.location_status(location.location_id)["tariff_status"]
    status = statuses.get(f"{tariff.type}_{tariff.direction}".lower()) if isinstance(statuses, dict) else None
    if isinstance(status, dict):
        # Alone what is told here: the tariff may have been disconnected while FlatPeak was answering.
        told = ["provider", "name", "structure", "contract_end", "contract_open_ended"]
        if str(status.get("status")).strip() == "ERROR":
            tariff.set_state(Tariff.State.FAILED)
            told += ["state", "state_since"]
        _note(tariff, facts(status))
        tariff.save(update_fields=told)
