"""How mail goes out: over which connections, in which order, how fast, and what makes a mailbox rest."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from postroom.core.budget import Budget
from postroom.core.compose import BadDraft, File
from postroom.core.mailbox import Direction
from postroom.core.message import Address
from postroom.core.ports.store import Lease
from postroom.flows import turns
from postroom.simulator import Behaviour, Fault, Service
from tests.flows.house import running, until

DAILY = "550 5.4.5 Daily user sending limit exceeded. For more information on Gmail sending limits go to https://x.test"


def smtp_sessions(house):
    return [one for one in house.simulator.sessions if one.service is Service.SMTP]


async def fault(house, stage, **more):
    return await house.simulator.add_fault(Fault(protocol=Service.SMTP, stage=stage, **more))


async def held_back(house, mailbox, number, **more):
    """So many that wait for the mailbox to be resumed."""
    await house.house.connect.pause(mailbox)
    return [await house.send(mailbox, f"Answer {n}", **more) for n in range(number)]


async def all_in(house, deliveries, state, seconds=90.0):
    return [await house.delivery_in(one.id, state, seconds) for one in deliveries]


async def test_many_go_over_as_many_connections_as_the_budget_allows_and_begin_in_their_order(tmp_path):
    async with running(tmp_path) as house:
        mailbox = await house.connect(budget=Budget(connections=3))
        deliveries = await held_back(house, mailbox, 30)
        await fault(house, "dot", behaviour=Behaviour.SLOW, delay=0.1)
        await house.house.connect.resume(mailbox)
        most = 0
        while len(house.simulator.outbox) < 30:
            most = max(most, len(smtp_sessions(house)))
            await asyncio.sleep(0.01)
        assert most == 3
        sent = await all_in(house, deliveries, "sent")
        began = [(await house.store.attempts(one.id))[0].started_at for one in sent]
        assert began == sorted(began)
        assert house.subjects()[0] == "Answer 0"
        assert sorted(house.subjects()) == sorted(f"Answer {n}" for n in range(30))


async def test_a_server_that_grants_fewer_connections_gets_fewer_and_nothing_is_wrong(tmp_path):
    async with running(tmp_path) as house:
        mailbox = await house.connect(budget=Budget(connections=3))
        deliveries = await held_back(house, mailbox, 20)
        refused = "421 4.7.0 Too many concurrent SMTP connections; please try again later."
        await fault(house, "auth", answer=refused, after=2)  # the probe and the first of the drain
        await fault(house, "dot", behaviour=Behaviour.SLOW, delay=0.02)
        await house.house.connect.resume(mailbox)
        await all_in(house, deliveries, "sent")
        assert await house.events("mailbox.degraded") == []
        assert (await house.store.health(mailbox, Direction.SMTP)).failures == 0


async def test_single_replies_share_a_session_while_it_is_warm(tmp_path):
    async with running(tmp_path) as house:
        mailbox = await house.connect()
        for n in range(3):
            await house.delivery_in((await house.send(mailbox, f"Answer {n}")).id, "sent")
            if n == 0:
                (first,) = smtp_sessions(house)
            assert smtp_sessions(house) == [first]


async def test_a_session_that_the_server_ended_meanwhile_costs_the_next_reply_nothing(tmp_path):
    async with running(tmp_path) as house:
        mailbox = await house.connect()
        await house.delivery_in((await house.send(mailbox)).id, "sent")
        house.simulator.kick(address="team@shop.test", protocol=Service.SMTP)
        again = await house.delivery_in((await house.send(mailbox)).id, "sent")
        assert again.attempts == 1


async def test_too_many_messages_in_a_session_mean_a_new_session_and_no_failure(tmp_path):
    async with running(tmp_path) as house:
        mailbox = await house.connect(budget=Budget(connections=1))
        deliveries = await held_back(house, mailbox, 12)
        # The first three of all pass: the fourth MAIL is one too many for its session.
        await fault(house, "mail", answer="421 4.7.0 Too many messages in this session", after=3, times=1)
        await house.house.connect.resume(mailbox)
        await all_in(house, deliveries, "sent")
        assert house.subjects() == [f"Answer {n}" for n in range(12)]
        states = [one["state"] for one in await house.events("mailbox.degraded", "delivery.deferred")]
        assert states == []
        assert (await house.store.health(mailbox, Direction.SMTP)).failures == 0


async def test_a_daily_limit_rests_the_whole_mailbox_until_it_clears_and_nothing_is_asked_in_vain(tmp_path):
    async with running(tmp_path) as house:
        mailbox = await house.connect(budget=Budget(connections=1))
        deliveries = await held_back(house, mailbox, 8)
        standing = await fault(house, "dot", answer=DAILY, after=2)
        await house.house.connect.resume(mailbox)
        health = await house.sending(mailbox, lambda one: one.diagnosis is not None)
        assert health.diagnosis.name == "smtp.mailbox_limit_exceeded"
        assert health.state.public == "degraded"
        assert health.next_probe_at - house.world.now() > timedelta(minutes=50)
        held = await all_in(house, deliveries[2:], "held")
        assert [one.attempts for one in held] == [1, 0, 0, 0, 0, 0]
        view = await house.store.mailbox(mailbox)
        assert view.held == 6
        assert [one.expires_at for one in held] == [one.expires_at for one in deliveries[2:]]

        await house.pass_time(mailbox, hours=1, minutes=5)  # it has not cleared: one more is asked, no other
        held = await all_in(house, deliveries[2:], "held")
        assert sum(one.attempts for one in held) == 2
        assert await house.events("mailbox.needs_attention", "mailbox.needs_reauth") == []

        await house.simulator.clear_faults(standing.id)
        house.world.move(hours=1, minutes=5)
        await all_in(house, deliveries, "sent")
        assert house.subjects() == [f"Answer {n}" for n in range(8)]


async def test_a_limit_that_is_reached_in_the_middle_of_the_recipients_rests_the_mailbox_too(tmp_path):
    async with running(tmp_path) as house:
        mailbox = await house.connect(budget=Budget(connections=1))
        await fault(house, "rcpt", answer="452 4.5.3 Daily sending limit reached", argument="ben@customer.test")
        both = await house.send(mailbox, cc=(Address("ben@customer.test"),))
        await house.sending(mailbox, lambda one: one.diagnosis is not None)
        waiting = await house.delivery_in(both.id, "held")
        assert [one.state.value for one in waiting.recipients] == ["accepted", "pending"]
        other = await house.send(mailbox, "Another")
        assert (await house.delivery_in(other.id, "held")).attempts == 0


async def test_a_budget_of_a_day_is_kept_over_a_restart_and_clears_by_itself(tmp_path):
    async with running(tmp_path) as house:
        mailbox = await house.connect(budget=Budget(connections=1, recipients_a_day=3))
        early = [await house.send(mailbox, f"Answer {n}") for n in range(5)]
        await all_in(house, early[:3], "sent")
        rest = await all_in(house, early[3:], "held")
        assert [one.attempts for one in rest] == [0, 0]
        health = await house.store.health(mailbox, Direction.SMTP)
        assert health.diagnosis.matched == "budget.day"
        assert "3 recipients within 24 hours: the budget of this mailbox" in health.diagnosis.reason
        assert timedelta(hours=24) <= health.next_probe_at - house.world.now() <= timedelta(hours=24, minutes=11)
        assert len(house.simulator.outbox) == 3
        before = house.world.moved
    async with running(tmp_path) as house:
        house.world.moved = before
        spent = await house.store.spent(mailbox, house.world.now() - timedelta(hours=25))
        assert sum(one.recipients for one in spent) == sum(one.messages for one in spent) == 3


async def test_a_day_later_what_waited_for_the_budget_goes_out(tmp_path):
    async with running(tmp_path) as house:
        mailbox = await house.connect(budget=Budget(connections=1, messages_a_day=2))
        deliveries = [await house.send(mailbox, f"Answer {n}") for n in range(4)]
        await all_in(house, deliveries[2:], "held")
        house.world.move(hours=24, minutes=12)
        await all_in(house, deliveries, "sent")
        assert house.subjects() == [f"Answer {n}" for n in range(4)]


async def test_messages_a_minute_are_kept_to_and_nothing_is_held_for_it(tmp_path):
    async with running(tmp_path) as house:
        mailbox = await house.connect(budget=Budget(connections=1, messages_a_minute=2))
        deliveries = [await house.send(mailbox, f"Answer {n}") for n in range(5)]
        await all_in(house, deliveries[:2], "sent")
        await asyncio.sleep(1.2)  # a tick and more: still nothing
        assert [(await house.store.delivery(one.id)).state.value for one in deliveries[2:]] == ["queued"] * 3
        house.world.move(minutes=1)
        await all_in(house, deliveries[:4], "sent")
        assert (await house.store.delivery(deliveries[4].id)).state == "queued"
        house.world.move(minutes=1)
        await all_in(house, deliveries, "sent")
        assert (await house.store.health(mailbox, Direction.SMTP)).usable


async def test_what_the_server_said_at_sign_in_is_told_at_acceptance(tmp_path):
    async with running(tmp_path) as house:
        mailbox = await house.connect()
        await house.delivery_in((await house.send(mailbox)).id, "sent")
        told = (await house.store.settings(mailbox)).told
        assert told.size is not None
        file = File("large.bin", "application/octet-stream", bytes(told.size * 3 // 4 + 1000))
        with pytest.raises(BadDraft, match=r"the mail server localhost takes") as raised:
            await house.send(mailbox, attachments=(file,))
        assert raised.value.field == "attachments"
        assert len((await house.store.deliveries(mailbox_id=mailbox)).items) == 1


async def test_servers_that_hang_take_no_place_from_the_others(tmp_path, monkeypatch):
    monkeypatch.setattr(turns, "SLOW", 0.1)
    monkeypatch.setattr("postroom.flows.outbox.AT_ONCE", 2)
    async with running(tmp_path) as house:
        hanging = [await house.connect(f"hangs{n}@shop.test") for n in range(4)]
        brisk = await house.connect("brisk@shop.test")
        for n in range(4):
            await fault(house, "mail", behaviour=Behaviour.HANG, account=f"hangs{n}@shop.test")
        for one in hanging:
            await house.send(one)
        await until(lambda: _async(len(smtp_sessions(house))), lambda number: number >= 2)
        await house.delivery_in((await house.send(brisk)).id, "sent", seconds=5)


async def _async(value):
    return value


async def test_a_turn_that_moves_keeps_its_place_and_one_that_does_not_loses_it(monkeypatch):
    monkeypatch.setattr(turns, "SLOW", 0.1)
    began: list[str] = []

    class Clock:
        def now(self):
            return datetime(2026, 3, 1, tzinfo=UTC)

    given = turns.Turns("test", Clock(), at_once=1, rest=timedelta(0))

    async def moving(lease):
        began.append(lease.mailbox_id)
        for _ in range(20):
            given.moved(lease.mailbox_id)
            await asyncio.sleep(0.02)
        began.append("end of " + lease.mailbox_id)

    async def hanging(lease):
        began.append(lease.mailbox_id)
        await asyncio.Event().wait()

    given.give(Lease("moves", "wrk", 1), moving)
    given.give(Lease("hangs", "wrk", 1), hanging)
    given.give(Lease("last", "wrk", 1), moving)
    await until(lambda: _async(list(began)), lambda seen: "end of last" in seen, seconds=5)
    assert began == ["moves", "end of moves", "hangs", "last", "end of last"]
    await given.close()
