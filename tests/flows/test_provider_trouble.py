"""The provider's trouble and the mailbox's own: who is asked to sign in, and when it is tried again."""

import asyncio
from datetime import timedelta

import pytest

from postroom.core.diagnosis.incident import refused_as
from postroom.core.health import State
from postroom.core.mailbox import Credential, Direction
from postroom.simulator import Behaviour, Fault, Service
from tests.flows.house import PASSWORD, running, until

PATIENCE = 60.0

REFUSED = {
    Direction.SMTP: Fault(protocol=Service.SMTP, stage="auth", answer="535 5.7.8 Authentication credentials invalid"),
    Direction.IMAP: Fault(
        protocol=Service.IMAP, stage="auth", answer="{tag} NO [AUTHENTICATIONFAILED] Authentication failed."
    ),
}


async def six(house):
    return [await house.connect(f"team{number}@shop.test") for number in range(6)]


async def both(house, mailboxes, holds):
    """Waits until it holds of both directions of all these mailboxes."""

    async def look():
        return [await house.store.health(one, direction) for one in mailboxes for direction in Direction]

    return await until(look, lambda all_: all(map(holds, all_)))


async def test_nobody_is_asked_to_sign_in_again_where_all_mailboxes_of_a_provider_are_refused_alike(tmp_path):
    async with running(tmp_path, degraded_minutes=10) as house:
        mailboxes = await six(house)
        for fault in REFUSED.values():
            await house.simulator.add_fault(fault)
        house.simulator.kick()
        waiting = [await house.send(one) for one in mailboxes]
        await both(
            house,
            mailboxes,
            lambda health: health.diagnosis and refused_as(health.diagnosis).endswith(".invalid_credentials"),
        )
        for minutes in (6, 6, 6):  # confirmations, and on and on, every five minutes
            before = {(one.mailbox_id, one.direction): one.failures for one in await both(house, mailboxes, bool)}
            house.world.move(minutes=minutes)
            await both(
                house, mailboxes, lambda one, before=before: one.failures > before[one.mailbox_id, one.direction]
            )
        states = {health.state for health in await both(house, mailboxes, lambda health: not health.usable)}
        told = [health.diagnosis for health in await both(house, mailboxes, bool)]
        assert {one.name for one in told} == {"imap.account_unreachable", "smtp.temporary_auth_failure"}
        assert [one.reason for one in told if "of the 6 mailboxes at " not in one.reason] == []
        assert states <= {State.FALTERING, State.SUSPECTED, State.DEGRADED, State.DOUBTED}
        assert await house.events("mailbox.needs_reauth") == []
        told = await until(lambda: house.events("mailbox.degraded"), lambda found: len(found) >= 12)
        assert len(told) == 12

        await house.simulator.clear_faults()
        for one in waiting:
            await house.sent_in_time(one.id, minutes=8)
        await both(house, mailboxes, lambda health: health.usable)
        assert await house.events("mailbox.needs_reauth") == []


async def sendings(house, mailboxes):
    return [await house.store.health(one, Direction.SMTP) for one in mailboxes]


async def passes(house, mailboxes, minutes):
    """The clock goes on, and each that tries by itself has tried since."""
    before = await sendings(house, mailboxes)
    house.world.move(minutes=minutes)
    return await until(
        lambda: sendings(house, mailboxes),
        lambda all_: all(
            one.failures > then.failures or one.state in (State.NEEDS_REAUTH, State.CONNECTED)
            for one, then in zip(all_, before, strict=True)
        ),
        PATIENCE,
    )


async def test_an_incident_that_lasts_is_found_out_with_one_mailbox_and_nobody_else_is_asked(tmp_path):
    async with running(tmp_path, degraded_minutes=10) as house:
        mailboxes = await six(house)
        fault = await house.simulator.add_fault(REFUSED[Direction.SMTP])
        waiting = [await house.send(one) for one in mailboxes]
        await until(lambda: sendings(house, mailboxes), lambda all_: all(one.diagnosis for one in all_), PATIENCE)
        for _ in range(25):  # two hours and a half
            states = await passes(house, mailboxes, 6)
        told = sorted((one.state.public, one.diagnosis.name) for one in states)
        assert told == 5 * [("degraded", "smtp.temporary_auth_failure")] + [
            ("needs_reauth", "smtp.invalid_credentials")
        ]
        assert len(await house.events("mailbox.needs_reauth")) == 1

        await house.simulator.clear_faults(fault.id)
        asked = next(one.mailbox_id for one in states if one.state is State.NEEDS_REAUTH)
        house.world.move(minutes=6)
        for mailbox, one in zip(mailboxes, waiting, strict=True):
            if mailbox != asked:
                await house.sent_in_time(one.id, minutes=8)
        assert len(await house.events("mailbox.needs_reauth")) == 1


