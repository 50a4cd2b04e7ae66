"""Programs that answer: marked, never answering each other, stopped when they do so often. People get through."""

import pytest

from postroom.core.compose import BadDraft, Draft
from postroom.core.mailbox import Signature
from postroom.core.message import Address
from postroom.core.parse import parse
from postroom.flows.automatic import AutomaticLoop
from tests.flows.house import running, until

LETTER = """From: Anna <anna@customer.test>
To: team@shop.test
Subject: Where is it?
Message-ID: <{name}@customer.test>
Date: Mon, 23 Nov 2026 09:00:00 +0000
{extra}
Where is my parcel?
"""


async def received(house, mailbox, name, extra="", sender="anna@customer.test"):
    """The conversation of a letter that came."""
    text = LETTER.format(name=name, extra=extra).replace("anna@customer.test>\nTo", f"{sender}>\nTo")
    house.simulator.deliver("team@shop.test", text.replace("\n", "\r\n").encode())
    found = await until(lambda: house.store.message_by_rfc_id(mailbox, f"{name}@customer.test"), bool)
    return found.conversation_id


def answer(mailbox, **more):
    return Draft(mailbox, (), text="We have got your message.", automatic=True, **more)


async def test_an_automatic_answer_is_marked_so_and_a_persons_is_not(tmp_path):
    async with running(tmp_path) as house:
        mailbox = await house.connect()
        conversation = await received(house, mailbox, "one")
        made = await house.house.accept.reply(conversation, answer(mailbox))
        raw = await house.store.raw(made.delivery.message_id)
        assert b"\r\nAuto-Submitted: auto-replied\r\n" in raw
        assert b"\r\nX-Auto-Response-Suppress: DR, RN, NRN, OOF, AutoReply\r\n" in raw
        alone = await house.send(mailbox, automatic=True)
        assert b"\r\nAuto-Submitted: auto-generated\r\n" in await house.store.raw(alone.message_id)
        by_hand = await house.house.accept.reply(conversation, Draft(mailbox, (), text="Hello Anna"))
        assert b"Auto-Submitted" not in await house.store.raw(by_hand.delivery.message_id)


@pytest.mark.parametrize(
    ("extra", "sender", "why"),
    [
        ("Auto-Submitted: auto-replied\n", "anna@customer.test", "Auto-Submitted: auto-replied"),
        ("Precedence: bulk\n", "anna@customer.test", "Precedence: bulk"),
        ("List-Id: <news.customer.test>\n", "anna@customer.test", "List-Id"),
        ("", "MAILER-DAEMON@customer.test", "nobody reads"),
        ("", "no-reply@customer.test", "nobody reads"),
    ],
)
async def test_an_automatic_message_is_never_answered_automatically_but_by_a_person(tmp_path, extra, sender, why):
    async with running(tmp_path) as house:
        mailbox = await house.connect()
        conversation = await received(house, mailbox, "one", extra, sender)
        with pytest.raises(AutomaticLoop, match=why):
            await house.house.accept.reply(conversation, answer(mailbox))
        with pytest.raises(AutomaticLoop):
            await house.house.accept.accept(
                Draft(mailbox, (Address("x@customer.test"),), text="x", automatic=True, in_reply_to="one@customer.test")
            )
        assert (await house.store.deliveries()).items == ()
        await house.house.accept.reply(conversation, Draft(mailbox, (), text="A person writes."))


async def test_too_many_in_an_hour_are_stopped_told_of_once_and_go_on_after_a_person_or_an_hour(tmp_path):
    async with running(tmp_path, automatic_per_hour=3) as house:
        mailbox = await house.connect()
        conversation = await received(house, mailbox, "one")
        accept = house.house.accept

        async def answered(times):
            for _ in range(times):
                await accept.reply(conversation, answer(mailbox))

        await answered(3)
        for _ in range(2):
            with pytest.raises(AutomaticLoop, match="3 automatic messages within an hour"):
                await answered(1)
        (told,) = await house.events("conversation.looping")
        assert (told["id"], told["automatic"]) == (conversation, 3)
        await accept.reply(conversation, Draft(mailbox, (), text="A person looks after it."))
        house.world.move(seconds=1)
        await answered(3)
        with pytest.raises(AutomaticLoop):
            await answered(1)
        assert len(await house.events("conversation.looping")) == 2
        house.world.move(minutes=61)
        await answered(1)


async def test_an_answer_goes_to_the_person_and_not_to_the_bounce_that_came_meanwhile(tmp_path):
    async with running(tmp_path) as house:
        mailbox = await house.connect()
        conversation = await received(house, mailbox, "one")
        report = "Auto-Submitted: auto-replied\nIn-Reply-To: <one@customer.test>\n"
        assert await received(house, mailbox, "two", report, "MAILER-DAEMON@customer.test") == conversation
        made = await house.house.accept.reply(conversation, Draft(mailbox, (), text="Hello"))
        assert [one.address for one in made.delivery.recipients] == ["anna@customer.test"]
        assert parse(await house.store.raw(made.delivery.message_id)).in_reply_to == "one@customer.test"


async def test_answers_go_where_the_mailbox_or_the_message_says_and_the_signature_is_below(tmp_path):
    async with running(tmp_path) as house:
        mailbox = await house.connect(reply_to="desk@shop.test", signature=Signature("The Shop"))

        async def sent(**more):
            return parse(await house.store.raw((await house.send(mailbox, **more)).message_id))

        usual, other = await sent(), await sent(reply_to=(Address("ben@shop.test"),), signature=False)
        assert [one.email for one in usual.reply_to] == ["desk@shop.test"]
        assert usual.text == "It is here.\n\n-- \nThe Shop"
        assert [one.email for one in other.reply_to] == ["ben@shop.test"]
        assert "The Shop" not in other.text


async def test_a_conversation_that_is_gone_is_named_by_its_field(tmp_path):
    async with running(tmp_path) as house:
        mailbox = await house.connect()
        gone = "cnv_" + mailbox.removeprefix("mbx_") + "0" * 24
        with pytest.raises(BadDraft, match="no such conversation") as refused:
            await house.send(mailbox, conversation_id=gone)
        assert refused.value.field == "conversation_id"
        assert (await house.store.deliveries()).items == ()
