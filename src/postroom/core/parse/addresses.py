"""Reads addresses, Message-IDs and dates out of header values. It judges none of them."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from postroom.core.message import Address
from postroom.core.parse.headers import decode_words

MOST_ADDRESSES = 1000
MOST_REFERENCES = 100
LONGEST_ID = 998
"""A Message-ID stands on one line (RFC 5322 2.1.1); longer ones are no identifiers, and no index holds them."""
FIRST_YEAR, LAST_YEAR = 1971, 2099

# Each piece is matched in one step and none can be matched in two ways: time grows with length alone.
_PIECE = re.compile(
    r'"((?:[^"\\]|\\.){0,500}+)"|<([^<>]*)>?|[(),;:>"]'
    r'|(=\?[^?\s]{1,75}\?[bBqQ]\?[^?]*\?=|(?:[^"<>(),;:=]|=(?!\?))+|=)',
    re.DOTALL,
)
_WORD = r"[A-Za-z0-9_.+-]+"
_PLAIN = re.compile(rf'(?:"({_WORD}(?: {_WORD})*)" |({_WORD}(?: {_WORD})*) )?<({_WORD}@{_WORD})>|({_WORD}@{_WORD})')
_BARE = re.compile(r"[^\s<>()\",;:]{1,64}@[^\s<>()\",;:@]{1,255}")
_ANGLED = re.compile(r"<([^<>]+)>")
_SPACE = re.compile(r"\s+")
_ESCAPED = re.compile(r"\\(.)")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def addresses(value: str | None) -> tuple[Address, ...]:
    """The mailboxes of an address list (RFC 5322 3.4). Groups are flattened; what has no `@` is left out."""
    if value and (plain := _PLAIN.fullmatch(value)):  # most fields hold one address, written so
        name, email = plain[1] or plain[2] or "", plain[3] or plain[4]
        return (Address(email, "" if name == email else name),)
    found: list[Address] = []
    words: list[str] = []
    comment: list[str] = []
    email, depth, quoted_local = "", 0, ""
    text = value or ""

    def close() -> None:
        nonlocal email
        if (one := _address(words, email, comment)) and len(found) < MOST_ADDRESSES:
            found.append(one)
        words.clear()
        comment.clear()
        email = ""

    for piece in _PIECE.finditer(text):
        sign = piece[0]
        if sign == "(":
            depth += 1
        elif sign == ")":
            depth = max(0, depth - 1)
        elif depth:
            comment.append(sign)
        elif sign in ",;":
            close()
        elif sign == ":":
            words.clear()  # the name of a group
        elif piece[2] is not None:
            email = email or piece[2]
        elif piece[1] is not None and text.startswith("@", piece.end()):
            quoted_local = sign
        elif piece[1] is not None:
            words.append(_ESCAPED.sub(r"\1", piece[1]))
        elif piece[3] is not None and quoted_local:
            email, quoted_local = email or quoted_local + sign.strip(), ""
        elif piece[3] is not None:
            words.append(piece[3])
    close()
    if not found and value and "@" in value:  # a quotation mark left open, for instance
        found = [Address(one) for one in _BARE.findall(value)[:MOST_ADDRESSES]]
    return tuple(found)


def _address(words: list[str], email: str, comment: list[str]) -> Address | None:
    """Of `Name <a@b>`, `a@b`, `a@b (Name)`, or an encoded word that hides one of them."""
    name = decode_words("".join(words))
    if not email:
        if "<" in name and name != "".join(words):  # whole address in an encoded word, against RFC 2047 5
            inner = addresses(name)
            return inner[0] if inner else None
        parts = [part for part in name.split() if "@" in part]
        email = parts[-1] if parts else ""
        name = " ".join(part for part in name.split() if part != email) or decode_words("".join(comment))
    email = _CONTROL.sub("", decode_words(email)).strip()
    if not email.startswith('"'):  # a quoted local part may hold spaces (RFC 5321 4.1.2)
        email = _SPACE.sub("", email).removeprefix("mailto:")
    email = email.rpartition(":")[2] if email.startswith("@") else email  # the source route of RFC 5322 4.4
    if "@" not in email:
        return None
    name = " ".join(_CONTROL.sub(" ", name).split()).strip("'\" ")
    return Address(email, "" if name == email else name)


def message_ids(value: str | None) -> tuple[str, ...]:
    """The Message-IDs of a header (RFC 5322 3.6.4) without brackets, each once, in order.

    Without any brackets, words with an `@` are taken. Some programs fold inside an ID or encode the whole header.
    """
    if not value:
        return ()
    text = decode_words(value)
    found = [_SPACE.sub("", one) for one in _ANGLED.findall(text)]
    if not found:
        found = [one.strip("<>,;()\"'") for one in text.split() if "@" in one]
    kept = [one for one in dict.fromkeys(found) if one and len(one) <= LONGEST_ID]
    return tuple(kept[:1] + kept[1:][-(MOST_REFERENCES - 1) :])


def message_id(value: str | None) -> str | None:
    """The one Message-ID of a header. Where a sender's program made one without an `@`, it is taken as it is."""
    found = message_ids(value)
    if found:
        return found[0]
    words = (value or "").split()
    bare = words[0].strip("<>") if len(words) == 1 else ""
    return bare if bare and len(bare) <= LONGEST_ID else None


def date(value: str | None) -> datetime | None:
    """The instant in UTC, None where it says none or a nonsensical year. Without a zone it is taken as UTC."""
    if not value:
        return None
    text = value[:200]
    try:
        found = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        try:
            found = datetime.fromisoformat(text.strip())
        except ValueError:
            return None
    try:
        found = found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return found if FIRST_YEAR <= found.year <= LAST_YEAR else None
