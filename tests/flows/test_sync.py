"""Reading a folder into a real store, from a session that does what a test wants of it."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from postroom.core.cursor import Selected, Sized
from postroom.core.diagnosis import Evidence, Failure, Stage
from postroom.core.health import Health, State
from postroom.core.identity import Kind
from postroom.core.mailbox import AuthKind, Credential, Direction, Endpoint, Mailbox, Security
from postroom.core.ports.store import HealthChange, Lease, LeaseLost
from postroom.core.ports.wire import Fetched
from postroom.flows import sync as flow
from postroom.flows.own import TTL
from postroom.flows.sync import Sync
from postroom.store import open_store
from postroom.world import RealWorld
from tests.walks.letters import letter

WORLD = RealWorld()
NOW = datetime(2026, 7, 6, tzinfo=UTC)
LIMIT = 100_000


class Folder:
    """A session with one folder: `raws` by UID. `breaks_at` is the UID whose fetch loses the connection."""

    def __init__(self, raws, uid_validity=1):
        self.raws = dict(raws)
        self.uid_validity = uid_validity
        self.breaks_at = None
        self.refuses = None  # the UID at which the server gives up
        self.gone = set()  # shown with their sizes, removed before they were fetched
        self.fetched = []

    def selected(self):
        return Selected("INBOX", self.uid_validity, max(self.raws, default=0) + 1, len(self.raws))

    async def sizes(self, first_uid):
        return [Sized(uid, len(raw)) for uid, raw in sorted(self.raws.items()) if uid >= first_uid]

    async def fetch(self, uids):
        for uid in uids:
            if uid == self.breaks_at:
                raise Failure(Evidence(Direction.IMAP, Stage.FETCH, exception="ConnectionLost: of the test"))
            if uid == self.refuses:
                raise Failure(Evidence(Direction.IMAP, Stage.FETCH, raw="* BYE FETCH failed", status="BYE"))
            if uid not in self.gone:
                self.fetched.append(uid)
                yield Fetched(uid, self.raws[uid], NOW)


@pytest.fixture
async def store(database_url):
    opened = await open_store(database_url, secret_key=bytes(32), world=WORLD)
    yield opened
    await opened.close()


@pytest.fixture
async def lease(store):
    """The right to work for a mailbox that is connected."""
    end = Endpoint("localhost", 1, Security.NONE, "team")
    new = WORLD.identifier(Kind.MAILBOX)
    mailbox = Mailbox(new, "team@rig.test", "", "generic", end, end, AuthKind.PASSWORD, NOW)
    health = [HealthChange(Health(new, direction, State.CONNECTED, NOW)) for direction in Direction]
    await store.add_mailbox(mailbox, Credential(), health)
    return await owned(store, "wrk_first")


async def owned(store, worker) -> Lease:
    await store.heartbeat(worker, "here", WORLD.now(), TTL)
    (lease,) = await store.claim(worker, WORLD.now())
    return lease


@pytest.fixture
def reading(store):
    return Sync(store, WORLD, max_message_bytes=LIMIT)


def letters(first, last):
    return {uid: letter(f"uid-{uid}") for uid in range(first, last + 1)}


async def everything(store, lease):
    """All messages, in the order of their reading."""
    found, cursor = [], None
    while True:
        page = await store.conversations(mailbox_id=lease.mailbox_id, limit=200, cursor=cursor)
        for conversation in page.items:
            found += (await store.messages(conversation.id)).items
        cursor = page.next_cursor
        if cursor is None:
            return sorted(found, key=lambda one: one.id)


async def numbers(store, lease):
    """The UIDs in their Message-IDs, None for one without."""
    names = [one.parsed.message_id for one in await everything(store, lease)]
    return [int(name[4:].partition("@")[0]) if name else None for name in names]


async def test_what_came_before_a_break_stays_and_is_not_fetched_again(store, lease, reading):
    folder = Folder(letters(1, 250))
    folder.breaks_at = 215
    with pytest.raises(Failure):
        await reading.folder(lease, folder, folder.selected())
    assert (await store.cursor(lease.mailbox_id, "INBOX")).last_uid == 214
    folder.breaks_at = None
    await reading.folder(lease, folder, folder.selected())
    assert folder.fetched == list(range(1, 251))
    assert await numbers(store, lease) == list(range(1, 251))


async def test_over_a_line_that_breaks_at_every_second_message_a_folder_is_read(store, lease, reading):
    folder = Folder(letters(1, 9))
    for last in (1, 2, 3, 4, 5, 6, 7, 8):
        folder.breaks_at = last + 1
        with pytest.raises(Failure):
            await reading.folder(lease, folder, folder.selected())
        assert await numbers(store, lease) == list(range(1, last + 1))


async def test_a_break_at_the_first_message_records_nothing(store, lease, reading):
    folder = Folder(letters(1, 3))
    folder.breaks_at = 1
    with pytest.raises(Failure):
        await reading.folder(lease, folder, folder.selected())
    assert await store.cursor(lease.mailbox_id, "INBOX") is None


async def test_a_message_that_did_not_come_before_a_break_is_not_taken_for_removed(store, lease, reading):
    folder = Folder(letters(1, 5))
    folder.gone, folder.breaks_at = {2}, 4
    with pytest.raises(Failure):
        await reading.folder(lease, folder, folder.selected())
    assert await numbers(store, lease) == [1]  # 2 may be still on its way: nobody has said that it is gone
    folder.gone, folder.breaks_at = set(), None
    await reading.folder(lease, folder, folder.selected())
    assert await numbers(store, lease) == [1, 2, 3, 4, 5]


async def test_a_message_that_the_server_cannot_give_is_set_apart_and_the_next_ones_come(store, lease, reading):
    folder = Folder(letters(1, 6))
    folder.refuses = 3
    for _ in range(flow.REFUSALS):
        with pytest.raises(Failure):
            await reading.folder(lease, folder, folder.selected())
        assert await numbers(store, lease) == [1, 2]
    assert await reading.folder(lease, folder, folder.selected()) == 4
    assert await numbers(store, lease) == [1, 2, None, 4, 5, 6]
    (apart,) = [one for one in await everything(store, lease) if one.quarantine]
    assert "could not give this message" in apart.quarantine
    assert "BYE FETCH failed" in apart.quarantine
    assert await store.raw(apart.id) == b""


async def test_a_message_at_which_the_line_breaks_is_never_given_up(store, lease, reading):
    folder = Folder(letters(1, 3))
    folder.breaks_at = 2
    for _ in range(2 * flow.REFUSALS):
        with pytest.raises(Failure):
            await reading.folder(lease, folder, folder.selected())
    folder.breaks_at = None
    await reading.folder(lease, folder, folder.selected())
    assert await numbers(store, lease) == [1, 2, 3]


async def test_a_message_that_is_given_after_all_is_read(store, lease, reading):
    folder = Folder(letters(1, 3))
    folder.refuses = 2
    for _ in range(flow.REFUSALS - 1):
        with pytest.raises(Failure):
            await reading.folder(lease, folder, folder.selected())
    folder.refuses = None
    await reading.folder(lease, folder, folder.selected())
    assert await numbers(store, lease) == [1, 2, 3]


async def test_nothing_new_is_not_asked_for(store, lease, reading):
    folder = Folder(letters(1, 3))
    assert await reading.folder(lease, folder, folder.selected()) == 3
    folder.fetched = []
    assert await reading.folder(lease, folder, folder.selected()) == 0
    assert folder.fetched == []


async def test_a_server_that_does_not_tell_its_next_uid_is_asked(store, lease, reading):
    folder = Folder(letters(1, 3))
    silent = replace(folder.selected(), uid_next=None)
    assert await reading.folder(lease, folder, silent) == 3
    folder.raws |= letters(4, 4)
    assert await reading.folder(lease, folder, silent) == 1
    assert folder.fetched == [1, 2, 3, 4]


async def test_a_message_removed_before_it_was_fetched_is_passed_over(store, lease, reading):
    folder = Folder(letters(1, 3))
    folder.gone = {2}
    await reading.folder(lease, folder, folder.selected())
    assert await numbers(store, lease) == [1, 3]
    assert (await store.cursor(lease.mailbox_id, "INBOX")).last_uid == 3


async def test_a_message_beyond_the_limit_is_never_fetched(store, lease, reading):
    folder = Folder({1: letter("uid-1"), 2: letter("uid-2", "x" * LIMIT), 3: letter("uid-3")})
    await reading.folder(lease, folder, folder.selected())
    assert folder.fetched == [1, 3]
    assert await numbers(store, lease) == [1, 3]


async def test_a_parser_that_fails_sets_the_message_apart_and_goes_on(store, lease, reading, monkeypatch):
    parse = flow.parse

    def failing(raw):
        if b"uid-2" in raw:
            raise RecursionError("too deep")
        return parse(raw)

    monkeypatch.setattr(flow, "parse", failing)
    folder = Folder(letters(1, 3))
    await reading.folder(lease, folder, folder.selected())
    (apart,) = [one for one in await everything(store, lease) if one.quarantine]
    assert "RecursionError" in apart.quarantine
    assert await store.raw(apart.id) == folder.raws[2]
    assert (await store.cursor(lease.mailbox_id, "INBOX")).last_uid == 3


async def test_messages_that_were_known_under_another_uidvalidity_are_not_new(store, lease, reading):
    folder = Folder(letters(1, 5))
    await reading.folder(lease, folder, folder.selected())
    anew = Folder({uid + 100: raw for uid, raw in folder.raws.items()} | {106: letter("uid-106")}, uid_validity=2)
    await reading.folder(lease, anew, anew.selected())
    assert await numbers(store, lease) == [1, 2, 3, 4, 5, 106]
    events = [one.event for one in await store.events(0)]
    assert [one.type for one in events].count("message.received") == 6


async def test_a_worker_that_lost_the_mailbox_writes_nothing_more(store, lease, reading):
    await store.resign(lease.worker_id)
    await owned(store, "wrk_second")
    folder = Folder(letters(1, 3))
    with pytest.raises(ExceptionGroup) as refused:
        await reading.folder(lease, folder, folder.selected())
    assert refused.group_contains(LeaseLost)
    assert await numbers(store, lease) == []
    assert await store.cursor(lease.mailbox_id, "INBOX") is None
