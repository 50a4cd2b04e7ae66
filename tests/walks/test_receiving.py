"""What arrives at a mailbox shows, in its conversation, and is announced."""

import json
import time

import pytest
from standardwebhooks import Webhook

from tests.rig.clients import log_in
from tests.rig.dovecot import Dovecot
from tests.rig.sink import Sink
from tests.walks.letters import arrived, as_served, letter, many, names, numbered
from tests.walks.postroom import settings_for
from tests.walks.receiver import Receiver

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_new_message_shows_within_seconds_of_its_arrival(standing_on, settings, dovecot, user):
    mailbox = await standing_on.connect(settings)
    took = []
    for number in range(1, 6):
        await dovecot.deliver(user.name, letter(f"new-{number}"))
        began = time.monotonic()
        await arrived(standing_on, mailbox, number)
        took.append(time.monotonic() - began)
    assert min(took) < 5.0, took  # Dovecot itself waits half a second before it tells
    messages = await standing_on.messages(mailbox["id"])
    assert names(messages) == numbered("new", 5)
    shown = await standing_on.get(f"/messages/{messages[0]['id']}")
    assert shown["text"].strip() == "Where is my parcel?"
    assert shown["from"] == {"email": "anna@customer.test", "name": "Anna Customer"}
    assert shown["subject"] == "A question"
    assert (shown["flow"], shown["folder"], shown["quarantine"]) == ("inbound", "INBOX", None)


async def test_a_new_message_comes_on_the_stream_of_events(standing, settings, dovecot, user):
    mailbox = await standing.connect(settings)
    async with standing.events() as next_event:
        await dovecot.deliver(user.name, letter("streamed"))
        event = await next_event("message.received")
    assert event["data"]["message_id"] == "streamed@customer.test"
    assert event["data"]["mailbox_id"] == mailbox["id"]
    # Whoever comes late, or comes back, misses nothing.
    async with standing.events(after=int(event["position"]) - 1) as next_event:
        assert await next_event("message.received") == event


async def test_a_new_message_is_posted_to_a_webhook_signed_and_again_after_a_failure(standing, settings, dovecot, user):
    await standing.connect(settings)
    async with Receiver(500, 204) as receiver:
        webhook = await standing.post("/webhooks", {"url": receiver.url, "types": ["message.received"]}, status=201)
        await dovecot.deliver(user.name, letter("posted"))
        first, second = await receiver.wait_for(2)
        assert first.headers["webhook-id"] == second.headers["webhook-id"]
        assert first.body == second.body
        for one in (first, second):
            # The specification's own library checks the signature and the time.
            body = Webhook(webhook["secret"]).verify(one.body.decode(), one.headers)
            assert body["type"] == "message.received"
            assert body["data"]["message_id"] == "posted@customer.test"
        assert json.loads(first.body).keys() == {"type", "timestamp", "data"}
        await standing.until(
            lambda: standing.get(f"/webhooks/{webhook['id']}"), lambda one: one["failing_since"] is None
        )
        assert len(receiver.posted) == 2
    assert (await standing.api.delete(f"/v1/webhooks/{webhook['id']}")).status_code == 204


async def test_a_mailbox_with_mail_is_read_from_its_beginning(standing_on, settings, dovecot, user):
    dovecot.fill(user.name, many("old", 250))
    mailbox = await standing_on.connect(settings)
    found = await arrived(standing_on, mailbox, 250)
    assert names(found) == numbered("old", 250)
    progress = (
        await standing_on.until(
            lambda: standing_on.mailbox(mailbox["id"]), lambda one: one["sync"] and one["sync"][0]["total"] == 0
        )
    )["sync"][0]
    assert (progress["name"], progress["done"]) == ("INBOX", 0)
    assert progress["synced_at"]
    raws = [await standing_on.api.get(f"/v1/messages/{one['id']}/raw") for one in found[:20]]
    assert {raw.content for raw in raws} <= set(as_served(dovecot.imap_port, user))


async def test_reading_leaves_the_mailbox_as_it_was(standing, settings, dovecot, user):
    dovecot.fill(user.name, many("unread", 3))
    mailbox = await standing.connect(settings)
    await arrived(standing, mailbox, 3)
    with log_in(dovecot.imap_port, user) as client:
        client.select(readonly=True)
        _, flags = client.fetch("1:3", "(FLAGS)")
    assert b"Seen" not in b"".join(flags)


