"""Signed JSON Web Tokens by which a service account asks for a token (RFC 7519, 7523). It verifies none."""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from datetime import datetime, timedelta

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

GOOD_FOR = timedelta(hours=1)
"""Google takes none that lasts longer."""
EARLY = timedelta(seconds=30)
"""A clock of ours that is a little ahead must not make a token from the future."""


def rsa_key(pem: str) -> RSAPrivateKey:
    """The private key of a service account. Raises ValueError, without a word of it."""
    try:
        key = load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise ValueError("this is no private key in PEM form: take private_key of the JSON key file, whole") from None
    if not isinstance(key, RSAPrivateKey):
        raise ValueError("a service account's key is an RSA key")  # noqa: TRY004 - what was given is wrong, not its type
    return key


def signed(pem: str, *, key_id: str, issuer: str, subject: str, audience: str, scope: str, now: datetime) -> str:
    """The assertion (RS256, RFC 7518 3.3). Raises ValueError."""
    issued = now - EARLY
    header = {"alg": "RS256", "typ": "JWT"} | ({"kid": key_id} if key_id else {})
    claims: dict[str, str | int] = {
        "iss": issuer,
        "sub": subject,
        "scope": scope,
        "aud": audience,
        "iat": int(issued.timestamp()),
        "exp": int((issued + GOOD_FOR).timestamp()),
    }
    text = f"{_part(header)}.{_part(claims)}"
    signature = rsa_key(pem).sign(text.encode(), padding.PKCS1v15(), hashes.SHA256())
    return f"{text}.{_encoded(signature)}"


def _part(fields: Mapping[str, str | int]) -> str:
    return _encoded(json.dumps(fields, separators=(",", ":")).encode())


def _encoded(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")
