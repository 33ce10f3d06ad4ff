"""The counts of the funnel."""

from django.db import models

from tariffs.realm import FlatPeakObject


class FunnelCount(FlatPeakObject):
    """How many conversations of a day reached a route, and how many ended there unconnected.

    Rows with a `code` count refusals and stops by FlatPeak with that code. Rows without a route count the conversations
    begun, which are more than those that reached a first page if FlatPeak did not answer. Nothing here leads to a person, so
    rows are kept for ever. Rows are only added, and summed when read: several may have the same key, so nobody waits for a
    lock.
    """

    day = models.DateField()  # of UTC
    direction = models.CharField(max_length=10)
    country_code = models.CharField(max_length=2)
    listed_provider = models.CharField(max_length=300)
    route = models.CharField(max_length=64)
    code = models.CharField(max_length=64)
    reached = models.PositiveIntegerField()
    left = models.PositiveIntegerField()

    class Meta:
        indexes = [models.Index(fields=["account", "live_mode", "day"], name="funnel_days")]

    def __str__(self) -> str:
        return f"{self.day} {self.route} {self.code}"
