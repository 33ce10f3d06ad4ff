"""A page of the admin: everything about one customer."""

from collections.abc import Callable
from typing import Any, NamedTuple

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from connect_ui.models import ConnectSession
from connect_ui.routes import in_words
from flatpeak_app.accounts.about import about
from flatpeak_app.accounts.models import User
from tariffs.models import DeviceKey, Event, Location, Mail, Tariff, Wait, Wish, WrongPrice

from .funnel_page import may_view, must_view
from .needs import OF_CUSTOMER, change

NEWEST = 10  # rows of each section


class Section(NamedTuple):
    """A table of the newest rows; the first cell of a row leads to `link`, and `more` to the list of all."""

    title: str
    columns: tuple[str, ...]
    rows: list[tuple[str, tuple[Any, ...]]]  # link, cells
    more: str = ""


def changelist(model: type[Model], **lookups: Any) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist", query=lookups)


def locations(user: User) -> Section:
    tariffs = Tariff.objects.filter(location__customer__user=user).select_related("location")
    newest = tariffs.order_by("-location__created_at", "location", "-direction")[:NEWEST]
    columns = ("Tariff", "Location", "Direction", "State", "Since", "Rates", "Since", "Last answer")
    rows: list[tuple[str, tuple[Any, ...]]] = []
    for each in newest:
        state = (each.get_state_display(), each.state_since, each.get_rates_display(), each.rates_since)
        rows.append((change(each), (each, each.location, each.get_direction_display(), *state, each.last_result)))
    return Section("Locations and tariffs", columns, rows, changelist(Tariff, location__customer__user__exact=user.pk))


def conversations(user: User) -> Section:
    newest = ConnectSession.objects.filter(user=user).order_by("-started_at")[:NEWEST]
    columns = ("Begun", "State", "Last page", "Provider", "Direction", "Last error", "Ended")
    rows: list[tuple[str, tuple[Any, ...]]] = []
    for each in newest:
        where = (in_words(each.last_route), each.provider, each.get_direction_display(), each.last_error_code)
        rows.append((change(each), (each.started_at, each.get_state_display(), *where, each.ended_at)))
    return Section("Conversations", columns, rows, changelist(ConnectSession, user__exact=user.pk))


def events(user: User) -> Section:
    newest = Event.objects.filter(about(user)).order_by("-received_at")[:NEWEST]
    rows = [(change(each), (each.type, each.received_at, each.handled_at, each.last_result)) for each in newest]
    return Section("Events", ("Type", "Received", "Handled", "Last answer"), rows)


def mails(user: User) -> Section:
    newest = Mail.objects.filter(user=user).order_by("-sent_at")[:NEWEST]
    rows = [("", (each, each.sent_at, "sent" if each.taken else "not taken by the mail server")) for each in newest]
    return Section("Mails of the last 30 days", ("Mail", "At", "Outcome"), rows)


def waits(user: User) -> Section:
    due = (
        Wait.objects.filter(tariff__location__customer__user=user).select_related("tariff").order_by("-since")[:NEWEST]
    )
    rows = [(change(each.tariff), (each.tariff, each.since, each.told_late_at, each.last_result)) for each in due]
    return Section("Mails to come when rates arrive", ("Tariff", "Waits since", "Mail that it is late", "Result"), rows)


def wishes(user: User) -> Section:
    wanted = Wish.objects.filter(tariff__location__customer__user=user, wanted=True).select_related("tariff")
    rows = [
        (change(each.tariff), (each.tariff, each, each.limit, each.since, each.told_day))
        for each in wanted.order_by("-since")[:NEWEST]
    ]
    return Section("Mails they want", ("Tariff", "About", "Limit", "Since", "Last mail"), rows)


def devices(user: User) -> Section:
    keys = DeviceKey.objects.filter(location__customer__user=user).select_related("location").order_by("-made_at")
    rows = [(change(each.location), (each.location, each, each.made_at, each.used_on)) for each in keys[:NEWEST]]
    return Section("Keys of devices", ("Location", "Device", "Made", "Last used"), rows)


def wrong_prices(user: User) -> Section:
    told = WrongPrice.objects.filter(tariff__location__customer__user=user).order_by("-reported_at")[:NEWEST]
    rows = [
        (change(each), (each.reported_at, each.named, each.starts_at, each.said, each.dealt_with_at)) for each in told
    ]
    more = changelist(WrongPrice, tariff__location__customer__user__exact=user.pk)
    return Section("Prices said to be wrong", ("Reported", "Tariff", "Price from", "Said", "Dealt with"), rows, more)


SECTIONS: dict[Callable[[User], Section], tuple[type[Model], ...]] = {
    locations: (Tariff, Location),
    conversations: (ConnectSession,),
    wrong_prices: (WrongPrice,),
    events: (Event,),
    mails: (User,),
    waits: (Tariff,),
    wishes: (Tariff,),
    devices: (Location,),
}  # with what must be viewed for them


@require_safe
def customer(request: HttpRequest, number: int) -> HttpResponse:
    """What these staff may see of a customer, the newest first, and what to do; one query or two for each section."""
    must_view(request, User)
    user = get_object_or_404(User, pk=number)
    now = timezone.now()
    matters = [kind(now, user) for kind, model in OF_CUSTOMER.items() if may_view(request, model)]
    context = admin.site.each_context(request) | {
        "title": user.email,
        "opts": User._meta,
        "customer": user,
        "account": change(user),
        "matters": [matter for matter in matters if matter.number],
        "sections": [
            section(user) for section, models in SECTIONS.items() if all(may_view(request, m) for m in models)
        ],
        "newest": NEWEST,
    }
    return TemplateResponse(request, "admin/connect_ui/customer.html", context)
