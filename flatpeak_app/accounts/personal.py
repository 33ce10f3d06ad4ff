"""Download everything that is stored about a user, and delete it."""

from collections.abc import Iterator
from itertools import islice
from typing import Any, cast

import simplejson
from allauth.account.decorators import reauthentication_required
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.usersessions.adapter import get_adapter
from allauth.usersessions.models import UserSession
from django.contrib import messages
from django.contrib.auth import logout
from django.db import models, transaction
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from connect_ui.conversation.settle import exchange_owed
from connect_ui.models import UNSETTLED, ConnectSession, Page
from flatpeak_app.web.limits import limited
from tariffs.erasure import erase_at_once
from tariffs.models import (
    Appliance,
    Customer,
    DeviceKey,
    Event,
    Location,
    Mail,
    RateDay,
    Reminder,
    Tariff,
    Wait,
    Wish,
    WrongPrice,
)
from tariffs.screens.views import LATER

from .about import about
from .models import User
from .sessions import forget

# Columns with a secret (`data` is a second factor's), and `body`: the download has the user's answers, not the pages.
LEFT_OUT = {"password", "session_key", "data", "token_digest", "encrypted_token", "return_digest", "key_digest", "body"}
ROWS = 100  # per chunk of the download
EXCHANGED_PER_DELETION = 2  # at most, because the customer waits for them


def everything(user: User) -> dict[str, models.QuerySet[Any]]:
    """Return all rows about a user by kind; they refer to each other by id."""
    places = Location.objects.filter(customer__user=user)
    conversations = ConnectSession.objects.filter(user=user)
    return {
        "account": User.objects.filter(pk=user.pk),
        "email_addresses": EmailAddress.objects.filter(user=user),
        "second_factors": Authenticator.objects.filter(user=user),
        "sign_ins": UserSession.objects.filter(user=user),
        "mails": Mail.objects.filter(user=user).order_by("sent_at"),
        "customers": Customer.objects.filter(user=user),
        "locations": places.order_by("created_at"),
        "tariffs": Tariff.objects.filter(location__customer__user=user).order_by("location", "-direction"),
        "waits": Wait.objects.filter(tariff__location__customer__user=user),
        "wishes": Wish.objects.filter(tariff__location__customer__user=user).order_by("tariff", "since"),
        "reminders": Reminder.objects.filter(tariff__location__customer__user=user).order_by("made_at"),
        "device_keys": DeviceKey.objects.filter(location__customer__user=user).order_by("location", "made_at"),
        "rates": RateDay.objects.filter(tariff__location__customer__user=user).order_by("tariff", "day"),
        "appliances": Appliance.objects.filter(user=user).order_by("pk"),
        "wrong_prices": WrongPrice.objects.filter(tariff__location__customer__user=user).order_by("reported_at"),
        "conversations": conversations.order_by("started_at"),
        "pages": Page.objects.filter(session__user=user).order_by("session", "number").defer("body"),
        "events": Event.objects.filter(about(user)).order_by("received_at"),
    }


def as_json(tables: dict[str, models.QuerySet[Any]]) -> Iterator[str]:
    """Yield an object of lists row by row, with all columns but LEFT_OUT, so that a new column is not forgotten."""
    encode = simplejson.JSONEncoder(default=_text).encode
    before = "{"
    for name, rows in tables.items():
        yield f'{before}\n"{name}": ['
        before = ""
        for row in rows.iterator():
            fields = (field for field in row._meta.concrete_fields if field.name not in LEFT_OUT)
            yield f"{before}\n{encode({field.name: field.value_from_object(row) for field in fields})}"
            before = ","
        before = "],"
    yield "]\n}\n"


def _text(value: Any) -> str:
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


@require_safe
@never_cache
@reauthentication_required(app="accounts")
@limited("download", "GET", "HEAD")  # type: ignore[arg-type]  # StreamingHttpResponse is no HttpResponse
def download(request: HttpRequest) -> StreamingHttpResponse:
    """Send one JSON file with exact decimals, without a call to FlatPeak."""
    parts = as_json(everything(cast(User, request.user)))
    pieces = iter(lambda: "".join(islice(parts, ROWS)), "")
    headers = {"Content-Disposition": 'attachment; filename="flatpeak-connect-data.json"'}
    return StreamingHttpResponse(pieces, content_type="application/json; charset=utf-8", headers=headers)


@require_http_methods(["GET", "HEAD", "POST"])
@limited("delete", "POST")
@reauthentication_required
def delete_account(request: HttpRequest) -> HttpResponse:
    """Ask for confirmation, and delete the signed-in user, who has just given the password again."""
    if request.method != "POST":
        return render(request, "account/delete.html")
    user = cast(User, request.user)
    # Only the exchange says which location a finished conversation made; the worker makes the rest of them.
    owed = ConnectSession.objects.here().filter(UNSETTLED, user=user)
    for session in owed[:EXCHANGED_PER_DELETION]:
        exchange_owed(session)
    erased = erase_account(user)
    logout(request)
    deleted = gettext("We deleted your account.")
    messages.success(request, deleted if erased else f"{deleted} {LATER}")
    return forget(redirect("home"))


def erase_account(user: User) -> bool:
    """Delete a user with all rows of theirs; return True if FlatPeak has deleted its data too."""
    owed = ConnectSession.objects.filter(UNSETTLED, user=user)
    ids = [
        *Location.objects.filter(customer__user=user).values_list("location_id", flat=True),
        *Customer.objects.filter(user=user).exclude(customer_id="").values_list("customer_id", flat=True),
        *owed.values_list("token_digest", flat=True),
    ]
    with transaction.atomic():
        get_adapter().end_sessions(UserSession.objects.filter(user=user))
        user.delete()
    return erase_at_once(ids)
