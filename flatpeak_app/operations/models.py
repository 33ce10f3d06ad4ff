"""What is counted of conversations, and kept."""

from django.db import models

from tariffs.realm import FlatPeakObject


class FunnelCount(FlatPeakObject):
    """How many conversations, of those begun on a day, came to a route, and how many ended there unconnected.

    Also, in rows with a `code`, how many FlatPeak refused or stopped there with that; and, in rows without a route, how
    many began, which is more than came to a first page where FlatPeak did not answer. Kept for ever: nothing in it leads
    to a person. `funnel` says when a conversation is counted. Rows are added and never changed, and are summed when they
    are read: the same key may have several, and nobody waits for a counter, or deadlocks over one.
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
