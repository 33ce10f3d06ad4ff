"""The signatures of events: RSA-PSS with SHA-256 over "<timestamp>.<body>", and the set of public keys.

Without the package cryptography, which only this module uses, events are sent unsigned.
"""

import base64
import secrets
import threading
from datetime import datetime
from importlib.util import find_spec
from typing import Any, NamedTuple

from .codec import Json

UNSIGNED = {"Flatpeak-Signature": "none", "Flatpeak-Signature-Scheme": "none"}


class Key(NamedTuple):
    id: str
    private: Any  # an RSAPrivateKey


class Keys:
    """The key that signs and those that signed before, made when they are needed: making one may take a second."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.listed: list[Key] = []
        self.unlisted: Key | None = None

    def rotate(self) -> None:
        """Sign with a new key from now on. The set keeps the old ones."""
        with self.lock:
            if can_sign():
                self.listed.append(self.unlisted or _new())
                self.unlisted = None

    def _all(self) -> list[Key]:
        """The listed keys, of which there is one at least if it can sign."""
        with self.lock:
            if not self.listed and can_sign():
                self.listed.append(_new())
            return [*self.listed]

    def headers(self, body: bytes, now: datetime, reading: str) -> dict[str, str]:
        """The headers of a signature, by the switch event_signature."""
        if reading == "none" or not can_sign():
            return UNSIGNED
        if reading == "unlisted_key":
            with self.lock:
                key = self.unlisted = self.unlisted or _new()
        else:
            key = self._all()[-1]
        timestamp = str(int(now.timestamp()))
        return {
            "Flatpeak-Signature": f"v1={_sign(key, f'{timestamp}.'.encode() + body)}",
            "Flatpeak-Signature-Scheme": "v1",
            "Flatpeak-Timestamp": timestamp,
            "Flatpeak-Key-ID": key.id,
        }

    def public(self) -> Json:
        """The set of public keys: {"keys": [{"kty", "use", "alg", "kid", "n", "e"}]}."""
        found = []
        for key in self._all():
            numbers = key.private.public_key().public_numbers()
            jwk = {"kty": "RSA", "use": "sig", "alg": "PS256", "kid": key.id}
            found.append(jwk | {name: _number(getattr(numbers, name)) for name in ("n", "e")})
        return {"keys": found}


def can_sign() -> bool:
    return find_spec("cryptography") is not None


def _new() -> Key:
    from cryptography.hazmat.primitives.asymmetric import rsa

    return Key(f"wsk_test_{secrets.token_hex(8)}", rsa.generate_private_key(65537, 2048))


def _sign(key: Key, message: bytes) -> str:
    from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS
    from cryptography.hazmat.primitives.hashes import SHA256

    return _text(key.private.sign(message, PSS(MGF1(SHA256()), 32), SHA256()))


def _number(value: int) -> str:
    return _text(value.to_bytes((value.bit_length() + 7) // 8, "big"))


def _text(value: bytes) -> str:
    """base64url without padding."""
    return base64.urlsafe_b64encode(value).decode().rstrip("=")
