"""The ledger against what the server has: gaps are found, healed and told of; renumbering brings nothing twice."""

from dataclasses import replace
from datetime import timedelta

import pytest

from postroom.core.cursor import Gap, Order
from postroom.flows import sync
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


async def test_a_message_that_the_ledger_missed_is_read_and_told_of(inbox):
    folder = Folder(letters(1, 9))
    hidden = {uid: folder.raws.pop(uid) for uid in (4, 7)}  # a server that shows them late
    await inbox.read(folder)
    folder.raws |= hidden
    assert await inbox.read(folder) == 0
    assert await inbox.read(folder, reconnected=True) == 2
    assert await inbox.numbers() == list(range(1, 10))
    (event,) = await inbox.events("mailbox.reconciled")
    assert event.data["healed"] == 2
    assert (event.data["server_count"], event.data["ledger_count"]) == (9, 9)
    found = (await inbox.cursor()).reconciled
    assert (found.at, found.server, found.ledger, found.healed) == (NOW, 9, 9, 2)
    await inbox.read(folder, reconnected=True)
    assert len(await inbox.events("mailbox.reconciled")) == 1


async def test_the_comparison_comes_round_every_few_hours(inbox):
    folder = Folder(letters(1, 9))
    hidden = folder.raws.pop(4)
    await inbox.read(folder, reconnected=True)
    folder.raws[4] = hidden
    inbox.world.at += timedelta(hours=5)
    assert await inbox.read(folder) == 0
    inbox.world.at += timedelta(hours=1)
    assert await inbox.read(folder) == 1


async def test_what_was_skipped_or_set_apart_is_no_gap_and_what_was_gone_and_is_back_is_one(inbox):
    folder = Folder(letters(1, 3) | {4: letter("uid-4", "x" * 200_000)})
    folder.dates = {1: days_ago(99)}
    await inbox.read(folder)
    folder.raws[7] = letter("uid-7")
    await inbox.read(folder)  # 5 and 6 were not there
    folder.raws[6] = letter("uid-6")
    assert await inbox.read(folder, reconnected=True) == 1
    assert await inbox.numbers() == [2, 3, 6, 7]
    assert [(first, last) for first, last, outcome, _ in await inbox.ledger() if outcome == "gone"] == [(5, 5)]
    found = (await inbox.cursor()).reconciled
    assert (found.server, found.ledger, found.healed) == (6, 6, 1)


async def test_nothing_is_asked_where_modseq_says_that_nothing_changed(inbox):
    folder = Folder(letters(1, 3), modseq=7)
    await inbox.read(folder, reconnected=True)
    folder.asked.clear()
    inbox.world.at += timedelta(hours=1)
    await inbox.read(folder, reconnected=True)
    assert folder.asked == []
    assert (await inbox.cursor()).reconciled.at == inbox.world.at
    folder.modseq = 8
    await inbox.read(folder, reconnected=True)
    assert folder.asked == ["uids"]


async def test_a_uidnext_that_lies_low_voids_nothing(inbox):
    folder = Folder(letters(1, 5))
    await inbox.read(folder)
    folder.fetched.clear()
    folder.uid_next = 3
    folder.arrive(6)
    assert await inbox.read(folder) == 1
    assert folder.fetched == [6]


async def test_a_uidnext_that_lies_high_hides_nothing_that_comes(inbox):
    folder = Folder(letters(1, 5), uid_next=2**32 - 1)
    await inbox.read(folder)
    folder.arrive(6)
    await inbox.read(folder)
    assert await inbox.numbers() == [1, 2, 3, 4, 5, 6]


async def test_a_count_that_lies_does_not_hide_anything(inbox):
    folder = Folder(letters(1, 5), exists=2)
    await inbox.read(folder, reconnected=True)
    assert await inbox.numbers() == [1, 2, 3, 4, 5]


async def test_a_folder_that_was_restored_to_an_earlier_day_is_read_again_without_repeating(inbox):
    folder = Folder(letters(1, 8))
    await inbox.read(folder)
    restored = Folder(letters(1, 4) | {5: letter("uid-9")})
    await inbox.read(restored)
    assert await inbox.numbers() == [1, 2, 3, 4, 5, 6, 7, 8, 9]
    assert len(await inbox.events()) == 9


async def test_two_that_are_alike_stay_two_when_a_folder_is_numbered_anew_and_a_third_is_new(inbox):
    same = letter("uid-1")
    await inbox.read(Folder({1: same, 2: same, 3: letter("uid-3")}))
    assert await inbox.numbers() == [1, 1, 3]
    await inbox.read(Folder({11: same, 12: same, 13: same, 14: letter("uid-3")}, uid_validity=2))
    assert await inbox.numbers() == [1, 1, 1, 3]
    assert len(await inbox.events()) == 4
    for round_ in (3, 4):
        await inbox.read(Folder({11: same, 12: same, 13: same, 14: letter("uid-3")}, uid_validity=round_))
    assert await inbox.numbers() == [1, 1, 1, 3]


