"""Which mails were sent to whom, so that the operator can say; never their texts."""

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import models
from django.utils import timezone

KEPT = timedelta(days=30)


class Mail(models.Model):
    """A mail to a customer that the mail server has taken, or not; `name` is that of its template."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="mails")
    name = models.CharField(max_length=100)
    sent_at = models.DateTimeField(default=timezone.now)
    taken = models.BooleanField()

    class Meta:
        indexes = [
            models.Index(fields=["user", "-sent_at"], name="mail_of_user"),
            models.Index(fields=["sent_at"], name="mail_sent"),
        ]

    def __str__(self) -> str:
        return self.name.rpartition("/")[2].replace("_", " ")

    @classmethod
    def note(cls, user: Any, name: str, taken: bool) -> None:
        cls.objects.create(user_id=user.pk, name=name[:100], taken=taken)
