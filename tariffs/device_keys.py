"""Keys with which a customer's devices read the prices of one location."""

import hashlib
import secrets
from typing import Any, Self

from django.db import models
from django.utils import timezone


class DeviceKey(models.Model):
    """A key of a location, for one device. Only its digest is stored, so that nobody can read a key from the database.

    Two may have one name: if the button is pressed twice, each answer shows a key that works.
    """

    MOST = 10  # of a location

    location = models.ForeignKey("tariffs.Location", models.CASCADE, related_name="device_keys")
    name = models.CharField(max_length=40)
    key_digest = models.CharField(max_length=64, unique=True)
    made_at = models.DateTimeField(default=timezone.now)
    used_on = models.DateField(null=True)  # the last day, of UTC

    def __str__(self) -> str:
        return self.name

    @classmethod
    def make(cls, location: Any, name: str) -> tuple[Self, str]:
        """Store a new key; return its row, and the key itself, which nobody can tell later."""
        key = secrets.token_urlsafe(32)
        return cls.objects.create(location=location, name=name, key_digest=digest_of(key)), key

    @classmethod
    def used(cls, key: str) -> Self | None:
        """The row of a key that was sent, or None if there is none. Its last day of use is written once a day."""
        rows = cls.objects.filter(key_digest=digest_of(key), location__customer__user__is_active=True)
        row, today = rows.first(), timezone.now().date()
        if row and row.used_on != today:
            cls.objects.filter(pk=row.pk).update(used_on=today)
        return row


def digest_of(key: str) -> str:
    """SHA-256. A slow digest is not needed, since nobody can guess 256 random bits."""
    return hashlib.sha256(key.encode()).hexdigest()
