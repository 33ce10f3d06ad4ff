"""The table of pages: what each holds, takes and refuses, its actions, and where it leads. anode.py derives its own."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from . import checks, holds, moves
from .catalog import COUNTRIES
from .codec import Json
from .holds import drafted, drafted_name
from .session import Session
from .tariff import is_market, provider_of
from .wire import Reply


@dataclass(frozen=True)
class Field:
    """One field of an answer's data; shape describes its value. The check gets value and name and returns it clean."""

    check: Callable[[Any, str], Any] = lambda value, name: value
    shape: str = ""
    required: bool = True


class Action(NamedTuple):
    """The page that an action leads to, and what it does first. One that leads to END completes the conversation."""

    leads: str
    does: Callable[[Session], None] | None = None


@dataclass(frozen=True)
class Page:
    """One page, by zero's names.

    holds: the fields of its data. takes: the fields of an answer's data. answer: what a clean answer does. codes: the
    errors that FlatPeak documents. resume: what resuming does while the conversation is here. answer and resume return
    the key in `next` of the page that follows, resume None to stay. skip: the answer to take without showing the page, None
    to show it. instead: what the client does if it takes no data.
    """

    holds: Mapping[str, Callable[[Session], Any]] = field(default_factory=dict)
    takes: Mapping[str, Field] = field(default_factory=dict)
    answer: Callable[[Session, Json], str | Json | Reply | None] | None = None
    codes: tuple[str, ...] = ()
    actions: Mapping[str, Action] = field(default_factory=dict)
    next: Mapping[Any, str] = field(default_factory=dict)
    resume: Callable[[Session], str | None] | None = None
    skip: Callable[[Session], Json | None] | None = None
    instead: str = "an action"

    @property
    def wanted(self) -> str:
        """What an answer has, in words."""
        return ", ".join(f"{name} {each.shape}".strip() for name, each in self.takes.items()) or self.instead

    @property
    def about_provider(self) -> bool:
        """Whether it shows the chosen provider, so that it cannot be answered without one."""
        return self.holds.get("provider") is PROVIDER["provider"]


START, REDIRECT, END, ERROR = "session_restore", "session_redirect", "session_complete", "error"
# By a tariff's stage, and by its structure.
READY = {"fixed": "summary_fixed_confirm", "varying": "summary_tou_confirm"}
AFTER_LOGIN = READY | {"pending": "summary_tariff_inprogress"}
SUMMARIES = AFTER_LOGIN | {"failed": "summary_tariff_failed"}
CAPTURES = {"FIXED": "rate_fixed_capture", "TIME_OF_DAY": "rate_tod_capture", "MARKET": "market_surcharge_capture"}
# The pages that later releases show only if the token asks for them.
OPTIONAL = ("tariff_name_capture", "contract_term_capture")
# Fields, codes and actions that several pages share.
ADDRESS = {"postal_address": lambda session: session.token["postal_address"]}
PROVIDER = {"provider": lambda session: provider_of(session.draft).public(session.base)}
PRICED = PROVIDER | {"currency_code": lambda session: COUNTRIES[session.country]["currency"]}
CONNECTION = PROVIDER | {"connection_type": drafted("connection")}
SUMMARY = PRICED | CONNECTION | {"tariff": holds.tariff}
COST_CODES, ACTION_CODES = ("cost_value_zero", "cost_value_negative"), ("action_missing", "action_invalid")
CHANGE_ADDRESS = {"ADDRESS_CHANGE": Action("postal_address_capture")}
EDIT, DISCONNECT = Action("provider_select"), Action(END, Session.disconnect)
CONFIRM = {"SAVE": Action(END, Session.connect), "EDIT": EDIT, "DISCONNECT": DISCONNECT}

