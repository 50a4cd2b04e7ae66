"""FETCH: which items are asked for, and how a message answers them. It marks nothing as seen: the session does.

Single MIME parts, BODYSTRUCTURE and BINARY are not served.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from email.message import Message
from email.utils import getaddresses

from postroom.simulator.folder import StoredMessage, header_end
from postroom.simulator.imap.command import Arguments, Bad
from postroom.simulator.imap.encoding import date_time, flag_list, literal, nstring

_MACROS = {
    "FAST": ("FLAGS", "INTERNALDATE", "RFC822.SIZE"),
    "ALL": ("FLAGS", "INTERNALDATE", "RFC822.SIZE", "ENVELOPE"),
}
_SIMPLE = frozenset({"UID", "FLAGS", "INTERNALDATE", "RFC822.SIZE", "ENVELOPE", "X-GM-THRID"})
_WHOLE = {"RFC822": "", "RFC822.HEADER": "HEADER", "RFC822.TEXT": "TEXT"}


@dataclass(frozen=True, slots=True)
class Item:
    """One item. `label` is what the answer calls it; `section` is None for items that are not content."""

    label: str
    section: str | None = None
    peek: bool = True
    start: int | None = None
    length: int = 0


def read_items(args: Arguments, *, by_uid: bool) -> list[Item]:
    """The items of a FETCH; UID FETCH always answers the UID (RFC 3501 6.4.8). Raises Bad."""
    items: list[Item] = []
    if args.skip(b"("):
        while not args.skip(b")"):
            if items:
                args.space()
            items.append(_read_item(args, args.item_name()))
    else:
        word = args.item_name()
        items = [Item(name) for name in _MACROS[word]] if word in _MACROS else [_read_item(args, word)]
    if by_uid and not any(item.label == "UID" for item in items):
        items.insert(0, Item("UID"))
    return items


def _read_item(args: Arguments, word: str) -> Item:
    if word in _SIMPLE:
        return Item(word)
    if word in _WHOLE:
        return Item(word, _WHOLE[word], peek=word == "RFC822.HEADER")
    if word not in ("BODY", "BODY.PEEK") or not args.at(b"["):
        raise Bad(f"{word} is not served by this server")
    section = args.section().upper()
    if not re.fullmatch(r"|TEXT|HEADER|HEADER\.FIELDS(\.NOT)? \([^()]+\)", section):
        raise Bad(f"BODY[{section}] is not served by this server")
    if not args.skip(b"<"):
        return Item(f"BODY[{section}]", section, peek=word == "BODY.PEEK")
    start = args.number()
    args.expect(b".")
    length = args.number()
    args.expect(b">")
    return Item(f"BODY[{section}]<{start}>", section, word == "BODY.PEEK", start, length)


def answer(message: StoredMessage, items: list[Item], *, recent: bool) -> bytes:
    """The parenthesised answer for one message."""
    return b"(" + b" ".join(item.label.encode() + b" " + _value(message, item, recent) for item in items) + b")"


def _value(message: StoredMessage, item: Item, recent: bool) -> bytes:
    if item.section is not None:
        content = _content(message.raw, item.section)
        if item.start is not None:
            content = content[item.start : item.start + item.length]
        return literal(content)
    values: dict[str, Callable[[], bytes]] = {
        "UID": lambda: b"%d" % message.uid,
        "FLAGS": lambda: flag_list(message.flags | {"\\Recent"} if recent else message.flags),
        "INTERNALDATE": lambda: date_time(message.internal_date),
        "RFC822.SIZE": lambda: b"%d" % len(message.raw),
        "ENVELOPE": lambda: _envelope(message.headers),
        "X-GM-THRID": lambda: b"%d" % message.thread,
    }
    return values[item.label]()


def _content(raw: bytes, section: str) -> bytes:
    if not section:
        return raw
    header, text = raw[: header_end(raw)], raw[header_end(raw) :]
    if section == "TEXT":
        return text
    if section == "HEADER":
        return header
    names = {name.strip('"').encode() for name in section[section.index("(") + 1 : -1].split()}
    keep = ".NOT" not in section
    fields = re.findall(rb"^[^\r\n]+\r?\n(?:[ \t][^\r\n]*\r?\n)*", header, re.MULTILINE)
    chosen = [field for field in fields if (field.partition(b":")[0].strip().upper() in names) is keep]
    return b"".join(chosen) + b"\r\n"


def _envelope(headers: Message) -> bytes:
    """RFC 3501 7.4.2. Sender and Reply-To default to From."""

    def text(name: str) -> bytes | None:
        value = headers.get(name)
        return None if value is None else _flat(str(value))

    def people(*names: str) -> bytes:
        for name in names:
            found = [
                pair for pair in getaddresses([_flat(str(v)).decode() for v in headers.get_all(name, [])]) if pair[1]
            ]
            if found:
                return b"(" + b"".join(_address(*pair) for pair in found) + b")"
        return b"NIL"

    fields = (
        nstring(text("Date")),
        nstring(text("Subject")),
        people("From"),
        people("Sender", "From"),
        people("Reply-To", "From"),
        people("To"),
        people("Cc"),
        people("Bcc"),
        nstring(text("In-Reply-To")),
        nstring(text("Message-ID")),
    )
    return b"(" + b" ".join(fields) + b")"


def _flat(value: str) -> bytes:
    return re.sub(r"[\r\n\0]+", "", value).encode("utf-8", "replace")


def _address(name: str, address: str) -> bytes:
    local, _, host = address.rpartition("@")
    parts = (name or None, None, local or host, host if local else None)
    return b"(" + b" ".join(nstring(None if part is None else _flat(part)) for part in parts) + b")"
