"""What is sent arrives once, whole, in its conversation, with its copy in Sent."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from tests.walks.letters import arrived
from tests.walks.outgoing import line, read
from tests.walks.postroom import attachment

pytestmark = pytest.mark.asyncio(loop_scope="session")


def copies(dovecot, user, message_id, folder="Sent"):
    """The messages of a folder that bear a Message-ID, as they are on disk."""
    return [raw for raw in dovecot.messages(user.name, folder) if read(raw)["Message-ID"] == f"<{message_id}>"]


async def copied(standing, delivery_id):
    return await standing.until(
        lambda: standing.get(f"/deliveries/{delivery_id}"), lambda one: one["sent_copy"] == "done"
    )


def answer_to(raw, text="Thank you."):
    """What a customer's mail program makes of a message when they answer it."""
    first = read(raw)
    return (
        f"From: Anna Customer <anna@customer.test>\r\nTo: {first['From']}\r\nSubject: Re: {first['Subject']}\r\n"
        f"Message-ID: <thanks-{id(raw)}@customer.test>\r\nIn-Reply-To: {first['Message-ID']}\r\n"
        f"References: {' '.join(filter(None, [first['References'], first['Message-ID']]))}\r\n\r\n{text}\r\n"
    ).encode()


async def test_a_message_goes_out_through_postfix_once_and_its_copy_is_in_sent_once(
    standing_on, settings, dovecot, postfix, user
):
    mailbox = await standing_on.connect(settings)
    accepted = await standing_on.send(mailbox["id"], "Zoë <zoe@elsewhere.test>", subject="Grüße", text="Hier ist es.")
    assert accepted["state"] == "queued"
    delivery = await standing_on.delivery_in(accepted["id"], "sent")
    assert delivery["attempt_count"] == 1
    (attempt,) = delivery["attempts"]
    assert attempt["outcome"] == "accepted"
    assert attempt["reply"].startswith("2.0.0 Ok: queued as ")
    assert attempt["started_at"] <= attempt["ended_at"]
    (recipient,) = delivery["recipients"]
    assert (recipient["address"], recipient["state"]) == ("zoe@elsewhere.test", "accepted")

    (taken,) = await postfix.sink.wait_for(1, f"<{accepted['message_id']}>")
    assert (taken.sender, taken.recipients) == (user.address, ("zoe@elsewhere.test",))
    sent = read(taken.raw)
    assert (sent["Subject"], sent["To"], sent["From"]) == (
        "Grüße",
        "Zoë <zoe@elsewhere.test>",
        f"Support <{user.address}>",
    )
    assert sent.get_body().get_content().strip() == "Hier ist es."

    await copied(standing_on, accepted["id"])
    (copy,) = copies(dovecot, user, accepted["message_id"])
    raw = (await standing_on.api.get(f"/v1/messages/{accepted['message']}/raw")).content
    assert copy.replace(b"\r\n", b"\n") == raw.replace(b"\r\n", b"\n")
    assert postfix.sink.counts[f"<{accepted['message_id']}>"] == 1


async def test_a_conversation_goes_to_and_fro_between_two_mailboxes(standing_on, settings, dovecot, user):
    customer = dovecot.add_user()
    mailbox = await standing_on.connect(settings)
    question = f"From: Anna <{customer.address}>\r\nTo: {user.address}\r\nSubject: Parcel\r\n"
    question += "Message-ID: <question@customer.test>\r\nReferences: <before@customer.test>\r\n\r\nWhere is it?\r\n"
    await dovecot.deliver(user.name, question.encode())
    (received,) = await arrived(standing_on, mailbox, 1)
    conversation = received["conversation_id"]
    reply = await standing_on.post(f"/conversations/{conversation}/replies", {"text": "On its way."}, status=202)
    assert reply["conversation_id"] == conversation
    await standing_on.delivery_in(reply["id"], "sent")

    inbox = await standing_on.until(
        lambda: asyncio.to_thread(copies, dovecot, customer, reply["message_id"], "INBOX"), lambda found: len(found) > 0
    )
    got = read(inbox[0])
    assert got["In-Reply-To"] == "<question@customer.test>"
    assert got["References"].split() == ["<before@customer.test>", "<question@customer.test>"]
    assert (got["Subject"], got["To"]) == ("Re: Parcel", f"Anna <{customer.address}>")

    await dovecot.deliver(user.name, answer_to(inbox[0]))
    await arrived(standing_on, mailbox, 3)
    (only,) = await standing_on.everything("/conversations", mailbox_id=mailbox["id"])
    assert (only["id"], only["message_count"]) == (conversation, 3)
    shown = await standing_on.get(f"/conversations/{conversation}")
    # IMAP tells times in whole seconds: in such a quick exchange their order may be another.
    assert sorted(one["flow"] for one in shown["messages"]["items"]) == ["inbound", "inbound", "outbound"]
    assert len(copies(dovecot, customer, reply["message_id"], "INBOX")) == 1


