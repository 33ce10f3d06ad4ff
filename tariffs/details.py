"""Details of a location and its tariff from FlatPeak: address, time zone, names, contract."""

import logging
from contextlib import suppress
from datetime import UTC, date, datetime, time
from typing import Any

from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from . import addresses, flatpeak
from .models import Location, Tariff

logger = logging.getLogger(__name__)

OPEN_ENDED = "0001-01-01"  # how zero writes the end of a contract without one

# FlatPeak's names for the structures. DYNAMIC and STATIC are told of some tariffs, and are never among the choices.
STRUCTURES = {
    "FIXED": _("One price at all times"),
    "TIME_OF_DAY": _("Different prices at different times"),
    "MARKET": _("A price that follows the market"),
    "DYNAMIC": _("A price that changes often"),
    "STATIC": _("A price that your provider can change"),
}


def facts(data: flatpeak.JSON) -> flatpeak.JSON:
    """The tariff's details on a summary page or in a location's status; None for each that is missing."""
    provider, tariff = (part if isinstance(part := data.get(name), dict) else {} for name in ("provider", "tariff"))
    return {
        "provider": provider.get("display_name") or provider.get("name"),
        "logo_url": provider.get("logo_url"),
        "name": tariff.get("display_name") or tariff.get("name"),
        "structure": tariff.get("structure_type") or tariff.get("structure"),
        "contract_end": OPEN_ENDED if is_open_ended(tariff) else tariff.get("contract_end_date"),
        "tiered": tariff.get("tiered"),
    }


def note(tariff: Tariff, known: flatpeak.JSON) -> None:
    """Write the `facts` into the tariff's columns; those that are missing stay, except the logo of another provider."""
    before = tariff.provider
    for name in ("provider", "name", "structure"):
        if known.get(name):
            setattr(tariff, name, fitting(Tariff, name, known[name]))
    if known.get("logo_url") or tariff.provider != before:  # the old one is the logo of another provider
        tariff.logo_url = fitting(Tariff, "logo_url", known.get("logo_url"))
    if isinstance(known.get("tiered"), bool):
        tariff.tiered = known["tiered"]
    if end := known.get("contract_end"):
        tariff.contract_open_ended, tariff.contract_end = term(end)


def is_open_ended(contract: flatpeak.JSON) -> bool:
    """Whether a contract has no end, as zero or as anode says it."""
    return contract.get("contract_term_type") == "UNTIL_TERMINATED" or term(contract.get("contract_end_date"))[0]


def term(end: Any) -> tuple[bool, date | None]:
    """Whether a contract has no end, and its last day: (False, None) if FlatPeak tells no date."""
    return str(end).startswith(OPEN_ENDED), day_told(end)


def day_told(text: Any) -> date | None:
    """The day in FlatPeak's date: local midnight, an instant, or a day alone. None if there is none, or no end."""
    if not isinstance(text, str) or text.startswith(OPEN_ENDED):
        return None
    try:
        moment = datetime.fromisoformat(text.strip())
        return (moment.astimezone(UTC) if moment.tzinfo and moment.time() != time.min else moment).date()
    except (ValueError, OverflowError):
        return None


def fitting(model: type[Location | Tariff], name: str, value: Any) -> str:
    """FlatPeak's text, cut to the column's length; "" for anything else."""
    return (str(value) if isinstance(value, str | int) else "")[: model._meta.get_field(name).max_length]  # type: ignore[union-attr]


def complete(tariff: Tariff) -> None:
    """Fetch and store the address, time zone, currency and the tariff's details. Raises FlatPeakError."""
    location, asked_at = tariff.location, timezone.now()
    found = flatpeak.location(location.location_id)
    address = found.get("postal_address")
    known: flatpeak.JSON = {
        name: fitting(Location, name, value)
        for name, value in (address if isinstance(address, dict) else {}).items()
        if name in addresses.PARTS
    }
    known["currency_code"] = fitting(Location, "currency_code", found.get("currency_code"))
    if code := known.get("country_code"):
        known["country_code"] = code.upper()
    if flatpeak.zone_named(found.get("timezone")):
        known["time_zone"] = found["timezone"]
    else:
        zone = flatpeak.word(found.get("timezone"))
        logger.error("GET /locations: the unknown time zone %r, for location %s", zone, location.pk)
        if not location.zone:  # the rates page and the admin show it
            known["time_zone"] = zone
    # If two calls run at once, the later one has the newer answer.
    older = Q(told_at=None) | Q(told_at__lte=asked_at)
    Location.objects.filter(older, pk=location.pk).update(told_at=asked_at, **known)
    with suppress(Location.DoesNotExist):  # deleted while FlatPeak was answering
        location.refresh_from_db(fields=[*known, "told_at"])
    statuses = flatpeak.location_status(location.location_id)["tariff_status"]
    status = statuses.get(f"{tariff.type}_{tariff.direction}".lower()) if isinstance(statuses, dict) else None
    if isinstance(status, dict):
        told = ["provider", "logo_url", "name", "structure", "contract_end", "contract_open_ended", "tiered"]
        if str(status.get("status")).strip() == "ERROR":
            tariff.set_state(Tariff.State.FAILED)
            told += ["state", "state_since"]
        note(tariff, facts(status))
        if isinstance(named := status.get("tariff"), dict):
            tariff.tariff_id = fitting(Tariff, "tariff_id", named.get("id"))
            told.append("tariff_id")
        written = {name: getattr(tariff, name) for name in told}
        if not Tariff.objects.filter(pk=tariff.pk, version=tariff.version).update(**written):
            tariff.read_again()
