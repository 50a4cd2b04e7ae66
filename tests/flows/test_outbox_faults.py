"""What could lose an answer or stop a queue from within: another owner, a fault of ours, a message without bytes."""

import asyncio
import sqlite3

import pytest

from postroom.core.budget import Budget
from postroom.core.mailbox import UnconfirmedPolicy
from postroom.flows import handover
from tests.flows.house import running, until
from tests.flows.test_odd_servers import Odd, drops
from tests.wire.peer import served


def robbed(house, gate, said):
    """Another worker takes the mailbox while the server thinks, as where our clock stood still; then it answers."""

    async def oddity(peer):
        now = house().world.now()
        store = house().store
        await store.heartbeat("wrk_other", "host", now, now - now)
        with sqlite3.connect(house().file, isolation_level=None, timeout=10) as other:
            other.execute("UPDATE worker SET expires_at = 0 WHERE id != 'wrk_other'")
        await store.claim("wrk_other", now)
        gate.set()
        await peer.say(said)

    return oddity


@pytest.mark.parametrize(
    ("said", "state"), [(b"250 2.0.0 ok", "sent"), (b"554 5.7.1 Spam", "failed"), (b"451 4.3.0 Later", "deferred")]
)
async def test_an_answer_that_comes_after_the_mailbox_had_a_new_owner_is_not_lost(tmp_path, said, state):
    alive, gate = [], asyncio.Event()
    server = Odd("DOT", robbed(lambda: alive[0], gate, said))
    async with served(server) as port, running(tmp_path) as house:
        house.file = tmp_path / "data" / "postroom.db"
        alive.append(house)
        mailbox = await house.connect(smtp_port=port, unconfirmed=UnconfirmedPolicy.ASK)
        one = await house.send(mailbox)
        await asyncio.wait_for(gate.wait(), 90)
        done = await house.delivery_in(one.id, state)
        assert done.attempts == 1
        (attempt,) = await house.store.attempts(one.id)
        assert said[4:].decode() in attempt.reply


@pytest.mark.parametrize("wrong", ["raw_of", "judge"])
async def test_a_message_that_breaks_by_a_fault_of_ours_does_not_keep_the_others(tmp_path, monkeypatch, wrong):
    """Before it was handed over it is put off; after that nobody knows, and a person is asked."""
    server = Odd()
    async with served(server) as port, running(tmp_path) as house:
        mailbox = await house.connect(smtp_port=port, unconfirmed=UnconfirmedPolicy.ASK)
        await house.house.connect.pause(mailbox)
        first, strange, *others = [await house.send(mailbox, f"Answer {number}") for number in range(5)]
        if wrong == "raw_of":
            with sqlite3.connect(tmp_path / "data" / "postroom.db", isolation_level=None, timeout=10) as other:
                other.execute("DELETE FROM raw WHERE message_id = ?", (strange.message_id,))
        else:
            judge = handover.judge

            def broken(delivery, answer):
                if delivery.id == strange.id:
                    raise LookupError("of the test")
                return judge(delivery, answer)

            monkeypatch.setattr(handover, "judge", broken)
        await house.house.connect.resume(mailbox)
        for one in (first, *others):
            await house.delivery_in(one.id, "sent")
        expected = "deferred" if wrong == "raw_of" else "unconfirmed"
        seen = await until(lambda: house.store.delivery(strange.id), lambda one: one.state == expected)
        assert seen.attempts == 1
        assert seen.diagnosis is not None
        assert server.subjects()["Answer 1"] == (wrong == "judge")


async def test_a_server_that_breaks_off_after_each_message_does_not_get_them_all(tmp_path):
    """Each may be there or not, and a person must ask: the rest is held, one at a time is tried."""

    async def all_but_the_first(peer):
        if len(server.taken) > 1:
            await drops(peer)
        await peer.say(b"250 2.0.0 ok")

    server = Odd("TAKEN", all_but_the_first, times=None)
    async with served(server) as port, running(tmp_path) as house:
        mailbox = await house.connect(smtp_port=port, unconfirmed=UnconfirmedPolicy.ASK, budget=Budget(connections=1))
        await house.house.connect.pause(mailbox)
        deliveries = [await house.send(mailbox, f"Answer {number}") for number in range(30)]
        await house.house.connect.resume(mailbox)
        await house.delivery_in(deliveries[0].id, "sent")
        await house.sending(mailbox, lambda health: health.failures > 0)
        spent = len(server.taken)
        assert spent < 30
        server.times = 0
        states = [(await house.store.delivery(one.id)).state for one in deliveries]
        assert states.count("held") >= 30 - spent - 1
        for one, state in zip(deliveries, states, strict=True):
            if state != "unconfirmed":
                await house.sent_in_time(one.id)
        assert set(server.subjects().values()) == {1}
