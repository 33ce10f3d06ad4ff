from calendar import monthrange
from collections import defaultdict
from collections.abc import Iterable
from datetime import date, datetime, timedelta
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
from ..rates.levels import word
from ..rates.outlook import segments_of
from ..rates.refresh import ask_for, refresh, under_way
from .forms import DateForm
from .sections import days_around, plan_of, section_of
from .shown import DAY, MINUTE, MONTH, TODAY, TOMORROW, WEEK, changes, first_of, history_of, is_awaited

LATER = _("We're also deleting your data at FlatPeak.")
ASKED_PER_LIST = 3  # the most calls to FlatPeak for which one view of "My locations" waits


def readable_tariffs(request: HttpRequest, pk: UUID) -> tuple[Location, list[Tariff]]:
    """A location and its tariffs, buying first, by one query; a 404 for all but its owner, devices and permitted staff."""
    sees_all = hasattr(request, "device") or may_see_others(request, "tariffs.view_location")
    mine = {} if sees_all else {"customer__user": request.user.pk}
    found = Tariff.objects.filter(location=pk, **{f"location__{name}": user for name, user in mine.items()})
    tariffs = list(found.select_related("location__customer").order_by("-direction"))
    if not tariffs:  # staff have deleted the last one
        return get_object_or_404(Location.objects.select_related("customer"), pk=pk, **mine), []
    for tariff in tariffs[1:]:
        tariff.location = tariffs[0].location
    return tariffs[0].location, tariffs


def chosen(tariffs: list[Tariff], direction: str | None) -> Tariff | None:
    """The tariff of the direction. Without a direction, the one for buying if it is connected, else the one for selling."""
    found = [tariff for tariff in tariffs if direction in (None, tariff.direction)]
    found.sort(key=lambda tariff: (not tariff.is_read, tariff.direction != "IMPORT", tariff.type != "COMMODITY"))
    return found[0] if found else None


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
    for each in tariffs:
        known = segments_of(days[each.pk])
        each.now = rates.current(known, now)
        each.word = word(each, each.now.rate) if each.now else ""
        each.awaited = is_awaited(each, now)
        each.over = (each.days_left(now) or 0) < 0
        moments += changes(each, known, now)
    zone = zones.pop() if len(zones) == 1 else ZoneInfo("UTC")
    context = {"tariffs": tariffs, "now": now, "zone": zone, "until": first_of(moments, now, zone)}
    return render(request, "tariffs/locations.html", context)


def _place(tariff: Tariff) -> tuple[datetime, UUID, bool]:
    """By location, the oldest first, then buying before selling. Sorted here because SQL takes longer for a few rows."""
    return tariff.location.created_at, tariff.location_id, tariff.direction == "EXPORT"


@require_safe
def location_rates(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Today's and tomorrow's rates of one tariff of a location, what is bought or what is sold."""
    now = timezone.now()
    location, tariffs = readable_tariffs(request, pk)
    if request.method == "GET":
        for each in tariffs:
            refresh(each, now)
    tab = TOMORROW if request.GET.get("day") == TOMORROW else TODAY
    tariff = shown_of(tariffs, request)
    section = section_of(tariff, location, now, tab, tariffs) if tariff else None
    mine = location.is_here and location.customer.user_id == request.user.pk
    plan = None
    if tariff and section and section.ahead and tariff.direction == "IMPORT" and not section.one_price:
        user, wanted = request.user if mine else None, request.GET.get("run", "")
        plan = plan_of(user, location, tariff, tariffs, section, wanted, now)
    moments = [part.good_until for part in (section, plan) if part]
    context = {
        "location": location,
        "now": now,
        "zone": location.local_zone,
        "until": first_of(moments, now, location.local_zone),
        "plan": plan,
        "tariff": tariff,
        "section": section,
        "tab": tab,
        "tabs": tabs(tariffs, tariff),
        "mine": mine,
        "missing": next((d for d in ("IMPORT", "EXPORT") if d not in {tariff.direction for tariff in tariffs}), ""),
    }
    return render(request, "tariffs/rates.html", context)


def shown_of(tariffs: list[Tariff], request: HttpRequest) -> Tariff | None:
    """The tariff of the direction in the query, else the first choice."""
    return chosen(tariffs, request.GET.get("direction")) or chosen(tariffs, None)


def tabs(tariffs: Iterable[Tariff], tariff: Tariff | None) -> list[tuple[str, bool]]:
    """The directions to choose from, and which is shown; none if there is one only."""
    found = [(each.direction, each is tariff) for each in tariffs]
    return found if len(found) > 1 else []


@require_safe
def other_days(request: HttpRequest, pk: UUID, period: str) -> HttpResponse:
    """The rates of a day, or of the week or month around it, as far as FlatPeak has them."""
    now = timezone.now()
    location, tariffs = readable_tariffs(request, pk)
    zone = location.local_zone
    today = now.astimezone(zone).date()
    form = DateForm(today, request.GET if "date" in request.GET else {"date": str(today)})
    mine = location.is_here and location.customer.user_id == request.user.pk
    tariff = shown_of(tariffs, request)
    context = {
        "location": location,
        "form": form,
        "tab": period,
        "now": now,
        "zone": zone,
        "mine": mine,
        "tariff": tariff,
    }
    context["tabs"] = tabs(tariffs, tariff)
    if not form.is_valid():
        return render(request, "tariffs/other_days.html", context, status=400)
    days = days_of(period, form.cleaned_data["date"])
    before = days_of(period, days[0] - timedelta(days=1))
    # A month is not asked for far ahead, where no market has prices.
    wanted = [day for day in days if period != MONTH or day <= today + timedelta(days=1)]
    wanted = [*(day for day in before if day >= form.first and period != DAY), *wanted]
    asks = request.method == "GET" and not is_too_often("ask_rates", request.user.pk)
    answered = (ask_for if asks else under_way)(tariff, wanted, now) if tariff else ""
    stored = list(RateDay.objects.filter(tariff=tariff, day__in=[*before, *days]).order_by("day"))
    known = [day for day in stored if day.day >= days[0]]
    lacks = not answered and set(wanted) - {day.day for day in stored}
    if request.method == "GET" and not asks and lacks:
        return respond_429(request)
    view = history_of(tariff, known, days, stored[: len(stored) - len(known)], now) if tariff else None
    moments = list(view["changes"]) if view else []
    if answered or (tariff and tariff.state == Tariff.State.PENDING):
        moments.append(now + MINUTE)  # the page says to look again in a minute
    context |= {
        "view": view,
        "answered": answered,
        "until": first_of(moments, now, zone),
        "days": days,
        "before": max(before[0], form.first),
        "after": min(days[-1] + timedelta(days=1), form.last),
    }
    return render(request, "tariffs/other_days.html", context)


def days_of(period: str, day: date) -> list[date]:
    """The days of the week or month around a day, or that day."""
    first, length = day, 1
    if period == WEEK:
        first, length = day - timedelta(days=day.weekday()), 7
    elif period == MONTH:
        first, length = day.replace(day=1), monthrange(day.year, day.month)[1]
    return [first + timedelta(days=n) for n in range(length)]


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
