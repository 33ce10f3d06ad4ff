"""What programs read of a tariff: its rates on some local days, exactly as they are stored, and the price now."""

import csv
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.utils.cache import add_never_cache_headers, get_conditional_response, patch_cache_control, set_response_etag
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from flatpeak_app.web.limits import TOO_MANY, is_too_often, limited, who

from .. import rates
from ..models import Location, RateDay, Tariff
from ..rates.outlook import outlook, segments_of, without_carbon
from ..rates.refresh import FAILED, UNKNOWN_ZONE, ask_for, refresh, under_way
from ..rates.windows import runs
from .access import for_devices
from .forms import SpanForm
from .sections import days_around
from .views import chosen, readable_tariffs

COLUMNS = "valid_from,valid_to,local_from,local_to,rate,currency,unit,confidence,carbon_intensity"
NOT_ASKED = _("We can't get these rates right now. Try again in a minute.")
NO_ZONE = _("We don’t know this location’s time zone, so there are no rates. We check again in 15 minutes.")
NO_DIRECTION = _("direction must be IMPORT (you buy) or EXPORT (you sell).")
DIRECTIONS = (None, "IMPORT", "EXPORT")
ASKED_NOW = _("We are getting these rates. Try again in a minute.")


def exact(number: Decimal | None) -> str | None:
    """All digits, with a point: never rounded, never 1E+2, never -0."""
    return None if number is None else format(number or number.copy_abs(), "f")


def complete_until(segments: list[rates.Segment], start: datetime, end: datetime, now: datetime) -> datetime | None:
    """The end of the rates from `start` on without a gap; None if that of now, or else of `start`, is not known."""
    if rates.current(segments, now if start <= now < end else start) is None:
        return None
    first = runs(segments)[0]
    return first[-1].end if first[0].start == start else start


@for_devices
@require_safe
@limited("download", "GET", "HEAD", refuse=lambda request, pk, form: refused(str(TOO_MANY), form))
def download(request: HttpRequest, pk: UUID, form: str) -> HttpResponse:
    """`form` is csv or json. A GET asks FlatPeak for the rates that are due; a HEAD never does."""
    now = timezone.now()
    location, tariffs = readable_tariffs(request, pk)
    direction = request.GET.get("direction")
    if direction not in DIRECTIONS:
        return refused(str(NO_DIRECTION), form)
    today = now.astimezone(location.local_zone).date()
    span = SpanForm(today, request.GET)
    if not span.is_valid():
        return refused(" ".join(f"{name}: {error}" for name, errors in span.errors.items() for error in errors), form)
    days = span.days(today)
    tariff = chosen(tariffs, direction)
    answered = ""
    if request.method == "GET" and tariff:
        if not is_too_often("ask_rates", who(request)):
            answered = ask_for(tariff, days, now)
        else:
            answered = under_way(tariff, days, now)
            if not answered and RateDay.objects.filter(tariff=tariff, day__in=days).count() < len(days):
                return refused(str(TOO_MANY), form, 429)
    direction = tariff.direction if tariff else direction or "IMPORT"
    content = {"direction": direction, **taken(location, tariff, days, now)}
    if tariff and tariff.last_result == UNKNOWN_ZONE and not content["rates"]:
        return refused(str(NO_ZONE), form, 503)
    if answered and not content["rates"]:
        return refused(str(NOT_ASKED if answered == FAILED else ASKED_NOW), form, 503)
    if form == "csv":
        response = HttpResponse(f"{COLUMNS}\r\n", "text/csv; charset=utf-8")
        csv.DictWriter(response, COLUMNS.split(",")).writerows(content["rates"])  # with CRLF, as in RFC 4180
    else:
        response = JsonResponse(content)
    name = "-".join(["rates", direction.lower(), *dict.fromkeys(map(str, (days[0], days[-1])))])
    response["Content-Disposition"] = f'attachment; filename="{name}.{form}"'
    return asked_each_time(request, response)


@for_devices
@require_safe
@limited("download", "GET", "HEAD", refuse=lambda request, pk: refused(str(TOO_MANY), "json"))
def now(request: HttpRequest, pk: UUID) -> HttpResponse:
    """The JSON of the price now. A GET asks FlatPeak for the rates that are due; a HEAD never does."""
    moment = timezone.now()
    location, tariffs = readable_tariffs(request, pk)
    direction = request.GET.get("direction")
    if direction not in DIRECTIONS:
        return refused(str(NO_DIRECTION), "json")
    tariff = chosen(tariffs, direction)
    if tariff and request.method == "GET" and not is_too_often("ask_rates", who(request)):
        refresh(tariff, moment)
    return asked_each_time(request, JsonResponse(price_now(location, tariff, direction, moment)))


