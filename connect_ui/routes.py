"""The table of Connect's routes: whatever is true of a route stands in its row."""

from collections.abc import Mapping
from decimal import Decimal
from enum import Enum, auto
from types import UnionType
from typing import Any

from tariffs.flatpeak import release

from .forms import prices, questions
from .forms.base import RouteForm


class Kind(Enum):
    SENT = auto()  # by us alone: to start a session, and to ask where it stands
    QUESTION = auto()
    SUMMARY = auto()
    PENDING = auto()
    FAILED = auto()
    REDIRECT = auto()  # to a provider's login; one to our callback is stored as the end
    END = auto()
    ERROR = auto()
    UNKNOWN = auto()


class Route:
    """One row. `name` is ours, `wire` has FlatPeak's names by release; the first of several is the one to send.

    `asks` groups questions about one subject. `needs` names what `data` can't be without. `actions` are those that have a
    button; where Connect lists none, a question offers none and any other page all of them.
    """

    def __init__(
        self,
        name: str,
        kind: Kind = Kind.QUESTION,
        form: type[RouteForm] | None = None,
        *,
        template: str = "",
        asks: str = "",
        needs: Mapping[str, type | UnionType] | None = None,
        actions: str = "",
        **wire: str | tuple[str, ...],
    ) -> None:
        self.name, self.kind, self.form, self.asks = name, kind, form, asks
        self.template = f"connect_ui/{template or name}.html"
        self.needs, self.actions = needs or {}, actions.split()
        self.wire = {column: (names,) if isinstance(names, str) else names for column, names in wire.items()}


START, RESUME, END = "start", "resume", "end"
PRICES = {"currency_code": str}

ROUTES = [
    Route(START, Kind.SENT, zero="session_restore"),
    Route(RESUME, Kind.SENT, zero="session_restore"),
    Route("address", form=questions.AddressForm, asks="address", zero="postal_address_capture"),
    Route(
        "provider",
        form=questions.ProviderForm,
        asks="provider",
        needs={"providers": list},
        actions="PROVIDER_MISSING ADDRESS_CHANGE",
        zero="provider_select",
    ),
    Route(
        "provider_name",
        form=questions.ProviderNameForm,
        asks="provider",
        actions="ADDRESS_CHANGE",
        zero="provider_name_capture",
    ),
    Route(
        "tariff",
        form=questions.TariffForm,
        asks="tariff",
        needs={"tariffs": list},
        actions="TARIFF_MISSING ADDRESS_CHANGE",
        zero="tariff_select",
    ),
    Route("tariff_name", form=questions.TariffNameForm, asks="tariff", zero="tariff_name_capture"),
    Route("structure", form=questions.StructureForm, needs={"options": list}, zero="tariff_structure_select"),
    Route("fixed_price", form=prices.FixedPriceForm, needs=PRICES, zero="rate_fixed_capture"),
    Route("timed_prices", form=prices.TimedPricesForm, needs=PRICES, zero="rate_tod_capture"),
    Route("surcharge", form=prices.SurchargeForm, needs=PRICES, zero="market_surcharge_capture"),
    Route("contract", form=questions.ContractForm, zero="contract_term_capture"),
    Route(
        "fixed_summary",
        Kind.SUMMARY,
        template="summary",
        needs=PRICES | {"cost": int | Decimal},
        actions="SAVE EDIT DISCONNECT",
        zero="summary_fixed_confirm",
    ),
    Route(
        "summary",
        Kind.SUMMARY,
        needs=PRICES | {"rates": dict},
        actions="SAVE EDIT DISCONNECT",
        zero="summary_tou_confirm",
    ),
    Route("pending", Kind.PENDING, actions="SAVE DISMISS_DIRECT DISCONNECT", zero="summary_tariff_inprogress"),
    Route("failed", Kind.FAILED, actions="RECONNECT DISCONNECT", zero="summary_tariff_failed"),
    Route("redirect", Kind.REDIRECT, zero="session_redirect"),
    Route(END, Kind.END, zero=("session_complete", "complete_tariff")),  # the second is zero's old name
    Route("error", Kind.ERROR, zero="error"),
]

_ROWS = {each.name: each for each in ROUTES}
_UNKNOWN = Route("unknown", Kind.UNKNOWN)


def row(name: str) -> Route:
    """The row by our name; that of unknown routes where there is none."""
    return _ROWS.get(name, _UNKNOWN)


def named(**facts: Any) -> list[str]:
    """Our names of the routes of which this is true: `named(kind=Kind.END)`."""
    return [each.name for each in ROUTES if all(getattr(each, fact) == value for fact, value in facts.items())]


def ours(wire: str) -> str:
    """Our name of what Connect sent; an unknown route keeps FlatPeak's, marked where we have given that to another."""
    for each in ROUTES:
        if each.kind is not Kind.SENT and wire in each.wire.get(release.SPOKEN.name, ()):
            return each.name
    return f"unknown:{wire}" if wire in _ROWS else wire


def theirs(name: str) -> str:
    """What the release that is spoken calls a route of ours."""
    return row(name).wire[release.SPOKEN.name][0]


def form_for(page: Any, data: Any = None) -> RouteForm | None:
    """The form of a page, None for one that takes no input."""
    form = row(page.route).form
    return form(page, data) if form else None
