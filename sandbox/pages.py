"""The table of pages: what each holds and takes, the codes it refuses with, its actions, and where it leads."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

from . import checks, holds, takes
from .session import Session
from .takes import Field
from .wire import Json, Reply

START, REDIRECT, END, ERROR = "session_restore", "session_redirect", "session_complete", "error"


class Action(NamedTuple):
    """The page that an action leads to, and what it does before."""

    leads: str
    does: Callable[[Session], None] = takes.nothing


@dataclass(frozen=True)
class Page:
    """One page of zero.

    holds: the fields of its data. takes: those of an answer's. answer: what a clean answer does. resume: what
    session_restore does while the conversation stands here. Both return the key in `next` of the page that follows,
    resume None to stay. about_provider: it is gone when the provider is. waits: what the client does here, if anything.
    """

    holds: Mapping[str, Callable[[Session], Any]] = field(default_factory=dict)
    takes: Mapping[str, Field] = field(default_factory=dict)
    answer: Callable[[Session, Json], str | Json | Reply | None] | None = None
    codes: tuple[str, ...] = ()
    actions: Mapping[str, Action] = field(default_factory=dict)
    next: Mapping[Any, str] = field(default_factory=dict)
    resume: Callable[[Session], str | None] | None = None
    about_provider: bool = True
    waits: str = ""

    @property
    def wanted(self) -> str:
        """What an answer to the page has, in words."""
        fields = (f"{name} {each.shape}".strip() for name, each in self.takes.items())
        return ", ".join(fields) or self.waits or "an action"


ADDRESS = {"postal_address": holds.address}
PROVIDER = {"provider": holds.provider}
PRICED = PROVIDER | {"currency_code": holds.currency}
CONNECTION = PROVIDER | {"connection_type": holds.connection_type}
SUMMARY = PRICED | {"tariff": holds.tariff, "connection_type": holds.connection_type}
# By a tariff's stage, and by its structure.
SUMMARIES = {
    "fixed": "summary_fixed_confirm",
    "varying": "summary_tou_confirm",
    "pending": "summary_tariff_inprogress",
    "failed": "summary_tariff_failed",
}
CAPTURES = {"FIXED": "rate_fixed_capture", "TIME_OF_DAY": "rate_tod_capture", "MARKET": "market_surcharge_capture"}
ACTION_CODES = ("action_missing", "action_invalid")
CHANGE_ADDRESS = {"ADDRESS_CHANGE": Action("postal_address_capture")}
CONFIRM = {
    "SAVE": Action(END, takes.save),
    "EDIT": Action("provider_select"),
    "DISCONNECT": Action(END, takes.disconnect),
}
PAGES = {
    START: Page(
        waits="no data",
        resume=takes.begin,
        next={"address": "postal_address_capture", "provider": "provider_select", **SUMMARIES},
    ),
    REDIRECT: Page(
        holds={"redirect_uri": holds.redirect},
        waits=f"nothing: send the browser to the address, then POST {START}",
        resume=takes.after_login,
        next={"decline": "provider_select", "manual": "tariff_structure_select", **SUMMARIES},
    ),
    END: Page(holds={"callback_uri": holds.callback}, waits="nothing: exchange the connect token"),
    ERROR: Page(waits=f"nothing: it has error_code and error_message in place of data, and {START} goes on"),
    "postal_address_capture": Page(
        holds=ADDRESS,
        takes={"postal_address": Field()},
        answer=takes.address,
        codes=(
            "address_line1_missing",
            "city_missing",
            "post_code_missing",
            "country_code_missing",
            "country_code_invalid",
            "timezone_not_found",
        ),
        next={None: "provider_select"},
        about_provider=False,
    ),
    "provider_select": Page(
        holds=ADDRESS | {"providers": holds.providers},
        takes={"provider": Field(checks.id_in("provider", "prv"), "{id}", absent="provider_id_missing")},
        answer=takes.provider,
        codes=("provider_id_missing", "provider_not_found", "provider_id_invalid"),
        actions={"PROVIDER_MISSING": Action("provider_name_capture"), **CHANGE_ADDRESS},
        next={
            "DIRECT": REDIRECT,
            "LIBRARY": "tariff_select",
            "MARKET": "market_surcharge_capture",
            "NAME": "provider_name_capture",
            "MANUAL": "tariff_structure_select",
            "NONE": "provider_select",
        },
        about_provider=False,
    ),
    "provider_name_capture": Page(
        holds=ADDRESS | {"provider": holds.provider_name},
        takes={"provider": Field(checks.name_in("provider"), "{name}")},
        answer=takes.provider_name,
        codes=("provider_name_missing",),
        actions=CHANGE_ADDRESS,
        next={None: "tariff_structure_select"},
        about_provider=False,
    ),
    "tariff_select": Page(
        holds=PROVIDER | {"tariffs": holds.tariffs},
        takes={"tariff": Field(checks.id_in("tariff", "trt"), "{id}", absent="tariff_id_missing")},
        answer=takes.library_tariff,
        codes=("tariff_id_missing", "tariff_not_found", "tariff_id_invalid"),
        actions={"TARIFF_MISSING": Action("tariff_structure_select", takes.by_hand), **CHANGE_ADDRESS},
        next=SUMMARIES,
    ),
    "tariff_structure_select": Page(
        holds=PROVIDER | {"options": holds.options},
        takes={"options": Field(checks.option, "[one]")},
        answer=takes.structure,
        codes=("option_invalid", "option_not_supported"),
        next=CAPTURES,
    ),
    "rate_fixed_capture": Page(
        holds=PRICED | {"cost": holds.cost},
        takes={"cost": Field(checks.cost)},
        answer=takes.fixed,
        codes=("cost_value_zero", "cost_value_negative"),
        next={None: "tariff_name_capture"},
    ),
    "rate_tod_capture": Page(
        holds=PRICED | {"hours": holds.hours},
        takes={"hours": Field(checks.hours, "[{valid_from, valid_to, cost}]")},
        answer=takes.time_of_day,
        codes=(
            "cost_value_zero",
            "cost_value_negative",
            "valid_from_invalid",
            "valid_to_invalid",
            "gap_in_time_period",
            "incomplete_time_period",
        ),
        next={None: "tariff_name_capture"},
    ),
    "market_surcharge_capture": Page(
        holds=PRICED | {"surcharge": holds.surcharge, "regions": holds.regions, "region": holds.region},
        takes={
            "surcharge": Field(checks.surcharge, "{fixed, percentage}"),
            "region": Field(shape="if asked", required=False),
        },
        answer=takes.surcharge,
        codes=("surcharge_percentage_invalid", "geo_location_not_found", "market_region_invalid"),
        next={None: "tariff_name_capture"},
    ),
    "tariff_name_capture": Page(
        holds=PROVIDER | {"tariff": holds.tariff_name},
        takes={"tariff": Field(checks.name_in("tariff"), "{name}")},
        answer=takes.tariff_name,
        codes=("tariff_name_missing",),
        next={None: "contract_term_capture"},
    ),
    "contract_term_capture": Page(
        holds=PROVIDER | {"contract_start_date": holds.contract_start, "contract_end_date": holds.contract_end},
        takes={
            name: Field(partial(checks.contract_date, name), "if known", required=False)
            for name in ("contract_start_date", "contract_end_date")
        },
        answer=takes.contract_term,
        codes=("date_format_invalid",),
        next=SUMMARIES | CAPTURES | {"structure": "tariff_structure_select", "name": "tariff_name_capture"},
    ),
    "summary_fixed_confirm": Page(holds=SUMMARY | {"cost": holds.cost}, actions=CONFIRM, codes=ACTION_CODES),
    "summary_tou_confirm": Page(
        holds=SUMMARY | {"market_rates_source": holds.market_rates_source, "rates": holds.three_days},
        actions=CONFIRM,
        codes=ACTION_CODES,
    ),
    "summary_tariff_inprogress": Page(
        holds=CONNECTION,
        actions={
            "SAVE": Action(END, takes.save),
            "DISCONNECT": Action("provider_select", takes.start_again),
            "DISMISS_DIRECT": Action("tariff_structure_select", takes.dismiss_login),
        },
        codes=ACTION_CODES,
        resume=takes.stage,
        next=SUMMARIES,
    ),
    "summary_tariff_failed": Page(
        holds=CONNECTION,
        actions={"RECONNECT": Action("provider_select"), "DISCONNECT": Action(END, takes.disconnect)},
        codes=ACTION_CODES,
    ),
}
