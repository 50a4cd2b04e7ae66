"""The clock jumps by an hour or by three days, either way, while Postroom runs or while it is down: what is promised
counts from acceptance, nothing hangs, nothing is sent twice. Time passes by the clock alone: no row is edited."""

import asyncio
from collections import Counter
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from postroom.simulator import Fault, Service, Simulator
from tests.flows.house import MovedWorld, running, until
from tests.flows.test_odd_servers import Odd
from tests.wire.peer import served

GREYLISTED = {"protocol": Service.SMTP, "stage": "rcpt", "answer": "451 4.7.1 Greylisted", "argument": "slow@"}


class Life:
    """One database and one provider through several lives of Postroom, with one clock."""

    def __init__(self, folder, simulator):
        self.folder, self.simulator, self.world = folder, simulator, MovedWorld()

    def running(self):
        return running(self.folder, world=self.world, simulator=self.simulator)


@pytest.fixture
async def life(tmp_path):
    async with Simulator(control_port=None) as simulator:
        yield Life(tmp_path, simulator)


def counted(simulator):
    return Counter(one.subject for one in simulator.outbox)


@asynccontextmanager
async def jumping(life, down, **by):
    """The clock jumps: in the middle of a life, or between two."""
    async with running_or_not(life, down) as house:
        life.world.move(**by)
        if not down:
            yield house
            return
    async with life.running() as house:
        yield house


@asynccontextmanager
async def running_or_not(life, down):
    if down:
        yield None
        return
    async with life.running() as house:
        yield house


async def waiting(life):
    """A mailbox with one message that was put off for minutes and one that waits for its own time in two hours."""
    async with life.running() as house:
        mailbox = await house.connect()
        await life.simulator.add_fault(Fault(**GREYLISTED))
        put_off = await house.send(mailbox, "Put off", to="slow@customer.test")
        await house.delivery_in(put_off.id, "deferred")
        later = await house.send(mailbox, "Later", send_at=house.world.now() + timedelta(hours=2))
        await life.simulator.clear_faults()
        return mailbox, put_off, later


@pytest.mark.parametrize("down", [False, True], ids=["running", "down"])
@pytest.mark.parametrize("hours", [-1, -72], ids=["an hour", "three days"])
async def test_set_back_nothing_waits_longer_than_it_would_have(life, hours, down):
    mailbox, put_off, later = await waiting(life)
    async with jumping(life, down, hours=hours) as house:
        new = await house.send(mailbox, "New")
        await house.delivery_in(new.id, "sent")
        if not down:
            assert (await house.store.delivery(put_off.id)).next_attempt_at <= house.world.now() + timedelta(minutes=5)
        house.world.move(minutes=5, seconds=2)
        done = await house.delivery_in(put_off.id, "sent")
        assert done.expires_at == put_off.expires_at
        assert (await house.store.delivery(later.id)).next_attempt_at == later.send_at  # a person's wish is a date
        house.world.move(hours=-hours + 2)
        await house.delivery_in(later.id, "sent")
        assert counted(life.simulator) == {"Put off": 1, "Later": 1, "New": 1}
        assert await house.events("delivery.expired") == []


@pytest.mark.parametrize("down", [False, True], ids=["running", "down"])
async def test_set_forward_an_hour_everything_is_due_and_nothing_expires(life, down):
    mailbox, put_off, later = await waiting(life)
    async with jumping(life, down, hours=1) as house:
        await house.delivery_in(put_off.id, "sent")
        assert (await house.store.delivery(later.id)).state == "queued"
        new = await house.send(mailbox, "New")
        await house.delivery_in(new.id, "sent")
        house.world.move(hours=1)
        await house.delivery_in(later.id, "sent")
        assert counted(life.simulator) == {"Put off": 1, "Later": 1, "New": 1}
        assert await house.events("delivery.expired") == []


