"""The page on which customers make and revoke the keys of their devices."""

from typing import Any
from uuid import UUID

from django import forms
from django.conf import settings
from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext, gettext_lazy as _
from django.views.decorators.http import require_http_methods

from flatpeak_app.web.limits import limited

from ..models import DeviceKey, Location


class DeviceForm(forms.Form):
    name = forms.CharField(
        label=_("Name of the device"),
        help_text=_("For example evcc or Home Assistant. It tells you later which key belongs to which device."),
        max_length=40,
        error_messages={"required": _("Enter a name.")},
    )

    def __init__(self, data: Any = None) -> None:
        super().__init__(data, label_suffix="")


@require_http_methods(["GET", "HEAD", "POST"])
@limited("devices", "POST")
def devices(request: HttpRequest, pk: UUID) -> HttpResponse:
    """The keys of a location, for its owner alone. A POST makes or revokes one; a new key is shown in its answer only."""
    mine = Location.objects.here().filter(customer__user=request.user.pk)
    location = get_object_or_404(mine, pk=pk)
    sent = request.POST if request.method == "POST" else None
    if sent is not None and "revoke" in sent:
        revoke(request, location, sent["revoke"])
        return redirect("tariffs:devices", pk)
    form, key, device = DeviceForm(sent), "", None
    if form.is_valid() and (made := make(form, location)):
        device, key = made
        form = DeviceForm()
    context = {
        "location": location,
        "form": form,
        "made": device,
        "key": key,
        "devices": location.device_keys.order_by("made_at"),
        "tariffs": sorted(location.tariffs.all(), key=lambda tariff: tariff.direction, reverse=True),
        "currency": location.currency_code or "EUR",
        "address": settings.SITE_URL + reverse("tariffs:rates", args=[pk]),
    }
    return render(request, "tariffs/devices.html", context, status=422 if form.errors else 200)


def make(form: DeviceForm, location: Location) -> tuple[DeviceKey, str] | None:
    """A new key; None, with an error in the form, if there are too many."""
    with transaction.atomic():
        # One at a time, and none for a location that is deleted meanwhile.
        if not Location.objects.select_for_update().filter(pk=location.pk).exists():
            raise Http404
        if location.device_keys.count() >= DeviceKey.MOST:
            said = gettext("You have made %(number)s keys. Revoke one of them first.")
            form.add_error(None, said % {"number": DeviceKey.MOST})
            return None
        return DeviceKey.make(location, form.cleaned_data["name"])


def revoke(request: HttpRequest, location: Location, number: str) -> None:
    row = location.device_keys.filter(pk=number).first() if number.isdecimal() and len(number) < 19 else None
    if row and row.delete()[0]:
        messages.success(
            request, gettext("We revoked the key of “%(name)s”. It opens nothing any more.") % {"name": row}
        )
    else:
        messages.info(request, gettext("This key was revoked already."))
