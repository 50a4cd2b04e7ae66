"""OAuth access tokens as JSON Web Tokens (RFC 7519, HS256) that the rig's Dovecot checks by itself, with no network."""

import base64
import hashlib
import hmac
import json
import secrets
import time
from pathlib import Path


class Issuer:
    """An authorisation server's signing key. Dovecot reads the same key from a folder."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)

    def publish(self, folder: Path) -> None:
        """Write the key where Dovecot's local validation looks for the token's algorithm and key id."""
        place = folder / "default" / "HS256" / "default"
        place.parent.mkdir(parents=True)
        place.write_bytes(base64.b64encode(self._key))

    def token(
        self, user: str, *, expires_in: int = 3600, forged: bool = False, more: dict[str, str] | None = None
    ) -> str:
        """An access token for the user, good for `expires_in` seconds (negative: it has run out), or badly signed."""
        now = int(time.time())
        claims = {
            "sub": user,
            "iat": min(now, now + expires_in) - 60,
            "exp": now + expires_in,
            "jti": secrets.token_hex(8),
        }
        claims |= more or {}
        signed = f"{_part({'alg': 'HS256', 'typ': 'JWT'})}.{_part(claims)}"
        key = secrets.token_bytes(32) if forged else self._key
        return f"{signed}.{_text(hmac.digest(key, signed.encode(), hashlib.sha256))}"


def _part(fields: dict[str, str | int]) -> str:
    return _text(json.dumps(fields).encode())


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")
