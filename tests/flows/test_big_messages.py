"""Messages that are too big to be in memory beside others: each comes whole, and one at a time is in memory."""

import asyncio

import pytest

from postroom.core.ports.wire import Fetched
from postroom.store import open_store
from tests.flows.folder import Folder, letters
from tests.flows.inbox import Inbox, World, connected


class Memory:
    """What is in memory: from the moment it is read from disk until it is recorded."""

    def __init__(self, inbox: Inbox):
        self.now = self.most = self.read = 0
        self._record = inbox.store.record
        inbox.store.record = self.record

    async def record(self, *arguments):
        recorded = await self._record(*arguments)
        await asyncio.sleep(0)
        self.now -= sum(len(one.raw or b"") > 0 for one in arguments[2])
        return recorded


class OnDisk:
    def __init__(self, raw, memory):
        self._raw, self._memory = raw, memory

    def __len__(self):
        return len(self._raw)

    def read(self):
        self._memory.read += 1
        self._memory.now += 1
        self._memory.most = max(self._memory.most, self._memory.now)
        return self._raw


class BigFolder(Folder):
    """Each of its messages comes alone, on disk."""

    def __init__(self, raws, memory):
        super().__init__(raws)
        self._memory = memory

    async def sizes_of(self, uids):
        return [type(one)(one.uid, 90_000) for one in await super().sizes_of(uids)]

    async def fetch(self, uids):
        async for one in super().fetch(uids):
            yield Fetched(one.uid, OnDisk(one.raw, self._memory), one.internal_date)


@pytest.fixture
async def inbox(sqlite_url) -> Inbox:
    world = World()
    store = await open_store(sqlite_url, secret_key=bytes(32), world=world)
    yield await connected(store, world)
    await store.close()


async def test_of_messages_on_disk_those_of_one_batch_are_in_memory_over_all_folders(inbox, monkeypatch):
    monkeypatch.setattr("postroom.flows.reading.MOST", 1)
    memory = Memory(inbox)
    folders = {name: BigFolder(letters(first, first + 4), memory) for name, first in (("A", 1), ("B", 11), ("C", 21))}
    await asyncio.gather(*(inbox.read(folder, name) for name, folder in folders.items()))
    assert await inbox.numbers() == [*range(1, 6), *range(11, 16), *range(21, 26)]
    assert (memory.read, memory.most, memory.now) == (15, 1, 0)