def asked_each_time(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    """With an ETag. A client must ask each time whether its copy is current, since a tariff may change at any time."""
    patch_cache_control(response, private=True, no_cache=True)
    set_response_etag(response)
    return get_conditional_response(request, etag=response["ETag"], response=response) or response


def price_now(location: Location, tariff: Tariff | None, direction: str | None, moment: datetime) -> dict[str, Any]:
    """What the rates page says first, for programs: the price, until when, its word, what follows and the best three hours.

    The names and units are those of `taken`. A price that is not known is null, and `state` says why if no tariff is read.
    """
    zone = location.local_zone
    today = moment.astimezone(zone).date()
    start, end = rates.day_span(today, zone)[0], rates.day_span(today + timedelta(days=1), zone)[1]
    known = days_around(moment).filter(tariff=tariff) if tariff and tariff.is_read else ()
    seen = outlook(tariff, without_carbon(rates.clip(segments_of(known), start, end)), moment) if tariff else None
    price, best = seen and seen.now, seen and seen.best
    return {
        "state": state_of(tariff),
        "direction": tariff.direction if tariff else direction or "IMPORT",
        "timezone": zone.key,
        "currency": location.currency_code or None,
        "unit": "kWh",
        "price": exact(price.rate) if price else None,
        "until": price.end.isoformat() if price else None,
        "word": seen.word or None if seen else None,
        "estimate": bool(price and price.confidence < 1),
        "next_price": exact(seen.next.rate) if seen and seen.next else None,
        # The cheapest to buy, or the dearest to sell. To the minute, so that it is the same for a minute if it begins now.
        "best": best
        and {
            "start": best.start.replace(second=0, microsecond=0).isoformat(),
            "end": best.end.replace(second=0, microsecond=0).isoformat(),
            "price": exact(best.mean),
        },
    }


def state_of(tariff: Tariff | None) -> str:
    return "not_connected" if not tariff else tariff.state if tariff.is_here else "other_account"


def refused(reason: str, form: str, status: int = 400) -> HttpResponse:
    response: HttpResponse = JsonResponse({"error": reason}, status=status)
    if form == "csv":
        response = HttpResponse(f"{reason}\n", "text/plain; charset=utf-8", status)
    if status in (429, 503):
        response["Retry-After"] = "60"
    add_never_cache_headers(response)
    return response


def taken(location: Location, tariff: Tariff | None, days: Sequence[date], now: datetime) -> dict[str, Any]:
    """The JSON: `state`, `timezone`, the contract's last day, three instants or null, and `rates`, the rows of the CSV.

    Instants are RFC 3339, a rate is in major units of the currency per kWh, carbon is gCO2/kWh. A tariff that this site does
    not read has no rates, and `state` says why.
    """
    zone = location.local_zone
    content: dict[str, Any] = {
        "state": state_of(tariff),
        "timezone": zone.key,
        "contract_end": tariff and tariff.contract_end,
        **dict.fromkeys(("last_updated", "next_update", "complete_until")),
        "tiered": False,
        "rates": [],
    }
    if tariff is None or not tariff.is_read:
        return content
    start, end = rates.day_span(days[0], zone)[0], rates.day_span(days[-1], zone)[1]
    known = RateDay.objects.filter(tariff=tariff, day__in=days).order_by("day")
    segments = rates.clip(segments_of(known), start, end)
    fetched = max((day.fetched_at for day in known), default=None)
    until = complete_until(segments, start, end, now)
    return content | {
        "last_updated": fetched and fetched.isoformat(),
        "next_update": tariff.due_at and tariff.due_at.isoformat(),
        "complete_until": until and until.isoformat(),
        "tiered": any(day.tiered for day in known),  # its rates are those of the lowest step
        "rates": [
            {
                "valid_from": segment.start.isoformat(),
                "valid_to": segment.end.isoformat(),
                "local_from": segment.start.astimezone(zone).isoformat(),
                "local_to": segment.end.astimezone(zone).isoformat(),
                "rate": exact(segment.rate),
                "currency": location.currency_code or None,
                "unit": "kWh",
                "confidence": exact(segment.confidence),
                "carbon_intensity": exact(segment.carbon),
            }
            for segment in segments
        ],
    }
