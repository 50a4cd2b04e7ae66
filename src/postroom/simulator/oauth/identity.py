"""Who signed in, as a signed ID token with the key to check it (OpenID Connect Core 2, RFC 7517). It checks none."""

from __future__ import annotations

import base64
import json
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

_GOOD_FOR = timedelta(hours=1)
_KEY_ID = "simulator"


class IdTokens:
    """Makes ID tokens (ES256, RFC 7518 3.4). The key is made when the first one is wanted."""

    @cached_property
    def _key(self) -> ec.EllipticCurvePrivateKey:
        return ec.generate_private_key(ec.SECP256R1())

    def keys(self) -> dict[str, Any]:
        """The set of keys that clients check with."""
        numbers = self._key.public_key().public_numbers()
        known = {"kty": "EC", "crv": "P-256", "kid": _KEY_ID, "use": "sig", "alg": "ES256"}
        return {"keys": [known | {name: _text(getattr(numbers, name).to_bytes(32)) for name in ("x", "y")}]}

    def made(self, issuer: str, client_id: str, address: str, *, nonce: str, now: datetime) -> str:
        claims: dict[str, Any] = {
            "iss": issuer,
            "aud": client_id,
            "sub": address,
            "email": address,
            "email_verified": True,
            "iat": int(now.timestamp()),
            "exp": int((now + _GOOD_FOR).timestamp()),
        }
        if nonce:
            claims["nonce"] = nonce
        signed = f"{_part({'alg': 'ES256', 'typ': 'JWT', 'kid': _KEY_ID})}.{_part(claims)}"
        r, s = decode_dss_signature(self._key.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
        return f"{signed}.{_text(r.to_bytes(32) + s.to_bytes(32))}"


def _part(fields: dict[str, Any]) -> str:
    return _text(json.dumps(fields, separators=(",", ":")).encode())


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")
