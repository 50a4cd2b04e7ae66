"""Which arrivals are messages that we have: of a folder that was numbered anew, or moved between folders. It writes
nothing."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, or_, select

from postroom.core.cursor import Cursor
from postroom.core.message import Flow, Parsed
from postroom.core.ports.store import Arrival
from postroom.store.messages import reference_key
from postroom.store.schema import message

UNREADABLE = Parsed(
    message_id=None,
    subject="",
    sender=None,
    to=(),
    cc=(),
    bcc=(),
    reply_to=(),
    date=None,
    in_reply_to=None,
    references=(),
    text="",
    html="",
    attachments=(),
)
"""What is shown of a message that could not be parsed."""


@dataclass(frozen=True, slots=True)
class Digested:
    """An arrival with the SHA-256 of its bytes."""

    arrival: Arrival
    digest: bytes

    @property
    def parsed(self) -> Parsed:
        return self.arrival.parsed or UNREADABLE

    @property
    def name(self) -> str:
        """Its Message-ID as it is found by; empty where it has none."""
        return reference_key(self.parsed.message_id or "")


def digested(arrivals: Sequence[Arrival]) -> list[Digested]:
    """Hashing needs no database: it is done before the transaction begins."""
    return [Digested(one, hashlib.sha256(one.raw or b"").digest()) for one in arrivals]


def recognised(connection: Connection, progress: Cursor, arrivals: Sequence[Digested]) -> dict[int, str]:
    """Our messages by the UIDs under which they are shown now. Each stands for one UID only: two that are alike stay
    two. Equal bytes are the same message; in the same folder equal Message-ID, Date and size are too, for some servers
    (Exchange) write a message anew each time they give it."""
    before = _before(connection, progress, arrivals)
    by_bytes: dict[tuple[str, bytes], list[Row[Any]]] = defaultdict(list)
    for row in before:
        by_bytes[row.rfc_message_id, row.digest].append(row)
    found: dict[int, str] = {}
    taken: set[str] = set()
    for one in arrivals:
        if alike := by_bytes.get((one.name, one.digest)):
            found[one.arrival.uid] = alike.pop().id
            taken.add(found[one.arrival.uid])
    left = [row for row in before if row.id not in taken and row.folder == progress.folder and row.rfc_message_id]
    if left:
        others = [one for one in arrivals if one.name and one.arrival.uid not in found]
        found.update(_written_anew(connection, progress, left, others))
    return found


def _before(connection: Connection, progress: Cursor, arrivals: Sequence[Digested]) -> list[Row[Any]]:
    """Messages that may be they: of another UIDVALIDITY, or found in another folder."""
    named = [one.name for one in arrivals if one.name]
    nameless = [one.digest for one in arrivals if not one.name]
    columns = (message.c.id, message.c.rfc_message_id, message.c.digest, message.c.size, message.c.folder)
    earlier = select(*columns).where(
        message.c.mailbox_id == progress.mailbox_id,
        or_(message.c.uid_validity != progress.uid_validity, message.c.folder != progress.folder),
        message.c.flow == str(Flow.INBOUND),
    )
    rows: list[Row[Any]] = []
    for query in (
        earlier.where(message.c.rfc_message_id.in_(named)) if named else None,
        earlier.where(message.c.rfc_message_id == "", message.c.digest.in_(nameless)) if nameless else None,
    ):
        if query is not None:
            rows += connection.execute(query.order_by(message.c.id.desc()))
    return rows


def _written_anew(
    connection: Connection, progress: Cursor, before: Sequence[Row[Any]], arrivals: Iterable[Digested]
) -> dict[int, str]:
    alike: dict[tuple[str, int], list[str]] = defaultdict(list)
    for row in before:
        alike[row.rfc_message_id, row.size].append(row.id)
    found: dict[int, str] = {}
    for one in arrivals:
        for candidate in alike.get((one.name, len(one.arrival.raw or b"")), ()):
            parsed = connection.execute(
                select(message.c.parsed).where(message.c.mailbox_id == progress.mailbox_id, message.c.id == candidate)
            ).scalar_one()
            date = one.parsed.date
            if candidate not in found.values() and date is not None and parsed["date"] == date.isoformat():
                found[one.arrival.uid] = candidate
                break
    return found
