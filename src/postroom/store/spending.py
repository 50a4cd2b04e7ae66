"""What mailboxes with a budget of a day have sent of it, in pieces of ten minutes. It knows no budget: core does."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, delete, select

from postroom.core.budget import BUCKET, DAY, Spent, bucket
from postroom.store.database import insert
from postroom.store.schema import spent


def add(connection: Connection, mailbox_id: str, recipients: int, now: datetime) -> None:
    """One message more that the server took, and so many recipients."""
    began = bucket(now)
    new = insert(connection, spent).values(mailbox_id=mailbox_id, at=began, messages=1, recipients=recipients)
    both = {name: spent.c[name] + new.excluded[name] for name in ("messages", "recipients")}
    row = connection.execute(
        new.on_conflict_do_update(index_elements=["mailbox_id", "at"], set_=both).returning(spent.c.messages)
    ).scalar_one()
    if row == 1:  # the first of this piece: those of yesterday count no more
        old = (spent.c.mailbox_id == mailbox_id, spent.c.at < began - DAY - BUCKET)
        connection.execute(delete(spent).where(*old))


def since(connection: Connection, mailbox_id: str, at: datetime) -> list[Spent]:
    query = select(spent).where(spent.c.mailbox_id == mailbox_id, spent.c.at >= at).order_by(spent.c.at)
    return [Spent(row.at, row.messages, row.recipients) for row in connection.execute(query)]
