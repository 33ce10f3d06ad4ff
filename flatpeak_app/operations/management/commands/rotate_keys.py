from allauth.mfa.models import Authenticator
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from flatpeak_app.operations.words import counted
from flatpeak_app.web import vault


class Command(BaseCommand):
    help = "Encrypt all second factors with the first of TOKEN_KEYS, so that the other keys can be removed."

    def handle(self, **options: object) -> None:
        renewed = unread = 0
        for pk in list(Authenticator.objects.values_list("pk", flat=True)):
            with transaction.atomic():  # Lock the row: using a recovery code writes the same column.
                factor = Authenticator.objects.select_for_update().filter(pk=pk).first()
                for name in ("secret", "seed"):
                    if factor and name in factor.data:
                        secret = vault.decrypted(factor.data[name])
                        renewed, unread = renewed + bool(secret), unread + (not secret)
                        factor.data[name] = vault.encrypted(secret) if secret else factor.data[name]
                        factor.save(update_fields=["data"])
        self.stdout.write(f"We encrypted {counted(renewed, 'secret')} of second factors with the first key.")
        if unread:
            raise CommandError(f"We can't decrypt {counted(unread, 'secret')}. Add the missing key to TOKEN_KEYS.")
