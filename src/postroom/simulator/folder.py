"""One folder of an account: its messages, their UIDs and flags, and who watches it. It does not speak IMAP."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from email.message import Message
from email.parser import BytesHeaderParser
from email.policy import compat32

_REPLIED = re.compile(r"^(\s*(re|aw|fwd?)\s*:)+", re.IGNORECASE)


def header_end(raw: bytes) -> int:
    """Where the body begins: after the first empty line, or at the end."""
    match = re.search(rb"(?:\A|\r?\n)\r?\n", raw)
    return match.end() if match else len(raw)


def read_headers(raw: bytes) -> Message:
    """The header of a raw message, read leniently; never raises."""
    return BytesHeaderParser(policy=compat32).parsebytes(raw[: header_end(raw)])


@dataclass(slots=True)
class StoredMessage:
    """A message as it came, byte for byte. `changed` is the folder's version when its flags last changed."""

    uid: int
    raw: bytes
    flags: frozenset[str]
    internal_date: datetime
    changed: int

    @property
    def headers(self) -> Message:
        """Its header, read leniently; never raises."""
        return read_headers(self.raw)

    @property
    def thread(self) -> int:
        """Gmail's X-GM-THRID, 64 bits: messages of one subject are one thread, whoever wrote them."""
        subject = _REPLIED.sub("", str(self.headers.get("Subject", ""))).strip().casefold()
        return int.from_bytes(hashlib.sha256(subject.encode("utf-8", "replace")).digest()[:7], "big")

    @property
    def message_id(self) -> str:
        return str(self.headers.get("Message-ID", "")).strip()


class Folder:
    """Messages by UID, in order. Every change raises `version` and calls the watchers (who must not block).

    Flags are compared as IMAP wants it: without regard to case (RFC 9051 2.3.2); system flags keep their known form.
    """

    def __init__(self, name: str, uid_validity: int, special_use: str | None = None) -> None:
        self.name = name
        self.special_use = special_use
        self.uid_validity = uid_validity
        self.uid_next = 1
        self.recent_from = 1
        self.subscribed = True
        self.version = 0
        self.messages: dict[int, StoredMessage] = {}
        self._watchers: set[Callable[[], None]] = set()

    @property
    def size(self) -> int:
        """Bytes of all messages."""
        return sum(len(message.raw) for message in self.messages.values())

    @property
    def unseen(self) -> int:
        return sum("\\Seen" not in message.flags for message in self.messages.values())

    def add(self, raw: bytes, internal_date: datetime, flags: Iterable[str] = ()) -> StoredMessage:
        self.version += 1
        message = StoredMessage(self.uid_next, raw, canonical_flags(flags), internal_date, self.version)
        self.messages[message.uid] = message
        self.uid_next += 1
        self._announce()
        return message

    def set_flags(self, uid: int, flags: Iterable[str]) -> None:
        message, wanted = self.messages[uid], canonical_flags(flags)
        if wanted != message.flags:
            self.version += 1
            message.flags, message.changed = wanted, self.version
            self._announce()

    def expunge(self, uids: Iterable[int]) -> list[int]:
        """Remove; returns the UIDs that were there."""
        gone = [uid for uid in uids if self.messages.pop(uid, None) is not None]
        if gone:
            self.version += 1
            self._announce()
        return gone

    def renumber(self, uid_validity: int) -> None:
        """Give every message a new UID under a new UIDVALIDITY, as a restored or rebuilt folder has."""
        messages = list(self.messages.values())
        self.messages = {}
        self.uid_validity, self.uid_next = uid_validity, 1
        for message in messages:
            message.uid = self.uid_next
            self.messages[message.uid] = message
            self.uid_next += 1
        self.version += 1

    def watch(self, changed: Callable[[], None]) -> None:
        self._watchers.add(changed)

    def unwatch(self, changed: Callable[[], None]) -> None:
        self._watchers.discard(changed)

    def _announce(self) -> None:
        for changed in tuple(self._watchers):
            changed()


_SYSTEM_FLAGS = {name.casefold(): name for name in ("\\Seen", "\\Answered", "\\Flagged", "\\Deleted", "\\Draft")}


def canonical_flags(flags: Iterable[str]) -> frozenset[str]:
    """Known forms of the system flags; \\Recent is the server's to set and is left out; keywords by first spelling."""
    kept: dict[str, str] = {}
    for flag in flags:
        folded = flag.casefold()
        if folded != "\\recent":
            kept.setdefault(folded, _SYSTEM_FLAGS.get(folded, flag))
    return frozenset(kept.values())
