"""Countries, providers and their tariffs, read once from data/*.json; ids are hashes of names, so they never change."""

import hashlib
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import Any

from .wire import Json, data

LONG = " of the Northern, Eastern, Southern and Western United Electricity Distribution Cooperatives" * 2
COUNTRIES: dict[str, Json] = data("countries")
STATES: dict[str, dict[str, str]] = data("states")
CITIES: dict[str, dict[str, str]] = data("cities")
MARKETS: Json = data("markets")
PROVIDERS: dict[str, dict[str, str]] = data("providers")
TARIFFS: dict[str, list[Json]] = data("tariffs")
TESTS: list[Json] = data("test_providers")


def name_id(prefix: str, *names: str) -> str:
    return f"{prefix}_{hashlib.sha256('|'.join(names).encode()).hexdigest()[:24]}"


@dataclass(frozen=True)
class Provider:
    """One provider in one country; kind DIRECT, LIBRARY, MARKET, MANUAL or NAME.

    tariff is what a login at a DIRECT one brings, test what a test provider does.
    """

    country: str
    name: str
    kind: str
    tariff: Json
    test: Json

    @property
    def id(self) -> str:
        return name_id("prv", self.country, self.name)

    def public(self, base: str) -> Json:
        """As pages show it: {"id", "display_name", "logo_url"}, the logo on the sandbox itself."""
        logo = self.test.get("logo", f"/logos/{self.id}.svg")
        return {"id": self.id, "display_name": self.name, "logo_url": logo and base + logo}


@cache
def providers(country: str) -> dict[str, Provider]:
    """Every provider of a country by id: the real names, then the test providers."""
    tariffs = {each["key"]: each for each in TARIFFS.get(country, TARIFFS["default"])}
    found = [
        Provider(country, name, "DIRECT" if kind in tariffs else kind, tariffs.get(kind, {}), {})
        for name, kind in PROVIDERS.get(country, PROVIDERS["default"]).items()
    ]
    for test in TESTS:
        name = test["name"] + (LONG if test.get("long") else "")
        found.append(Provider(country, name, test["kind"], test.get("tariff", {}), test))
    return {provider.id: provider for provider in found}


def provider_by_id(provider_id: str) -> Provider | None:
    found = (providers(country).get(provider_id) for country in COUNTRIES)
    return next(filter(None, found), None)


def timezone(address: Json) -> str:
    """The IANA time zone of an address, "" if it cannot be told: in the US, AU and CA by the state, else by the town."""
    country = address["country_code"]
    if country in STATES and not lacks_state(address):
        return STATES[country].get(address["state"].strip().casefold(), "")
    main: str = COUNTRIES.get(country, {}).get("timezone", "")
    return CITIES.get(country, {}).get(address["city"].strip().casefold(), main)


def lacks_state(address: Json) -> bool:
    """Whether an address has no state where the documentation wants one, as its country has several time zones."""
    return address["country_code"] in STATES and not address["state"].strip()


def price_level(country: str) -> Decimal:
    """What a price in the tables is to be multiplied by in a country's currency."""
    return MARKETS["currency_levels"].get(COUNTRIES[country]["currency"], Decimal(1))


def _priced(value: Any, factor: Decimal) -> Any:
    """A tariff template with every price in it times a factor, to four decimals."""
    if isinstance(value, list):
        return [_priced(each, factor) for each in value]
    if not isinstance(value, dict):
        return value
    return {
        name: (each * factor).quantize(Decimal("0.0001")) if name in ("cost", "fixed") else _priced(each, factor)
        for name, each in value.items()
    }


def priced(template: Json, provider: Provider, direction: str) -> Json:
    """A tariff template with this provider's own prices: up to 8 % off the mean, lower for EXPORT."""
    factor = Decimal("0.45") if direction == "EXPORT" else Decimal(1)
    if not provider.test:
        factor *= Decimal(92 + int(provider.id[4:8], 16) % 17) / 100 * price_level(provider.country)
    return _priced(template, factor)


def library(provider: Provider, direction: str) -> list[Json]:
    """The tariffs of a provider with a library, as templates with an id "trt_…", a name and a description."""
    templates = TARIFFS.get(provider.country, TARIFFS["default"])
    if "library" in provider.test:
        numbers = range(1, int(provider.test["library"]) + 1)
        templates = [{**templates[0], "name": f"Tariff {number:04d}"} for number in numbers]
    if provider.test.get("long"):
        description = "As long as text gets. " * 20
        templates = [{**each, "name": each["name"] + LONG, "description": description} for each in templates]
    return [
        {**priced(each, provider, direction), "id": f"trt_{provider.id[4:24]}{number:04x}"}
        for number, each in enumerate(templates)
    ]


def tariff_exists(tariff_id: str) -> bool:
    """Whether any provider has a tariff of this id in its library: the provider's id, shortened, and a number."""
    found = (each for country in COUNTRIES for each in providers(country).values() if each.kind == "LIBRARY")
    sizes = {
        each.id[4:24]: each.test.get("library", len(TARIFFS.get(each.country, TARIFFS["default"]))) for each in found
    }
    return int(tariff_id[24:], 16) < sizes.get(tariff_id[4:24], 0)
