"""A connected mailbox in a real store, and the reading of a folder into it."""

from dataclasses import replace

from postroom.core.health import Health, State
from postroom.core.identity import Kind
from postroom.core.mailbox import AuthKind, Credential, Direction, Endpoint, Mailbox, Security
from postroom.core.ports.store import HealthChange, Lease
from postroom.flows.own import TTL
from postroom.flows.sync import Sync
from postroom.world import RealWorld
from tests.flows.folder import NOW

LIMIT = 100_000


class World(RealWorld):
    """The time of the tests' folders, which passes only where a test says so."""

    at = NOW

    def now(self):
        return self.at


class Inbox:
    """The mailbox and the right to work for it."""

    def __init__(self, store, world, mailbox, lease):
        self.store, self.world, self.mailbox, self.lease = store, world, mailbox, lease
        self.sync = self.new_sync()

    def new_sync(self, **settings):
        return Sync(self.store, self.world, **{"max_message_bytes": LIMIT, **settings})

    async def read(self, folder, name="INBOX", selected=None, **how):
        """One look at the folder; how many messages it brought."""
        brought = await self.sync.folder(self.lease, folder, self.mailbox, selected or folder.selected(name), **how)
        return brought.messages

    async def cursor(self, name="INBOX"):
        return await self.store.cursor(self.mailbox.id, name)

    async def change(self, **settings):
        self.mailbox = replace(self.mailbox, **settings)
        await self.store.update_mailbox(self.mailbox)

    async def messages(self):
        """All messages, in the order of their reading."""
        found, cursor = [], None
        while True:
            page = await self.store.conversations(mailbox_id=self.mailbox.id, limit=200, cursor=cursor)
            for conversation in page.items:
                found += (await self.store.messages(conversation.id, limit=200)).items
            cursor = page.next_cursor
            if cursor is None:
                return sorted(found, key=lambda one: one.id)

    async def numbers(self):
        """The UIDs in their Message-IDs, ascending: a message that is there twice is there twice. 0 has none."""
        names = [one.parsed.message_id for one in await self.messages()]
        return sorted(int(name[4:].partition("@")[0]) if name else 0 for name in names)

    async def ledger(self, **which):
        """(first UID, last UID, outcome, messages) of all entries."""
        entries, cursor = [], None
        while True:
            page = await self.store.ledger(self.mailbox.id, limit=50, cursor=cursor, **which)
            entries += page.items
            cursor = page.next_cursor
            if cursor is None:
                return [(one.first_uid, one.last_uid, str(one.outcome), one.messages) for one in entries]

    async def events(self, kind="message.received"):
        return [one.event for one in await self.store.events(0, limit=100_000) if one.event.type == kind]


async def connected(store, world, **settings) -> Inbox:
    end = Endpoint("localhost", 1, Security.NONE, "team")
    new = world.identifier(Kind.MAILBOX)
    mailbox = Mailbox(new, "team@rig.test", "", "generic", end, end, AuthKind.PASSWORD, NOW, **settings)
    health = [HealthChange(Health(new, direction, State.CONNECTED, NOW)) for direction in Direction]
    await store.add_mailbox(mailbox, Credential(), health)
    return Inbox(store, world, mailbox, await owned(store, world, "wrk_first"))


async def owned(store, world, worker) -> Lease:
    await store.heartbeat(worker, "here", world.now(), TTL)
    (lease,) = await store.claim(worker, world.now())
    return lease
