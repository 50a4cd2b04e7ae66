"""The bytes of a message that is on its way out. It composes nothing."""

from __future__ import annotations

from postroom.core.delivery import Delivery
from postroom.core.ports.store import MailboxGone, Store


async def raw_of(store: Store, delivery: Delivery) -> bytes:
    """The message as it was accepted. Raises MailboxGone where the mailbox was removed meanwhile, with all its mail."""
    raw = await store.raw(delivery.message_id)
    if raw is None:
        if await store.mailbox(delivery.mailbox_id) is None:
            raise MailboxGone(delivery.mailbox_id)
        raise RuntimeError(f"{delivery.id} has no bytes")
    return raw
