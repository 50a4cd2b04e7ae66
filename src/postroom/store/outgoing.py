"""Takes an outgoing message into the outbox: message, conversation, delivery at once. It sends nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, select

from postroom.core.delivery import Delivery, first_warning
from postroom.core.delivery import Signal as DeliverySignal
from postroom.core.ports.store import Acceptance, Accepted, IdempotencyConflict, SettingsChanged
from postroom.store import conversations, directions, eventlog, mailboxes, messages, prepared, story
from postroom.store.messages import Kept
from postroom.store.rows import delivery_of_row, delivery_values
from postroom.store.schema import delivery

_INSERT = prepared.new(delivery)


def accept(connection: Connection, acceptance: Acceptance, now: datetime, new_id: Callable[[], str]) -> Accepted:
    """Queued, or held from the start (and that told) where sending is not connected. Raises IdempotencyConflict,
    MailboxGone, SettingsChanged."""
    taken = acceptance.delivery
    if acceptance.settings not in (None, mailboxes.settings(connection, taken.mailbox_id)):
        raise SettingsChanged(taken.mailbox_id)
    health = directions.sending(connection, taken.mailbox_id)
    if not health.usable:
        taken, _ = directions.as_sending_is(taken, health)
    key, digest = acceptance.idempotency or (None, "")
    warn_at = first_warning(taken.accepted_at, taken.send_at, taken.expires_at)
    values = {**delivery_values(taken), "idempotency_key": key, "idempotency_digest": digest, "warn_at": warn_at}
    if _INSERT.run(connection, values) == 0:
        known = repeated(connection, taken.mailbox_id, key, digest)
        if known is None:
            raise ValueError(f"there is a delivery {taken.id} already")
        return Accepted(known, repeated=True)
    messages.add(connection, [Kept(acceptance.message, acceptance.raw, hashlib.sha256(acceptance.raw).digest())])
    conversations.join(connection, taken.mailbox_id, [acceptance.message])
    if not health.usable:
        reason = directions.because(health)
        story.add(connection, taken.mailbox_id, taken.id, now, taken.state, DeliverySignal.HOLD, because=reason)
        eventlog.append(connection, [directions.held_event(taken, new_id(), now)])
    return Accepted(taken)


def repeated(connection: Connection, mailbox_id: str, key: str | None, digest: str) -> Delivery | None:
    query = select(delivery).where(delivery.c.mailbox_id == mailbox_id, delivery.c.idempotency_key == key)
    row: Row[Any] | None = connection.execute(query).one_or_none()
    if row is None:
        return None
    if row.idempotency_digest != digest:
        raise IdempotencyConflict("this idempotency key was used for another request")
    return delivery_of_row(row)
