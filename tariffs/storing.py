"""Store what an exchange told: the customer, the location and its tariff."""

from typing import NamedTuple

from django.db import IntegrityError, transaction
from django.utils import timezone

from .details import note
from .flatpeak import JSON
from .models import Customer, Erasure, Location, Tariff, Wait, Wish
from .rates import days as history


class Conflict(Exception):
    """FlatPeak named an id that belongs to another user or was deleted here. `str()` of it has no personal data."""


class Connected(NamedTuple):
    """What the conversation told about the tariff; the exchange tells the ids only."""

    direction: str
    type: str
    state: str
    facts: JSON  # provider, name, structure, contract_end (RFC 3339), tiered: those that are known


def store(user_id: int, exchanged: JSON, connected: Connected) -> Tariff:
    """Store the ids of `flatpeak.exchange` for a user; idempotent. Raises Conflict, and then stores nothing."""
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
    contract = {"location": location, "direction": connected.direction, "type": connected.type}
    tariff = Tariff.objects.select_for_update().filter(**contract).first() or Tariff(**contract)
    tariff.location = location
    now = timezone.now()
    # The stored rates, and those of a call under way, belong to the tariff before it was saved.
    if not tariff._state.adding:
        history.close(tariff, now)
        Wait.wake(tariff, now)
        Wish.wake(tariff, now)
    tariff.version += 1
    tariff.tariff_id, tariff.upgrade_since = "", None
    tariff.set_state(connected.state)
    tariff.set_rates(Tariff.Rates.NONE)
    tariff.succeeded(None if connected.state == Tariff.State.DISCONNECTED else now)
    tariff.claimed_until = None
    tariff.levels = None  # the prices of the old contract say nothing about the new one
    if connected.state != Tariff.State.DISCONNECTED:  # the end of the old contract is not that of the new one
        tariff.contract_open_ended, tariff.contract_end = False, None
    if connected.facts.get("name") or connected.facts.get("structure"):  # a summary mentions it only if it is tiered
        tariff.tiered = False
    note(tariff, connected.facts)
    tariff.save()
    return tariff


def _customer(user_id: int, customer_id: str) -> Customer:
    customers = Customer.objects.here()
    if not customer_id:  # the connect token was made for this one
        theirs = customers.filter(user_id=user_id).order_by("-customer_id").first()
        return theirs or Customer.objects.create(user_id=user_id)
    known = customers.filter(customer_id=customer_id).first()
    if known:
        if known.user_id != user_id:
            raise Conflict(f"customer {known.pk} is stored for another user")
        return known
    # Locked, or two exchanges at once would both write their id into the one without an id.
    nameless = customers.select_for_update().filter(user_id=user_id, customer_id="").first()
    new = nameless or Customer(user_id=user_id)
    new.customer_id = customer_id
    new.save()
    return new
