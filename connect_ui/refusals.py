"""What the customer reads when FlatPeak gave no answer or refused one: what happened, and what to do."""

import math
import re

from django.utils.translation import gettext, gettext_lazy as _, ngettext

from tariffs.flatpeak import FlatPeakError, Rejected

TRY_AGAIN = _("FlatPeak can't be reached just now. Nothing you typed is lost: please try again in a moment.")
NOT_ALLOWED = _(
    "FlatPeak did not let this through. Nothing you typed is lost: please try again, or start over if that fails too."
)
NOT_READY = _("FlatPeak was not ready for this. Nothing you typed is lost: please try again, or go back one question.")
NO_REASON = _(
    "FlatPeak did not take this, and did not say why. Nothing you typed is lost: please check it, and try again."
)
AT_FIELD = _("FlatPeak did not take this: please check it, and try again.")

# By FlatPeak's error codes. Its own sentences are English and written for programmers. Reference: error codes of zero.
SENTENCES = {
    "address_line1_missing": _("Type the street and the number."),
    "city_missing": _("Type the town or city."),
    "post_code_missing": _("Type the postcode."),
    "country_code_missing country_code_invalid": _("Choose a country from the list."),
    "timezone_not_found": _("FlatPeak does not find this place. Check the town, and give the state or region too."),
    "provider_id_missing provider_id_invalid": _("Choose your provider from the list."),
    "provider_not_found": _("FlatPeak does not know this provider at your address. Choose another one from the list."),
    "provider_name_missing": _("Type the name of your provider."),
    "tariff_id_missing tariff_id_invalid": _("Choose your tariff from the list."),
    "tariff_not_found": _("FlatPeak does not know this tariff of your provider. Choose another one from the list."),
    "tariff_name_missing": _("Type the name of your tariff."),
    "option_invalid": _("Choose how your price works."),
    "option_not_supported": _("FlatPeak can't work with this kind of price here. Choose another one."),
    "cost_value_zero cost_value_negative": _("The price must be above 0."),
    "valid_from_invalid valid_to_invalid": _("Check the times: each price must begin at a time of its own."),
    "gap_in_time_period": _("The times leave a part of the day without a price. Check when each price begins."),
    "incomplete_time_period": _("The prices do not cover a whole day. Check when each of them begins."),
    "surcharge_percentage_invalid": _("FlatPeak does not take this percentage. Check it on your contract."),
    "geo_location_not_found": _(
        "FlatPeak does not find the market of your address. Check the address, or choose your region."
    ),
    "market_region_invalid": _("Choose your region."),
    "date_format_invalid": _("FlatPeak does not take these dates. Check the day, the month and the year."),
    "data_json_invalid": NO_REASON,
    "action_missing action_invalid": _("That is not possible here any more."),
}
CODES = {code: said for codes, said in SENTENCES.items() for code in codes.split()}
STATUSES = {401: NOT_ALLOWED, 403: NOT_ALLOWED, 409: NOT_READY}


def sentence(error: FlatPeakError) -> str:
    """Our sentence about an error. It quotes FlatPeak's if that is about the answer and written for people."""
    if not isinstance(error, Rejected):
        return str(TRY_AGAIN)
    if error.status == 429:
        busy = gettext("FlatPeak has too much to do. Nothing you typed is lost: please try again in %(wait)s.")
        return busy % {"wait": in_words(error.retry_after or 60)}
    # FlatPeak does not say which status comes with a code.
    if (said := CODES.get(error.code) or STATUSES.get(error.status)) or not is_for_people(error.message):
        return str(said or NO_REASON)
    said = _("FlatPeak says: “%(message)s” Nothing you typed is lost: please change your answer, or try again.")
    return said % {"message": error.message}


def at_field(error: Rejected) -> str:
    """Our sentence about an error, to show at the field that it is about."""
    if error.code in CODES or not is_for_people(error.message):
        return str(CODES.get(error.code, AT_FIELD))
    return gettext("FlatPeak did not take this, and says: “%(message)s”") % {"message": error.message}


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
