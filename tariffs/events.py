"""An event that FlatPeak sent: what is kept of it until a worker has handled it, and for some days after that."""

from datetime import timedelta

from django.db import models
from django.utils import timezone

from .queue import Queued

KEPT = timedelta(days=30)


class Event(Queued):
    """One event, stored once however often it is delivered; due until it is handled.

    Of its data only the ids are kept, so there is no address and no connect token in it. `session` is the conversation
    whose token it named.
    """

    event_id = models.CharField("FlatPeak's id", max_length=100)
    type = models.CharField(max_length=100)
    flatpeak_version = models.CharField(max_length=40, blank=True)  # of the release in which it is told
    location_id = models.CharField(max_length=100, blank=True)
    tariff_id = models.CharField(max_length=100, blank=True)
    session = models.UUIDField("Connect session", null=True, blank=True)
    told_at = models.DateTimeField()  # FlatPeak's time of the event; of its arrival if FlatPeak names none
    received_at = models.DateTimeField(default=timezone.now)
    handled_at = models.DateTimeField(null=True, blank=True)

    class Meta(Queued.Meta):
        constraints = [models.UniqueConstraint(fields=["event_id", "account", "live_mode"], name="event_once")]
        indexes = [
            *Queued.Meta.indexes,
            models.Index(fields=["location_id"], name="event_of_location"),
            models.Index(fields=["session"], name="event_of_session"),
            models.Index(fields=["received_at"], name="event_received"),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.event_id}"
