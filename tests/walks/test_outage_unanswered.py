"""The connection is lost while a message is handed over: before the end it is sent again, after it Sent is asked."""

import pytest
import pytest_asyncio

from tests.rig.clients import until
from tests.walks.outgoing import Heard, line, logged, read, send_many, settled
from tests.walks.postroom import Postroom, attachment

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def postroom(tmp_path_factory):
    """One for all tests of this file: each connects a mailbox of its own."""
    async with Postroom(tmp_path_factory.mktemp("postroom")) as running:
        yield running


def outcomes(delivery):
    return [one["outcome"] for one in delivery["attempts"]]


async def in_sent(dovecot, to, message_id):
    return [raw for raw in dovecot.messages(to.user.name, "Sent") if read(raw)["Message-ID"] == f"<{message_id}>"]


async def test_a_connection_cut_in_the_middle_of_a_message_sends_it_again(postroom, dovecot):
    async with line(postroom, dovecot) as to, Heard(postroom, to.id) as heard:
        to.sink.drop("BODY", after=200_000, times=1)
        # More than the buffers between us hold, so that the end cannot have been written before the cut is seen.
        large = await postroom.send(to.id, attachments=[attachment(bytes(15_000_000))], headers={"X-Number": "0"})
        others = await send_many(postroom, to.id, range(1, 4))
        (done, *_) = await settled(postroom, [large, *others])
        assert outcomes(done) == ["interrupted", "accepted"]
        assert to.numbers() == [0, 1, 2, 3]
        assert heard.of("delivery.unconfirmed") == []
        assert (await postroom.mailbox(to.id))["sending"]["state"] == "connected"


@pytest.mark.parametrize("kept", [False, True], ids=["not taken", "taken"])
async def test_a_message_whose_answer_is_cut_off_is_looked_for_in_sent_and_then_sent_again(postroom, dovecot, kept):
    async with line(postroom, dovecot) as to:
        to.sink.drop("DOT", keep=kept, times=1)
        first, *others = await send_many(postroom, to.id, range(4))
        done = await postroom.delivery_in(first["id"], "sent")
        assert outcomes(done) == ["unanswered", "accepted"]
        await settled(postroom, others)
        assert sorted(to.numbers()) == ([0, 0, 1, 2, 3] if kept else [0, 1, 2, 3])
        looked = logged(postroom, "looked into Sent", delivery=first["id"])
        assert [(one["found"], one["state"]) for one in looked] == [(False, "queued")]
        await postroom.until(lambda: postroom.get(f"/deliveries/{first['id']}"), lambda one: one["sent_copy"] == "done")
        assert len(await in_sent(dovecot, to, first["message_id"])) == 1


async def test_a_message_that_sent_shows_is_not_sent_again(postroom, dovecot):
    async with line(postroom, dovecot) as to, Heard(postroom, to.id) as heard:
        to.sink.hang("DOT", keep=True, times=1)
        accepted = await postroom.send(to.id)
        (taken,) = await to.sink.wait_for(1)
        dovecot.drop(to.user.name, taken.raw, "Sent", "S")  # as a provider that saves what it sends
        to.sink.cut()
        done = await postroom.delivery_in(accepted["id"], "sent")
        assert outcomes(done) == ["unanswered"]
        assert [one["state"] for one in done["recipients"]] == ["accepted"]
        assert done["sent_copy"] == "done"
        await settled(postroom, await send_many(postroom, to.id, [1]))
        assert to.sink.counts[f"<{accepted['message_id']}>"] == 1
        assert len(await in_sent(dovecot, to, accepted["message_id"])) == 1
        assert next(data["id"] for data in heard.of("delivery.sent")) == accepted["id"]


