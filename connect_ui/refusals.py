"""What the customer reads when FlatPeak gave no answer or refused one: what happened, and what to do."""

import math
import re

from django.utils.translation import gettext, gettext_lazy as _, ngettext

from tariffs.flatpeak import FlatPeakError, Rejected

TRY_AGAIN = _("We can't look up prices right now. We kept what you entered. Try again in a moment.")
NOT_ALLOWED = _("We could not send your answer. We kept what you entered. Try again, or start over if it fails again.")
NOT_READY = _("We were not ready for this answer. We kept what you entered. Try again, or go back one question.")
NO_REASON = _("We could not use this answer. We kept what you entered. Check it and try again.")
AT_FIELD = _("We could not use this. Check it and try again.")

# By FlatPeak's error codes. Its own sentences are English and written for programmers. Reference: error codes of zero.
SENTENCES = {
    "address_line1_missing": _("Enter the street and the number."),
    "city_missing": _("Enter the town or city."),
    "post_code_missing": _("Enter the postcode."),
    "country_code_missing country_code_invalid": _("Choose a country from the list."),
    "timezone_not_found": _("We can't find this place. Check the town, and enter the state or region too."),
    "provider_id_missing provider_id_invalid": _("Choose your provider from the list."),
    "provider_not_found": _("This provider does not supply your address. Choose another one from the list."),
    "provider_name_missing": _("Enter the name of your provider."),
    "tariff_id_missing tariff_id_invalid": _("Choose your tariff from the list."),
    "tariff_not_found": _("We don't know this tariff of your provider. Choose another one from the list."),
    "tariff_name_missing": _("Enter the name of your tariff."),
    "option_invalid": _("Choose how your price works."),
    "option_not_supported": _("We can't use this kind of price here. Choose another one."),
    "cost_value_zero cost_value_negative": _("Enter a price above 0."),
    "valid_from_invalid valid_to_invalid": _("Check the times. Each price must start at a different time."),
    "gap_in_time_period": _("Part of the day has no price. Check when each price starts."),
    "incomplete_time_period": _("The prices do not cover a whole day. Check when each price starts."),
    "surcharge_percentage_invalid": _("We can't use this percentage. Check it in your contract."),
    "geo_location_not_found": _(
        "We can't find the electricity market for your address. Check the address, or choose your region."
    ),
    "market_region_invalid": _("Choose your region."),
    "date_format_invalid": _("We can't use these dates. Check the day, the month and the year."),
    "data_json_invalid": NO_REASON,
    "action_missing action_invalid": _("You can't do that here any more."),
}
CODES = {code: said for codes, said in SENTENCES.items() for code in codes.split()}
STATUSES = {401: NOT_ALLOWED, 403: NOT_ALLOWED, 409: NOT_READY}


def sentence(error: FlatPeakError) -> str:
    """Our sentence about an error. It quotes FlatPeak's if that is about the answer and written for people."""
    if not isinstance(error, Rejected):
        return str(TRY_AGAIN)
    if error.status == 429:
        busy = gettext("We're busy right now. We kept what you entered. Try again in %(wait)s.")
        return busy % {"wait": in_words(error.retry_after or 60)}
    # FlatPeak does not say which status comes with a code.
    if (said := CODES.get(error.code) or STATUSES.get(error.status)) or not is_for_people(error.message):
        return str(said or NO_REASON)
    said = _("We could not use this answer: “%(message)s” We kept what you entered. Change it, or try again.")
    return said % {"message": error.message}


def at_field(error: Rejected) -> str:
    """Our sentence about an error, to show at the field that it is about."""
    if error.code in CODES or not is_for_people(error.message):
        return str(CODES.get(error.code, AT_FIELD))
    return gettext("We could not use this: “%(message)s”") % {"message": error.message}


def in_words(seconds: float) -> str:
    """A time to wait, rounded up, as it follows "in": "7 seconds", "a minute", "2 hours"."""
    if seconds >= 3600:
        return ngettext("an hour", "%(n)s hours", n := math.ceil(seconds / 3600)) % {"n": n}
    if seconds >= 60:
        return ngettext("a minute", "%(n)s minutes", n := math.ceil(seconds / 60)) % {"n": n}
    return ngettext("a second", "%(n)s seconds", n := max(1, math.ceil(seconds))) % {"n": n}


def is_for_people(message: str) -> bool:
    """Whether a message is a printable sentence, without field names or JSON."""
    return message.isprintable() and bool(re.fullmatch(r"[A-Z][^_{}\[\]<>=\\]{5,300}[.!?]", message))
