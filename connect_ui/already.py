"""Whether an address is connected already, so that the customer is asked before it is connected once more."""

import re
import unicodedata
from typing import Any

from django.db.models import F

from tariffs.models import Tariff

from .forms.base import RouteForm
from .models import Page

COMPARED = ("address_line1", "address_line2", "post_code", "city")
SHORT = {"street": "st", "road": "rd", "avenue": "ave", "av": "ave", "boulevard": "bd", "blvd": "bd"}


def connected(page: Page, form: RouteForm) -> Tariff | None:
    """The customer's tariff in the conversation's direction at the address in this form, unless they said: connect it again.

    What was typed is kept then, for the way back to the form.
    """
    session, address = page.session, form.to_data()["postal_address"]
    if session.location_id or form.cleaned_data.get("again"):
        return None
    tariffs = Tariff.objects.here(
        direction=session.direction,
        type=session.type,
        location__customer__user=session.user_id,
        location__country_code=address["country_code"],
    )
    mine = tariffs.exclude(state=Tariff.State.DISCONNECTED).order_by("location__created_at")
    # Few columns: nearly every address is new, and nothing more is read of it then.
    known = mine.values("pk", **{name: F(f"location__{name}") for name in COMPARED})
    wanted = gist(address)
    found = next((each["pk"] for each in known if gist(each) == wanted), None)
    if found is None or session.pages.filter(typed__again="1").exists():
        return None
    page.typed = form.typed()
    page.save(update_fields=["typed"])
    return mine.select_related("location").get(pk=found)


def gist(address: dict[str, Any]) -> tuple[str, ...]:
    """An address without what people write differently. The city counts where there is no post code only."""
    street, post_code = plain(f"{address['address_line1']} {address['address_line2']}"), plain(address["post_code"])
    return street, post_code or plain(address["city"])


def plain(text: str) -> str:
    """The letters and digits alone, without accents: "12a Rue de l’Été" and "12 A, rue de l'été" are the same.

    So are "High Street" and "High St", "Hauptstraße" and "Hauptstr.".
    """
    words = re.findall(r"[^\W_]+", unicodedata.normalize("NFKD", text.casefold()))
    return "".join(SHORT.get(word) or re.sub("strasse$", "str", word) for word in words)
