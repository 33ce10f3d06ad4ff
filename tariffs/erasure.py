"""What was deleted here is deleted at FlatPeak too: asked for at once, and again until FlatPeak has done it."""

from collections.abc import Callable, Iterable
from datetime import timedelta

from allauth.usersessions.adapter import get_adapter
from allauth.usersessions.models import UserSession
from django.db import transaction
from django.utils import timezone

from connect_ui import vault
from connect_ui.models import ConnectSession
from flatpeak_app.models import User

from . import flatpeak
from .models import Customer, Erasure, Location

ASKED_PER_DELETION = 3  # calls to FlatPeak that one press of a button waits for at most; `erase_pending` makes the rest
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


def erase_location(location: Location) -> bool:
    """Delete a location with all that hangs on it; True if FlatPeak has deleted it too."""
    location.delete()
    return _ask_for([location.location_id])


def erase_account(user: User) -> bool:
    """Delete a user with everything of theirs; True if nothing of it is left at FlatPeak."""
    customers = Customer.objects.filter(user=user).exclude(customer_id="")
    ids = [
        *Location.objects.filter(customer__user=user).values_list("location_id", flat=True),
        *customers.values_list("customer_id", flat=True),
        *ConnectSession.objects.filter(user=user, state=ConnectSession.State.OWED).values_list(
            "token_digest", flat=True
        ),
    ]
    with transaction.atomic():
        get_adapter().end_sessions(UserSession.objects.filter(user=user))
        user.delete()
    return _ask_for(ids)


def _ask_for(ids: list[str]) -> bool:
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
    if not Customer.objects.filter(customer_id=ids["customer_id"], **of).exists():
        Erasure.objects.create(kind=Erasure.Kind.CUSTOMER, flatpeak_id=ids["customer_id"], **of)


ASK: dict[str, Callable[[Erasure], None]] = {
    Erasure.Kind.LOCATION: lambda erasure: flatpeak.delete_location(erasure.flatpeak_id),
    Erasure.Kind.CUSTOMER: lambda erasure: flatpeak.delete_customer(erasure.flatpeak_id),
    Erasure.Kind.CONVERSATION: _learn,
}


def _ask(erasure: Erasure) -> None:
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
