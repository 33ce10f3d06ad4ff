"""Deleting at FlatPeak what was deleted here: asked for at once, and again until FlatPeak has done it."""

from collections.abc import Callable

from django.utils import timezone

from flatpeak_app.web import vault

from . import flatpeak
from .models import Customer, Erasure, Location, digest

ASKED_PER_DELETION = 3  # calls to FlatPeak that a person who deletes waits for; the worker makes the rest


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
        # An earlier call whose answer was lost has done it, or its customer was deleted, or the token is of no use any more.
        if error.status != 404 and "connect_token" not in result:
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
