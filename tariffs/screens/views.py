from collections import defaultdict
from datetime import datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from allauth.core.ratelimit import respond_429
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext, gettext_lazy as _
from django.views.decorators.http import require_http_methods, require_safe

from flatpeak_app.web.limits import is_too_often, limited
from flatpeak_app.web.staff import may_see_others

from .. import rates
from ..erasure import erase_location
from ..models import Location, RateDay, Tariff
from ..rates.refresh import ASKING, FAILED, ask_for, refresh, under_way
from .cheapest import CheapestForm
from .day import segments_of
from .forms import DateForm
from .sections import days_around, sections
from .shown import MINUTE, changes, first_of, history_of, is_awaited

LATER = _("We're also deleting your data at FlatPeak.")
ASKED_PER_LIST = 3  # the most calls to FlatPeak for which one view of "My locations" waits


def readable_tariffs(request: HttpRequest, pk: UUID) -> tuple[Location, list[Tariff]]:
    """A location and its tariffs, buying first, for its owner and permitted staff; a 404 for anybody else. One query."""
    mine = {} if may_see_others(request, "tariffs.view_location") else {"customer__user": request.user.pk}
    found = Tariff.objects.filter(location=pk, **{f"location__{name}": user for name, user in mine.items()})
    tariffs = list(found.select_related("location__customer").order_by("-direction"))
    if not tariffs:  # staff have deleted the last one
        return get_object_or_404(Location.objects.select_related("customer"), pk=pk, **mine), []
    for tariff in tariffs[1:]:
        tariff.location = tariffs[0].location
    return tariffs[0].location, tariffs


@require_safe
def locations(request: HttpRequest) -> HttpResponse:
    """The customer's tariffs by location. A location has at least one, because both are stored and deleted together."""
    now = timezone.now()
    mine = Tariff.objects.filter(location__customer__user=request.user.pk).select_related("location")
    tariffs = sorted(mine, key=_place)
    due = sorted((t for t in tariffs if t.is_read and t.is_due(now)), key=lambda tariff: tariff.due_at or now)
    if request.method == "GET" and sum(refresh(tariff, now) for tariff in due[:ASKED_PER_LIST]):
        tariffs = sorted(mine.all(), key=_place)
    moments, zones = list[datetime](), {tariff.location.local_zone for tariff in tariffs}
    days = defaultdict[UUID, list[RateDay]](list)  # by tariff; a prefetch would take twice as long for a few rows
    for day in days_around(now).filter(tariff__in=[tariff.pk for tariff in tariffs]) if tariffs else ():
        days[day.tariff_id].append(day)
    for tariff in tariffs:
        known = segments_of(days[tariff.pk])
        tariff.now = rates.current(known, now)
        tariff.awaited = is_awaited(tariff, now)
        tariff.over = (tariff.days_left(now) or 0) < 0
        moments += changes(tariff, known, now)
    zone = zones.pop() if len(zones) == 1 else ZoneInfo("UTC")
    context = {"tariffs": tariffs, "now": now, "zone": zone, "until": first_of(moments, now, zone)}
    return render(request, "tariffs/locations.html", context)


def _place(tariff: Tariff) -> tuple[datetime, UUID, bool]:
    """By location, the oldest first, then buying before selling. Sorted here because SQL takes longer for a few rows."""
    return tariff.location.created_at, tariff.location_id, tariff.direction == "EXPORT"


@require_safe
def location_rates(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Today's and tomorrow's rates of each tariff of a location."""
    now = timezone.now()
    location, tariffs = readable_tariffs(request, pk)
    # Do not call FlatPeak for a question that is refused.
    is_refused = any(CheapestForm(tariff, request.GET, now).errors for tariff in tariffs)
    if request.method == "GET" and not is_refused:
        for tariff in tariffs:
            refresh(tariff, now)
    shown = sections(location, tariffs, now, request.GET)
    context = {
        "location": location,
        "now": now,
        "zone": location.local_zone,
        "until": first_of((section.good_until for _, section in shown), now, location.local_zone),
        "sections": shown,
        "look_again": min((seconds for _, section in shown if (seconds := section.look_again)), default=None),
        "mine": location.is_here and location.customer.user_id == request.user.pk,
        "missing": next((d for d in ("IMPORT", "EXPORT") if d not in {tariff.direction for tariff in tariffs}), ""),
    }
    wrong = any(section.is_wrong for _, section in shown)
    return render(request, "tariffs/rates.html", context, status=400 if wrong else 200)


@require_safe
def other_days(request: HttpRequest, pk: UUID, length: int) -> HttpResponse:
    """The rates of a day, or of the week around it, as far as FlatPeak has them."""
    now = timezone.now()
    location, tariffs = readable_tariffs(request, pk)
    zone = location.local_zone
    today = now.astimezone(zone).date()
    form = DateForm(today, request.GET if "date" in request.GET else {"date": str(today)})
    mine = location.is_here and location.customer.user_id == request.user.pk
    context = {"location": location, "form": form, "length": length, "now": now, "zone": zone, "mine": mine}
    if not form.is_valid():
        return render(request, "tariffs/other_days.html", context, status=400)
    first = form.cleaned_data["date"]
    first -= timedelta(days=first.weekday() if length == 7 else 0)
    days = [first + timedelta(days=n) for n in range(length)]
    asks = request.method == "GET" and not is_too_often("ask_rates", request.user.pk)
    answered = {tariff: (ask_for if asks else under_way)(tariff, days, now) for tariff in tariffs}
    rate_days = RateDay.objects.filter(tariff__in=tariffs, day__in=days).order_by("day")
    known = {tariff: [day for day in rate_days if day.tariff_id == tariff.pk] for tariff in tariffs}
    lacks = any(len(known[tariff]) < len(days) and not said for tariff, said in answered.items())
    if request.method == "GET" and not asks and lacks:
        return respond_429(request)
    views = [history_of(tariff, known[tariff], days, now) | {"answered": said} for tariff, said in answered.items()]
    moments = [at for view in views for at in view["changes"]]
    if {FAILED, ASKING} & set(answered.values()) or any(tariff.state == Tariff.State.PENDING for tariff in tariffs):
        moments.append(now + MINUTE)  # the page says to look again in a minute
    context |= {
        "tariffs": views,
        "until": first_of(moments, now, zone),
        "failed": FAILED in answered.values(),
        "days": days,
        "before": max(first - timedelta(days=length), form.first),
        "after": min(first + timedelta(days=length), form.last),
    }
    return render(request, "tariffs/other_days.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@limited("delete", "POST")
def delete_location(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Ask for confirmation, and delete a location of the customer, of any FlatPeak account."""
    mine = Location.objects.filter(pk=pk, customer__user=request.user.pk)
    if request.method != "POST":
        return render(request, "tariffs/delete_location.html", {"location": get_object_or_404(mine)})
    if not (location := mine.first()):  # pressed twice, or in another tab too
        messages.info(request, gettext("This location is not in your list."))
        return redirect("tariffs:locations")
    deleted = gettext("We deleted the location.")
    messages.success(request, deleted if erase_location(location) else f"{deleted} {LATER}")
    return redirect("tariffs:locations")
