"""Encrypt connect tokens and second factors, and make digests to find a connect token without decrypting it.

The keys are TOKEN_KEYS, strings of any form: the first encrypts, all decrypt. docs/operations.md says how to rotate them.
"""

import base64
import hmac
from functools import lru_cache

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings

KEY_MISSING = "token_key_missing"  # error code of a session whose token none of TOKEN_KEYS decrypts


@lru_cache(4)
def _fernet(keys: tuple[str, ...]) -> MultiFernet:
    return MultiFernet([Fernet(base64.urlsafe_b64encode(_keyed(key, "encrypt"))) for key in keys])


def _keyed(key: str, text: str) -> bytes:
    return hmac.digest(key.encode(), text.encode(), "sha256")


def encrypted(token: str) -> str:
    return _fernet(tuple(settings.TOKEN_KEYS)).encrypt(token.encode()).decode()


def decrypted(text: str) -> str:
    """Return the token, or "" for an empty text or one that no key decrypts."""
    try:
        return _fernet(tuple(settings.TOKEN_KEYS)).decrypt(text).decode() if text else ""
    except InvalidToken:
        return ""


def digests(token: str) -> list[str]:
    """Return the token's digest by each key, the first key's first."""
    return [_keyed(key, f"digest {token}").hex() for key in settings.TOKEN_KEYS]
