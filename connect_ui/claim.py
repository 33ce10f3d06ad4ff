"""The claim on a conversation: one answer at a time is under way."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import models
from django.utils import timezone

from tariffs.flatpeak import FlatPeakError
from tariffs.queue import claim_end

from .states import Standing


class Claimable(Standing):
    """A conversation that is held for one answer; what changed meanwhile is written if the claim still holds."""

    # Connect may have taken the last answer: the reply to it was lost.
    doubtful = models.BooleanField(default=False, editable=False)
    updated_at = models.DateTimeField(auto_now=True)

    _read: dict[str, Any] = {}  # while claimed: the attributes as they are stored

    class Meta(Standing.Meta):
        abstract = True

    @property
    def is_busy(self) -> bool:
        """Whether an answer is under way."""
        return self.is_claimed(timezone.now())

    @contextmanager
    def claimed(self, held: bool = False) -> Iterator[bool]:
        """Hold the session for one answer; on leaving, write the columns that were changed and give the claim back.

        Yields False, and writes nothing, if another request has the session or has changed it since it was read. A session
        that is held is claimed only with `held`, by a caller that sends nothing with the present token. An exception that
        is no FlatPeakError leaves the claim to expire, so the next request knows that the answer's fate is doubtful.
        """
        if not self._read and not self.claim(held):
            yield False
            return
        try:
            yield True
        except FlatPeakError:
            self.release()
            raise
        self.release()

    def save_claimed(self) -> None:
        """Store a new session, held by who made it."""
        self.claimed_until = claim_end()
        self.save()
        self._read = dict(self.__dict__)

    def claim(self, held: bool = False) -> bool:  # type: ignore[override]
        before = self.claimed_until
        # `updated_at` tells whether a session was changed: whoever changes where it stands sets it, or its state.
        as_read = {name: getattr(self, name) for name in ("claimed_until", "state", "updated_at")}
        if self.is_busy or (self.is_held and not held) or not super().claim(**as_read):
            return False
        self._read = dict(self.__dict__)
        # Whoever held the claim before did not give it back, so it is not known what Connect made of that answer.
        self.doubtful = self.doubtful or before is not None
        return True

    def keep(self, **given: Any) -> bool:
        """Write the columns that were changed, and values that are given; False if the claim was lost.

        Then the session was deleted during a call, or the call took so long that another request has taken the claim over.
        """
        self.updated_at = timezone.now()
        names = [field.attname for field in self._meta.concrete_fields]
        changed = {name: value for name in names if (value := getattr(self, name)) != self._read[name]}
        self._read |= changed
        mine = type(self).objects.filter(pk=self.pk, claimed_until=self.claimed_until)
        return bool(mine.update(**changed | given))

    def release(self) -> bool:  # type: ignore[override]
        """Write the columns that were changed and give the claim back; False if it was lost, or given back before."""
        kept = bool(self._read) and self.keep(claimed_until=None)
        self.claimed_until, self._read = None, {}
        return kept

    def undo(self) -> None:
        """Take back the changes that `keep` has not written."""
        for field in self._meta.concrete_fields:
            setattr(self, field.attname, self._read[field.attname])