async def test_blind_copies_are_sent_and_not_shown(standing, dovecot):
    async with line(standing, dovecot) as to:
        accepted = await standing.send(to.id, "a@x.test", cc=["b@x.test"], bcc=["hidden@x.test", "secret@y.test"])
        await standing.delivery_in(accepted["id"], "sent")
        (taken,) = to.sink.accepted
        assert taken.recipients == ("a@x.test", "b@x.test", "hidden@x.test", "secret@y.test")
        assert b"hidden" not in taken.raw
        assert b"secret@y.test" not in taken.raw
        assert b"bcc" not in taken.raw.lower()


async def test_attachments_arrive_byte_for_byte(standing, dovecot):
    files = {
        "photo.bin": bytes(range(256)) * 2000,
        "Rückgabe Schein.txt": "ends in no line end, has a dot\n.\n..\nand Ümlaute".encode(),
        "empty.txt": b"",
        "crlf.csv": b"a;b\r\n1;2\r\n\r\n.\r\n",
    }
    async with line(standing, dovecot) as to:
        attachments = [attachment(content, name) for name, content in files.items()]
        accepted = await standing.send(to.id, text="Text\n.\nmore", html="<p>Text</p>", attachments=attachments)
        await standing.delivery_in(accepted["id"], "sent")
        (taken,) = to.sink.accepted
    got = {part.get_filename(): part.get_payload(decode=True) for part in read(taken.raw).iter_attachments()}
    assert got == files
    texts = [read(taken.raw).get_body([kind]).get_content().split() for kind in ("plain", "html")]
    assert texts == [["Text", ".", "more"], ["<p>Text</p>"]]


async def test_a_repeated_request_sends_nothing_again_and_another_request_is_refused(standing, dovecot):
    async with line(standing, dovecot) as to:
        body = {"mailbox_id": to.id, "to": ["a@x.test"], "subject": "Once", "text": "It is here."}
        key = {"Idempotency-Key": "order-4711"}
        answers = await asyncio.gather(*(standing.api.post("/v1/messages", json=body, headers=key) for _ in range(5)))
        assert [answer.status_code for answer in answers] == [202] * 5
        (one,) = {answer.json()["id"] for answer in answers}
        assert [answer.headers.get("Idempotent-Replayed") for answer in answers].count("true") == 4
        await standing.delivery_in(one, "sent")
        again = await standing.post("/messages", body, status=202, **key)
        assert (again["id"], again["state"]) == (one, "sent")
        problem = await standing.post("/messages", body | {"text": "Another."}, status=409, **key)
        assert problem["type"].endswith("idempotency-conflict")
        await standing.delivery_in((await standing.send(to.id))["id"], "sent")
        assert [read(taken.raw)["Subject"] for taken in to.sink.accepted] == ["Once", "An answer"]


async def test_a_message_for_later_goes_out_at_its_time_and_not_before(standing, dovecot):
    async with line(standing, dovecot) as to:
        at = datetime.now(UTC) + timedelta(seconds=2)
        later = await standing.send(to.id, subject="Later", send_at=at.isoformat())
        now = await standing.send(to.id, subject="Now")
        await standing.delivery_in(now["id"], "sent")
        sent = await standing.delivery_in(later["id"], "sent")
        assert datetime.fromisoformat(sent["attempts"][0]["started_at"]) >= at
        assert datetime.fromisoformat(sent["attempts"][0]["started_at"]) < at + timedelta(seconds=5)
        assert [read(taken.raw)["Subject"] for taken in to.sink.accepted] == ["Now", "Later"]


async def test_a_cancelled_message_is_not_sent(standing, dovecot):
    async with line(standing, dovecot) as to:
        at = datetime.now(UTC) + timedelta(seconds=1)
        taken_back = await standing.send(to.id, subject="Wrong", send_at=at.isoformat())
        cancelled = await standing.post(f"/deliveries/{taken_back['id']}/cancel", status=200)
        assert cancelled["state"] == "cancelled"
        after = await standing.send(to.id, subject="Right", send_at=(at + timedelta(seconds=1)).isoformat())
        await standing.delivery_in(after["id"], "sent")  # later than the cancelled one would have been
        assert [read(taken.raw)["Subject"] for taken in to.sink.accepted] == ["Right"]
        for what, delivery in (("retry", taken_back), ("cancel", after)):
            problem = await standing.post(f"/deliveries/{delivery['id']}/{what}", status=409)
            assert problem["type"].endswith("not-possible")
            assert problem["detail"]


async def test_a_message_that_nobody_could_send_is_refused_with_the_field_named(standing, dovecot):
    async with line(standing, dovecot) as to:
        for body, field in (
            ({"to": []}, "to"),
            ({"to": ["not an address"]}, "to[0]"),
            ({"to": ["a@x.test"], "headers": {"Subject": "mine"}}, "headers"),
            ({"to": ["a@x.test"], "send_at": "2099-01-01T00:00:00Z"}, "send_at"),
            ({"to": ["a@x.test"], "subject": "two\r\nBcc: evil@x.test"}, "subject"),
        ):
            problem = await standing.post("/messages", {"mailbox_id": to.id, "text": "x", **body}, status=422)
            assert problem["errors"][0]["field"].startswith(field), problem
        assert await standing.everything("/deliveries", mailbox_id=to.id) == []
