from datetime import timedelta

from django.db import models
from django.utils import timezone

from tariffs.realm import FlatPeakObject


class FunnelCount(FlatPeakObject):
    """How many of a day's conversations reached a route, and how many ended there without a connection.

    `answered` pages of the route were followed by another page, after `waited` in all.

    A row with a `code` counts the conversations that FlatPeak refused or stopped there with that error code. A row without
    a route counts all that began, also those that never saw a page because FlatPeak did not answer. Rows are kept for ever,
    since nothing in them leads to a person. They are inserted and never updated, so writers neither wait nor deadlock;
    a reader sums the rows of a key.
    """

    day = models.DateField()  # in UTC
    direction = models.CharField(max_length=10)
    country_code = models.CharField(max_length=2)
    listed_provider = models.CharField(max_length=300)
    route = models.CharField(max_length=64)
    code = models.CharField(max_length=64)
    reached = models.PositiveIntegerField()
    left = models.PositiveIntegerField()
    answered = models.PositiveIntegerField(default=0, db_default=0)
    waited = models.DurationField(default=timedelta(), db_default=timedelta())

    class Meta:
        indexes = [models.Index(fields=["account", "live_mode", "day"], name="funnel_days")]

    def __str__(self) -> str:
        return f"{self.day} {self.route} {self.code}"


class JobRun(models.Model):
    """When a job last ran to its end without an error, for an alert about one that does not run any more."""

    name = models.CharField(max_length=50, primary_key=True)
    succeeded_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.name} {self.succeeded_at:%Y-%m-%d %H:%M} UTC"

    @classmethod
    def succeeded(cls, name: str) -> None:
        cls.objects.update_or_create(name=name, defaults={"succeeded_at": timezone.now()})