PAGES = {
    START: Page(
        instead="no data",
        resume=moves.begin,
        next={"address": "postal_address_capture", "provider": "provider_select", **SUMMARIES},
    ),
    REDIRECT: Page(
        holds={"redirect_uri": holds.redirect},
        instead=f"nothing: send the browser to the address, then POST {START}",
        resume=moves.after_login,
        next={"decline": "provider_select", "manual": "tariff_structure_select", **AFTER_LOGIN},
    ),
    END: Page(holds={"callback_uri": holds.callback}, instead="nothing: exchange the connect token"),
    ERROR: Page(instead=f"nothing: it has error_code and error_message, no data; POST {START}"),
    "postal_address_capture": Page(
        holds=ADDRESS,
        takes={"postal_address": Field()},
        answer=moves.address,
        codes=(
            *("address_line1_missing", "city_missing", "post_code_missing", "country_code_missing"),
            *("country_code_invalid", "timezone_not_found"),
        ),
        next={None: "provider_select"},
    ),
    "provider_select": Page(
        holds=ADDRESS | {"providers": holds.providers},
        takes={"provider": Field(checks.id_of, "{id}")},
        answer=moves.provider,
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
    ),
    "provider_name_capture": Page(
        holds=ADDRESS | {"provider": drafted_name("provider_name")},
        takes={"provider": Field(checks.name_of, "{name}")},
        answer=lambda session, data: session.by_hand(provider=None, provider_name=data["provider"]),
        codes=("provider_name_missing",),
        actions=CHANGE_ADDRESS,
        next={None: "tariff_structure_select"},
    ),
    "tariff_select": Page(
        holds=PROVIDER | {"tariffs": holds.tariffs},
        takes={"tariff": Field(checks.id_of, "{id}")},
        answer=moves.library_tariff,
        codes=("tariff_id_missing", "tariff_not_found", "tariff_id_invalid"),
        actions={"TARIFF_MISSING": Action("tariff_structure_select"), **CHANGE_ADDRESS},
        next=READY,
    ),
    "tariff_structure_select": Page(
        holds=PROVIDER | {"options": holds.options},
        takes={"options": Field(checks.option, "[one]")},
        answer=moves.structure,
        codes=("option_invalid", "option_not_supported"),
        next=CAPTURES,
    ),
    "rate_fixed_capture": Page(
        holds=PRICED | {"cost": drafted("cost", 0)},
        takes={"cost": Field(checks.cost)},
        answer=lambda session, data: session.by_hand(structure="FIXED", **data),
        codes=COST_CODES,
        next={None: "tariff_name_capture"},
    ),
    "rate_tod_capture": Page(
        holds=PRICED | {"hours": holds.hours},
        takes={"hours": Field(checks.hours, "[{valid_from, valid_to, cost}]")},
        answer=lambda session, data: session.by_hand(structure="TIME_OF_DAY", **data),
        codes=(
            *COST_CODES,
            *("valid_from_invalid", "valid_to_invalid", "gap_in_time_period", "incomplete_time_period"),
        ),
        next={None: "tariff_name_capture"},
    ),
    "market_surcharge_capture": Page(
        holds=PRICED
        | {"surcharge": drafted("surcharge", {"fixed": 0, "percentage": 0})}
        | {"regions": holds.regions, "region": holds.region},
        takes={
            "surcharge": Field(checks.surcharge, "{fixed, percentage}"),
            "region": Field(shape="if asked", required=False),
        },
        answer=moves.surcharge,
        codes=("surcharge_percentage_invalid", "geo_location_not_found", "market_region_invalid"),
        next={None: "tariff_name_capture"},
    ),
    "tariff_name_capture": Page(
        holds=PROVIDER | {"tariff": drafted_name("name")},
        takes={"tariff": Field(checks.name_of, "{name}")},
        answer=lambda session, data: session.by_hand(name=data["tariff"]),
        codes=("tariff_name_missing",),
        next={None: "contract_term_capture"},
    ),
    "contract_term_capture": Page(
        holds=PROVIDER | {"contract_start_date": drafted("start"), "contract_end_date": drafted("end")},
        takes=dict.fromkeys(
            ("contract_start_date", "contract_end_date"), Field(checks.contract_date, "if known", required=False)
        ),
        answer=moves.contract_term,
        codes=("date_format_invalid",),
        next=READY | CAPTURES | {"structure": "tariff_structure_select", "name": "tariff_name_capture"},
    ),
    "summary_fixed_confirm": Page(holds=SUMMARY | {"cost": drafted("cost")}, actions=CONFIRM, codes=ACTION_CODES),
    "summary_tou_confirm": Page(
        holds=SUMMARY | {"market_rates_source": lambda session: is_market(session.draft), "rates": holds.three_days},
        actions=CONFIRM,
        codes=ACTION_CODES,
    ),
    "summary_tariff_inprogress": Page(
        holds=CONNECTION,
        actions={
            "SAVE": Action(END, Session.connect),
            "DISCONNECT": Action("provider_select", moves.start_again),
            "DISMISS_DIRECT": Action("tariff_structure_select", moves.dismiss_login),
        },
        codes=ACTION_CODES,
        resume=lambda session: session.stage,
        next=AFTER_LOGIN,
    ),
    "summary_tariff_failed": Page(
        holds=CONNECTION,
        actions={"RECONNECT": EDIT, "DISCONNECT": DISCONNECT},
        codes=ACTION_CODES,
    ),
}
