"""The first reading of a mailbox, and what a mailbox that was away catches up with, into a real store."""

from datetime import timedelta

import pytest

from postroom.core import provider
from postroom.core.diagnosis import Failure
from postroom.flows import reading
from postroom.store import open_store
from tests.flows.folder import NOW, Folder, days_ago, letters
from tests.flows.inbox import Inbox, World, connected
from tests.walks.letters import letter


@pytest.fixture
async def inbox(database_url) -> Inbox:
    world = World()
    store = await open_store(database_url, secret_key=bytes(32), world=world)
    yield await connected(store, world)
    await store.close()


async def test_the_newest_messages_come_first(inbox, monkeypatch):
    monkeypatch.setattr(reading, "MOST", 10)
    folder = Folder(letters(1, 30))
    await inbox.read(folder)
    assert folder.fetched == [*range(21, 31), *range(11, 21), *range(1, 11)]
    assert (await inbox.cursor()).gaps == ()


async def test_what_is_older_than_the_setting_is_in_the_ledger_as_one_row_with_the_reason(inbox):
    folder = Folder(letters(1, 12))
    folder.dates = {uid: days_ago(31 + uid) for uid in range(1, 9) if uid != 5}  # 5 was copied there yesterday
    assert await inbox.read(folder) == 5
    assert await inbox.numbers() == [5, 9, 10, 11, 12]
    assert await inbox.ledger(outcome="skipped") == [(1, 4, "skipped", 4), (6, 8, "skipped", 3)]
    (view,) = (await inbox.store.mailboxes()).items
    assert view.passed == {("INBOX", "skipped"): 7}
    (first, _) = (await inbox.store.ledger(inbox.mailbox.id, outcome="skipped")).items
    assert first.reason == "older than 30 days when the mailbox was connected (2026-07-06)"


async def test_mail_with_an_old_date_that_comes_now_is_new(inbox):
    folder = Folder(letters(1, 2))
    await inbox.read(folder)
    folder.arrive(3, letter("uid-3").replace(b"Jul 2026", b"Jul 1998"))
    folder.dates[3] = days_ago(4000)
    await inbox.read(folder)
    assert await inbox.numbers() == [1, 2, 3]


async def test_all_mail_is_read_where_that_is_asked_for(inbox):
    await inbox.change(sync_days=None)
    folder = Folder(letters(1, 3))
    folder.dates = {1: days_ago(4000)}
    await inbox.read(folder)
    assert await inbox.ledger() == [(uid, uid, "fetched", 1) for uid in (1, 2, 3)]


async def test_a_larger_number_of_days_brings_what_is_older_and_a_smaller_one_takes_nothing_away(inbox):
    folder = Folder(letters(1, 6))
    folder.dates = {1: days_ago(400), 2: days_ago(80), 3: days_ago(60), 4: days_ago(40)}
    await inbox.read(folder)
    assert await inbox.numbers() == [5, 6]
    for days, expected in ((70, [3, 4, 5, 6]), (10, [3, 4, 5, 6]), (100, [2, 3, 4, 5, 6]), (None, [1, 2, 3, 4, 5, 6])):
        await inbox.change(sync_days=days)
        inbox.world.at += timedelta(days=3)  # counted from the day of the connection, not from today
        await inbox.read(folder)
        assert await inbox.numbers() == expected
    assert await inbox.ledger(outcome="skipped") == []
    assert len(folder.fetched) == 6


async def test_new_mail_comes_at_once_while_old_mail_is_read(inbox, monkeypatch):
    monkeypatch.setattr(reading, "MOST", 5)
    folder = Folder(letters(1, 40))
    folder.on_fetch = lambda uid: folder.arrive(41) if uid == 31 else None
    await inbox.read(folder)
    assert folder.fetched[:15] == [36, 37, 38, 39, 40, 31, 32, 33, 34, 35, 41, 26, 27, 28, 29]
    assert await inbox.numbers() == list(range(1, 42))


async def test_a_catch_up_begins_with_the_oldest_and_new_mail_passes_it(inbox, monkeypatch):
    monkeypatch.setattr(reading, "FEW", 10)
    monkeypatch.setattr(reading, "MOST", 20)
    folder = Folder(letters(1, 5))
    await inbox.read(folder)
    folder.fetched.clear()
    folder.raws |= letters(6, 100)
    folder.on_fetch = lambda uid: folder.arrive(101) if uid == 10 else None
    await inbox.read(folder)
    assert folder.fetched == [*range(6, 26), 101, *range(26, 101)]
    assert len(await inbox.events()) == 101


