"""Deletion: what goes here with a customer, a location or a user, and what FlatPeak is asked to delete until it has.

The receivers run in the transaction of the deletion, whoever deletes: a person, the admin or a queryset.
"""

from collections.abc import Callable
from importlib import import_module
from typing import Any

from django.conf import settings
from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.contrib.sessions.models import Session
from django.db import models
from django.db.models.signals import pre_delete
from django.dispatch import receiver
from django.utils import timezone

from flatpeak_app.web import vault

from . import flatpeak
from .models import Customer, Erasure, Event, Location, digest
from .queue import DAY

ASKED_PER_DELETION = 3  # calls to FlatPeak that a person who deletes waits for; the worker makes the rest


@receiver(pre_delete, sender=Location)
def erase_location_at_flatpeak(instance: Location, **signal: Any) -> None:
    if instance.is_still_stored():  # of two deletions at once, the first sees to it
        instance.connect_sessions.all().delete()
        Event.objects.filter(location_id=instance.location_id).delete()
        Erasure.owe(Erasure.Kind.LOCATION, instance.location_id, instance)


@receiver(pre_delete, sender=Customer)
def erase_customer_at_flatpeak(instance: Customer, **signal: Any) -> None:
    if instance.customer_id and instance.is_still_stored():
        Erasure.owe(Erasure.Kind.CUSTOMER, instance.customer_id, instance)


def forget_in_admins_log(instance: models.Model, **signal: Any) -> None:
    """The admin's log keeps that something was changed or deleted, and by whom, without its name and what was typed."""
    content_type = ContentType.objects.get_for_model(instance)
    about = LogEntry.objects.filter(content_type=content_type, object_id=str(instance.pk))
    about.update(object_repr=f"{content_type.model} {instance.pk}", change_message="")


OURS = ("account.EmailAddress", "tariffs.Customer", "tariffs.Location", "tariffs.Tariff", "connect_ui.ConnectSession")
for model in (settings.AUTH_USER_MODEL, *OURS):
    pre_delete.connect(forget_in_admins_log, sender=model, dispatch_uid=f"forget {model}")


@receiver(pre_delete, sender=settings.AUTH_USER_MODEL)
def end_their_sessions(instance: Any, **signal: Any) -> None:
    """Delete every browser session that is signed in as this user or names their address, like a pending password reset."""
    store = import_module(settings.SESSION_ENGINE).SessionStore
    for session in Session.objects.iterator():
        data = session.get_decoded()
        if data.get("_auth_user_id") == str(instance.pk) or instance.email.lower() in str(data).lower():
            store(session.session_key).delete()


def erase_location(location: Location) -> bool:
    """Delete a location with all that hangs on it; True if FlatPeak has deleted it too."""
    location.delete()
    return erase_at_once([location.location_id])


def erase_at_once(ids: list[str]) -> bool:
    """Ask FlatPeak to delete what was just deleted here, by its ids; True if FlatPeak has deleted all of it."""
    owed = Erasure.objects.filter(flatpeak_id__in=ids)  # one that is done has a digest in place of the id
    for erasure in owed.due(timezone.now())[:ASKED_PER_DELETION]:
        if not erase(erasure):  # a person does not wait for one timeout after another
            break
    return not owed.exists()


def erase(erasure: Erasure) -> bool | None:
    """Ask FlatPeak to delete it; whether that is done, None if another worker has the row."""
    now = timezone.now()
    if not erasure.claim():
        return None
    if erasure.encrypted_token and not vault.decrypted(erasure.encrypted_token):
        erasure.put_off(vault.KEY_MISSING, now)  # what the conversation made still exists at FlatPeak
        erasure.release()
        return False
    result = "accepted"
    try:
        with flatpeak.purpose(f"erasure {erasure.pk}"):
            ASK[erasure.kind](erasure)
    except flatpeak.FlatPeakError as error:
        erasure.refused(error, now)
        result = erasure.last_result
        # A token lasts a day: a conversation that was not complete by then has left nothing at FlatPeak.
        is_over = erasure.kind == Erasure.Kind.CONVERSATION and now - erasure.requested_at >= DAY
        # An earlier call whose answer was lost has done it, or its customer was deleted, or the token is of no use any more.
        if error.status != 404 and "connect_token" not in result and not (is_over and error.status == 422):
            erasure.release()
            return False
    erasure.flatpeak_id, erasure.encrypted_token, erasure.done_at = digest(erasure.flatpeak_id), "", timezone.now()
    erasure.succeeded(result=result)
    return erasure.release("flatpeak_id", "encrypted_token", "done_at") or None


def _learn(erasure: Erasure) -> None:
    """Exchange the token of a deleted conversation, and have what it made deleted, unless it is known here."""
    ids = flatpeak.exchange(vault.decrypted(erasure.encrypted_token), flatpeak.of(erasure.flatpeak_version))
    of = {"account": erasure.account, "live_mode": erasure.live_mode}
    if not Location.objects.filter(location_id=ids["location_id"], **of).exists():
        Erasure.owe(Erasure.Kind.LOCATION, ids["location_id"], erasure)
    if ids["customer_id"] and not Customer.objects.filter(customer_id=ids["customer_id"], **of).exists():
        Erasure.owe(Erasure.Kind.CUSTOMER, ids["customer_id"], erasure)


ASK: dict[str, Callable[[Erasure], None]] = {
    Erasure.Kind.LOCATION: lambda erasure: flatpeak.delete_location(erasure.flatpeak_id),
    Erasure.Kind.CUSTOMER: lambda erasure: flatpeak.delete_customer(erasure.flatpeak_id),
    Erasure.Kind.CONVERSATION: _learn,
}
