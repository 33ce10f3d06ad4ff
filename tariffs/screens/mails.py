"""The page "Tell me by e-mail", and the one to which a mail's link leads that ends it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext, gettext_lazy as _
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from flatpeak_app.web.limits import limited

from .. import money
from ..fields import RateField, UnitInput
from ..models import Location, Tariff, Wish
from ..wanted import holds_until, named_by

LIMITS = (Wish.Kind.BELOW, Wish.Kind.ABOVE)


class WishesForm(forms.Form):
    """Which mails about a tariff the customer wants."""

    tomorrow = forms.BooleanField(label=_("When tomorrow’s prices are known"), required=False)

    def __init__(self, tariff: Tariff, now: datetime, data: Any = None) -> None:
        self.tariff = tariff
        self.wishes: Mapping[str, Wish] = {wish.kind: wish for wish in tariff.wishes.all()}
        initial: dict[str, Any] = {kind: wish.wanted for kind, wish in self.wishes.items()}
        initial |= {f"{kind}_limit": wish.limit for kind, wish in self.wishes.items()}
        super().__init__(data, prefix=tariff.direction.lower(), initial=initial, label_suffix="")
        for kind, switch, label in (
            (Wish.Kind.BELOW, _("When the price falls below a limit"), _("Below")),
            (Wish.Kind.ABOVE, _("When the price rises above a limit"), _("Above")),
        ):
            self.fields[kind] = forms.BooleanField(label=switch, required=False)
            limit = RateField(
                currency=tariff.location.currency_code, signed=True, widget=UnitInput, label=label, required=False
            )
            limit.widget.attrs["data-bill"] = limit.widget.attrs["data-said"]  # a limit makes no bill
            self.fields[f"{kind}_limit"] = limit
        self.now = now

    def clean(self) -> None:
        for kind in LIMITS:
            name, limit = f"{kind}_limit", self.cleaned_data.get(f"{kind}_limit")
            if limit is not None:
                self.cleaned_data[name] = money.shown(limit, self.tariff.location.currency_code)
            elif self.cleaned_data[kind] and name not in self.errors:
                self.add_error(name, gettext("Enter a price."))

    def held(self) -> list[tuple[Wish, datetime]]:
        """The wanted limits that the price is beyond at this moment, and until when."""
        limits = [wish for wish in self.wishes.values() if wish.wanted and wish.kind in LIMITS]
        return [(wish, until) for wish in limits if (until := holds_until(wish, self.now))]

    def save(self) -> None:
        """Store what changed. The page says that a limit holds already, so there is no mail about that."""
        for kind in Wish.Kind:
            wanted, limit = self.cleaned_data[kind], self.cleaned_data.get(f"{kind}_limit")
            before = self.wishes.get(kind)
            if before and not wanted:
                Wish.end(before.pk)
            elif wanted and not (before and before.wanted and before.limit == limit):
                wish = Wish(tariff=self.tariff, kind=kind, limit=limit)
                told = {"limit": limit, "wanted": True, "since": self.now, "told_until": holds_until(wish, self.now)}
                due = {"due_at": self.now, "claimed_until": None, "attempts": 0, "last_result": ""}
                Wish.objects.update_or_create(tariff=self.tariff, kind=kind, defaults=told | due)


@require_http_methods(["GET", "HEAD", "POST"])
@limited("mails", "POST")
def wanted(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Ask the owner of a location which mails to send about its prices."""
    mine = Location.objects.here().filter(customer__user=request.user.pk)
    location = get_object_or_404(mine.prefetch_related("tariffs__wishes"), pk=pk)
    now, sent = timezone.now(), request.POST if request.method == "POST" else None
    tariffs = sorted(location.tariffs.all(), key=lambda tariff: tariff.direction, reverse=True)
    asked = [WishesForm(tariff, now, sent) for tariff in tariffs if tariff.is_read]
    if sent is not None and not any(form.errors for form in asked):
        with transaction.atomic():
            if not location.is_still_stored():
                raise Http404
            for form in asked:
                form.save()
        messages.success(request, gettext("We saved which mails you want."))
        return redirect("tariffs:mails", pk)
    context = {"location": location, "forms": asked, "zone": location.local_zone, "now": now}
    is_wrong = any(form.errors for form in asked)
    return render(request, "tariffs/mails.html", context, status=422 if is_wrong else 200)


@csrf_exempt  # a mail program has no form of ours; the signature is what allows it
@login_not_required
@require_http_methods(["GET", "HEAD", "POST"])
def stop(request: HttpRequest) -> HttpResponse:
    """End the mails of a link: a POST does, also by a mail program (RFC 8058), a GET asks. No sign-in is needed."""
    named = named_by(request.GET.get("of", ""))
    wish = Wish.objects.filter(pk=named, wanted=True).first() if named else None
    done = bool(wish and request.method == "POST" and Wish.end(wish.pk))
    context = {"wish": wish, "done": done, "forged": not named}
    return render(request, "tariffs/stop_mails.html", context, status=200 if named else 404)
