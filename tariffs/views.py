from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.db.models import Prefetch, QuerySet
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from . import money, rates
from .chart import chart
from .forms import HOURS, CheapestForm
from .models import Location, RateDay, Tariff
from .refresh import is_due, refresh
from .windows import best, next_time

ASKED_PER_LIST = 3  # calls to FlatPeak that one view of "My locations" waits for at most


def with_days(now: datetime) -> QuerySet[Location]:
    """Locations with their tariffs and stored rates, in three queries. "Today" is within a day of UTC's."""
    days = [now.date() + timedelta(days=n) for n in (-1, 0, 1, 2)]
    return (
        Location.objects.select_related("customer")
        .prefetch_related(
            Prefetch("tariffs", Tariff.objects.order_by("-direction")),
            Prefetch("tariffs__days", RateDay.objects.filter(day__in=days).order_by("day")),
        )
        .order_by("created_at")
    )


def stored(tariff: Tariff) -> list[rates.Segment]:
    return [segment for day in tariff.days.all() for segment in rates.load(day.segments)]


@require_safe
@never_cache
def locations(request: HttpRequest) -> HttpResponse:
    now = timezone.now()
    mine = list(with_days(now).filter(customer__user=request.user.pk))
    due = [tariff for location in mine for tariff in location.tariffs.all() if is_due(tariff, now)]
    if request.method == "GET" and sum(refresh(tariff, now) for tariff in due[:ASKED_PER_LIST]):
        mine = list(with_days(now).filter(customer__user=request.user.pk))
    for location in mine:
        for tariff in location.tariffs.all():
            tariff.now = rates.current(stored(tariff), now)  # type: ignore[attr-defined]
    return render(request, "tariffs/locations.html", {"locations": mine})


@require_safe
@never_cache
def location_rates(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Today's and tomorrow's rates of each tariff of a location. To anybody but its owner and permitted staff, a 404."""
    now = timezone.now()
    allowed = with_days(now)
    if not (request.user.is_staff and request.user.has_perm("tariffs.view_location")):
        allowed = allowed.filter(customer__user=request.user.pk)
    location = get_object_or_404(allowed, pk=pk)
    if request.method == "GET" and sum(refresh(tariff, now) for tariff in location.tariffs.all()):
        location = get_object_or_404(allowed.all(), pk=pk)
    shown = [view_of(tariff, location, now) | {"asked": None} for tariff in location.tariffs.all()]
    for view in shown:
        if view["segments"]:
            view["asked"] = cheapest(view, request.GET, now)
    looks_again = min((seconds for view in shown if (seconds := view["look_again"])), default=None)
    directions = {tariff.direction for tariff in location.tariffs.all()}
    context = {
        "location": location,
        "tariffs": shown,
        "look_again": looks_again,
        "now": now,
        "mine": location.is_here and location.customer.user_id == request.user.pk,
        "missing": next((d for d in ("IMPORT", "EXPORT") if d not in directions), ""),
    }
    wrong = any(view["asked"] and view["asked"]["form"].errors for view in shown)
    return render(request, "tariffs/rates.html", context, status=400 if wrong else 200)


def look_again(tariff: Tariff, unsure: bool) -> int | None:
    """Seconds after which a page that waits for FlatPeak looks again; when FlatPeak is asked is the column's business."""
    if unsure:
        return 5
    return 30 if tariff.rates == Tariff.Rates.PENDING else None


def view_of(tariff: Tariff, location: Location, now: datetime) -> dict[str, Any]:
    """What the rates page shows of one tariff, worked out from what is stored."""
    try:
        zone = location.zone
    except (ZoneInfoNotFoundError, ValueError):
        zone = ZoneInfo("UTC")
    today = now.astimezone(zone).date()
    days = [today, today + timedelta(days=1)]
    span = rates.day_span(days[0], zone)[0], rates.day_span(days[1], zone)[1]
    # Joined by what the page shows: neighbours that differ in carbon alone are one row, and one "until".
    segments = rates.joined(s._replace(carbon=None) for s in rates.clip(stored(tariff), *span))
    connected = tariff.state != Tariff.State.DISCONNECTED and tariff.is_here
    unsure = any(segment.confidence == 0 for segment in segments)
    current = rates.current(segments, now) if connected else None
    return {
        "tariff": tariff,
        "connected": connected,
        "currency": location.currency_code,
        "zone": zone,
        "now": current,
        "segments": rates.clip(segments, now, span[1]) if connected else [],
        "until": current.end if current and current.end < span[1] else None,
        "chart": chart(segments, *span, zone, location.currency_code, now) if connected else None,
        "days": [(day, rates.clip(segments, *rates.day_span(day, zone))) for day in days if connected],
        "unsure": unsure,
        "look_again": look_again(tariff, unsure) if connected else None,
    }


def cheapest(view: dict[str, Any], query: QueryDict, now: datetime) -> dict[str, Any]:
    """The cheapest time ahead, or the dearest for what is sold, as the query asks for this tariff; else for three hours."""
    tariff, segments, zone = view["tariff"], view["segments"], view["zone"]
    given = query if query.get("direction") == tariff.direction else None
    form = CheapestForm(given, initial={"hours": 3}, prefix="", label_suffix="", auto_id=f"id_{tariff.direction}_%s")
    asked = form.cleaned_data if given is not None and form.is_valid() else {}
    hours, clock, energy = asked.get("hours", 3), asked.get("before"), asked.get("kwh")
    known = segments[-1].end
    deadline = next_time(clock, zone, now) if clock else known
    sells = tariff.direction == "EXPORT"
    window = best(segments, timedelta(hours=hours), now, deadline, dearest=sells)
    gain = (view["now"].rate - window.mean) * (-1 if sells else 1) if window and view["now"] else None
    return {
        "form": form,
        "hours": hours,
        "deadline": deadline if clock else None,
        "window": window,
        "same": len({segment.rate for segment in segments}) == 1,
        "gain": gain if gain and money.rounded(gain, 4) > 0 else None,
        "energy": energy,
        "cost": energy * window.mean if energy and window else None,
        "known": known,
        "links": [(n, f"?{urlencode({'direction': tariff.direction, 'hours': n})}") for n in HOURS],
    }