async def test_with_the_policy_ask_a_person_decides_about_an_unanswered_message(postroom, dovecot):
    async with line(postroom, dovecot, unconfirmed="ask") as to, Heard(postroom, to.id) as heard:
        to.sink.drop("DOT", keep=True, times=2)
        again, left = await send_many(postroom, to.id, range(2))
        await heard.until("delivery.unconfirmed", 2)
        await settled(postroom, await send_many(postroom, to.id, range(2, 5)))
        assert to.numbers() == [0, 1, 2, 3, 4]
        waiting = await settled(postroom, [again, left], state="unconfirmed")
        assert [one["next_attempt_at"] for one in waiting] == [None, None]
        assert waiting[0]["diagnosis"]["message"]
        await postroom.post(f"/deliveries/{again['id']}/retry", status=200)
        await postroom.post(f"/deliveries/{left['id']}/cancel", status=200)
        await postroom.delivery_in(again["id"], "sent")
        assert to.numbers() == [0, 1, 2, 3, 4, 0]
        assert len(heard.of("delivery.unconfirmed")) == 2


async def test_a_server_that_never_answers_the_end_of_a_message_does_not_get_it_without_end(postroom, dovecot):
    async with line(postroom, dovecot) as to, Heard(postroom, to.id) as heard:
        to.sink.drop("DOT", keep=True)  # it takes every message and never says so
        accepted = await postroom.send(to.id)
        (told,) = await heard.until("delivery.unconfirmed", seconds=40)
        assert told["id"] == accepted["id"]
        unconfirmed = await postroom.delivery_in(accepted["id"], "unconfirmed")
        assert to.sink.counts[f"<{accepted['message_id']}>"] == len(unconfirmed["attempts"]) <= 2
        to.sink.heal()
        await settled(postroom, await send_many(postroom, to.id, [1]))
        assert to.sink.counts[f"<{accepted['message_id']}>"] <= 2


async def test_mail_that_is_cut_off_on_the_network_arrives_once(postroom, dovecot, proxy):
    async with line(postroom, dovecot, through=proxy) as to:
        to.front.cut_when(rb"X-Number: 2\r\n", "to_server", before=True)
        to.front.cut_when(rb"X-Number: 20\r\n", "to_server", before=True)
        deliveries = await send_many(postroom, to.id, range(30))
        done = await settled(postroom, deliveries)
        seen = {name for one in done for name in outcomes(one)}
        assert "interrupted" in seen or "unanswered" in seen
        assert set(to.numbers()) == set(range(30))
        assert set(to.sink.counts.values()) == {1}  # the end of no message had passed


async def test_a_server_that_hangs_after_a_message_does_not_stop_another_mailbox(postroom, dovecot):
    async with line(postroom, dovecot) as stuck, line(postroom, dovecot) as other:
        stuck.sink.hang("DOT", times=1)
        waiting = await send_many(postroom, stuck.id, range(3))
        await until(lambda: "DATA" in stuck.sink.seen)
        assert (await postroom.get(f"/deliveries/{waiting[0]['id']}"))["state"] == "sending"
        await settled(postroom, await send_many(postroom, other.id, range(5)))
        problem = await postroom.post(f"/deliveries/{waiting[0]['id']}/cancel", status=409)
        assert "sending" in problem["detail"]
        stuck.sink.cut()
        await settled(postroom, waiting)
        assert sorted(stuck.numbers()) == [0, 1, 2]


async def test_while_receiving_is_broken_an_unanswered_message_waits_for_the_look_into_sent(postroom, dovecot, proxy):
    imap = await proxy(dovecot.imap_port)
    async with line(postroom, dovecot, imap_port=imap.port) as to:
        await imap.refuse()
        await postroom.mailbox_in(to.id, receiving="degraded")
        to.sink.drop("DOT", times=1)
        first, *others = await send_many(postroom, to.id, range(3))
        await settled(postroom, others)
        assert (await postroom.get(f"/deliveries/{first['id']}"))["state"] == "unconfirmed"
        assert to.numbers() == [1, 2]
        await imap.heal()
        await postroom.delivery_in(first["id"], "sent", 40)
        assert to.numbers() == [1, 2, 0]
