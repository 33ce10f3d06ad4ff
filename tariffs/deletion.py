"""What goes with a customer, a location or a user that is deleted, whoever deletes: a person, the admin or a queryset.

Each runs within the transaction of the deletion, so there is never one without the other.
"""

from importlib import import_module
from typing import Any

from django.conf import settings
from django.contrib.sessions.models import Session
from django.db import models
from django.db.models.signals import pre_delete
from django.dispatch import receiver

from .models import Customer, Erasure, Location


@receiver(pre_delete, sender=Location)
def erase_location_at_flatpeak(instance: Location, **signal: Any) -> None:
    if instance.is_still_stored():  # of two deletions at once, the first sees to it
        instance.connect_sessions.all().delete()
        Erasure.owe(Erasure.Kind.LOCATION, instance.location_id, instance)


@receiver(pre_delete, sender=Customer)
def erase_customer_at_flatpeak(instance: Customer, **signal: Any) -> None:
    if instance.customer_id and instance.is_still_stored():
        Erasure.owe(Erasure.Kind.CUSTOMER, instance.customer_id, instance)


def forget_in_admins_log(instance: models.Model, **signal: Any) -> None:
    """The admin's log keeps that something was changed or deleted, and by whom, without its name and what was typed."""
    from django.contrib.admin.models import LogEntry
    from django.contrib.contenttypes.models import ContentType

    content_type = ContentType.objects.get_for_model(instance)
    about = LogEntry.objects.filter(content_type=content_type, object_id=str(instance.pk))
    about.update(object_repr=f"{content_type.model} {instance.pk}", change_message="")


for model in (
    settings.AUTH_USER_MODEL,
    "account.EmailAddress",
    "tariffs.Customer",
    "tariffs.Location",
    "tariffs.Tariff",
    "connect_ui.ConnectSession",
):
    pre_delete.connect(forget_in_admins_log, sender=model, dispatch_uid=f"forget {model}")


@receiver(pre_delete, sender=settings.AUTH_USER_MODEL)
def end_their_sessions(instance: Any, **signal: Any) -> None:
    """Delete every browser session that is signed in as this user or names their address, like a pending password reset."""
    store = import_module(settings.SESSION_ENGINE).SessionStore
    for session in Session.objects.iterator():
        data = session.get_decoded()
        if data.get("_auth_user_id") == str(instance.pk) or instance.email.lower() in str(data).lower():
            store(session.session_key).delete()
