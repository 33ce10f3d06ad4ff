"""A customer says what is wrong with a price; the operator reads it in the admin."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext, gettext_lazy as _, pgettext
from django.views.decorators.http import require_http_methods

from flatpeak_app.web.limits import limited

from .. import rates
from ..models import Location, RateDay, Tariff, WrongPrice
from ..money import price
from ..rates.outlook import segments_of, without_carbon
from ..times import local
from .downloads import chosen
from .forms import DateForm


class SentenceField(forms.CharField):
    def to_python(self, value: Any) -> str:
        """In one line: a browser sends two characters for the end of a line, and counts one."""
        return " ".join((super().to_python(value) or "").split())


class WrongPriceForm(forms.Form):
    """Which of a day's prices is wrong, by its start, and what is wrong with it."""

    start = forms.ChoiceField(
        label=_("Which price?"), error_messages={"invalid_choice": _("Choose one of the prices.")}
    )
    said = SentenceField(
        label=_("What is wrong with it?"),
        help_text=_("For example, that your bill has another price."),
        max_length=WrongPrice._meta.get_field("said").max_length,
        widget=forms.Textarea({"rows": 3}),
        error_messages={"required": _("Tell us what is wrong with this price.")},
    )

    def __init__(self, prices: Mapping[str, str], start: str | None, data: Any = None) -> None:
        super().__init__(data, initial={"start": start}, label_suffix="")
        self.fields["start"].choices = list(prices.items())  # type: ignore[attr-defined]
        if len(prices) == 1:  # the page says which
            self.fields["start"].widget = forms.HiddenInput()


def in_words(segment: rates.Segment, location: Location) -> str:
    """00:00 to 16:00: 28.15p per kWh."""
    zone = location.local_zone
    cost = gettext("%(price)s per kWh") % {"price": price(segment.rate, location.currency_code)}
    if (segment.start, segment.end) == rates.day_span(segment.start.astimezone(zone).date(), zone):
        return gettext("All day: %(price)s") % {"price": cost}
    span = pgettext("times of a day", "%(start)s to %(end)s:")
    span %= {"start": local(segment.start, zone), "end": local(segment.end, zone)}
    return f"{span} {cost}"


@require_http_methods(["GET", "HEAD", "POST"])
@limited("wrong_price", "POST")
def wrong_price(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Ask which price of a day is wrong, and why; only its owner is asked, and only about a price that is stored."""
    now = timezone.now()
    mine = Location.objects.here().filter(customer__user=request.user.pk).prefetch_related("tariffs")
    location = get_object_or_404(mine, pk=pk)
    if not (tariff := chosen(list(location.tariffs.all()), request.GET.get("direction"))):
        raise Http404
    today = now.astimezone(location.local_zone).date()
    days = DateForm(today, request.GET if "date" in request.GET else {"date": str(today)})
    context: dict[str, Any] = {"location": location, "tariff": tariff, "days": days}
    if not days.is_valid():
        return render(request, "tariffs/wrong_price.html", context, status=400)
    day = days.cleaned_data["date"]
    stored = RateDay.objects.filter(tariff=tariff, day=day).first()
    known = without_carbon(
        rates.clip(segments_of([stored] if stored else []), *rates.day_span(day, location.local_zone))
    )
    prices = {segment.start.isoformat(): in_words(segment, location) for segment in known}
    asked_about = rates.current(known, now) or next(iter(known), None)
    sent = request.POST if request.method == "POST" else None
    form = WrongPriceForm(prices, asked_about and asked_about.start.isoformat(), sent)
    if stored and form.is_valid():
        segment = next(each for each in known if each.start.isoformat() == form.cleaned_data["start"])
        if note(tariff, stored, segment, form.cleaned_data["said"], now):
            messages.success(request, gettext("Thank you. We will look at this price."))
            of = {"direction": tariff.direction}
            there = reverse("tariffs:day", args=[pk], query=of | {"date": str(day)})
            return redirect(reverse("tariffs:rates", args=[pk], query=of) if day == today else there)
        form.add_error(None, _("You have told us about many prices. We look at those first."))
    told = WrongPrice.objects.filter(tariff=tariff, day=day, dealt_with_at=None).order_by("starts_at")
    context |= {"day": day, "form": form, "prices": list(prices.values()), "told": told}
    return render(request, "tariffs/wrong_price.html", context, status=422 if form.errors else 200)


def note(tariff: Tariff, stored: RateDay, segment: rates.Segment, said: str, now: datetime) -> bool:
    """Store what was said; False if the customer has said enough for now. A 404 if the location was deleted meanwhile."""
    with transaction.atomic():
        if not tariff.location.is_still_stored():
            raise Http404
        this: dict[str, Any] = {"tariff": tariff, "starts_at": segment.start, "dealt_with_at": None}
        open_ones = WrongPrice.objects.filter(
            tariff__location__customer=tariff.location.customer_id, dealt_with_at=None
        )
        if not open_ones.filter(**this).exists() and open_ones.count() >= WrongPrice.MOST_OPEN:
            return False
        shown = {"day": stored.day, "segment": rates.dump([segment])[0], "fetched_at": stored.fetched_at}
        told = {"named": stored.former or str(tariff), "said": said, "reported_at": now}
        WrongPrice.objects.update_or_create(**this, defaults=shown | told)
    return True
