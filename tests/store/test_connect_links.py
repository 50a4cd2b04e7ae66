"""Connect links in the store: sealed, taken by one try at a time, used once, gone with their mailbox."""

from dataclasses import replace
from datetime import timedelta

import pytest

from postroom.core.connect_link import ConnectLink
from postroom.core.events import Event, EventType
from postroom.core.ports.store import MailboxGone
from tests.store import make
from tests.store.make import NOON


def link_of(number=1, **more):
    return ConnectLink(f"cnl_{number}", NOON, NOON + timedelta(days=1), "the key", brand="Example Desk", **more)


async def test_a_link_is_kept_as_it_was_made_and_its_key_sealed(store, world):
    mailbox = await make.add_mailbox(store, world)
    link = link_of(mailbox_id=mailbox.id, reference="r", return_url="https://a.test/", return_state="s", client="oac_1")
    await store.add_connect_link(link)
    kept = await store.connect_link(link.id)
    assert kept == link
    assert kept.signed(link.token)
    await store.delete_mailbox(mailbox.id)
    assert await store.connect_link(link.id) is None
    with pytest.raises(MailboxGone):
        await store.add_connect_link(link)


async def test_one_try_has_a_link_to_itself_until_it_ends_or_its_time_is_over(store, world):
    await store.add_connect_link(link_of())
    soon = NOON + timedelta(minutes=3)
    assert await store.claim_connect_link("cnl_1", NOON, soon)
    assert not await store.claim_connect_link("cnl_1", NOON, soon)
    assert await store.claim_connect_link("cnl_1", soon, soon + timedelta(minutes=3))  # the first try died
    await store.release_connect_link(replace(link_of(), failures=4))
    assert (await store.connect_link("cnl_1")).failures == 4
    assert await store.claim_connect_link("cnl_1", NOON, soon)
    await store.release_connect_link(replace(link_of(), waits_until=soon))
    assert not await store.claim_connect_link("cnl_1", NOON, soon)
    assert await store.claim_connect_link("cnl_1", soon, soon)
    assert await store.revoke_connect_link("cnl_1", NOON)
    assert not await store.revoke_connect_link("cnl_1", NOON)
    assert not await store.claim_connect_link("cnl_1", soon, soon)


async def test_a_link_is_used_once_and_told_of_once(store, world):
    mailbox = await make.add_mailbox(store, world)
    await store.add_connect_link(link_of())
    used = replace(link_of(), used_at=NOON, connected_id=mailbox.id)
    event = Event("evt_1", EventType.CONNECT_LINK_USED, NOON, mailbox.id, {"id": "cnl_1"})
    assert await store.use_connect_link(used, event)
    assert not await store.use_connect_link(used, replace(event, id="evt_2"))
    assert not await store.claim_connect_link("cnl_1", NOON, NOON)
    assert not await store.revoke_connect_link("cnl_1", NOON)
    told = [one.event.id for one in await store.events(0) if one.event.type is EventType.CONNECT_LINK_USED]
    assert told == ["evt_1"]


async def test_links_are_listed_from_the_newest_on_and_by_mailbox(store, world):
    mailbox = await make.add_mailbox(store, world)
    for number in range(1, 6):
        await store.add_connect_link(link_of(number, mailbox_id=mailbox.id if number == 2 else None))
    first = await store.connect_links(limit=3)
    rest = await store.connect_links(limit=3, cursor=first.next_cursor)
    assert [one.id for one in (*first.items, *rest.items)] == [f"cnl_{number}" for number in (5, 4, 3, 2, 1)]
    assert rest.next_cursor is None
    assert [one.id for one in (await store.connect_links(mailbox_id=mailbox.id)).items] == ["cnl_2"]
