"""What customers change in "When should I run it?": they save, add, reset and remove appliances."""

from typing import Any
from uuid import UUID

from django.contrib.auth import get_user_model
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext
from django.views.decorators.http import require_http_methods

from flatpeak_app.web.limits import limited

from ..appliances import USUAL, Appliance, appliances_of, usual
from ..models import Location
from .appliance_form import ApplianceForm


@require_http_methods(["GET", "HEAD", "POST"])
@limited("appliance", "POST")
def run(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Show the form of an appliance, or take it; then back to the rates of this location, whose owner alone may be here."""
    location = get_object_or_404(Location, pk=pk, customer__user=request.user.pk)
    asked = request.POST if request.method == "POST" else request.GET
    # One that was removed meanwhile is added again.
    appliance = appliances_of(request.user).get(asked.get("run", "")) or Appliance()
    form = ApplianceForm(appliance, request.POST if request.method == "POST" else None)
    kept: Appliance | None = None
    if asked.get("do") == "remove" and request.method == "POST":
        kept = forget(request.user, appliance)
    elif form.is_valid():
        kept = keep(request.user, appliance, form)
    if kept:
        return redirect(reverse("tariffs:rates", args=[pk], query={"run": kept.key}, fragment="run"))
    context = {"location": location, "appliance": appliance, "form": form}
    return render(request, "tariffs/run.html", context, status=400 if form.errors else 200)


def forget(user: Any, appliance: Appliance) -> Appliance:
    """Remove an appliance of the customer's own, or reset a usual one; return what is shown next."""
    Appliance.objects.filter(user=user, pk=appliance.pk).delete()
    return usual(appliance.kind if appliance.kind else next(iter(USUAL)))


def keep(user: Any, appliance: Appliance, form: ApplianceForm) -> Appliance | None:
    """Store what the form says; None, with an error in the form, if it is another one's name or one too many."""
    values, name = form.values(), form.cleaned_data.get("name", "")
    with transaction.atomic():
        # One at a time, and none for an account that is deleted meanwhile.
        if not get_user_model().objects.select_for_update().filter(pk=user.pk).exists():
            raise Http404
        hers = Appliance.objects.filter(user=user)
        if appliance.kind:
            return hers.update_or_create(user=user, kind=appliance.kind, name="", defaults=values)[0]
        others = hers.filter(kind="").exclude(pk=appliance.pk)
        if same := others.filter(name=name).first():
            if not appliance.pk and all(getattr(same, field) == value for field, value in values.items()):
                return same  # the button was pressed twice
            form.add_error("name", gettext("You already have “%(name)s”. Enter another name.") % {"name": name})
            return None
        if not appliance.pk and others.count() >= Appliance.MOST_OWN:
            said = gettext("You have added %(number)s appliances. Remove one of them first.")
            form.add_error(None, said % {"number": Appliance.MOST_OWN})
            return None
        return hers.update_or_create(user=user, pk=appliance.pk, defaults=values | {"name": name})[0]