async def test_a_message_without_a_message_id_is_known_by_its_bytes(inbox):
    bare = b"From: a@b.test\r\nSubject: no name\r\n\r\nHello\r\n"
    await inbox.read(Folder({1: bare, 2: bare + b"more\r\n"}))
    await inbox.read(Folder({5: bare, 6: bare + b"more\r\n", 7: bare + b"other\r\n"}, uid_validity=2))
    assert len(await inbox.messages()) == 3


async def test_a_message_that_its_server_writes_anew_each_time_is_known_by_its_name_date_and_size(inbox):
    first = letter("uid-1", "--boundary-aaaa--")
    await inbox.read(Folder({1: first}))
    anew = first.replace(b"aaaa", b"bbbb")
    later = first.replace(b"06 Jul 2026 09:30", b"06 Jul 2026 09:31").replace(b"aaaa", b"cccc")
    await inbox.read(Folder({1: anew, 2: later}, uid_validity=2))
    assert await inbox.numbers() == [1, 1]  # the second was sent at another time: another message


async def test_a_message_that_is_moved_to_another_folder_that_is_read_comes_once(inbox):
    await inbox.change(folders=("Support", "INBOX"))
    arrived = Folder(letters(1, 3))
    await inbox.read(arrived)
    moved = Folder({1: arrived.raws.pop(2), 2: letter("uid-9")}, uid_validity=77)
    await inbox.read(moved, "Support")
    await inbox.read(arrived, reconnected=True)
    assert await inbox.numbers() == [1, 2, 3, 9]
    where = {one.parsed.message_id: one.folder for one in await inbox.messages()}
    assert where["uid-2@customer.test"] == "Support"


async def test_a_folder_that_is_renamed_brings_nothing_twice(inbox):
    folder = Folder(letters(1, 5))
    await inbox.read(folder, "Help")
    await inbox.read(folder, "Support")
    assert len(await inbox.events()) == 5


async def test_a_folder_numbered_anew_is_read_as_far_back_as_it_was_at_first(inbox):
    folder = Folder(letters(1, 6))
    folder.dates = {1: days_ago(99), 2: days_ago(99)}
    await inbox.read(folder)
    inbox.world.at += timedelta(days=200)
    anew = Folder({uid + 10: raw for uid, raw in folder.raws.items()} | {17: letter("uid-17")}, uid_validity=2)
    anew.dates = {11: days_ago(99), 12: days_ago(99)}
    await inbox.read(anew)
    assert await inbox.numbers() == [3, 4, 5, 6, 17]
    assert await inbox.ledger(outcome="skipped") == [(11, 12, "skipped", 2)]


async def test_a_cursor_of_an_earlier_release_goes_on_and_skips_nothing(inbox):
    """It has no gaps, no day of its beginning, and its mailbox reads all mail."""
    await inbox.change(sync_days=None)
    folder = Folder(letters(1, 5))
    await inbox.read(folder)
    await inbox.store.record(inbox.lease, replace(await inbox.cursor(), began_at=None, since=None, gaps=()), [])
    folder.arrive(6)
    await inbox.read(folder, reconnected=True)
    await inbox.change(sync_days=30)
    folder.arrive(7)
    await inbox.read(folder)
    assert await inbox.numbers() == list(range(1, 8))


async def test_a_half_million_of_old_messages_are_one_row(inbox):
    folder = Folder(letters(499_999, 500_000))
    old = sync.Uids.between(1, 499_998)

    async def uids(among=None, since=None, real=folder.uids):
        found = await real(among, since)
        return found if since is not None else found | (old if among is None else old & among)

    folder.uids = uids
    await inbox.read(folder, reconnected=True)
    assert await inbox.ledger() == [
        (1, 499_998, "skipped", 499_998),
        (499_999, 499_999, "fetched", 1),
        (500_000, 500_000, "fetched", 1),
    ]
    found = (await inbox.cursor()).reconciled
    assert (found.server, found.ledger, found.healed) == (500_000, 500_000, 0)


async def test_the_ledger_is_listed_page_by_page_and_by_outcome(inbox):
    folder = Folder(letters(1, 130))
    folder.dates = {uid: days_ago(50) for uid in range(10, 61)}
    folder.raws[70] = letter("uid-70", "x" * 200_000)
    await inbox.read(folder)
    every = await inbox.ledger()
    assert every == sorted(every)
    assert sum(one[3] for one in every) == 130
    assert await inbox.ledger(outcome="skipped") == [(10, 60, "skipped", 51), (70, 70, "skipped", 1)]
    assert await inbox.ledger(folder="Elsewhere") == []
    assert not any(isinstance(gap, Gap) and gap.order is Order.NEWEST for gap in (await inbox.cursor()).gaps)
