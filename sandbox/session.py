"""A conversation with Connect: what the sandbox keeps of it, and how its draft of a tariff changes."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from . import tariff
from .release import Release
from .wire import Failure, Json, new_id, rfc3339

TEMPLATE = ("name", "structure", "cost", "hours", "surcharge", "tiered", "reconnect_required", "step")
# The test inputs that are not a code of the page.
TEST_FAULTS = ("rate_limit", "api_error")


def tariff_key(token: Json) -> str:
    """The name of a token's tariff among those of its location, as commodity_import."""
    return f"{token['type']}_{token['direction']}".lower()


def test_failure(code: str) -> Failure:
    """The error that a test provider or a typed test input asks for."""
    return Failure(code if code in TEST_FAULTS else "test", code, what=code)


@dataclass
class Session:
    """One conversation during one request.

    state is all that the sandbox remembers, token this conversation's part of it, base the sandbox's own address as the
    client sees it. The token's draft is the tariff so far; its route and those that were shown are named as in zero.
    """

    state: Json
    token: Json
    release: Release
    now: datetime
    base: str
    lost: bool = False  # whether the answer must not arrive

    @property
    def draft(self) -> Json:
        return self.token["draft"]

    @property
    def country(self) -> str:
        return self.token["postal_address"]["country_code"]

    @property
    def location(self) -> Json:
        """The token's location, or what stands for one that is still to be made."""
        return self.state["locations"].get(self.token["location_id"], {"tariffs": {}})

    def switch(self, name: str) -> Any:
        return self.state["switches"][name]

    def once(self, what: str) -> bool:
        """Whether this is the first time in the conversation that a test is asked for."""
        self.token["refused"].append(what)
        return self.token["refused"].count(what) == 1

    def by_hand(self, **values: Any) -> None:
        """Make the draft the customer's own work, with these values; what a login or a library said is dropped."""
        draft = self.draft
        if draft.get("connection") != "MANUAL":
            draft = {name: draft[name] for name in ("provider", "provider_name") if name in draft}
        self.token["draft"] = {**draft, "connection": "MANUAL", **values}

    def take_over(self, template: Json, **more: str) -> str:
        """Make the draft a tariff of the provider's own, from a login or a library; returns its stage."""
        days = int(template.get("days", 0))
        end = (self.now + timedelta(days=days)).strftime("%Y-%m-%dT00:00:00Z") if days else None
        own = {name: template[name] for name in TEMPLATE if name in template}
        self.token["draft"] = {"provider": self.draft["provider"], "end": end, **own, **more}
        return tariff.stage(self.draft, self.now)

    def complete(self, action: str) -> None:
        """End by SAVE or DISCONNECT: customer and location exist from now on, with or without the tariff."""
        token, key = self.token, tariff_key(self.token)
        owner = token["account_id"]
        token["customer_id"] = token["customer_id"] or new_id("cus")
        customer = {"account_id": owner, "reference_id": token["customer_reference_id"]}
        self.state["customers"].setdefault(token["customer_id"], customer)
        token["location_id"] = token["location_id"] or new_id("loc")
        new = {"account_id": owner, "reference_id": token["location_reference_id"], "tariffs": {}}
        new["created"] = rfc3339(self.now)
        location = self.state["locations"].setdefault(token["location_id"], new)
        location |= {name: token[name] for name in ("customer_id", "postal_address", "dismissed")}
        location["tariffs"].pop(key, None)
        if action == "SAVE":
            location["tariffs"][key] = {"id": new_id("trf"), **self.draft, "saved": self.now.isoformat()}
        token["complete"] = action
