"""The table of Connect's routes: whatever is true of a route is in its row."""

from collections.abc import Mapping
from decimal import Decimal
from enum import Enum, auto
from types import UnionType
from typing import Any, TypedDict

from .forms.address import AddressForm
from .forms.base import RouteForm
from .forms.prices import FixedPriceForm, SurchargeForm, TimedPricesForm
from .forms.questions import (
    ContractForm,
    ProviderForm,
    ProviderNameForm,
    RegionForm,
    StructureForm,
    TariffForm,
    TariffNameForm,
)


class Kind(Enum):
    SENT = auto()  # only sent by us, to start a session or to ask where it stands
    QUESTION = auto()
    SUMMARY = auto()
    PENDING = auto()
    FAILED = auto()
    REDIRECT = auto()  # to a provider's login; a redirect to our callback is stored as the end
    END = auto()
    ERROR = auto()
    UNKNOWN = auto()


class Route:
    """One row of the table.

    name: ours; pages are stored under it. words: for operators, in English.
    wire: FlatPeak's names by release; of several, the first is the one to send.
    asks: the subject that several questions share, a row of the summary. needs: what `data` must hold, by name and type.
    is_stored: FlatPeak has the tariff before this page is shown, so the customer has nothing to save.
    actions: those that have a button. If Connect lists none, a question offers none and any other page all of them.
    """

    def __init__(
        self,
        name: str,
        words: str = "",
        kind: Kind = Kind.QUESTION,
        form: type[RouteForm] | None = None,
        *,
        template: str = "",
        asks: str = "",
        is_stored: bool = False,
        needs: Mapping[str, type | UnionType] | None = None,
        actions: str = "",
        **wire: str | tuple[str, ...],
    ) -> None:
        self.name, self.words, self.kind, self.form = name, words, kind, form
        self.asks, self.is_stored = asks, is_stored
        self.template = f"connect_ui/{template or name}.html"
        self.needs, self.actions = needs or {}, actions.split()
        self.wire = {column: (names,) if isinstance(names, str) else names for column, names in wire.items()}


START, RESUME, END = "start", "resume", "end"
PRICES = {"currency_code": str}
SUMMARY = "SAVE EDIT DISCONNECT"


class Both(TypedDict):
    zero: str
    anode: str


def same(name: str) -> Both:
    return {"zero": name, "anode": name}


# fmt: off
ROUTES = [
    Route(START, kind=Kind.SENT, zero="session_restore", anode="session_start"),
    Route(RESUME, kind=Kind.SENT, **same("session_restore")),
    Route("address", "Address", form=AddressForm, asks="address", **same("postal_address_capture")),
    Route("provider", "Provider", form=ProviderForm, asks="provider", needs={"providers": list},
          actions="PROVIDER_MISSING ADDRESS_CHANGE", **same("provider_select")),
    Route("provider_name", "Name of the provider", form=ProviderNameForm, asks="provider",
          actions="ADDRESS_CHANGE", **same("provider_name_capture")),
    Route("tariff", "Tariff", form=TariffForm, asks="tariff", needs={"tariffs": list},
          actions="TARIFF_MISSING ADDRESS_CHANGE", **same("tariff_select")),
    Route("tariff_name", "Name of the tariff", form=TariffNameForm, asks="tariff", **same("tariff_name_capture")),
    Route("structure", "How the price works", asks="structure", form=StructureForm, needs={"options": list},
          **same("tariff_structure_select")),
    Route("fixed_price", "One price", asks="price", form=FixedPriceForm, needs=PRICES, **same("rate_fixed_capture")),
    Route("timed_prices", "Prices by time", asks="price", form=TimedPricesForm, needs=PRICES, **same("rate_tod_capture")),
    Route("region", "Region", asks="price", form=RegionForm, needs={"regions": list}, anode="region_select"),
    Route("surcharge", "Surcharge", asks="price", form=SurchargeForm, needs=PRICES,
          zero="market_surcharge_capture", anode="surcharge_capture"),
    Route("contract", "End of the contract", asks="contract", form=ContractForm, **same("contract_term_capture")),
    Route("fixed_summary", "Summary of one price", Kind.SUMMARY, template="summary", needs=PRICES | {"cost": int | Decimal},
          actions=SUMMARY, zero="summary_fixed_confirm"),
    Route("summary", "Summary", Kind.SUMMARY, needs=PRICES | {"rates": dict}, actions=SUMMARY, zero="summary_tou_confirm"),
    Route("connected", "Summary of what is connected", Kind.SUMMARY, is_stored=True, needs=PRICES, actions="EDIT DISCONNECT",
          anode=("tariff_summary", "tariffs_summary")),
    Route("pending", "Tariff being read", Kind.PENDING, actions="SAVE DISMISS_DIRECT DISCONNECT",
          zero="summary_tariff_inprogress"),
    Route("connecting", "Connected tariff being read", Kind.PENDING, is_stored=True, actions="EDIT DISCONNECT",
          anode="tariff_connection_pending"),
    Route("failed", "Tariff not readable", Kind.FAILED, actions="RECONNECT DISCONNECT", zero="summary_tariff_failed"),
    Route("not_connected", "Tariff not connected", Kind.FAILED, template="failed", actions="EDIT DISCONNECT",
          anode="tariff_connection_failed"),
    Route("redirect", "Sign-in at the provider", Kind.REDIRECT, **same("session_redirect")),
    # The second is zero's old name, and one of two more endings that anode may have.
    Route(END, "The end", Kind.END,
          zero=("session_complete", "complete_tariff"), anode=("session_complete", "complete_tariff")),
    Route("error", "Error", Kind.ERROR, **same("error")),
]
# fmt: on

_ROWS = {each.name: each for each in ROUTES}
_UNKNOWN = Route("unknown", kind=Kind.UNKNOWN)


def row(name: str) -> Route:
    """The row with our name, or the row of unknown routes."""
    return _ROWS.get(name, _UNKNOWN)


def in_words(name: str) -> str:
    """A route in words for operators; one that this app does not know as it came."""
    return row(name).words or name


def named(**facts: Any) -> list[str]:
    """Our names of the routes with these values: `named(kind=Kind.END)`."""
    return [each.name for each in ROUTES if all(getattr(each, fact) == value for fact, value in facts.items())]


def ours(wire: str, release: str) -> str:
    """Our name of a route that Connect sent, given the release's column.

    An unknown route keeps its own name, marked if that is also one of ours.
    """
    for each in ROUTES:
        if each.kind is not Kind.SENT and wire in each.wire.get(release, ()):
            return each.name
    return f"unknown:{wire}" if wire in _ROWS else wire


def theirs(name: str, release: str) -> str:
    """What a release calls a route, given our name and the release's column."""
    return row(name).wire[release][0]


def connects_early(release: str) -> bool:
    """Whether FlatPeak connects a tariff before the customer says so, given the release's column."""
    return any(each.is_stored and release in each.wire for each in ROUTES)


def form_for(page: Any, data: Any = None) -> RouteForm | None:
    """The form of a page; None if it takes no input."""
    form = row(page.route).form
    return form(page, data) if form else None
