"""What waits long is told of: each message at 4 and 24 hours, its mailbox once; what expired is sent anew."""

import asyncio
from datetime import timedelta

import pytest

from postroom.core.delivery import NotPossible
from postroom.core.mailbox import Direction
from postroom.core.parse import parse
from tests.flows.house import running, until


async def told(house, kind, number):
    found = await until(lambda: house.events(kind), lambda seen: len(seen) >= number)
    assert len(found) == number
    return found


async def test_at_4_and_24_hours_each_delivery_is_told_of_and_the_mailbox_once(tmp_path):
    async with running(tmp_path) as house:
        mailbox = await house.connect()
        await house.simulator.outage("smtp")
        early = [await house.send(mailbox, f"Answer {number}", author="anna") for number in range(3)]
        for one in early:
            await house.delivery_in(one.id, "held")
        await house.pass_time(mailbox, hours=3, minutes=59)
        late = await house.send(mailbox, "Later")
        assert await house.events("delivery.delayed", "mailbox.delayed") == []
        await house.pass_time(mailbox, minutes=2)
        first = await told(house, "delivery.delayed", 3)
        assert {one["id"] for one in first} == {one.id for one in early}
        assert {(one["hours"], one["author"], one["state"]) for one in first} == {(4, "anna", "held")}
        assert first[0]["diagnosis"]["code"] == "smtp.server_connection"
        assert first[0]["expires_at"] == early[0].expires_at.isoformat().replace("+00:00", "Z")
        (mailbox_told,) = await told(house, "mailbox.delayed", 1)
        assert (mailbox_told["hours"], mailbox_told["held"], mailbox_told["direction"]) == (4, 4, "sending")
        await house.pass_time(mailbox, hours=4)
        assert (await told(house, "delivery.delayed", 4))[-1]["id"] == late.id
        await told(house, "mailbox.delayed", 1)  # the admin knows
        await house.pass_time(mailbox, hours=17)
        day = await told(house, "delivery.delayed", 7)
        assert [one["hours"] for one in day[4:]] == [24] * 3
        assert [one["hours"] for one in await told(house, "mailbox.delayed", 2)] == [4, 24]
        await house.simulator.restore("smtp")
        for one in (*early, late):
            await house.sent_in_time(one.id)
        again = await house.send(mailbox, "After it")
        await house.delivery_in(again.id, "sent")
        await told(house, "delivery.delayed", 7)


async def test_what_is_to_go_later_is_not_late_and_a_new_outage_is_told_anew(tmp_path):
    async with running(tmp_path) as house:
        mailbox = await house.connect()
        await house.house.connect.pause(mailbox)
        planned = await house.send(mailbox, "Planned", send_at=house.world.now() + timedelta(hours=10))
        await house.send(mailbox, "Now")
        house.world.move(hours=5)
        (one,) = await told(house, "delivery.delayed", 1)
        assert one["id"] != planned.id
        await told(house, "mailbox.delayed", 1)
        await house.house.connect.resume(mailbox)
        await house.delivery_in(one["id"], "sent")
        await house.sending(mailbox, lambda health: health.usable)
        await house.house.connect.pause(mailbox)
        await house.send(mailbox, "Another")
        house.world.move(hours=5)
        await told(house, "mailbox.delayed", 2)


async def test_two_who_tell_at_once_tell_once(tmp_path):
    async with running(tmp_path) as house:
        mailbox = await house.connect()
        await house.house.connect.pause(mailbox)
        for number in range(20):
            await house.send(mailbox, str(number))
        now = house.world.now() + timedelta(hours=5)
        numbers = await asyncio.gather(*(house.store.warn(mailbox, now, 6) for _ in range(8)))
        assert sum(numbers) == 20
        assert len(await house.events("delivery.delayed")) == 20
        assert len(await house.events("mailbox.delayed")) == 1
        assert await house.store.mailboxes_late(now) == []


async def test_an_expired_message_is_sent_anew_once_with_a_clock_and_a_message_id_of_its_own(tmp_path):
    async with running(tmp_path) as house:
        mailbox = await house.connect(hold_hours=1)
        await house.house.connect.pause(mailbox)
        first = await house.send(mailbox, "Lost time", bcc=())
        with pytest.raises(NotPossible, match="still on its way"):
            await house.house.accept.resend(first.id)
        house.world.move(hours=2)
        await house.delivery_in(first.id, "expired")
        made = await house.house.accept.resend(first.id, "key crm")
        again = await house.house.accept.resend(first.id, "key other")
        assert (made.repeated, again.repeated) == (False, True)
        new = made.delivery
        assert again.delivery.id == new.id
        assert (new.state, new.resend_of, new.author) == ("held", first.id, "key crm")
        assert new.expires_at - new.accepted_at == timedelta(hours=1)
        assert new.rfc_message_id != first.rfc_message_id
        assert new.conversation_id == first.conversation_id
        await house.house.connect.resume(mailbox)
        await house.delivery_in(new.id, "sent")
        (taken,) = house.simulator.outbox
        seen, before = parse(taken.raw), parse(await house.store.raw(first.message_id))
        assert seen.message_id == new.rfc_message_id
        assert seen.date - before.date >= timedelta(hours=1)
        assert (seen.subject, seen.text, seen.to) == (before.subject, before.text, before.to)
        with pytest.raises(NotPossible, match="every recipient"):
            await house.house.accept.resend(new.id)
        assert (await house.sending(mailbox, lambda health: health.usable)).direction is Direction.SMTP
