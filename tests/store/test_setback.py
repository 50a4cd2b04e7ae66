"""The clock was set back: what waits for a time waits no longer for that, what was chosen or promised stays."""

from dataclasses import replace
from datetime import timedelta

import pytest

from postroom.core.delivery import State
from postroom.core.health import State as HealthState
from postroom.core.mailbox import Direction
from postroom.core.ports.store import HealthChange, LeaseLost, Settlement, Store
from tests.store.make import NOON, World, acceptance, add_mailbox, health, own

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)


async def test_what_waits_is_taken_along_and_what_was_chosen_or_promised_stays(store: Store, world: World) -> None:
    mailbox, other = await add_mailbox(store, world), await add_mailbox(store, world, "other@example.org")
    leases = await own(store, world)
    wished = NOON + 2 * HOUR
    made = {
        "put off": {"state": State.DEFERRED, "next_attempt_at": NOON + 10 * MINUTE},
        "due": {"next_attempt_at": NOON - 2 * HOUR},
        "wished": {"send_at": wished, "next_attempt_at": wished},
        "wished and put off": {"state": State.DEFERRED, "send_at": NOON, "next_attempt_at": NOON + 10 * MINUTE},
        "looked for": {"state": State.UNCONFIRMED, "next_attempt_at": NOON + MINUTE},
        "left to a person": {"state": State.UNCONFIRMED, "next_attempt_at": NOON + 72 * HOUR},
        "sent": {"state": State.SENT, "next_attempt_at": NOON + MINUTE},
    }
    deliveries = {}
    for name, changes in made.items():
        new = acceptance(world, mailbox.id, expires_at=NOON + 72 * HOUR, send_at=changes.get("send_at"))
        read = (await store.accept(new)).delivery
        deliveries[name] = replace(read, **changes)
        assert await store.settle(None, Settlement(deliveries[name], read.state))
    elsewhere = (await store.accept(acceptance(world, other.id, next_attempt_at=NOON + MINUTE))).delivery

    now = NOON - HOUR
    assert await store.set_back(leases[mailbox.id], HOUR, now) == 3
    found = {name: await store.delivery(one.id) for name, one in deliveries.items()}
    earlier = {"put off", "wished and put off", "looked for"}
    for name, one in deliveries.items():
        assert found[name].expires_at == one.expires_at
        assert found[name].next_attempt_at == one.next_attempt_at - (HOUR if name in earlier else timedelta(0)), name
    assert await store.delivery(elsewhere.id) == elsewhere
    with pytest.raises(LeaseLost):
        await store.set_back(replace(leases[mailbox.id], epoch=99), HOUR, now)


async def test_a_mailbox_tells_by_its_traces_that_the_clock_was_set_back(store: Store, world: World) -> None:
    mailbox = await add_mailbox(store, world)
    failing = await add_mailbox(store, world, "other@example.org", sending=HealthState.FALTERING)
    down = health(failing.id, Direction.SMTP, HealthState.FALTERING, since=NOON, next_probe_at=NOON + 20 * MINUTE)
    assert await store.save_health(HealthChange(down), HealthState.FALTERING)
    leases = await own(store, world)
    await store.heard(mailbox.id, Direction.IMAP, NOON + 30 * MINUTE)
    await own(store, world)
    assert await store.ahead("wrk_one", NOON + 30 * MINUTE) == {}
    back = NOON - HOUR
    ahead = await store.ahead("wrk_one", back)
    assert ahead == {mailbox.id: NOON + 30 * MINUTE, failing.id: NOON}
    for identifier, latest in ahead.items():
        await store.set_back(leases[identifier], latest - back, back)
    assert await store.ahead("wrk_one", back) == {}
    found = await store.health(failing.id, Direction.SMTP)
    assert (found.since, found.next_probe_at) == (back, back + 20 * MINUTE)
