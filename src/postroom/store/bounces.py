"""Reports on what was sent, in the transaction that takes them in: which delivery, and what it says from then on.

What a report says, core.bounce reads. A Message-ID that this mailbox never sent changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select, update

from postroom.core.bounce import Action, Bounce, Reported, told
from postroom.core.delivery import (
    Delivery,
    Recipient,
    RecipientState,
    Report,
    SentCopy,
    Signal,
    State,
    all_accepted,
    step,
)
from postroom.core.events import Event, EventType, delivery_data
from postroom.core.message import Flow
from postroom.store import story
from postroom.store.messages import reference_key
from postroom.store.rows import delivery_changes, delivery_of_row
from postroom.store.schema import delivery, message

_TOLD = {
    Action.FAILED: Report.BOUNCED,
    Action.DELAYED: Report.DELAYED,
    Action.RELAYED: Report.RELAYED,
    Action.EXPANDED: Report.RELAYED,
    Action.DELIVERED: Report.DELIVERED,
}


@dataclass(frozen=True, slots=True)
class Returned:
    """A report with the message of ours that it is about."""

    bounce: Bounce
    message_id: str
    conversation_id: str


def returned(connection: Connection, mailbox_id: str, bounce: Bounce) -> Returned | None:
    """The message that this mailbox sent under the surest of the Message-IDs; None where it sent none of them."""
    keys = [reference_key(one) for one in bounce.message_ids]
    query = select(message.c.rfc_message_id, message.c.id, message.c.conversation_id).where(
        message.c.mailbox_id == mailbox_id,
        message.c.rfc_message_id.in_(keys),
        message.c.flow == str(Flow.OUTBOUND),
    )
    ours = {row.rfc_message_id: row for row in connection.execute(query)}
    first = next((ours[key] for key in keys if key in ours), None)
    return Returned(bounce, first.id, first.conversation_id) if first is not None else None


def apply(
    connection: Connection,
    mailbox_id: str,
    report: Returned,
    arrived_as: str,
    now: datetime,
    new_id: Callable[[], str],
) -> list[Event]:
    """Notes a report in its delivery; `arrived_as` is the message that it came as. The events that tell of it."""
    query = (
        select(delivery)
        .where(delivery.c.mailbox_id == mailbox_id, delivery.c.message_id == report.message_id)
        .with_for_update(key_share=True)
    )
    row = connection.execute(query).one_or_none()
    if row is None:
        return []
    was, events = delivery_of_row(row), []
    known = _confirmed(connection, was, now)
    if known.state is not was.state:
        events.append(Event(new_id(), EventType.DELIVERY_SENT, now, mailbox_id, delivery_data(known)))
    new, failed = _bounced(known, report.bounce.recipients)
    for one in report.bounce.recipients:
        if one.action is not Action.FAILED or one in failed:
            _note(connection, known, one, now)
    if not failed:
        return events
    changed = replace(known, recipients=tuple(new.get(one.address, one) for one in known.recipients), updated_at=now)
    kept = [one.as_dict() for one in changed.recipients if one.state is RecipientState.BOUNCED]
    this = (delivery.c.mailbox_id == mailbox_id, delivery.c.id == known.id)
    connection.execute(update(delivery).where(*this).values(bounces=kept or None, updated_at=now))
    data = {**delivery_data(changed), "bounce": _data(arrived_as, failed)}
    return [*events, Event(new_id(), EventType.DELIVERY_BOUNCED, now, mailbox_id, data)]


def _confirmed(connection: Connection, known: Delivery, now: datetime) -> Delivery:
    """A report shows that the server had taken a message whose answer was cut off."""
    if known.state is not State.UNCONFIRMED:
        return known
    state, _ = step(known.state, Signal.REPORTED)
    copy = SentCopy.DUE if known.sent_copy is SentCopy.NONE else known.sent_copy
    taken = replace(known, state=state, recipients=all_accepted(known), sent_copy=copy, diagnosis=None, updated_at=now)
    this = (delivery.c.mailbox_id == known.mailbox_id, delivery.c.id == known.id)
    connection.execute(update(delivery).where(*this).values(delivery_changes(taken)))
    story.add(connection, known.mailbox_id, known.id, now, state, Signal.REPORTED)
    return taken


def _bounced(known: Delivery, reported: Sequence[Reported]) -> tuple[dict[str, Recipient], list[Reported]]:
    """The recipients who have it no longer, by address, and the reports that say something new."""
    new: dict[str, Recipient] = {}
    failed: list[Reported] = []
    for one in reported:
        if one.action is not Action.FAILED:
            continue
        recipient = _recipient(known, one)
        if recipient is None:
            failed.append(one)  # a server behind the recipient's: at which of several, nobody can tell
        elif recipient.state is RecipientState.ACCEPTED and recipient.address not in new:
            diagnosis = told(replace(one, original=recipient.address))
            new[recipient.address] = Recipient(
                recipient.address, RecipientState.BOUNCED, one.words or one.status, diagnosis
            )
            failed.append(one)
    return new, failed


def _recipient(known: Delivery, one: Reported) -> Recipient | None:
    wanted = {address.lower() for address in (one.address, one.original) if address}
    found = next((recipient for recipient in known.recipients if recipient.address.lower() in wanted), None)
    return found or (known.recipients[0] if len(known.recipients) == 1 else None)


def _note(connection: Connection, known: Delivery, one: Reported, now: datetime) -> None:
    because = told(one).name if one.action is Action.FAILED else None
    note = ": ".join(part for part in (one.original or one.address, one.words or one.status) if part)
    at = (known.mailbox_id, known.id, now, known.state)
    story.add(connection, *at, _TOLD[one.action], because=because, note=note)


def _data(arrived_as: str, failed: Sequence[Reported]) -> dict[str, Any]:
    return {
        "message": arrived_as,
        "recipients": [
            {"address": one.original or one.address, "status": one.status, "words": one.words} for one in failed
        ],
    }
