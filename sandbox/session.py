"""A conversation with Connect, and how its draft of a tariff changes."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from . import tariff
from .codec import Json, rfc3339
from .errors import Failure
from .release import Release
from .wire import new_id

TAKEN_OVER = ("name", "structure", "cost", "hours", "surcharge", "tiered", "reconnect_required", "step")
# Errors that a test input can ask for on every page.
TEST_FAULTS = ("rate_limit", "api_error")


def tariff_key(token: Json) -> str:
    """The key of a token's tariff at its location, as commodity_import."""
    return f"{token['type']}_{token['direction']}".lower()


def test_failure(code: str) -> Failure:
    """The error that a test provider or a test input asks for."""
    return Failure(code if code in TEST_FAULTS else "test", code, what=code)


@dataclass
class Session:
    """One conversation during one request.

    state: all that the sandbox remembers. token: this conversation's part of it; its draft is the tariff so far, its
    route and its shown routes have zero's names. base: the sandbox's own address as the client sees it.
    lost: the answer must not arrive.
    """

    state: Json
    token: Json
    release: Release
    now: datetime
    base: str
    lost: bool = False

    @property
    def draft(self) -> Json:
        return self.token["draft"]

    @property
    def stage(self) -> str:
        return tariff.stage(self.draft, self.now)

    @property
    def country(self) -> str:
        return self.token["postal_address"]["country_code"]

    @property
    def location(self) -> Json:
        """The token's location, or an empty stand-in until there is one."""
        return self.state["locations"].get(self.token["location_id"], {"tariffs": {}})

    @property
    def pages(self) -> Mapping[str, Any]:
        return self.release.pages

    def summary(self, stage: str) -> str | None:
        """The page that a tariff of this stage is shown by."""
        return self.pages[self.release.first].next.get(stage)

    @property
    def stored(self) -> Json | None:
        """The tariff that the location has already."""
        return self.location["tariffs"].get(tariff_key(self.token))

    def switch(self, name: str) -> Any:
        return self.state["switches"][name]

    def once(self, test: str) -> bool:
        """Whether the conversation asks for this test for the first time."""
        self.token["refused"].append(test)
        return self.token["refused"].count(test) == 1

    def by_hand(self, **values: Any) -> None:
        """Enter values into the draft. Drops what came from a login or a library."""
        draft = self.draft
        if draft.get("connection") != "MANUAL":
            draft = {name: draft[name] for name in ("provider", "provider_name") if name in draft}
        self.token["draft"] = {**draft, "connection": "MANUAL", **values}

    def take_over(self, template: Json, **more: str) -> str:
        """Replace the draft by a tariff of its provider's, from a login or a library; return its stage."""
        days = int(template.get("days", 0))
        end = (self.now + timedelta(days=days)).strftime("%Y-%m-%dT00:00:00Z") if days else None
        own = {name: template[name] for name in TAKEN_OVER if name in template}
        self.token["draft"] = {"provider": self.draft["provider"], "end": end, **own, **more}
        return self.stage

    def place(self) -> Json:
        """Store the customer and the location, whose ids are made here if they are new. Returns the location."""
        token, owner = self.token, self.token["account_id"]
        token["customer_id"] = token["customer_id"] or new_id("cus")
        token["location_id"] = token["location_id"] or new_id("loc")
        customer = {"account_id": owner, "reference_id": token["customer_reference_id"]}
        self.state["customers"].setdefault(token["customer_id"], customer)
        new = {"account_id": owner, "reference_id": token["location_reference_id"], "created": rfc3339(self.now)}
        location: Json = self.state["locations"].setdefault(token["location_id"], new | {"tariffs": {}})
        location |= {name: token[name] for name in ("customer_id", "postal_address", "dismissed")}
        return location

    def connect(self) -> None:
        """Store the draft as the tariff of its type and direction."""
        tariffs, saved = self.place()["tariffs"], self.now.isoformat()
        self.token["draft"] = {"id": new_id("trf"), **self.draft, "saved": saved}
        tariffs[tariff_key(self.token)] = dict(self.draft)
        self.token["reported"] = []

    def disconnect(self) -> None:
        """Forget the tariff of this type and direction."""
        self.place()["tariffs"].pop(tariff_key(self.token), None)

    def complete(self, action: str) -> None:
        """End the conversation. action: the last one, by zero's name."""
        self.token["complete"] = action
