"""Countries, providers and their tariffs, from data/*.json. Ids are hashes of names, so they never change."""

import hashlib
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import Any

from .codec import Json, data

LONG = " of the Northern, Eastern, Southern and Western United Electricity Distribution Cooperatives" * 2
COUNTRIES: dict[str, Json] = data("countries")
STATES: dict[str, dict[str, str]] = data("states")
CITIES: dict[str, dict[str, str]] = data("cities")
MARKETS: Json = data("markets")
PROVIDERS: dict[str, dict[str, str]] = data("providers")
TARIFFS: dict[str, list[Json]] = data("tariffs")
REFUSES = "The first answer to a page that documents the code gets it, the second is taken."
TESTS: list[Json] = data("test_providers") + [
    {"name": f"Test: refuses {code}", "says": REFUSES, "kind": kind, "refuses": code}
    for kind, codes in data("refusals").items()
    for code in codes
]


@dataclass(frozen=True)
class Provider:
    """One provider in one country.

    kind: DIRECT, LIBRARY, MARKET, MANUAL or NAME. tariff: what a login finds at a DIRECT one. test: what a test provider
    does, empty for a real one.
    """

    country: str
    name: str
    kind: str
    tariff: Json
    test: Json

    @property
    def id(self) -> str:
        return f"prv_{hashlib.sha256(f'{self.country}|{self.name}'.encode()).hexdigest()[:24]}"

    def public(self, base: str) -> Json:
        """{"id", "display_name", "logo_url"}, as pages show it. base is the sandbox's own address."""
        logo = self.test.get("logo", f"/logos/{self.id}.svg")
        return {"id": self.id, "display_name": self.name, "logo_url": logo and base + logo}


@cache
def providers(country: str) -> dict[str, Provider]:
    """All providers of a country by id, the test providers last."""
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
    """The IANA time zone of an address, by its state in the US, AU and CA, else by its town; "" if unknown."""
    country = address["country_code"]
    if country in STATES and not lacks_state(address):
        return STATES[country].get(address["state"].strip().casefold(), "")
    main: str = COUNTRIES.get(country, {}).get("timezone", "")
    return CITIES.get(country, {}).get(address["city"].strip().casefold(), main)


def lacks_state(address: Json) -> bool:
    """Whether an address in a country with several time zones has no state."""
    return address["country_code"] in STATES and not address["state"].strip()


def price_level(country: str) -> Decimal:
    """The factor from a price in the tables to one in a country's currency."""
    return MARKETS["currency_levels"].get(COUNTRIES[country]["currency"], Decimal(1))


def _priced(value: Any, factor: Decimal) -> Any:
    """A tariff template with every price multiplied, to four decimals."""
    if isinstance(value, list):
        return [_priced(each, factor) for each in value]
    if not isinstance(value, dict):
        return value
    return {
        name: (each * factor).quantize(Decimal("0.0001")) if name in ("cost", "fixed") else _priced(each, factor)
        for name, each in value.items()
    }


def priced(template: Json, provider: Provider, direction: str) -> Json:
    """A tariff template with a provider's own prices: within 8 % of the mean, and lower for EXPORT."""
    factor = Decimal("0.45") if direction == "EXPORT" else Decimal(1)
    if not provider.test:
        factor *= Decimal(92 + int(provider.id[4:8], 16) % 17) / 100 * price_level(provider.country)
    return _priced(template, factor)


def library(provider: Provider, direction: str) -> list[Json]:
    """A provider's tariffs: templates with an id "trt_…" (the provider's, shortened, and a number) and a description."""
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
    """Whether any provider has this tariff in its library."""
    found = (each for country in COUNTRIES for each in providers(country).values() if each.kind == "LIBRARY")
    sizes = {
        each.id[4:24]: each.test.get("library", len(TARIFFS.get(each.country, TARIFFS["default"]))) for each in found
    }
    return int(tariff_id[24:], 16) < sizes.get(tariff_id[4:24], 0)
