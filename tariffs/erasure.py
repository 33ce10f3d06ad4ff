"""What was deleted here is deleted at FlatPeak too: asked for at once, and again until FlatPeak has done it."""

from collections.abc import Callable, Iterable
from datetime import timedelta

from django.utils import timezone

from flatpeak_app.web import vault

from . import flatpeak
from .models import Customer, Erasure, Location

ASKED_PER_DELETION = 3  # calls to FlatPeak that one press of a button waits for at most; `erase_pending` makes the rest
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


def erase_location(location: Location) -> bool:
    """Delete a location with all that hangs on it; True if FlatPeak has deleted it too."""
    location.delete()
    return ask_for([location.location_id])


def ask_for(ids: list[str]) -> bool:
    """Ask FlatPeak for what was just deleted here, by its ids; True if FlatPeak has deleted all of it."""
    owed = Erasure.objects.filter(flatpeak_id__in=ids)  # one that is done has a digest in the place of the id
    for erasure in Erasure.due().filter(flatpeak_id__in=ids)[:ASKED_PER_DELETION]:
        if not finish([erasure])[0]:  # a press of a button does not wait for one timeout after another
            break
    return not owed.exists()


def finish(owed: Iterable[Erasure]) -> tuple[int, int]:
    """Ask FlatPeak for these; how many are done now, and how many are still owed."""
    done = left = 0
    for erasure in owed:
        if erasure.claim(pause_after(erasure.attempts)):
            _ask(erasure)
        done, left = done + bool(erasure.done_at), left + (not erasure.done_at)
    return done, left


def pause_after(attempts: int) -> timedelta:
    """A minute, twice as long after every attempt, a day at most."""
    return min(MINUTE * 2 ** min(attempts, 11), DAY)


def _learn(erasure: Erasure) -> None:
    """Exchange the token of a conversation that was deleted: what it made, and is not known here, is to be deleted."""
    ids = flatpeak.exchange(vault.decrypted(erasure.encrypted_token))
    of = {"account": erasure.account, "live_mode": erasure.live_mode}
    if not Location.objects.filter(location_id=ids["location_id"], **of).exists():
        Erasure.objects.create(kind=Erasure.Kind.LOCATION, flatpeak_id=ids["location_id"], **of)
    if ids["customer_id"] and not Customer.objects.filter(customer_id=ids["customer_id"], **of).exists():
        Erasure.objects.create(kind=Erasure.Kind.CUSTOMER, flatpeak_id=ids["customer_id"], **of)


ASK: dict[str, Callable[[Erasure], None]] = {
    Erasure.Kind.LOCATION: lambda erasure: flatpeak.delete_location(erasure.flatpeak_id),
    Erasure.Kind.CUSTOMER: lambda erasure: flatpeak.delete_customer(erasure.flatpeak_id),
    Erasure.Kind.CONVERSATION: _learn,
}


def _ask(erasure: Erasure) -> None:
    if erasure.encrypted_token and not vault.decrypted(erasure.encrypted_token):
        erasure.answered(vault.KEY_MISSING, done=False)  # what the conversation made still exists at FlatPeak
        return
    try:
        with flatpeak.purpose(f"erasure {erasure.pk}"):
            ASK[erasure.kind](erasure)
    except flatpeak.Unavailable:
        erasure.answered("unavailable", done=False)
    except flatpeak.Rejected as error:
        # By an earlier call whose answer was lost, or with its customer; or a token that tells nothing any more.
        gone = error.status == 404 or "connect_token" in error.code
        if error.retry_after:
            erasure.try_after = max(erasure.try_after, timezone.now() + timedelta(seconds=error.retry_after))
        erasure.answered(error.code or str(error.status), done=gone)
    else:
        erasure.answered("accepted", done=True)
