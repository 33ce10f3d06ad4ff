from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Prefetch, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.views.decorators.http import require_safe

from . import rates
from .forms import DateForm
from .models import Location, RateDay, Tariff
from .page import cheapest_form, history_of, stored, zone_of
from .refresh import ask_for, is_due, refresh
from .sections import days_around, sections

ASKED_PER_LIST = 3  # calls to FlatPeak that one view of "My locations" waits for at most


def with_tariffs() -> QuerySet[Location]:
    """Locations with their tariffs, in two queries."""
    tariffs = Prefetch("tariffs", Tariff.objects.order_by("-direction"))
    return Location.objects.prefetch_related(tariffs).order_by("created_at")


def with_days(now: datetime) -> QuerySet[Tariff]:
    """Tariffs with their locations and the stored rates of today and tomorrow, in two queries."""
    return Tariff.objects.select_related("location").prefetch_related(days_around(now))


def readable_location(request: HttpRequest, pk: UUID, found: QuerySet[Location]) -> Location:
    """One of the locations, for its owner and permitted staff; to anybody else a 404."""
    if not (request.user.is_staff and request.user.has_perm("tariffs.view_location")):
        found = found.filter(customer__user=request.user.pk)
    return get_object_or_404(found, pk=pk)


@require_safe
def locations(request: HttpRequest) -> HttpResponse:
    """Each location has a tariff: both are stored at once, and deleted so."""
    now = timezone.now()
    mine = with_days(now).filter(location__customer__user=request.user.pk)
    tariffs = sorted(mine, key=_place)
    due = [tariff for tariff in tariffs if is_due(tariff, now)]
    if request.method == "GET" and sum(refresh(tariff, now) for tariff in due[:ASKED_PER_LIST]):
        tariffs = sorted(mine.all(), key=_place)
    for tariff in tariffs:
        tariff.now = rates.current(stored(tariff), now)  # type: ignore[attr-defined]
    return render(request, "tariffs/locations.html", {"tariffs": tariffs})


def _place(tariff: Tariff) -> tuple[datetime, UUID, bool]:
    """By location, the oldest first, and what is bought before what is sold. Of a few rows, dearer in SQL than here."""
    return tariff.location.created_at, tariff.location_id, tariff.direction == "EXPORT"


@require_safe
def location_rates(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Today's and tomorrow's rates of each tariff of a location."""
    now = timezone.now()
    location = readable_location(request, pk, with_tariffs().select_related("customer"))
    # Who asks for what can't be is told so, and FlatPeak is left alone.
    tariffs = list(location.tariffs.all())
    forms = [cheapest_form(tariff, request.GET, now, zone_of(location)) for tariff in tariffs]
    if request.method == "GET" and not any(form.errors for form in forms):
        for tariff in tariffs:
            refresh(tariff, now)
    shown = sections(location, now, request.GET)
    looks_again = min((seconds for _, section in shown if (seconds := section.look_again)), default=None)
    context = {
        "location": location,
        "sections": shown,
        "look_again": looks_again,
        "mine": location.is_here and location.customer.user_id == request.user.pk,
        "missing": next((d for d in ("IMPORT", "EXPORT") if d not in {tariff.direction for tariff in tariffs}), ""),
    }
    wrong = any(section.is_wrong for _, section in shown)
    return render(request, "tariffs/rates.html", context, status=400 if wrong else 200)


@require_safe
def other_days(request: HttpRequest, pk: UUID, length: int) -> HttpResponse:
    """The rates of a day, or of the week around it, as far as FlatPeak has them."""
    now = timezone.now()
    location = readable_location(request, pk, with_tariffs())
    zone = zone_of(location)
    today = now.astimezone(zone).date()
    form = DateForm(today, request.GET if "date" in request.GET else {"date": str(today)})
    context = {"location": location, "form": form, "length": length, "now": now, "zone": zone}
    if not form.is_valid():
        return render(request, "tariffs/other_days.html", context, status=400)
    first = form.cleaned_data["date"]
    first -= timedelta(days=first.weekday() if length == 7 else 0)
    days = [first + timedelta(days=n) for n in range(length)]
    tariffs = list(location.tariffs.all())
    answered = [ask_for(tariff, days, now) for tariff in tariffs] if request.method == "GET" else []
    stored_days = RateDay.objects.filter(tariff__in=tariffs, day__in=days).order_by("day")
    views = [
        history_of(tariff, [d for d in stored_days if d.tariff_id == tariff.pk], days, location, now)
        for tariff in tariffs
    ]
    context |= {
        "tariffs": views,
        "failed": not all(answered),
        "days": days,
        "before": max(first - timedelta(days=length), form.first),
        "after": min(first + timedelta(days=length), form.last),
    }
    return render(request, "tariffs/other_days.html", context)
