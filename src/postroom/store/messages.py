"""Messages and their raw bytes. It does not thread them (conversations) nor take them in (inbound)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, insert, select

from postroom.core.identity import mailbox_of
from postroom.core.message import Address, Attachment, Flow, Message, Parsed
from postroom.store.prepared import Write
from postroom.store.schema import message, raw

LONGEST_KEY = 400
"""Bytes of a Message-ID that an index takes on both databases; a longer one is kept as its hash."""


def reference_key(rfc_message_id: str) -> str:
    """What a Message-ID is found by."""
    encoded = rfc_message_id.encode("utf-8", "surrogatepass")
    return rfc_message_id if len(encoded) <= LONGEST_KEY else f"sha256:{hashlib.sha256(encoded).hexdigest()}"


def _addresses(addresses: Sequence[Address]) -> list[dict[str, str]]:
    return [one.as_dict() for one in addresses]


def addresses_of(values: Sequence[dict[str, str]]) -> tuple[Address, ...]:
    return tuple(Address(one["email"], one["name"]) for one in values)


def _parsed_values(parsed: Parsed) -> dict[str, Any]:
    return {
        "message_id": parsed.message_id,
        "subject": parsed.subject,
        "sender": parsed.sender.as_dict() if parsed.sender else None,
        "to": _addresses(parsed.to),
        "cc": _addresses(parsed.cc),
        "bcc": _addresses(parsed.bcc),
        "reply_to": _addresses(parsed.reply_to),
        "date": parsed.date.isoformat() if parsed.date else None,
        "in_reply_to": parsed.in_reply_to,
        "references": parsed.references,
        "text": parsed.text,
        "html": parsed.html,
        "attachments": [one.as_dict() for one in parsed.attachments],
        "automatic": parsed.automatic,
        "faults": parsed.faults,
    }


def _parsed_of(values: dict[str, Any]) -> Parsed:
    sender = values["sender"]
    return Parsed(
        message_id=values["message_id"],
        subject=values["subject"],
        sender=Address(sender["email"], sender["name"]) if sender else None,
        to=addresses_of(values["to"]),
        cc=addresses_of(values["cc"]),
        bcc=addresses_of(values["bcc"]),
        reply_to=addresses_of(values["reply_to"]),
        date=datetime.fromisoformat(values["date"]) if values["date"] else None,
        in_reply_to=values["in_reply_to"],
        references=tuple(values["references"]),
        text=values["text"],
        html=values["html"],
        attachments=tuple(Attachment(**one) for one in values["attachments"]),
        automatic=values["automatic"],
        faults=tuple(values["faults"]),
    )


_INSERT_MESSAGE, _INSERT_RAW = Write(insert(message)), Write(insert(raw))


@dataclass(frozen=True, slots=True)
class Kept:
    """A message to be written, with what core's does not bear."""

    message: Message
    raw: bytes
    digest: bytes
    uid_validity: int = 0
    thread: str | None = None


def add(connection: Connection, kept: Sequence[Kept]) -> None:
    """Messages with their bytes."""
    _INSERT_MESSAGE.run_all(
        connection,
        [
            {
                "mailbox_id": one.message.mailbox_id,
                "id": one.message.id,
                "conversation_id": one.message.conversation_id,
                "flow": str(one.message.flow),
                "rfc_message_id": reference_key(one.message.parsed.message_id or ""),
                "folder": one.message.folder,
                "uid_validity": one.uid_validity,
                "size": one.message.size,
                "digest": one.digest,
                "received_at": one.message.received_at,
                "quarantine": one.message.quarantine,
                "parsed": _parsed_values(one.message.parsed),
                "automatic": one.message.parsed.automatic,
                "thread": one.thread,
            }
            for one in kept
        ],
    )
    _INSERT_RAW.run_all(
        connection,
        [{"mailbox_id": one.message.mailbox_id, "message_id": one.message.id, "body": one.raw} for one in kept],
    )


def message_of_row(row: Row[Any]) -> Message:
    return Message(
        id=row.id,
        mailbox_id=row.mailbox_id,
        conversation_id=row.conversation_id,
        flow=Flow(row.flow),
        parsed=_parsed_of(row.parsed),
        size=row.size,
        received_at=row.received_at,
        folder=row.folder,
        quarantine=row.quarantine,
    )


def get(connection: Connection, message_id: str) -> Message | None:
    mailbox_id = mailbox_of(message_id)
    query = select(message).where(message.c.mailbox_id == mailbox_id, message.c.id == message_id)
    row = connection.execute(query).one_or_none()
    return message_of_row(row) if row is not None else None


def body(connection: Connection, message_id: str) -> bytes | None:
    query = select(raw.c.body).where(raw.c.mailbox_id == mailbox_of(message_id), raw.c.message_id == message_id)
    found: bytes | None = connection.execute(query).scalar_one_or_none()
    return found


def bodies(connection: Connection, message_ids: Sequence[str]) -> dict[str, bytes]:
    """Of one mailbox."""
    if not message_ids:
        return {}
    rows = connection.execute(_BODIES, {"of_mailbox": mailbox_of(message_ids[0]), "identifiers": list(message_ids)})
    return {row.message_id: row.body for row in rows}


_BODIES = select(raw.c.message_id, raw.c.body).where(
    raw.c.mailbox_id == bindparam("of_mailbox"), raw.c.message_id.in_(bindparam("identifiers", expanding=True))
)


def by_rfc_id(connection: Connection, mailbox_id: str, rfc_message_id: str) -> Message | None:
    """The first that came, where several bear it."""
    query = (
        select(message)
        .where(message.c.mailbox_id == mailbox_id, message.c.rfc_message_id == reference_key(rfc_message_id))
        .order_by(message.c.id)
        .limit(1)
    )
    row = connection.execute(query).one_or_none()
    return message_of_row(row) if row is not None else None
