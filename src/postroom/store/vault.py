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
    "POSTROOM_SECRET_KEY, or put the earlier key file back. Without it every mailbox must be given its password again."
)
CHANGED = (
    "A secret in the database was changed or moved by something other than Postroom. "
    "Give this mailbox its password again, or make the webhook anew, and find out who can write to the database."
)


class Vault:
    """One key. What is sealed names the key and is bound to `owner` (a mailbox's or webhook's identifier), so that
    rows cannot be swapped."""

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise ValueError(f"the secret key must be {KEY_BYTES} bytes")
        self._cipher = AESGCM(key)
        self._id = hashlib.sha256(b"postroom secret key" + key).digest()[:_ID]

    def __repr__(self) -> str:
        return f"<Vault of key {self.fingerprint}>"

    @property
    def fingerprint(self) -> str:
        """Tells keys apart without telling them."""
        return self._id.hex()

    def seal(self, secret: str, owner: str) -> bytes:
        """The key's identifier, a fresh nonce (NIST SP 800-38D 8.2.2), the ciphertext with its tag."""
        nonce = os.urandom(_NONCE)
        return self._id + nonce + self._cipher.encrypt(nonce, secret.encode(), owner.encode())

    def open(self, sealed: bytes, owner: str) -> str:
        """Raises SecretKeyWrong."""
        if not sealed.startswith(self._id):
            raise SecretKeyWrong(WRONG_KEY)
        nonce, ciphertext = sealed[_ID : _ID + _NONCE], sealed[_ID + _NONCE :]
        try:
            return self._cipher.decrypt(nonce, ciphertext, owner.encode()).decode()
        except (InvalidTag, ValueError):
            raise SecretKeyWrong(CHANGED) from None
