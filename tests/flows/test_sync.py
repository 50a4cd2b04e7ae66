"""Reading a folder into a real store, from a session that does what a test wants of it."""

from dataclasses import replace

import pytest

from postroom.core.diagnosis import Failure
from postroom.core.ports.store import LeaseLost
from postroom.flows import refusals, taking
from postroom.store import open_store
from tests.flows.folder import Folder, letters
from tests.flows.inbox import LIMIT, Inbox, World, connected, owned
from tests.walks.letters import letter


@pytest.fixture
async def inbox(database_url) -> Inbox:
    world = World()
    store = await open_store(database_url, secret_key=bytes(32), world=world)
    yield await connected(store, world)
    await store.close()


async def test_what_came_before_a_break_stays_and_is_not_fetched_again(inbox):
    folder = Folder(letters(1, 250))
    folder.breaks_at = 215
    with pytest.raises(Failure):
        await inbox.read(folder)
    came = folder.fetched[:]
    assert 215 not in came
    assert await inbox.numbers() == sorted(came)
    folder.breaks_at = None
    await inbox.read(folder)
    assert sorted(folder.fetched) == list(range(1, 251))
    assert await inbox.numbers() == list(range(1, 251))


async def test_over_a_line_that_breaks_at_every_second_message_a_folder_is_read(inbox):
    folder = Folder(letters(1, 9))
    for last in (1, 2, 3, 4, 5, 6, 7, 8):
        folder.breaks_at = last + 1
        with pytest.raises(Failure):
            await inbox.read(folder)
        assert await inbox.numbers() == list(range(1, last + 1))


async def test_a_break_at_the_first_message_leaves_all_to_be_read(inbox):
    folder = Folder(letters(1, 3))
    folder.breaks_at = 1
    with pytest.raises(Failure):
        await inbox.read(folder)
    assert await inbox.ledger() == []
    assert list((await inbox.cursor()).pending) == [1, 2, 3]


async def test_a_message_that_did_not_come_before_a_break_is_not_taken_for_removed(inbox):
    folder = Folder(letters(1, 5))
    folder.gone, folder.breaks_at = {2}, 4
    with pytest.raises(Failure):
        await inbox.read(folder)
    assert await inbox.ledger() == [(1, 1, "fetched", 1), (3, 3, "fetched", 1)]  # nobody has said that 2 is gone
    folder.gone, folder.breaks_at = set(), None
    await inbox.read(folder)
    assert await inbox.numbers() == [1, 2, 3, 4, 5]


async def test_a_message_that_the_server_cannot_give_is_set_apart_and_the_next_ones_come(inbox):
    folder = Folder(letters(1, 6))
    folder.refuses = 3
    with pytest.raises(Failure):
        await inbox.read(folder)
    for _ in range(refusals.TIMES - 1):
        with pytest.raises(Failure):
            await inbox.read(folder)
    assert folder.fetched == [1, 2, 4, 5, 6]  # it waits until all others are read
    assert await inbox.read(folder) == 1
    assert await inbox.numbers() == [0, 1, 2, 4, 5, 6]
    (apart,) = [one for one in await inbox.messages() if one.quarantine]
    assert "could not give this message" in apart.quarantine
    assert "BYE FETCH failed" in apart.quarantine
    assert await inbox.store.raw(apart.id) == b""


async def test_a_message_at_which_the_line_breaks_is_never_given_up(inbox):
    folder = Folder(letters(1, 3))
    folder.breaks_at = 2
    for _ in range(2 * refusals.TIMES):
        with pytest.raises(Failure):
            await inbox.read(folder)
    folder.breaks_at = None
    await inbox.read(folder)
    assert await inbox.numbers() == [1, 2, 3]


async def test_a_message_that_is_given_after_all_is_read(inbox):
    folder = Folder(letters(1, 3))
    folder.refuses = 2
    for _ in range(refusals.TIMES - 1):
        with pytest.raises(Failure):
            await inbox.read(folder)
    folder.refuses = None
    await inbox.read(folder)
    assert await inbox.numbers() == [1, 2, 3]


async def test_nothing_new_is_not_asked_for(inbox):
    folder = Folder(letters(1, 3))
    assert await inbox.read(folder) == 3
    folder.fetched = []
    assert await inbox.read(folder) == 0
    assert folder.fetched == []


async def test_a_server_that_does_not_tell_its_next_uid_is_asked(inbox):
    folder = Folder(letters(1, 3))
    silent = replace(folder.selected(), uid_next=None)
    assert await inbox.read(folder, selected=silent) == 3
    folder.raws |= letters(4, 4)
    assert await inbox.read(folder, selected=silent) == 1
    assert folder.fetched == [1, 2, 3, 4]


async def test_a_message_removed_before_it_was_fetched_is_passed_over(inbox):
    folder = Folder(letters(1, 3))
    folder.gone = {2}
    await inbox.read(folder)
    assert await inbox.numbers() == [1, 3]
    assert ((await inbox.cursor()).last_uid, (await inbox.cursor()).gaps) == (3, ())


async def test_a_message_beyond_the_limit_is_never_fetched(inbox):
    folder = Folder({1: letter("uid-1"), 2: letter("uid-2", "x" * LIMIT), 3: letter("uid-3")})
    await inbox.read(folder)
    assert folder.fetched == [1, 3]
    assert await inbox.numbers() == [1, 3]


async def test_a_parser_that_fails_sets_the_message_apart_and_goes_on(inbox, monkeypatch):
    parse = taking.parse

    def failing(raw):
        if b"uid-2" in raw:
            raise RecursionError("too deep")
        return parse(raw)

    monkeypatch.setattr(taking, "parse", failing)
    folder = Folder(letters(1, 3))
    await inbox.read(folder)
    (apart,) = [one for one in await inbox.messages() if one.quarantine]
    assert "RecursionError" in apart.quarantine
    assert await inbox.store.raw(apart.id) == folder.raws[2]
    assert (await inbox.cursor()).last_uid == 3


async def test_messages_that_were_known_under_another_uidvalidity_are_not_new(inbox):
    folder = Folder(letters(1, 5))
    await inbox.read(folder)
    anew = Folder({uid + 100: raw for uid, raw in folder.raws.items()} | {106: letter("uid-106")}, uid_validity=2)
    await inbox.read(anew)
    assert await inbox.numbers() == [1, 2, 3, 4, 5, 106]
    assert len(await inbox.events()) == 6


async def test_a_worker_that_lost_the_mailbox_writes_nothing_more(inbox):
    await inbox.store.resign(inbox.lease.worker_id)
    await owned(inbox.store, inbox.world, "wrk_second")
    with pytest.raises(LeaseLost):
        await inbox.read(Folder(letters(1, 3)))
    assert await inbox.numbers() == []
    assert await inbox.cursor() is None
