"""What the server refuses: one recipient, one message, for good or for now. The mailbox stays healthy."""

import asyncio

import pytest

from tests.walks.outgoing import Heard, line, read, send_many, settled

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def healthy(standing, mailbox_id):
    sending = (await standing.mailbox(mailbox_id))["sending"]
    assert (sending["state"], sending["diagnosis"]) == ("connected", None)


async def test_a_refused_recipient_does_not_stop_the_others(standing, dovecot):
    async with line(standing, dovecot) as to, Heard(standing, to.id) as heard:
        to.sink.answer("RCPT", "550 5.1.1 No such user", matching="gone@x.test")
        accepted = await standing.send(to.id, "a@x.test", cc=["gone@x.test", "b@x.test"])
        delivery = await standing.delivery_in(accepted["id"], "failed")
        assert {one["address"]: one["state"] for one in delivery["recipients"]} == {
            "a@x.test": "accepted",
            "gone@x.test": "refused",
            "b@x.test": "accepted",
        }
        gone = delivery["recipients"][1]
        assert gone["diagnosis"]["code"] == "smtp.message_rejected"
        assert gone["diagnosis"]["action"] == "fail_message"
        assert "5.1.1 No such user" in gone["reply"]
        assert delivery["diagnosis"]["reason"]
        assert [one.recipients for one in to.sink.accepted] == [("a@x.test", "b@x.test")]
        (told,) = await heard.until("delivery.failed")
        assert told["message_id"] == accepted["message_id"]
        await healthy(standing, to.id)

        to.sink.heal()
        await standing.post(f"/deliveries/{accepted['id']}/retry", status=200)
        await standing.delivery_in(accepted["id"], "sent")
        assert [one.recipients for one in to.sink.accepted] == [("a@x.test", "b@x.test"), ("gone@x.test",)]


async def test_a_recipient_that_is_put_off_is_tried_again_alone(standing, dovecot):
    async with line(standing, dovecot) as to, Heard(standing, to.id) as heard:
        to.sink.answer("RCPT", "451 4.7.1 Greylisted, try again in 5 minutes", matching="slow@x.test")
        accepted = await standing.send(to.id, "a@x.test", cc=["slow@x.test"])
        delivery = await standing.delivery_in(accepted["id"], "deferred")
        assert [one["state"] for one in delivery["recipients"]] == ["accepted", "pending"]
        assert delivery["recipients"][1]["diagnosis"]["code"] == "smtp.message_deferred"
        assert delivery["next_attempt_at"] > delivery["updated_at"]
        await heard.until("delivery.deferred")
        other = await standing.send(to.id, "other@x.test")
        await standing.delivery_in(other["id"], "sent")

        await standing.post(f"/deliveries/{accepted['id']}/retry", status=200)
        again = await standing.until(
            lambda: standing.get(f"/deliveries/{accepted['id']}"),
            lambda one: one["state"] == "deferred" and one["attempt_count"] == 2,
        )
        assert [one["outcome"] for one in again["attempts"]] == ["put_off", "put_off"]
        to.sink.heal()
        await standing.post(f"/deliveries/{accepted['id']}/retry", status=200)
        done = await standing.delivery_in(accepted["id"], "sent")
        assert [one["number"] for one in done["attempts"]] == [1, 2, 3]
        got = [one.recipients for one in to.sink.accepted]
        assert got == [("a@x.test",), ("other@x.test",), ("slow@x.test",)]
        assert (await standing.mailbox(to.id))["held"] == 0
        assert heard.of("delivery.held") == []
        await healthy(standing, to.id)


@pytest.mark.parametrize(
    ("stage", "reply", "state"),
    [
        ("DOT", "554 5.7.1 Message rejected as spam by content filter", "failed"),
        ("DOT", "452 4.3.1 Insufficient system storage", "deferred"),
        ("RCPT", "550 5.1.1 <customer@elsewhere.test>: Recipient address rejected: User unknown", "failed"),
        ("RCPT", "450 4.2.2 The mailbox of the recipient is over quota", "deferred"),
    ],
)
async def test_a_refused_message_lets_the_others_pass(standing, dovecot, stage, reply, state):
    async with line(standing, dovecot) as to:
        to.sink.answer(stage, reply, times=1)
        first, *others = await send_many(standing, to.id, range(4))
        delivery = await standing.delivery_in(first["id"], state)
        assert delivery["diagnosis"]["message"]
        assert reply.partition(" ")[2].split(" ", 1)[1] in delivery["diagnosis"]["raw"]
        await settled(standing, others)
        assert to.numbers() == [1, 2, 3]
        await healthy(standing, to.id)


async def test_a_message_that_is_larger_than_the_server_takes_fails_and_the_mailbox_stays_healthy(
    standing, settings, postfix
):
    async with postfix.configured(message_size_limit=20_000):
        mailbox = await standing.connect(settings)
        large = await standing.send(mailbox["id"], subject="Large", text="A line of text.\n" * 2000)
        small = await standing.send(mailbox["id"], subject="Small")
        failed = await standing.delivery_in(large["id"], "failed")
        assert failed["diagnosis"]["code"] == "smtp.message_rejected"
        assert "larger" in failed["diagnosis"]["reason"] or "size" in failed["diagnosis"]["reason"].lower()
        await standing.delivery_in(small["id"], "sent")
        await healthy(standing, mailbox["id"])
        await postfix.sink.wait_for(1, f"<{small['message_id']}>")
    assert postfix.sink.counts[f"<{large['message_id']}>"] == 0
    assert (await standing.api.delete(f"/v1/mailboxes/{mailbox['id']}")).status_code == 204


async def test_a_message_that_breaks_every_session_does_not_keep_the_others_waiting(standing, dovecot):
    async with line(standing, dovecot) as to:
        to.sink.drop("RCPT", matching="poison@x.test")
        poison = await standing.send(to.id, "poison@x.test", headers={"X-Number": "0"})
        others = await send_many(standing, to.id, range(1, 4))
        await settled(standing, others)
        put_off = await standing.delivery_in(poison["id"], "deferred")
        assert [one["outcome"] for one in put_off["attempts"]] == ["interrupted", "interrupted", "put_off"]
        assert to.numbers() == [1, 2, 3]
        to.sink.heal()
        await standing.post(f"/deliveries/{poison['id']}/retry", status=200)
        await standing.delivery_in(poison["id"], "sent")
        assert max(to.sink.counts.values()) == 1
        await healthy(standing, to.id)


async def test_what_many_send_at_once_goes_out_once_each_over_few_sessions(standing, dovecot):
    async with line(standing, dovecot) as to:
        before = to.sink.connections
        deliveries = await asyncio.gather(
            *(
                standing.send(to.id, subject=f"Answer {number}", headers={"X-Number": str(number)})
                for number in range(60)
            )
        )
        await settled(standing, deliveries)
        assert sorted(to.numbers()) == list(range(60))
        assert set(to.sink.counts.values()) == {1}
        assert to.sink.connections - before < 20
        assert {read(one.raw)["Subject"] for one in to.sink.accepted} == {f"Answer {number}" for number in range(60)}