async def test_a_reading_that_is_cut_short_goes_on_where_it_was(inbox, monkeypatch):
    """From both ends: a first reading half done, three weeks away, and new mail on top."""
    monkeypatch.setattr(reading, "MOST", 10)
    monkeypatch.setattr(reading, "FEW", 5)
    folder = Folder(letters(1, 50))
    folder.breaks_at = 23
    with pytest.raises(Failure):
        await inbox.read(folder)
    assert sorted(folder.fetched) == [21, 22, *range(31, 51)]
    folder.raws |= letters(51, 80)
    folder.breaks_at = 67
    with pytest.raises(Failure):
        await inbox.read(folder)
    assert folder.fetched[22:] == list(range(51, 67))
    folder.breaks_at = None
    inbox.sync = inbox.new_sync()  # another process
    await inbox.read(folder)
    assert sorted(folder.fetched) == list(range(1, 81))  # each once
    assert await inbox.numbers() == list(range(1, 81))
    cursor = await inbox.cursor()
    assert (cursor.gaps, cursor.total, cursor.done, cursor.synced_at) == ((), 0, 0, NOW)


async def test_progress_is_counted_over_breaks(inbox, monkeypatch):
    monkeypatch.setattr(reading, "MOST", 10)
    folder = Folder(letters(1, 50))
    folder.breaks_at = 25
    with pytest.raises(Failure):
        await inbox.read(folder)
    cursor = await inbox.cursor()
    assert (cursor.total, cursor.done) == (50, 24)


async def test_what_somebody_deleted_or_moved_away_while_we_were_away_is_told_apart(inbox):
    folder = Folder(letters(1, 3))
    await inbox.read(folder)
    folder.raws |= letters(6, 8)  # 4 and 5 were given out, and are not there any more
    folder.gone = {7}
    await inbox.read(folder)
    assert await inbox.numbers() == [1, 2, 3, 6, 8]
    assert await inbox.ledger(outcome="gone") == [(4, 5, "gone", 2), (7, 7, "gone", 1)]
    del folder.raws[2]  # read long ago, deleted since: ours stays
    await inbox.read(folder, reconnected=True)
    assert await inbox.numbers() == [1, 2, 3, 6, 8]


async def test_a_message_that_is_shown_and_never_given_is_set_apart_at_last(inbox):
    folder = Folder(letters(1, 4))
    folder.withheld = {2}
    for _ in range(3):
        await inbox.read(folder)
        assert await inbox.numbers() == [1, 3, 4]
    await inbox.read(folder)
    assert await inbox.numbers() == [0, 1, 3, 4]
    assert await inbox.ledger(outcome="quarantined") == [(2, 2, "quarantined", 1)]
    assert (await inbox.cursor()).gaps == ()


async def test_a_provider_s_bytes_a_day_are_kept_and_new_mail_comes_all_the_same(inbox, monkeypatch):
    size = len(letters(1, 1)[1])
    monkeypatch.setattr(reading, "MOST", 5)
    limited = provider.GENERIC.__class__(key="small", name="Small", imap_bytes_a_day=int(25 * size / 0.8))
    monkeypatch.setattr(provider, "by_key", lambda key: limited)
    folder = Folder(letters(1, 60))
    await inbox.read(folder)
    assert len(folder.fetched) == 25
    cursor = await inbox.cursor()
    assert (cursor.total, cursor.done) == (60, 25)  # people see that it waits
    folder.arrive(61)
    await inbox.read(folder)
    assert folder.fetched[25:] == [61]
    inbox.world.at += timedelta(hours=25)
    inbox.sync = inbox.new_sync()
    await inbox.read(folder)
    assert len(folder.fetched) == 51


async def test_folders_take_turns(inbox, monkeypatch):
    monkeypatch.setattr(reading, "MOST", 5)
    folder = Folder(letters(1, 20))
    brought = await inbox.sync.folder(inbox.lease, folder, inbox.mailbox, folder.selected(), seconds=0.0)
    assert (brought.messages, brought.more) == (0, True)
    brought = await inbox.sync.folder(inbox.lease, folder, inbox.mailbox, folder.selected(), seconds=60.0)
    assert (brought.messages, brought.more) == (20, False)


async def test_a_server_whose_sizes_are_wrong_is_read_in_memory_that_is_bounded(inbox, monkeypatch):
    monkeypatch.setattr(reading, "MOST_BYTES", 4000)
    folder = Folder({uid: letter(f"uid-{uid}", "x" * 3000) for uid in range(1, 21)})

    async def liar(uids, real=folder.sizes_of):
        return [one.__class__(one.uid, 1) for one in await real(uids)]

    folder.sizes_of = liar
    largest = []
    record = inbox.store.record

    async def recorded(lease, cursor, arrivals, *more):
        largest.append(sum(len(one.raw or b"") for one in arrivals))
        return await record(lease, cursor, arrivals, *more)

    monkeypatch.setattr(inbox.store, "record", recorded)
    await inbox.read(folder)
    assert await inbox.numbers() == list(range(1, 21))
    assert max(largest) < 3 * 4000
