"""The log of events, webhooks and API keys in the store."""

import asyncio
from dataclasses import replace
from datetime import timedelta

from postroom.core.apikey import ApiKey
from postroom.core.cursor import Cursor
from postroom.core.events import EventType, Webhook
from postroom.core.ports.store import Store
from postroom.store import open_store
from tests.store.make import KEY, NOON, World, add_mailbox, arrival, own

CLAIM = timedelta(seconds=30)


def webhook(number: int = 1, **changes: object) -> Webhook:
    made = Webhook(f"whk_{number}", f"https://example.org/{number}", "whsec_secret", (), NOON)
    return replace(made, **changes)


async def tell(store: Store, world: World, number: int, address: str = "help@example.org") -> str:
    """As many `message.received` events; gives the mailbox."""
    view = await store.mailbox_by_address(address)
    mailbox = view.mailbox if view else await add_mailbox(store, world, address)
    lease = (await own(store, world))[mailbox.id]
    cursor = await store.cursor(mailbox.id, "INBOX") or Cursor(mailbox.id, "INBOX", 1)
    uids = range(cursor.last_uid + 1, cursor.last_uid + 1 + number)
    arrivals = [arrival(world, mailbox.id, uid) for uid in uids]
    await store.record(lease, replace(cursor, last_uid=uids[-1]), arrivals)
    return mailbox.id


async def test_events_are_read_from_a_position_by_type_and_mailbox(store: Store, world: World) -> None:
    assert await store.last_position() == 0
    first = await tell(store, world, 2)
    second = await tell(store, world, 1, "other@example.org")
    everything = await store.events(0)
    assert [one.position for one in everything] == [1, 2, 3]
    assert [one.event.mailbox_id for one in everything] == [first, first, second]
    assert await store.last_position() == 3
    assert await store.events(1) == everything[1:]
    assert await store.events(0, limit=2) == everything[:2]
    assert await store.events(0, mailbox_id=second) == everything[2:]
    assert await store.events(0, types=[EventType.MESSAGE_RECEIVED]) == everything
    assert await store.events(0, types=[EventType.DELIVERY_SENT]) == []


async def test_positions_never_go_back_though_a_mailbox_and_its_events_go(store: Store, world: World) -> None:
    gone = await tell(store, world, 3)
    await store.delete_mailbox(gone)
    assert await store.events(0) == []
    await tell(store, world, 1)
    assert [one.position for one in await store.events(3)] == [4]


async def test_positions_become_visible_in_order_whoever_writes(database_url: str, world: World) -> None:
    """A reader that goes on from the last position it saw misses none, though many commit at the same time."""
    writers = [await open_store(database_url, secret_key=KEY, world=World(1000 * n)) for n in range(1, 4)]
    reader = await open_store(database_url, secret_key=KEY, world=world)
    mailboxes = [await add_mailbox(writers[n % 3], world, f"{n}@example.org") for n in range(6)]
    leases = await own(reader, world)
    each = 25
    done = asyncio.Event()

    async def write(number: int) -> None:
        lease = leases[mailboxes[number].id]
        for uid in range(1, each + 1):
            one = arrival(writers[number % 3]._world, lease.mailbox_id, uid)  # type: ignore[attr-defined]
            await writers[number % 3].record(lease, Cursor(lease.mailbox_id, "INBOX", 1, uid), [one])

    async def read() -> list[int]:
        seen: list[int] = []
        while True:
            last_look = done.is_set()
            seen += [one.position for one in await reader.events(seen[-1] if seen else 0, limit=7)]
            if last_look and len(seen) >= each * len(mailboxes):
                return seen
            await asyncio.sleep(0)

    async with asyncio.TaskGroup() as group:
        reading = group.create_task(read())
        async with asyncio.TaskGroup() as writing:
            for number in range(len(mailboxes)):
                writing.create_task(write(number))
        done.set()
    assert reading.result() == list(range(1, each * len(mailboxes) + 1))
    for one in (*writers, reader):
        await one.close()


async def test_a_webhook_is_read_back_changed_and_removed(store: Store) -> None:
    made = webhook(types=(EventType.DELIVERY_SENT, EventType.DELIVERY_FAILED))
    await store.add_webhook(made)
    await store.add_webhook(webhook(2))
    assert await store.webhook("whk_1") == made
    assert await store.webhooks() == [made, webhook(2)]
    changed = replace(made, enabled=False, failing_since=NOON, last_error="answered 500", secret="whsec_new")
    await store.update_webhook(changed)
    assert await store.webhook("whk_1") == changed
    assert await store.delete_webhook("whk_1")
    assert not await store.delete_webhook("whk_1")
    assert await store.webhook("whk_1") is None


