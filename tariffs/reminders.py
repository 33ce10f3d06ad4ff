"""Something that a customer has to do about a tariff, and a mail that says so."""

from django.db import models
from django.utils import timezone

from .queue import DAY, Queued


class Reminder(Queued):
    """One occasion on which a customer has something to do; due until its mail is sent.

    `about` tells this occasion of a kind from the next: the contract's last day, the day since which the tariff is not read,
    or the number of times that the customer had saved it.
    """

    class Kind(models.TextChoices):
        ENDS_IN_30 = "ends_in_30", "the contract ends in 30 days"
        ENDS_IN_7 = "ends_in_7", "the contract ends in 7 days"
        ENDED = "ended", "the contract has ended"
        UNREAD = "unread", "the tariff is no longer read"
        LOGIN = "login", "the provider has a sign-in for it"

    tariff = models.ForeignKey("tariffs.Tariff", models.CASCADE, related_name="reminders")
    kind = models.CharField(max_length=20, choices=Kind.choices)
    about = models.CharField(max_length=20)
    made_at = models.DateTimeField(default=timezone.now)
    sent_at = models.DateTimeField(null=True)

    longest_pause = DAY

    class Meta(Queued.Meta):
        constraints = [models.UniqueConstraint(fields=["tariff", "kind", "about"], name="reminder_once")]

    def __str__(self) -> str:
        return self.get_kind_display()
