"""Takes the credential out of what a server or an exception says. It does not know where secrets are written."""

from __future__ import annotations

from base64 import b64encode
from typing import Final

from postroom.core.mailbox import Credential

SHORTEST: Final = 4
"""Shorter secrets are left alone: they would be found in every word."""


class Redaction:
    """Replaces the account's secrets, plain or in base 64, by three stars: some servers repeat what they refuse."""

    __slots__ = ("_secrets",)

    def __init__(self, credential: Credential) -> None:
        known = [secret for secret in credential.secrets if len(secret) >= SHORTEST]
        self._secrets = (*known, *(b64encode(secret.encode()).decode() for secret in known))

    def add(self, secret: str) -> None:
        """Another spelling to take out, such as a SASL response."""
        if len(secret) >= SHORTEST:
            self._secrets = (*self._secrets, secret)

    def clean(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text