async def test_messages_that_answer_each_other_are_one_conversation(standing, settings, dovecot, user):
    mailbox = await standing.connect(settings)
    for raw in (
        letter("question", subject="Parcel"),
        letter("answer", subject="Re: Parcel", in_reply_to="question"),
        letter("thanks", subject="AW: Parcel", references=["question", "lost", "answer"]),
        letter("other", subject="Parcel"),  # the same subject is no answer
    ):
        await dovecot.deliver(user.name, raw)
    await arrived(standing, mailbox, 4)
    listed = await standing.everything("/conversations", mailbox_id=mailbox["id"])
    assert sorted(one["message_count"] for one in listed) == [1, 3]
    (long,) = [one for one in listed if one["message_count"] == 3]
    shown = await standing.get(f"/conversations/{long['id']}")
    assert names(shown["messages"]["items"]) == ["answer", "question", "thanks"]


async def test_messages_of_the_same_second_stay_in_the_order_of_their_folder(standing, settings, dovecot, user):
    dovecot.fill(user.name, [letter(f"same-{number:02}", references=["root"]) for number in range(40)])
    mailbox = await standing.connect(settings)
    found = await arrived(standing, mailbox, 40)
    assert [one["message_id"] for one in found] == [f"same-{number:02}@customer.test" for number in range(40)]


async def test_an_answer_that_arrives_before_its_question_is_in_its_conversation(standing, settings, dovecot, user):
    mailbox = await standing.connect(settings)
    await dovecot.deliver(user.name, letter("early", in_reply_to="late", references=["first", "late"]))
    await arrived(standing, mailbox, 1)
    await dovecot.deliver(user.name, letter("late", references=["first"]))
    await arrived(standing, mailbox, 2)
    await dovecot.deliver(user.name, letter("first"))
    await arrived(standing, mailbox, 3)
    (only,) = await standing.everything("/conversations", mailbox_id=mailbox["id"])
    assert only["message_count"] == 3


async def test_every_folder_that_is_set_is_read(standing, settings, dovecot, user):
    dovecot.fill(user.name, many("inbox", 3))
    dovecot.fill(user.name, many("returns", 4), "Returns")
    dovecot.fill(user.name, many("junk", 2), "Junk")
    mailbox = await standing.connect(settings | {"folders": ["INBOX", "Returns"]})
    found = await arrived(standing, mailbox, 7)
    assert len(found) == 7
    assert {one["folder"]: one["message_id"].partition("-")[0] for one in found} == {
        "INBOX": "inbox",
        "Returns": "returns",
    }


async def test_a_folder_added_later_is_read_from_its_beginning(standing, settings, dovecot, user):
    dovecot.fill(user.name, many("returns", 4), "Returns")
    mailbox = await standing.connect(settings)
    answer = await standing.api.patch(f"/v1/mailboxes/{mailbox['id']}", json={"folders": ["INBOX", "Returns"]})
    assert answer.status_code == 200, answer.text
    assert len(await arrived(standing, mailbox, 4)) == 4


async def test_a_server_without_idle_is_asked_again_and_again(standing, certificates):
    async with Dovecot(certificates, idle=False) as old:
        user = old.add_user()
        old.maildir(user.name).create("Returns")
        async with Sink(users={user.name: user.password}) as sink:
            body = settings_for(user, old.imap_port, sink.port, folders=["INBOX", "Returns"])
            mailbox = await standing.connect(body)
            for number, folder in ((1, "INBOX"), (2, "Returns"), (3, "INBOX"), (4, "Returns")):
                old.drop(user.name, letter(f"polled-{number}"), folder)
                await arrived(standing, mailbox, number, seconds=5)
            found = await standing.messages(mailbox["id"])
            assert names(found) == numbered("polled", 4)
            assert (await standing.api.delete(f"/v1/mailboxes/{mailbox['id']}")).status_code == 204


async def test_the_same_message_in_two_folders_is_there_once(standing, settings, dovecot, user):
    for folder in ("INBOX", "Returns"):
        dovecot.drop(user.name, letter("both"), folder)
    mailbox = await standing.connect(settings | {"folders": ["INBOX", "Returns"]})
    entries = await standing.until(
        lambda: standing.everything(f"/mailboxes/{mailbox['id']}/ledger"), lambda shown: len(shown) == 2
    )
    assert [one["folder"] for one in entries] == ["INBOX", "Returns"]
    (found,) = await arrived(standing, mailbox, 1)
    assert {one["message_id"] for one in entries} == {found["id"]}
