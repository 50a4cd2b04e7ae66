"""The whole store, put together from its concerns, and what concerns the store itself. It holds no SQL of theirs."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, update

from postroom.core.ports.store import Counts, Pruned
from postroom.core.retention import Retention
from postroom.store import directions, outbox, pruning
from postroom.store.changes import ChangeWatcher
from postroom.store.schema import secret_key
from postroom.store.sqlstore.certificates import CertificateMethods
from postroom.store.sqlstore.connect_links import ConnectLinkMethods
from postroom.store.sqlstore.events import EventMethods
from postroom.store.sqlstore.inbound import InboundMethods
from postroom.store.sqlstore.keys import KeyMethods
from postroom.store.sqlstore.leases import LeaseMethods
from postroom.store.sqlstore.mailboxes import MailboxMethods
from postroom.store.sqlstore.oauth import OAuthMethods
from postroom.store.sqlstore.outbox import OutboxMethods
from postroom.store.sqlstore.sealed import SealedMethods


class SqlStore(
    MailboxMethods,
    LeaseMethods,
    InboundMethods,
    OutboxMethods,
    EventMethods,
    KeyMethods,
    OAuthMethods,
    SealedMethods,
    CertificateMethods,
    ConnectLinkMethods,
):
    """The whole store. Made by `open_store`."""

    def watcher(self) -> ChangeWatcher:
        return ChangeWatcher(self._database.changes)

    async def counts(self) -> Counts:
        def both(connection: Connection) -> Counts:
            return Counts(outbox.counts(connection), directions.counts(connection))

        return await self._read(both)

    async def prune(self, retention: Retention, now: datetime) -> Pruned:
        return await self._note(pruning.prune, retention, now)

    async def ping(self) -> None:
        def touch(connection: Connection) -> None:
            # A write: a database that can be read but not written to does not serve.
            connection.execute(update(secret_key).values(created_at=secret_key.c.created_at))

        await self._note(touch)

    async def close(self) -> None:
        await self._database.close()