@pytest.mark.parametrize("down", [False, True], ids=["running", "down"])
async def test_set_forward_three_days_what_was_accepted_before_expires_by_the_rule_and_the_rest_goes_out(life, down):
    async with life.running() as house:
        mailbox = await house.connect()
        await house.house.connect.pause(mailbox)
        old = await house.send(mailbox, "Old")
        house.world.move(minutes=1)
        young = await house.send(mailbox, "Young")
    async with jumping(life, down, hours=71, minutes=59, seconds=30) as house:
        await house.delivery_in(old.id, "expired")
        assert (await house.store.delivery(young.id)).state == "held"
        await house.house.connect.resume(mailbox)
        done = await house.delivery_in(young.id, "sent")
        assert done.expires_at == young.expires_at
        assert counted(life.simulator) == {"Young": 1}


async def test_a_message_whose_server_thinks_while_the_clock_jumps_is_answered_once(life):
    """Both ways: neither the lease nor the wait for the answer is counted by that clock."""
    for number, by in enumerate(({"hours": 1}, {"hours": -1}, {"days": 3}, {"days": -3})):
        gate = asyncio.Event()
        server = Odd("TAKEN", _when(gate))
        async with served(server) as port, life.running() as house:
            mailbox = await house.connect(f"team{number}@shop.test", smtp_port=port)
            one = await house.send(mailbox)
            await until(_taken(server), lambda taken: taken == 1)
            house.world.move(**by)
            await asyncio.sleep(1.2)  # every loop has seen the new time
            assert (await house.store.delivery(one.id)).state == "sending"
            gate.set()
            done = await house.delivery_in(one.id, "sent")
            assert done.attempts == 1
            assert len(server.taken) == 1


def _when(gate):
    async def oddity(peer):
        await gate.wait()
        await peer.say(b"250 2.0.0 ok")

    return oddity


def _taken(server):
    async def look():
        return len(server.taken)

    return look


class Closable(Odd):
    """A server that can be down, and whose first answer after that waits until it is let go."""

    down = False

    async def __call__(self, peer):
        if self.down:
            await peer.say(b"421 4.3.2 down for maintenance")
            return
        await super().__call__(peer)


async def test_what_is_held_for_three_days_expires_by_its_acceptance_and_the_rest_goes_out_in_order(life):
    gate = asyncio.Event()
    server = Closable("TAKEN", _when(gate), times=0)
    deliveries = []
    async with served(server) as port:
        async with life.running() as house:
            mailbox = await house.connect(smtp_port=port)
            server.down = True
            for hour in range(5):
                deliveries.append(await house.send(mailbox, f"Answer {hour}"))
                house.world.move(hours=1)
            await house.delivery_in(deliveries[-1].id, "held")
        for _ in range(5):  # restarts on the way, some of the time down
            life.world.move(hours=6)
            async with life.running() as house:
                await house.pass_time(mailbox, hours=6)
        # Five hours and ten times six: 65 since the first was accepted.
        async with life.running() as house:
            await house.pass_time(mailbox, hours=6, minutes=58)
            assert [(await house.store.delivery(one.id)).state for one in deliveries] == ["held"] * 5
            house.world.move(minutes=2)
            await house.delivery_in(deliveries[0].id, "expired")
            assert [(await house.store.delivery(one.id)).state for one in deliveries[1:]] == ["held"] * 4
        server.down, server.times = False, 1
        life.world.move(seconds=30)
        async with life.running() as house:  # the second is at its 71st hour
            await until(_taken(server), lambda taken: taken == 1, 40)
            await asyncio.sleep(0.5)
            assert server.subjects() == {"Answer 1": 1}
            assert server.signed_in == 2  # when it was connected, and now
            gate.set()
            for one in deliveries[1:]:
                done = await house.sent_in_time(one.id)
                assert done.expires_at == one.expires_at
                assert done.expires_at - done.accepted_at == timedelta(hours=72)
        order = [body.split(b"Subject: ")[1].split(b"\r\n")[0].decode() for body in server.taken]
        assert order == [f"Answer {hour}" for hour in range(1, 5)]
