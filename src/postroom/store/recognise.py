"""Which arrivals are messages that we have: of a folder that was numbered anew, or moved between folders. It writes
nothing."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, Row, or_, select

from postroom.core.cursor import Cursor
from postroom.core.identity import ENTROPY, Kind, identifier
from postroom.core.message import Address, Flow, Parsed
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


CLOCKS = timedelta(seconds=5)
"""Between the identifier and the Date of a message of ours, which are drawn one after the other."""


def sent_before(connection: Connection, progress: Cursor, arrivals: Sequence[Digested]) -> dict[int, str]:
    """Our messages for those UIDs of a Sent folder that show one: what we sent ourselves, or what stood there before.

    By its Message-ID, however many copies there are: a server files its own beside ours. Some servers give what they
    send another Message-ID (Exchange, SES); then Date, subject and recipients are those of ours. What bears no
    Message-ID is known by its bytes.
    """
    names = {one.name for one in arrivals if one.name}
    sent = select(message.c.id, message.c.rfc_message_id, message.c.digest).where(
        message.c.mailbox_id == progress.mailbox_id, message.c.flow == str(Flow.OUTBOUND)
    )
    by_name = {
        row.rfc_message_id: row.id for row in connection.execute(sent.where(message.c.rfc_message_id.in_(names)))
    }
    nameless = [one.digest for one in arrivals if not one.name]
    by_bytes: dict[bytes, str] = {}
    if nameless:
        alike = sent.where(message.c.rfc_message_id == "", message.c.digest.in_(nameless))
        by_bytes = {row.digest: row.id for row in connection.execute(alike)}
    found: dict[int, str] = {}
    for one in arrivals:
        known = by_name.get(one.name) if one.name else by_bytes.get(one.digest)
        known = known or _renamed(connection, progress.mailbox_id, one)
        if known is not None:
            found[one.arrival.uid] = known
        # The next copy in this batch is the same message.
        elif one.name:
            by_name[one.name] = one.arrival.message_id
        else:
            by_bytes[one.digest] = one.arrival.message_id
    return found


def _renamed(connection: Connection, mailbox_id: str, one: Digested) -> str | None:
    """What we made in the second of its Date: our identifiers sort by time, so the table's key finds it."""
    date = one.parsed.date
    if date is None or date.tzinfo is None or not 2000 <= date.year < 2200:
        return None  # no message of ours: our clock was never there
    first, last = (identifier(Kind.MESSAGE, at, bytes(ENTROPY), mailbox_id) for at in (date - CLOCKS, date + CLOCKS))
    query = select(message.c.id, message.c.parsed).where(
        message.c.mailbox_id == mailbox_id,
        message.c.id.between(first, last),
        message.c.flow == str(Flow.OUTBOUND),
        message.c.folder.is_(None),
    )
    shown = (date.isoformat(), one.parsed.subject, _addresses(one.parsed.to))
    for row in connection.execute(query):
        if (row.parsed["date"], row.parsed["subject"], {to["email"].casefold() for to in row.parsed["to"]}) == shown:
            return str(row.id)
    return None


def _addresses(people: Sequence[Address]) -> set[str]:
    return {one.email.casefold() for one in people}