async def test_where_all_passwords_were_changed_each_is_asked_once_one_has_signed_in_again(tmp_path):
    async with running(tmp_path, degraded_minutes=10) as house:
        mailboxes = await six(house)
        fault = await house.simulator.add_fault(REFUSED[Direction.SMTP])
        for one in mailboxes:
            await house.send(one)
        await until(lambda: sendings(house, mailboxes), lambda all_: all(one.diagnosis for one in all_), PATIENCE)
        for _ in range(20):
            states = await passes(house, mailboxes, 6)
            if asked := [one.mailbox_id for one in states if one.state is State.NEEDS_REAUTH]:
                break
        (mended,) = asked
        await house.simulator.clear_faults(fault.id)
        for number, one in enumerate(mailboxes):
            if one != mended:
                account = f"team{number}@shop.test"
                house.simulator.change_account(account, password="another", drop_sessions=False)
        await house.house.connect.reauthenticate(mended, Credential(password=PASSWORD))
        await house.sending(mended, lambda health: health.usable)
        for _ in range(12):
            states = await passes(house, mailboxes, 6)
        assert [one.state for one in states if one.mailbox_id != mended] == 5 * [State.NEEDS_REAUTH]
        assert {one.diagnosis.name for one in states if one.mailbox_id != mended} == {"smtp.invalid_credentials"}


async def test_a_server_that_many_cannot_reach_is_told_as_one_trouble(tmp_path):
    async with running(tmp_path) as house:
        mailboxes = await six(house)
        await house.simulator.outage("imap")
        house.simulator.kick(protocol="imap")

        async def receiving():
            return [await house.store.health(one, Direction.IMAP) for one in mailboxes]

        def shared(health):
            return health.diagnosis is not None and "of the 6 mailboxes at 127.0.0.1" in health.diagnosis.reason

        async def later():
            house.world.move(seconds=30)
            return await receiving()

        told = await until(later, lambda all_: all(map(shared, all_)), PATIENCE)
        assert {one.diagnosis.name for one in told} == {"imap.server_connection"}
        await house.simulator.restore("imap")
        house.world.move(minutes=1)
        await until(receiving, lambda all_: all(one.usable for one in all_), PATIENCE)


async def test_a_mailbox_that_microsoft_cannot_open_calls_for_a_person_after_a_day(tmp_path):
    async with running(tmp_path) as house:
        mailbox = await house.connect()
        answer = "{tag} BAD User is authenticated but not connected."
        await house.simulator.add_fault(Fault(protocol=Service.IMAP, stage="select", answer=answer))
        house.simulator.kick(protocol="imap")

        async def receiving():
            return await house.store.health(mailbox, Direction.IMAP)

        await until(receiving, lambda one: one.diagnosis is not None, PATIENCE)
        house.world.move(minutes=11)
        await until(receiving, lambda one: one.state is State.DEGRADED, PATIENCE)
        await house.pass_time(mailbox, Direction.IMAP, PATIENCE, hours=23)
        assert (await receiving()).state is State.DEGRADED
        house.world.move(hours=1, minutes=1)
        seen = await until(receiving, lambda one: one.state is State.NEEDS_ATTENTION, PATIENCE)
        assert (seen.diagnosis.name, str(seen.diagnosis.action)) == ("imap.account_unreachable", "fix_settings")
        for _ in range(2):
            await house.pass_time(mailbox, Direction.IMAP, PATIENCE, minutes=6)
        assert str((await receiving()).diagnosis.action) == "fix_settings"
        assert len(await house.events("mailbox.needs_attention")) == 1
        await house.simulator.clear_faults()
        house.world.move(minutes=6)
        await until(receiving, lambda one: one.usable, PATIENCE)


async def test_the_two_whose_passwords_were_changed_are_asked_and_the_others_work(tmp_path):
    async with running(tmp_path) as house:
        mailboxes = await six(house)
        for number in (0, 1):
            house.simulator.change_account(f"team{number}@shop.test", password="another")
        waiting = [await house.send(one) for one in mailboxes]
        await both(house, mailboxes[:2], lambda health: health.state is State.SUSPECTED)
        house.world.move(seconds=11)
        await both(house, mailboxes[:2], lambda health: health.state is State.NEEDS_REAUTH)
        for one in waiting[2:]:
            await house.delivery_in(one.id, "sent")
        told = [(data["address"], data["direction"]) for data in await house.events("mailbox.needs_reauth")]
        assert sorted(told) == [
            (f"team{number}@shop.test", way) for number in (0, 1) for way in ("receiving", "sending")
        ]


