"""Which FlatPeak account and mode a row belongs to: ids of another one mean nothing."""

import uuid
from typing import Any, Self

from django.conf import settings
from django.db import models


class RealmQuerySet(models.QuerySet[Any]):
    def here(self, **also: Any) -> Self:
        """The rows of the FlatPeak account and mode in use, of which `also` holds."""
        # SQLite writes a plain boolean filter as "NOT live_mode", which uses no index; a list avoids that.
        return self.filter(account=settings.FLATPEAK_REALM, live_mode__in=[settings.FLATPEAK_LIVE_MODE], **also)


class FlatPeakObject(models.Model):
    """Something that exists at FlatPeak too, in one account and one mode."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    account = models.CharField("FlatPeak account", max_length=100, default="", editable=False)
    live_mode = models.BooleanField(default=False, editable=False)

    objects = RealmQuerySet.as_manager()

    class Meta:
        abstract = True

    def save(self, **options: Any) -> None:
        if self._state.adding and not self.account:
            self.account, self.live_mode = settings.FLATPEAK_REALM, settings.FLATPEAK_LIVE_MODE
        super().save(**options)

    @property
    def is_here(self) -> bool:
        return (self.account, self.live_mode) == (settings.FLATPEAK_REALM, settings.FLATPEAK_LIVE_MODE)

    def is_still_stored(self) -> bool:
        """Lock the row until the transaction ends; False if somebody has deleted it meanwhile."""
        return type(self).objects.select_for_update().filter(pk=self.pk).exists()


class FlatPeakAccount(FlatPeakObject):
    """The account itself: the release that its answers told last."""

    flatpeak_version = models.CharField("release", max_length=64)
    told_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["account", "live_mode"], name="flatpeak_account_once")]

    def __str__(self) -> str:
        return f"{self.account}, {self.flatpeak_version}"
