"""Other addresses that a mailbox may send as: asked for, sent from, and refused without harm to the mailbox."""

from dataclasses import replace

import pytest

from postroom.core.compose import BadDraft, Draft
from postroom.core.health import State
from postroom.core.mailbox import Alias, Signature
from postroom.core.message import Address
from postroom.flows.connect import NoSuchMailbox
from postroom.simulator import Fault, Service
from tests.flows.house import running

SALES, NEWS = Alias("sales@shop.test", "Sales"), Alias("news@shop.test")
NOT_OWNED = "553 5.7.1 <news@shop.test>: Sender address rejected: not owned by user team@shop.test"


def refused_at(stage, argument="news@shop.test", answer=NOT_OWNED):
    return Fault(protocol=Service.SMTP, stage=stage, argument=argument, answer=answer)


async def test_each_alias_is_asked_and_a_refused_one_is_told_and_stops_nothing(tmp_path):
    async with running(tmp_path) as house:
        await house.simulator.add_fault(refused_at("mail"))
        mailbox = await house.connect(aliases=(SALES, NEWS))
        view = await house.store.mailbox(mailbox)
        assert [one.refused is None for one in view.mailbox.aliases] == [True, False]
        assert view.sending.state is State.CONNECTED
        assert house.simulator.outbox == []  # asked without a message
        await house.simulator.clear_faults()
        await house.house.connect.check(mailbox)
        view = await house.store.mailbox(mailbox)
        assert [one.refused for one in view.mailbox.aliases] == [None, None]


async def test_a_message_goes_out_as_an_alias_with_its_name(tmp_path):
    async with running(tmp_path) as house:
        mailbox = await house.connect(aliases=(SALES,))
        sent = await house.send(mailbox, sender=Address("Sales@shop.test"))
        await house.delivery_in(sent.id, "sent")
        (submitted,) = house.simulator.outbox
        assert submitted.sender == "sales@shop.test"
        assert b"From: Sales <sales@shop.test>" in submitted.raw
        plain = await house.send(mailbox)
        assert plain.sender == "team@shop.test"


async def test_what_is_neither_the_address_nor_an_alias_is_refused_in_clear_words(tmp_path):
    async with running(tmp_path) as house:
        await house.simulator.add_fault(refused_at("mail"))
        mailbox = await house.connect(aliases=(NEWS,))
        with pytest.raises(BadDraft, match="neither the address of this mailbox nor one of its aliases") as bad:
            await house.send(mailbox, sender=Address("boss@shop.test"))
        assert bad.value.field == "from"
        with pytest.raises(BadDraft, match="does not let this mailbox send as news"):
            await house.send(mailbox, sender=Address("news@shop.test"))


async def test_an_alias_that_is_refused_at_the_end_returns_its_message_and_the_mailbox_sends_on(tmp_path):
    async with running(tmp_path) as house:
        mailbox = await house.connect(aliases=(NEWS,))
        await house.simulator.add_fault(
            refused_at("dot", answer="554 5.2.252 SendAsDenied; team@shop.test not allowed to send as news@shop.test")
        )
        as_news = await house.send(mailbox, "As news", sender=Address("news@shop.test"))
        failed = await house.delivery_in(as_news.id, "failed")
        assert failed.diagnosis.name == "smtp.access_restricted"
        as_itself = await house.send(mailbox, "As itself")
        await house.simulator.clear_faults()
        await house.delivery_in(as_itself.id, "sent")
        view = await house.store.mailbox(mailbox)
        assert view.sending.state is State.CONNECTED
        assert view.mailbox.aliases[0].refused is not None
        assert await house.events("mailbox.needs_attention") == []


async def test_an_answer_comes_from_the_alias_that_was_written_to(tmp_path):
    async with running(tmp_path) as house:
        mailbox = await house.connect(aliases=(SALES,))
        first = await house.send(mailbox, "An offer", sender=Address("sales@shop.test"))
        await house.delivery_in(first.id, "sent")
        answer = await house.house.accept.reply(first.conversation_id, Draft(mailbox, (), text="It is here."))
        assert answer.delivery.sender == "sales@shop.test"
        assert [one.address for one in answer.delivery.recipients] == ["anna@customer.test"]


async def test_what_another_process_changed_in_the_settings_holds_for_the_next_message(tmp_path):
    async with running(tmp_path) as house:
        mailbox = await house.connect()
        await house.send(mailbox)
        before = await house.store.settings(mailbox)
        await house.store.update_mailbox(replace(before, name="The Shop", signature=Signature("Yours, the shop")))
        sent = await house.send(mailbox)
        raw = await house.store.raw(sent.message_id)
        assert b"From: The Shop <team@shop.test>" in raw
        assert b"-- \r\nYours, the shop" in raw
        with pytest.raises(BadDraft):
            await house.send(mailbox, sender=Address("sales@shop.test"))
        await house.store.update_mailbox(replace(before, aliases=(SALES,)))
        assert (await house.send(mailbox, sender=Address("sales@shop.test"))).sender == "sales@shop.test"
        await house.store.delete_mailbox(mailbox)
        with pytest.raises(NoSuchMailbox):
            await house.send(mailbox)


async def test_settings_that_change_while_a_message_is_composed_are_composed_by_anew(tmp_path):
    async with running(tmp_path) as house:
        mailbox = await house.connect()
        before = await house.store.settings(mailbox)
        accept, changes = house.store.accept, [replace(before, name=f"Shop {number}") for number in range(3)]

        async def accept_late(acceptance):
            if changes:
                await house.store.update_mailbox(changes.pop(0))
            return await accept(acceptance)

        house.store.accept = accept_late
        sent = await house.send(mailbox)
        assert changes == []
        assert b"From: Shop 2 <team@shop.test>" in await house.store.raw(sent.message_id)
        assert len((await house.store.deliveries(mailbox_id=mailbox)).items) == 1
