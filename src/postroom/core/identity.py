"""Identifiers: opaque strings with a type prefix, whose mailbox can be read from them. It draws no randomness."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from itertools import product

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32: no i, l, o, u
_CROCKFORD = bytes.maketrans(b"0123456789ABCDEFGHIJKLMNOPQRSTUV", _ALPHABET.encode())
_MAILBOX_LENGTH = 13
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Kind(StrEnum):
    """What an identifier names; the value is its prefix."""

    MAILBOX = "mbx"
    MESSAGE = "msg"
    CONVERSATION = "cnv"
    DELIVERY = "dlv"
    EVENT = "evt"
    KEY = "key"
    WEBHOOK = "whk"
    WORKER = "wrk"
    OAUTH_CLIENT = "oac"
    AUTHORIZATION = "oau"
    CONNECT_LINK = "cnl"


OF_MAILBOX = frozenset({Kind.MESSAGE, Kind.CONVERSATION, Kind.DELIVERY})
"""Kinds that belong to a mailbox and bear its key: a row is found by its table's own key."""
ENTROPY = 9
"""Bytes that tell the identifiers of one millisecond apart: a counter at their front puts them in order."""


def _encode(data: bytes) -> str:
    return base64.b32hexencode(data).rstrip(b"=").translate(_CROCKFORD).decode()


def milliseconds(at: datetime) -> int:
    """Whole milliseconds since 1970: what identifiers sort by."""
    return (at - _EPOCH) // timedelta(milliseconds=1)


def identifier(kind: Kind, at: datetime, entropy: bytes, mailbox_id: str | None = None) -> str:
    """A new identifier; those of one mailbox sort by time (milliseconds), then by `entropy`, which is 9 bytes."""
    if kind is Kind.MAILBOX:
        return f"{kind}_{_encode(entropy[-8:])}"
    tail = _encode(milliseconds(at).to_bytes(6, "big") + entropy)
    if kind in OF_MAILBOX:
        if mailbox_id is None:
            raise ValueError(f"a {kind} identifier needs its mailbox")
        return f"{kind}_{mailbox_id.removeprefix('mbx_')}{tail}"
    return f"{kind}_{tail}"


def followers(first: str) -> Iterator[str]:
    """Identifiers that sort right behind a new one that nobody else has: the same but for their ends, counted. A
    million of them."""
    return (first[:-4] + "".join(end) for end in product(_ALPHABET, repeat=4))


def mailbox_of(value: str) -> str | None:
    """The mailbox that a message, conversation or delivery belongs to; None if this is no such identifier."""
    prefix, _, rest = value.partition("_")
    if prefix not in OF_MAILBOX or len(rest) != _MAILBOX_LENGTH + 24 or not set(rest) <= set(_ALPHABET):
        return None
    return f"{Kind.MAILBOX}_{rest[:_MAILBOX_LENGTH]}"
