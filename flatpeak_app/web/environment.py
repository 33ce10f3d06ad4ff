"""Settings from the environment, from `.env`, and from files: SECRET_KEY_FILE names a file that has SECRET_KEY."""

import re

import environ
from django.core.exceptions import ImproperlyConfigured
from environ.fileaware_mapping import FileAwareMapping


class Variables(FileAwareMapping):
    def __getitem__(self, name: str) -> str:
        """Return a variable, or its file's text without the line's end that editors and `echo` write."""
        try:
            return super().__getitem__(name).rstrip("\r\n")
        except (OSError, UnicodeError) as error:
            raise ImproperlyConfigured(
                f"{name}_FILE names a file that can't be read ({type(error).__name__}): correct its path, or let the "
                "app's user read it."
            ) from None


class Environment(environ.FileAwareEnv):
    ENVIRON = Variables()


def check_key(name: str, key: str, length: int, then: str = "") -> None:
    """Refuse a key that can be guessed, or that is not what was written: shells and compose change `$`, `#` and quotes."""
    if len(key) < length or len(set(key)) < 10 or key.startswith("django-insecure"):
        raise ImproperlyConfigured(
            f"{name} is not set or can be guessed: give it {length} or more random characters{then}."
        )
    check_whole(name, key)


def check_whole(name: str, key: str) -> None:
    """Refuse a key with other characters than those that nothing changes on the way from `.env` to here."""
    if not re.fullmatch(r"[\w.~+/=:-]*", key, re.ASCII):
        raise ImproperlyConfigured(
            f"{name} has a space, a quote, $, # or another special character, so it may have been changed on its way here: "
            "use letters, digits and . _ ~ + / = : - alone."
        )
