"""Countries, providers and their tariffs, read once from data/*.json; ids are hashes of names, so they never change."""

import hashlib
from dataclasses import dataclass
from decimal import Decimal
from functools import cache

from .wire import Json, data

LONG = " of the Northern, Eastern, Southern and Western United Electricity Distribution Cooperatives" * 2


COUNTRIES: dict[str, Json] = data("countries")
STATES: Json = data("states")
MARKETS: Json = data("markets")
TARIFFS: dict[str, list[Json]] = data("tariffs")
TESTS: list[Json] = data("test_providers")


def name_id(prefix: str, *names: str) -> str:
    return f"{prefix}_{hashlib.sha256('|'.join(names).encode()).hexdigest()[:24]}"


@dataclass(frozen=True)
class Provider:
    """One provider in one country; kind DIRECT, LIBRARY, MARKET, MANUAL or NAME; test is what a test provider does."""

    id: str
    name: str
    kind: str
    country: str
    tariff: str
    test: Json

    def public(self, base: str) -> Json:
        """As pages show it: {"id", "display_name", "logo_url"}, the logo on the sandbox itself."""
        logo = {"none": "", "broken": f"{base}/logos/broken.svg"}.get(
            self.test.get("logo", ""), f"{base}/logos/{self.id}.svg"
        )
        return {"id": self.id, "display_name": self.name, "logo_url": logo}


@cache
def providers(country: str) -> dict[str, Provider]:
    """Every provider of a country by id: the real names in alphabetical order, then the test providers."""
    names = data("providers")
    kinds = names.get(country) or names["default"]
    real = [(name, kind.upper(), "") for kind in ("library", "market", "manual") for name in kinds[kind]]
    real += [(name, "DIRECT", tariff) for name, tariff in kinds["direct"].items()]
    found = [
        Provider(name_id("prv", country, name), name, kind, country, tariff, {})
        for name, kind, tariff in sorted(real, key=lambda each: each[0].casefold())
    ]
    for test in TESTS:
        name = test["name"] + (LONG if test.get("long") else "")
        found.append(Provider(name_id("prv", country, name), name, test["kind"], country, "", test))
    return {provider.id: provider for provider in found}


@cache
def _everyone() -> dict[str, Provider]:
    return {key: each for country in COUNTRIES for key, each in providers(country).items()}


def provider_by_id(provider_id: str) -> Provider | None:
    return _everyone().get(provider_id)


def timezone(address: Json) -> str:
    """The IANA time zone of an address, "" if it cannot be told: the US, AU and CA need their state for it."""
    country = address["country_code"]
    if country in STATES["zones"]:
        state = address["state"].strip()
        names = {name.casefold(): code for name, code in STATES["names"][country].items()}
        zone = STATES["zones"][country].get(names.get(state.casefold(), state.upper()), "")
    else:
        zone = COUNTRIES.get(country, {}).get("timezone", "")
    return str(zone)


def currency(country: str) -> str:
    code: str = COUNTRIES[country]["currency"]
    return code


def market(country: str) -> Json:
    """How a country's day-ahead market works: {"step" minutes, "published", "until" local HH:MM, "base" price}."""
    found: Json = dict(MARKETS["countries"].get(country) or MARKETS["default"])
    found["base"] *= MARKETS["currency_levels"].get(currency(country), Decimal(1))
    return found


def regions(country: str) -> list[str]:
    found: list[str] = MARKETS["regions"].get(country) or MARKETS["regions"]["default"]
    return found


def _priced(template: Json, provider: Provider, direction: str) -> Json:
    """A tariff template with this provider's own prices: up to 8 % off the mean, lower for EXPORT, four decimals."""
    factor = Decimal(1)
    if not provider.test:
        factor = Decimal(92 + int(provider.id[4:8], 16) % 17) / 100
        factor *= MARKETS["currency_levels"].get(currency(provider.country), Decimal(1))
    if direction == "EXPORT":
        factor *= Decimal("0.45")

    def price(cost: Decimal) -> Decimal:
        return (cost * factor).quantize(Decimal("0.0001"))

    tariff = dict(template)
    if "cost" in tariff:
        tariff["cost"] = price(tariff["cost"])
    if "hours" in tariff:
        tariff["hours"] = [{"valid_from": a, "valid_to": b, "cost": price(c)} for a, b, c in tariff["hours"]]
    if "surcharge" in tariff:
        tariff["surcharge"] = {**tariff["surcharge"], "fixed": price(tariff["surcharge"]["fixed"])}
    return tariff


def library(provider: Provider, direction: str) -> list[Json]:
    """The tariffs of a provider with a library, as templates with an id "trt_…", a name and a description."""
    templates = TARIFFS.get(provider.country) or TARIFFS["default"]
    if "library" in provider.test:
        count = int(provider.test["library"])
        templates = [{**templates[0], "name": f"Tariff {number:04d}"} for number in range(1, count + 1)]
    if provider.test.get("long"):
        description = "As long as text gets. " * 20
        templates = [{**each, "name": each["name"] + LONG, "description": description} for each in templates]
    return [
        {"description": "", **_priced(each, provider, direction), "id": name_id("trt", provider.id, str(number))}
        for number, each in enumerate(templates)
    ]


def direct_tariff(provider: Provider, direction: str) -> Json:
    """The tariff that a login at this DIRECT provider brings."""
    if provider.test:
        return _priced(provider.test["tariff"], provider, direction)
    templates = TARIFFS.get(provider.country) or TARIFFS["default"]
    return _priced(next(each for each in templates if each["key"] == provider.tariff), provider, direction)
