"""The connection is lost while a message is handed over: before the end it is sent again, after it Sent is asked."""

import pytest

from tests.rig.clients import until
from tests.walks.outgoing import Heard, line, logged, read, send_many, settled
from tests.walks.postroom import attachment

pytestmark = pytest.mark.asyncio(loop_scope="session")


def outcomes(delivery):
    return [one["outcome"] for one in delivery["attempts"]]


async def in_sent(dovecot, to, message_id):
    return [raw for raw in dovecot.messages(to.user.name, "Sent") if read(raw)["Message-ID"] == f"<{message_id}>"]


async def test_a_connection_cut_in_the_middle_of_a_message_sends_it_again(standing, dovecot):
    async with line(standing, dovecot) as to, Heard(standing, to.id) as heard:
        to.sink.drop("BODY", after=200_000, times=1)
        # More than the buffers between us hold, so that the end cannot have been written before the cut is seen.
        large = await standing.send(to.id, attachments=[attachment(bytes(15_000_000))], headers={"X-Number": "0"})
        others = await send_many(standing, to.id, range(1, 4))
        (done, *_) = await settled(standing, [large, *others])
        assert outcomes(done) == ["interrupted", "accepted"]
        assert to.numbers() == [0, 1, 2, 3]
        assert heard.of("delivery.unconfirmed") == []
        assert (await standing.mailbox(to.id))["sending"]["state"] == "connected"


@pytest.mark.parametrize("kept", [False, True], ids=["not taken", "taken"])
async def test_a_message_whose_answer_is_cut_off_is_looked_for_in_sent_and_then_sent_again(standing, dovecot, kept):
    async with line(standing, dovecot) as to:
        to.sink.drop("DOT", keep=kept, times=1)
        first, *others = await send_many(standing, to.id, range(4))
        done = await standing.delivery_in(first["id"], "sent")
        assert outcomes(done) == ["unanswered", "accepted"]
        await settled(standing, others)
        assert sorted(to.numbers()) == ([0, 0, 1, 2, 3] if kept else [0, 1, 2, 3])
        looked = logged(standing, "looked into Sent", delivery=first["id"])
        assert [(one["found"], one["state"]) for one in looked] == [(False, "queued")]
        await standing.until(lambda: standing.get(f"/deliveries/{first['id']}"), lambda one: one["sent_copy"] == "done")
        assert len(await in_sent(dovecot, to, first["message_id"])) == 1


async def test_a_message_that_sent_shows_is_not_sent_again(standing, dovecot):
    async with line(standing, dovecot) as to, Heard(standing, to.id) as heard:
        to.sink.hang("DOT", keep=True, times=1)
        accepted = await standing.send(to.id)
        (taken,) = await to.sink.wait_for(1)
        dovecot.drop(to.user.name, taken.raw, "Sent", "S")  # as a provider that saves what it sends
        to.sink.cut()
        done = await standing.delivery_in(accepted["id"], "sent")
        assert outcomes(done) == ["unanswered"]
        assert [one["state"] for one in done["recipients"]] == ["accepted"]
        assert done["sent_copy"] == "done"
        await settled(standing, await send_many(standing, to.id, [1]))
        assert to.sink.counts[f"<{accepted['message_id']}>"] == 1
        assert len(await in_sent(dovecot, to, accepted["message_id"])) == 1
        assert next(data["id"] for data in heard.of("delivery.sent")) == accepted["id"]


async def test_with_the_policy_ask_a_person_decides_about_an_unanswered_message(standing, dovecot):
    async with line(standing, dovecot, unconfirmed="ask") as to, Heard(standing, to.id) as heard:
        to.sink.drop("DOT", keep=True, times=2)
        again, left = await send_many(standing, to.id, range(2))
        await heard.until("delivery.unconfirmed", 2)
        await settled(standing, await send_many(standing, to.id, range(2, 5)))
        assert to.numbers() == [0, 1, 2, 3, 4]
        waiting = await settled(standing, [again, left], state="unconfirmed")
        assert [one["next_attempt_at"] for one in waiting] == [None, None]
        assert waiting[0]["diagnosis"]["message"]
        await standing.post(f"/deliveries/{again['id']}/retry", status=200)
        await standing.post(f"/deliveries/{left['id']}/cancel", status=200)
        await standing.delivery_in(again["id"], "sent")
        assert to.numbers() == [0, 1, 2, 3, 4, 0]
        assert len(heard.of("delivery.unconfirmed")) == 2


async def test_a_server_that_never_answers_the_end_of_a_message_does_not_get_it_without_end(standing, dovecot):
    async with line(standing, dovecot) as to, Heard(standing, to.id) as heard:
        to.sink.drop("DOT", keep=True)  # it takes every message and never says so
        accepted = await standing.send(to.id)
        (told,) = await heard.until("delivery.unconfirmed", seconds=90)
        assert told["id"] == accepted["id"]
        unconfirmed = await standing.delivery_in(accepted["id"], "unconfirmed")
        assert to.sink.counts[f"<{accepted['message_id']}>"] == len(unconfirmed["attempts"]) <= 2
        to.sink.heal()
        await settled(standing, await send_many(standing, to.id, [1]))
        assert to.sink.counts[f"<{accepted['message_id']}>"] <= 2


async def test_mail_that_is_cut_off_on_the_network_arrives_once(standing, dovecot, proxy):
    async with line(standing, dovecot, through=proxy) as to:
        to.front.cut_when(rb"X-Number: 2\r\n", "to_server", before=True)
        to.front.cut_when(rb"X-Number: 20\r\n", "to_server", before=True)
        deliveries = await send_many(standing, to.id, range(30))
        done = await settled(standing, deliveries)
        seen = {name for one in done for name in outcomes(one)}
        assert "interrupted" in seen or "unanswered" in seen
        assert set(to.numbers()) == set(range(30))
        assert set(to.sink.counts.values()) == {1}  # the end of no message had passed


async def test_a_server_that_hangs_after_a_message_does_not_stop_another_mailbox(standing, dovecot):
    async with line(standing, dovecot) as stuck, line(standing, dovecot) as other:
        stuck.sink.hang("DOT", times=1)
        waiting = await send_many(standing, stuck.id, range(3))
        await until(lambda: "DATA" in stuck.sink.seen)
        assert (await standing.get(f"/deliveries/{waiting[0]['id']}"))["state"] == "sending"
        await settled(standing, await send_many(standing, other.id, range(5)))
        problem = await standing.post(f"/deliveries/{waiting[0]['id']}/cancel", status=409)
        assert "sending" in problem["detail"]
        stuck.sink.cut()
        await settled(standing, waiting)
        assert sorted(stuck.numbers()) == [0, 1, 2]


async def test_while_receiving_is_broken_an_unanswered_message_waits_for_the_look_into_sent(standing, dovecot, proxy):
    imap = await proxy(dovecot.imap_port)
    async with line(standing, dovecot, imap_port=imap.port) as to:
        await imap.refuse()
        await standing.mailbox_in(to.id, receiving="degraded")
        to.sink.drop("DOT", times=1)
        first, *others = await send_many(standing, to.id, range(3))
        await settled(standing, others)
        assert (await standing.get(f"/deliveries/{first['id']}"))["state"] == "unconfirmed"
        assert to.numbers() == [1, 2]
        await imap.heal()
        await standing.delivery_in(first["id"], "sent", 40)
        assert to.numbers() == [1, 2, 0]
