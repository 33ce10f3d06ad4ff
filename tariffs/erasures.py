"""What was deleted here, and has to be deleted at FlatPeak."""

from typing import Any

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.crypto import salted_hmac

from .flatpeak import ZERO
from .queue import DAY, Queued
from .realm import FlatPeakObject


class Erasure(Queued):
    """A customer or location that was deleted here, and that FlatPeak has still to delete, or has deleted.

    It has no personal data and no reference to a user. Once FlatPeak has deleted the thing, a keyed digest replaces its id,
    so a late answer that names the id is still recognized.
    """

    class Kind(models.TextChoices):
        LOCATION = "location"
        CUSTOMER = "customer"
        CONVERSATION = "conversation"  # deleted while its exchange was owed, which alone tells what it made

    kind = models.CharField(max_length=20, choices=Kind.choices)
    flatpeak_id = models.CharField("FlatPeak's id, or its digest", max_length=100, db_index=True)
    encrypted_token = models.TextField(blank=True, editable=False)  # of a conversation, until it is exchanged
    # Of that token.
    flatpeak_version = models.CharField(
        "release", max_length=64, default=ZERO.version, db_default=ZERO.version, editable=False
    )
    requested_at = models.DateTimeField(default=timezone.now)
    done_at = models.DateTimeField(null=True, blank=True)

    longest_pause = DAY

    class Meta(Queued.Meta):
        verbose_name = "deletion"

    def __str__(self) -> str:
        return f"{self.kind} of {self.requested_at:%Y-%m-%d %H:%M} UTC"

    @classmethod
    def owe(cls, kind: str, flatpeak_id: str, of: FlatPeakObject, **more: Any) -> None:
        """Have FlatPeak delete this, in the account and mode of a row that is being deleted.

        `more` are the columns of a conversation's connect token, and `due_at` if that is not now.
        """
        where = {"account": of.account, "live_mode": of.live_mode}
        cls.objects.create(kind=kind, flatpeak_id=flatpeak_id, **more, **where)

    @classmethod
    def names(cls, *flatpeak_ids: str) -> bool:
        """Whether one of these was deleted here, whether or not FlatPeak has deleted it yet."""
        earlier = settings.SECRET_KEY_FALLBACKS  # the digest was made with the key of its time
        digests = [digest(each, key) for each in flatpeak_ids for key in (settings.SECRET_KEY, *earlier)]
        return cls.objects.here().filter(flatpeak_id__in=[*flatpeak_ids, *digests]).exists()


def digest(flatpeak_id: str, key: str | None = None) -> str:
    return salted_hmac("tariffs.erasure", flatpeak_id, secret=key, algorithm="sha256").hexdigest()
