"""Seals secrets for the database with AES-256-GCM. It keeps no secret and reads no key file."""

from __future__ import annotations

import hashlib
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES = 32
_ID = 8
_NONCE = 12


class SecretKeyWrong(Exception):
    """The secret key is not the one that this database was written with, or a sealed value was changed."""


WRONG_KEY = (
    "The secret key is not the one that this database was written with. Start Postroom with the earlier "
    "POSTROOM_SECRET_KEY, or put the earlier key file back. If that key is lost, `postroom db key-lost` says which "
    "mailboxes must sign in again and lets Postroom start with the new key."
)
CHANGED = (
    "A secret in the database was changed or moved by something other than Postroom. "
    "Give this mailbox its password again, or make the webhook anew, and find out who can write to the database."
)


class Vault:
    """Seals with one key, and opens what that key or an earlier one has sealed. What is sealed names its key and is
    bound to `owner` (a mailbox's or webhook's identifier), so that rows cannot be swapped."""

    def __init__(self, key: bytes, *earlier: bytes) -> None:
        self._ciphers = {_id_of(one): AESGCM(one) for one in (*earlier, key)}
        self._id = _id_of(key)

    def __repr__(self) -> str:
        return f"<Vault of key {self.fingerprint}>"

    @property
    def key_id(self) -> bytes:
        """What everything that is sealed now begins with."""
        return self._id

    @property
    def fingerprint(self) -> str:
        """Tells keys apart without telling them: that of the key that seals."""
        return self._id.hex()

    @property
    def fingerprints(self) -> frozenset[str]:
        """Of all keys that open."""
        return frozenset(one.hex() for one in self._ciphers)

    def seal(self, secret: str, owner: str) -> bytes:
        """The key's identifier, a fresh nonce (NIST SP 800-38D 8.2.2), the ciphertext with its tag."""
        nonce = os.urandom(_NONCE)
        return self._id + nonce + self._ciphers[self._id].encrypt(nonce, secret.encode(), owner.encode())

    def open(self, sealed: bytes, owner: str) -> str:
        """Raises SecretKeyWrong."""
        cipher = self._ciphers.get(sealed[:_ID])
        if cipher is None:
            raise SecretKeyWrong(WRONG_KEY)
        nonce, ciphertext = sealed[_ID : _ID + _NONCE], sealed[_ID + _NONCE :]
        try:
            return cipher.decrypt(nonce, ciphertext, owner.encode()).decode()
        except (InvalidTag, ValueError):
            raise SecretKeyWrong(CHANGED) from None


def _id_of(key: bytes) -> bytes:
    if len(key) != KEY_BYTES:
        raise ValueError(f"the secret key must be {KEY_BYTES} bytes")
    return hashlib.sha256(b"postroom secret key" + key).digest()[:_ID]