async def test_a_webhook_gets_events_from_when_it_was_made_and_of_its_types(store: Store, world: World) -> None:
    await tell(store, world, 2)
    await store.add_webhook(webhook(1))
    await store.add_webhook(webhook(2, types=(EventType.DELIVERY_SENT,)))
    await store.add_webhook(webhook(3, enabled=False))
    assert await store.fan_out(NOON) == 0
    await tell(store, world, 3)
    while await store.fan_out(NOON, limit=2):
        pass
    calls = await store.calls_due(NOON, CLAIM)
    assert [(call.webhook.id, call.recorded.position, call.attempts) for call in calls] == [
        ("whk_1", position, 0) for position in (3, 4, 5)
    ]
    assert [call.recorded for call in calls] == await store.events(2)
    await store.update_webhook(webhook(3))
    assert await store.fan_out(NOON) == 0  # what happened while it was off is not made up for


async def test_a_claimed_call_is_nobody_elses_until_the_claim_is_over(store: Store, world: World) -> None:
    await store.add_webhook(webhook())
    await tell(store, world, 1)
    assert await store.fan_out(NOON) == 1
    (call,) = await store.calls_due(NOON, CLAIM)
    assert await store.calls_due(NOON + CLAIM / 2, CLAIM) == []
    assert await store.calls_due(NOON + CLAIM, CLAIM) == [call]


async def test_a_call_is_repeated_given_up_or_done(store: Store, world: World) -> None:
    await store.add_webhook(webhook())
    await tell(store, world, 2)
    await store.fan_out(NOON)
    first, second = await store.calls_due(NOON, CLAIM)
    later = NOON + timedelta(hours=1)
    await store.called(first, done=True, next_attempt_at=None, error=None)
    await store.called(second, done=False, next_attempt_at=later, error="answered 500")
    assert await store.calls_due(later - timedelta(seconds=1), CLAIM) == []
    (again,) = await store.calls_due(later, CLAIM)
    assert again == replace(second, attempts=1)
    await store.called(again, done=False, next_attempt_at=None, error="answered 500")
    assert await store.calls_due(later + timedelta(days=9), CLAIM) == []


async def test_a_receiver_that_is_down_does_not_keep_the_others_waiting(store: Store, world: World) -> None:
    await store.add_webhook(webhook(1))
    await tell(store, world, 20)
    await store.fan_out(NOON)
    await store.add_webhook(webhook(2))
    await tell(store, world, 1)
    await store.fan_out(NOON)
    calls = await store.calls_due(NOON, CLAIM, limit=4)
    assert [call.recorded.position for call in calls if call.webhook.id == "whk_2"] == [21]
    assert [call.recorded.position for call in calls if call.webhook.id == "whk_1"] == [1, 2]


async def test_two_who_claim_calls_at_once_share_them(database_url: str, world: World) -> None:
    one = await open_store(database_url, secret_key=KEY, world=world)
    two = await open_store(database_url, secret_key=KEY, world=world)
    await one.add_webhook(webhook())
    await tell(one, world, 40)
    await asyncio.gather(one.fan_out(NOON), two.fan_out(NOON))
    claimed: list[int] = []
    for _ in range(20):
        both = await asyncio.gather(one.calls_due(NOON, CLAIM, limit=5), two.calls_due(NOON, CLAIM, limit=5))
        claimed += [call.recorded.position for calls in both for call in calls]
    assert sorted(claimed) == list(range(1, 41))
    await one.close()
    await two.close()


async def test_an_api_key_is_found_by_its_digest_until_it_is_revoked(store: Store) -> None:
    key = ApiKey("key_1", "CRM", NOON)
    await store.add_key(key, "digest")
    await store.add_key(ApiKey("key_2", "other", NOON + CLAIM), "other digest")
    assert await store.key("digest") == key
    assert await store.key("unknown") is None
    await store.key_used("key_1", NOON + CLAIM)
    assert await store.key("digest") == replace(key, last_used_at=NOON + CLAIM)
    assert await store.revoke_key("key_1", NOON + 2 * CLAIM)
    assert not await store.revoke_key("key_1", NOON + 3 * CLAIM)
    assert not await store.revoke_key("key_9", NOON)
    assert await store.key("digest") is None
    assert [(one.id, one.revoked_at) for one in await store.keys()] == [("key_1", NOON + 2 * CLAIM), ("key_2", None)]
