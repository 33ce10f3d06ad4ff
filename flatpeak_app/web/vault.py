"""How a connect token is kept: encrypted, and findable by a digest without being decrypted; second factors likewise.

The keys are `TOKEN_KEYS`, secrets of any form: the first encrypts, all decrypt. SECURITY.md says how to rotate them.
"""

import base64
import hmac
from functools import lru_cache

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings

KEY_MISSING = "token_key_missing"  # the code of what can't be done, as no key of TOKEN_KEYS reads the token


@lru_cache(4)
def _fernet(keys: tuple[str, ...]) -> MultiFernet:
    return MultiFernet([Fernet(base64.urlsafe_b64encode(_keyed(key, "encrypt"))) for key in keys])


def _keyed(key: str, text: str) -> bytes:
    return hmac.digest(key.encode(), text.encode(), "sha256")


def encrypted(token: str) -> str:
    return _fernet(tuple(settings.TOKEN_KEYS)).encrypt(token.encode()).decode()


def decrypted(text: str) -> str:
    """The token; "" where there is none, or none that the present keys can read."""
    try:
        return _fernet(tuple(settings.TOKEN_KEYS)).decrypt(text).decode() if text else ""
    except InvalidToken:
        return ""


def renewed(text: str) -> str:
    """The same, encrypted with the first key; "" if none of the present keys can read it."""
    secret = decrypted(text)
    return encrypted(secret) if secret else ""


def digests(token: str) -> list[str]:
    """What the token is found by, of each key, the present one first."""
    return [_keyed(key, f"digest {token}").hex() for key in settings.TOKEN_KEYS]