async def test_what_a_person_must_change_at_the_provider_is_noticed_by_itself_within_minutes(tmp_path):
    async with running(tmp_path) as house:
        mailbox = await house.connect()
        answer = "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant."
        fault = await house.simulator.add_fault(Fault(protocol=Service.SMTP, stage="auth", answer=answer))
        waiting = await house.send(mailbox)
        health = await house.sending(mailbox, lambda health: health.state is State.NEEDS_ATTENTION)
        assert timedelta(minutes=3) < health.next_probe_at - health.since <= timedelta(minutes=5)
        await house.pass_time(mailbox, minutes=6)
        assert fault.fired <= 3
        await house.simulator.clear_faults()
        house.world.move(minutes=6)
        await house.delivery_in(waiting.id, "sent")
        assert len(await house.events("mailbox.needs_attention")) == 1


async def test_a_mailbox_that_may_not_send_does_not_flip_between_connected_and_not(tmp_path):
    async with running(tmp_path) as house:
        mailbox = await house.connect()
        answer = "554 5.2.252 SendAsDenied; team@shop.test not allowed to send as team@shop.test"
        await house.simulator.add_fault(Fault(protocol=Service.SMTP, stage="dot", answer=answer))
        waiting = [await house.send(mailbox, f"Answer {number}") for number in range(3)]
        await house.sending(mailbox, lambda health: health.state is State.NEEDS_ATTENTION)
        for _ in range(4):
            await house.pass_time(mailbox, minutes=6)
        assert len(await house.events("mailbox.needs_attention")) == 1
        assert len(await house.events("mailbox.connected")) == 2
        assert len(await house.events("delivery.held")) == 3
        await until(lambda: house.store.delivery(waiting[0].id), lambda one: one.attempts == 5 and one.state == "held")
        assert [(await house.store.delivery(one.id)).attempts for one in waiting[1:]] == [0, 0]
        await house.simulator.clear_faults()
        house.world.move(minutes=6)
        for one in waiting:
            await house.delivery_in(one.id, "sent")
        assert house.subjects() == ["Answer 0", "Answer 1", "Answer 2"]
        connected = await until(lambda: house.events("mailbox.connected"), lambda found: len(found) > 2)
        assert len(connected) == 3


@pytest.mark.parametrize("taken", [True, False], ids=["taken", "not taken"])
async def test_a_provider_that_saves_what_it_sends_gives_a_certain_answer_about_an_unanswered_message(tmp_path, taken):
    async with running(tmp_path, unconfirmed_minutes=1) as house:
        house.simulator.create_account("team@gmail.com", "correct horse", saves_sent=True)
        mailbox = await house.connect("team@gmail.com")
        assert (await house.store.mailbox(mailbox)).mailbox.provider == "gmail"
        await house.simulator.add_fault(
            Fault(protocol=Service.SMTP, stage="dot", behaviour=Behaviour.CLOSE, takes_effect=taken, times=1)
        )
        cut_off = await house.send(mailbox, "Cut off")
        whole = await house.send(mailbox, "Whole")
        await house.delivery_in(whole.id, "sent")
        if not taken:
            await house.delivery_in(cut_off.id, "unconfirmed")
            for _ in range(4):  # the provider has a minute to show it
                house.world.move(seconds=21)
                await asyncio.sleep(0)
        done = await house.delivery_in(cut_off.id, "sent")
        assert sorted(house.subjects()) == ["Cut off", "Whole"]
        outcomes = [one.outcome.name for one in await house.store.attempts(done.id)]
        assert outcomes == (["UNANSWERED"] if taken else ["UNANSWERED", "ACCEPTED"])
        sent = house.simulator.folder("team@gmail.com", "Sent").messages
        assert len(sent) == 2  # none of ours beside the provider's


async def test_a_mailbox_that_comes_and_goes_is_told_three_times_and_then_how_it_stands(tmp_path):
    async with running(tmp_path) as house:
        mailbox = await house.connect()
        answer = "554 5.2.252 SendAsDenied; team@shop.test not allowed to send as team@shop.test"
        for number in range(5):
            await house.simulator.add_fault(Fault(protocol=Service.SMTP, stage="dot", answer=answer))
            waiting = await house.send(mailbox, f"Answer {number}")
            health = await house.sending(mailbox, lambda health: health.state is State.NEEDS_ATTENTION)
            assert health.flapping is (number >= 2)
            await house.simulator.clear_faults()
            house.world.move(minutes=6)
            await house.delivery_in(waiting.id, "sent")
            await house.sending(mailbox, lambda health: health.usable)
        told = await house.events("mailbox.needs_attention")
        assert [one["flapping"] for one in told] == [False, False, True]
        connected = await house.events("mailbox.connected")
        assert len(connected) == 4  # both directions at first, and after the first two troubles
        house.world.move(minutes=31)
        connected = await until(lambda: house.events("mailbox.connected"), lambda found: len(found) > 4)
        assert (len(connected), connected[-1]["state"], connected[-1]["flapping"]) == (5, "connected", False)
