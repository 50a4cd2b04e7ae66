"""What waits has its time: counted from acceptance, never moved, told to everybody when it is over."""

import asyncio
import json
import os
import sys
from datetime import timedelta

import pytest

from postroom.core.delivery import NotPossible
from postroom.core.events import Webhook, signing_secret
from postroom.core.health import State
from postroom.core.identity import Kind
from postroom.simulator import Fault, Service
from tests.flows.house import running, until
from tests.walks.receiver import Receiver


async def command(folder, *arguments):
    """`postroom …` on the same data."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "postroom", *arguments),
        env=os.environ | {"POSTROOM_DATA": str(folder / "data"), "POSTROOM_DATABASE": ""},
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await asyncio.wait_for(process.communicate(), 90)
    assert process.returncode == 0
    return json.loads(out)


async def webhook(house, url):
    """A webhook for all events."""
    world = house.world
    secret = signing_secret(world.secret())
    await house.store.add_webhook(Webhook(world.identifier(Kind.WEBHOOK), url, secret, (), world.now()))


async def test_after_72_hours_a_message_expires_and_the_stream_a_webhook_and_the_command_line_say_so(tmp_path):
    async with running(tmp_path) as house, Receiver() as receiver:
        await webhook(house, receiver.url)
        mailbox = await house.connect()
        await house.simulator.outage("smtp")
        early = await house.send(mailbox, "Early")
        await house.delivery_in(early.id, "held")
        assert early.expires_at - early.accepted_at == timedelta(hours=72)
        house.world.move(hours=24)
        late = await house.send(mailbox, "Late")
        await house.pass_time(mailbox, hours=47, minutes=59)  # the clock was looked at since
        held = await house.delivery_in(early.id, "held")
        assert held.expires_at == early.expires_at
        house.world.move(minutes=1)
        expired = await house.delivery_in(early.id, "expired")
        assert (await house.store.delivery(late.id)).state == "held"
        assert expired.diagnosis.name == "smtp.server_connection"

        (told,) = await house.events("delivery.expired")
        assert (told["id"], told["message_id"]) == (early.id, early.rfc_message_id)
        await until(lambda: _posted(receiver, "delivery.expired"), lambda found: len(found) == 1)
        listed = await command(tmp_path, "outbox", "list", "--json")
        assert {one["id"]: one["state"] for one in listed["items"]} == {early.id: "expired", late.id: "held"}

        assert b"Subject: Early" in await house.store.raw(early.message_id)  # its text is kept
        for act in (house.house.accept.retry, house.house.accept.cancel):
            with pytest.raises(NotPossible):
                await act(early.id)
        await house.simulator.restore("smtp")
        await house.sent_in_time(late.id)
        assert house.subjects() == ["Late"]


async def _posted(receiver, kind):
    bodies = [json.loads(one.body) for one in receiver.posted]
    return [body for body in bodies if body["type"] == kind]


async def test_a_mailbox_has_its_own_hold_time_and_neither_pause_nor_sign_in_moves_it(tmp_path):
    async with running(tmp_path) as house:
        short, long = await house.connect(hold_hours=1), await house.connect("other@shop.test", hold_hours=100)
        for mailbox in (short, long):
            await house.house.connect.pause(mailbox)
        first, second = await house.send(short), await house.send(long)
        assert (first.state, second.state) == ("held", "held")
        house.world.move(minutes=50)
        await house.simulator.outage("smtp")
        await house.house.connect.resume(short)
        await house.sending(short, lambda health: health.failures > 0)
        house.world.move(minutes=11)
        await house.delivery_in(first.id, "expired")
        await house.pass_time(short, hours=90)
        assert (await house.store.delivery(second.id)).state == "held"
        house.world.move(hours=9)
        await house.delivery_in(second.id, "expired")
        assert house.subjects() == []


async def test_a_message_that_is_put_off_is_tried_again_on_schedule_and_expires_in_the_end(tmp_path):
    async with running(tmp_path) as house:
        mailbox = await house.connect(hold_hours=6)
        put_off = Fault(protocol=Service.SMTP, stage="rcpt", answer="451 4.7.1 Greylisted", argument="slow@")
        fault = await house.simulator.add_fault(put_off)
        patient, hopeless = await house.send(mailbox, to="slow@customer.test"), None
        waits = []
        for attempt in (1, 2, 3):
            seen = await until(
                lambda: house.store.delivery(patient.id),
                lambda one, attempt=attempt: one.attempts == attempt and one.state == "deferred",
            )
            waits.append(seen.next_attempt_at - seen.updated_at)
            house.world.move(seconds=waits[-1].total_seconds())
        assert waits[0] <= timedelta(minutes=5) < waits[1] <= timedelta(minutes=10) < waits[2] <= timedelta(minutes=20)
        await house.simulator.clear_faults(fault.id)
        await house.delivery_in(patient.id, "sent")
        assert len(await house.events("delivery.deferred")) == 3

        await house.simulator.add_fault(put_off)
        hopeless = await house.send(mailbox, to="slow@customer.test")
        await house.delivery_in(hopeless.id, "deferred")
        house.world.move(hours=7)
        expired = await house.delivery_in(hopeless.id, "expired")
        assert expired.diagnosis.name == "smtp.message_deferred"
        assert (await house.sending(mailbox, lambda health: health.usable)).diagnosis is None


async def test_a_short_outage_is_told_to_nobody_and_a_long_one_after_the_minutes_that_are_set(tmp_path):
    async with running(tmp_path, degraded_minutes=10) as house:
        mailbox = await house.connect()
        for _ in range(2):
            await house.simulator.outage("smtp")
            waiting = await house.send(mailbox)
            await house.sending(mailbox, lambda health: health.state is State.FALTERING)
            await house.pass_time(mailbox, minutes=7)  # each tick looks whom to tell before it probes
            assert await house.events("mailbox.degraded") == []
            await house.simulator.restore("smtp")
            await house.sent_in_time(waiting.id)
            await house.sending(mailbox, lambda health: health.usable)
        assert len(await house.events("mailbox.connected")) == 2  # when it was made, and no word since

        await house.simulator.outage("smtp")
        waiting = await house.send(mailbox)
        await house.sending(mailbox, lambda health: health.state is State.FALTERING)
        house.world.move(minutes=11)
        await house.sending(mailbox, lambda health: health.state is State.DEGRADED)
        await house.pass_time(mailbox, hours=5)
        (told,) = await house.events("mailbox.degraded")
        assert (told["direction"], told["state"]) == ("sending", "degraded")
        assert told["diagnosis"]["code"] == "smtp.server_connection"
        await house.simulator.restore("smtp")
        await house.sent_in_time(waiting.id)
        connected = await until(lambda: house.events("mailbox.connected"), lambda found: len(found) > 2)
        assert len(connected) == 3
        assert await house.events("mailbox.needs_reauth", "mailbox.needs_attention", "delivery.failed") == []


async def test_a_clock_that_jumps_back_an_hour_stops_nothing(tmp_path):
    async with running(tmp_path) as house:
        mailbox = await house.connect()
        await house.delivery_in((await house.send(mailbox, "Before")).id, "sent")
        await house.simulator.outage("smtp")
        waiting = await house.send(mailbox, "Waiting")
        await house.delivery_in(waiting.id, "held")
        house.world.move(hours=-1)
        later = await house.send(mailbox, "After the jump")
        await house.simulator.restore("smtp")
        for one in (waiting, later):
            done = await house.delivery_in(one.id, "sent", 30)
            assert done.expires_at == one.expires_at
        await house.delivery_in((await house.send(mailbox, "In the end")).id, "sent")
        assert sorted(house.subjects()) == ["After the jump", "Before", "In the end", "Waiting"]
        assert await house.events("delivery.expired") == []


async def test_what_was_put_off_for_minutes_does_not_wait_for_an_hour_when_the_clock_jumps_back(tmp_path):
    async with running(tmp_path) as house:
        mailbox = await house.connect()
        await house.simulator.add_fault(
            Fault(protocol=Service.SMTP, stage="rcpt", answer="451 4.7.1 Greylisted", times=1)
        )
        put_off = await house.send(mailbox)
        await house.delivery_in(put_off.id, "deferred")
        house.world.move(hours=-1)
        asked = put_off.accepted_at - timedelta(minutes=50)
        await until(lambda: house.store.delivery(put_off.id), lambda one: one.next_attempt_at < asked)
        assert house.subjects() == []
        house.world.move(minutes=6)
        await house.delivery_in(put_off.id, "sent")
