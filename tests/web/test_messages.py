"""Messages, conversations and deliveries over HTTP."""

import base64
import json
from datetime import UTC, datetime, timedelta

import pytest

from postroom.core import delivery as outgoing
from postroom.core.compose import Draft
from postroom.core.diagnosis import Evidence, Stage, diagnose
from postroom.core.mailbox import Direction
from postroom.core.message import Address
from postroom.web.schema.draft import MOST_ATTACHED
from tests.web import fakes
from tests.web.conftest import fields_of, problem_of

MARK = b"\xef\xbb\xbf"
RAW = b"""\
From: Anna <anna@example.net>\r
To: support@example.com\r
Subject: files\r
MIME-Version: 1.0\r
Content-Type: multipart/mixed; boundary=b\r
\r
--b\r
Content-Type: text/plain\r
\r
see there\r
--b\r
Content-Type: text/html; name="evil.html"\r
Content-Disposition: attachment; filename="evil.html"\r
\r
<script>alert(1)</script>\r
--b\r
Content-Type: application/pdf\r
Content-Transfer-Encoding: base64\r
Content-Disposition: attachment; filename*=UTF-8''R%C3%A9sum%C3%A9%22.pdf\r
\r
JVBERi0x\r
--b--\r
"""


def a_message(mailbox, **changes):
    return {"mailbox_id": mailbox["id"], "to": ["anna@example.net"], "subject": "Hello", "text": "Hi", **changes}


@pytest.fixture
def received(house, mailbox):
    conversation = fakes.conversation(house.world, mailbox["id"])
    house.store.conversations_by_id[conversation.id] = conversation
    message = fakes.message(
        house.world, mailbox["id"], conversation.id, html='<p onclick="x()">Hi<script>alert(1)</script></p>'
    )
    house.store.messages_by_id[message.id] = message
    house.store.raws[message.id] = RAW
    return message


async def test_a_message_is_taken_with_its_delivery(client, house, mailbox):
    answer = await client.post(
        "/v1/messages",
        json=a_message(
            mailbox,
            to=["anna@example.net", "Bob <bob@Bücher.example>", {"email": "c@example.net", "name": "C, D"}],
            cc=["d@example.net"],
            html="<p>Hi</p>",
            headers={"X-Ticket": "4711"},
            in_reply_to="<1@example.net>",
            send_at="2026-07-01T12:00:00+02:00",
            attachments=[{"filename": "a.txt", "content_type": "text/plain", "content": "SGVs\nbG8="}],
        ),
    )
    delivery = answer.json()
    assert answer.status_code == 202
    assert answer.headers["Location"] == f"/v1/deliveries/{delivery['id']}"
    assert delivery["state"] == "queued"
    assert delivery["message"].startswith("msg_")
    assert delivery["message_id"].endswith("@example.com")
    assert delivery["recipients"][1]["address"] == "bob@xn--bcher-kva.example"
    draft = house.accept.drafts[0]
    assert [(one.email, one.name) for one in draft.to] == [
        ("anna@example.net", ""),
        ("bob@xn--bcher-kva.example", "Bob"),
        ("c@example.net", "C, D"),
    ]
    assert draft.attachments[0].content == b"Hello"
    assert draft.headers == (("X-Ticket", "4711"),)
    assert draft.in_reply_to == "1@example.net"
    assert draft.send_at == datetime(2026, 7, 1, 10, tzinfo=UTC)


async def test_both_ways_in_take_a_message_alike(house, client, mailbox):
    body = json.dumps(
        a_message(
            mailbox,
            to=["Bob <bob@Bücher.example>", {"email": "c@example.net", "name": "C, D"}],
            headers={"X-Ticket": "4711"},
            send_at="2026-07-01T12:00:00+02:00",
            attachments=[{"filename": "a.txt", "content": "SGVsbG8="}],
            **{"from": "support@example.com"},
        )
    ).encode()
    # A byte order mark is not of JSON (RFC 8259 8.1): only the general way passes over it.
    short, general = [await post(client, one) for one in (body, MARK + body)]
    assert (short.status_code, general.status_code) == (202, 202)
    assert house.accept.drafts[0] == house.accept.drafts[1]
    assert list(short.json()) == list(general.json())
    assert short.json() | _own(general.json()) == general.json()
    assert list(short.headers) == list(general.headers)
    assert short.headers["Location"] == f"/v1/deliveries/{short.json()['id']}"
    figures = (await client.get("/metrics")).text
    assert 'postroom_http_requests_total{method="POST",route="/v1/messages",status="202"} 2.0' in figures


@pytest.mark.parametrize("marks", [(b"", MARK), (MARK, b"")])
async def test_a_repeated_request_is_known_whichever_way_it_comes(house, client, mailbox, marks):
    body = json.dumps(a_message(mailbox)).encode()
    first, second = [await post(client, mark + body, "order 4711") for mark in marks]
    assert second.json() == first.json()
    assert second.headers["Idempotent-Replayed"] == "true"
    refused = await post(client, marks[1] + json.dumps(a_message(mailbox, text="other")).encode(), "order 4711")
    problem_of(refused, 409, "idempotency-conflict")


async def post(client, body, key=None):
    headers = {"Content-Type": "application/json"} | ({"Idempotency-Key": key} if key else {})
    return await client.post("/v1/messages", content=body, headers=headers)


def _own(delivery):
    """What each delivery has for itself."""
    return {name: delivery[name] for name in ("id", "message", "message_id", "conversation_id")}


@pytest.mark.parametrize(
    ("changes", "field", "words"),
    [
        ({"to": ["a@example.net, b@example.net"]}, "to[0].email", "before the @"),
        ({"to": ["A <a@example.net>, b@example.net"]}, "to[0]", "one address"),
        ({"to": [{"name": "x"}]}, "to[0].email", "missing"),
        ({"to": [7]}, "to[0]", "object"),
        ({"to": "a@example.net"}, "to", "list"),
        ({"to": []}, "to", "recipient"),
        ({"subject": "a\nBcc: x@example.net"}, "subject", "one line"),
        ({"text": "a\u0000"}, "text", "NUL"),
        ({"headers": {"X-A": "a\r\nBcc: b"}}, "headers.X-A", "one line"),
        ({"headers": {"X-A": 1}}, "headers.X-A", "text"),
        ({"attachments": [{"filename": "a", "content": "%%%"}]}, "attachments[0].content", "base 64"),
        ({"attachments": [{"filename": "a", "content": 1}]}, "attachments[0].content", "base 64"),
        ({"attachments": [{"content": ""}]}, "attachments[0].filename", "missing"),
        ({"send_at": "tomorrow"}, "send_at", "RFC 3339"),
        ({"send_at": "2026-07-01T09:00:00"}, "send_at", "offset"),
        ({"send_at": "2026-02-30T09:00:00Z"}, "send_at", "calendar"),
        ({"send_at": 1780000000}, "send_at", "RFC 3339"),
        ({"mailbox_id": "support"}, "mailbox_id", "mbx_"),
        ({"bbc": []}, "bbc", "no field of this name"),
        ({"in_reply_to": "<1@x>", "conversation_id": "cnv_" + "0" * 37}, "conversation_id", "either"),
    ],
)
async def test_what_is_wrong_with_a_message_is_named(client, house, mailbox, changes, field, words):
    problem = problem_of(await client.post("/v1/messages", json=a_message(mailbox, **changes)), 422, "invalid")
    assert list(fields_of(problem)) == [field]
    assert words in fields_of(problem)[field]
    assert house.accept.drafts == []


async def test_attachments_that_are_too_much_together_are_refused_by_name(client, mailbox):
    half = base64.b64encode(bytes(MOST_ATTACHED // 2 + 1)).decode()
    files = [{"filename": name, "content": half} for name in ("a", "b")]
    answer = await client.post("/v1/messages", json=a_message(mailbox, attachments=files))
    assert "36.7 MB" in fields_of(problem_of(answer, 422, "invalid"))["attachments"]


async def test_a_message_for_a_mailbox_that_is_not_there_is_not_found(client):
    answer = await client.post("/v1/messages", json={"mailbox_id": "mbx_zzzzzzzzzzzzz", "to": ["a@example.net"]})
    assert "mailbox" in problem_of(answer, 404, "not-found")["detail"]


async def test_a_repeated_request_is_answered_with_the_same_delivery(client, house, mailbox):
    key = {"Idempotency-Key": "order 4711"}
    body = a_message(mailbox, attachments=[{"filename": "a", "content": "SGVsbG8="}])
    first = await client.post("/v1/messages", json=body, headers=key)
    other_order = dict(reversed(body.items())) | {"cc": []}
    second = await client.post("/v1/messages", json=other_order, headers=key)
    assert (first.status_code, second.status_code) == (202, 202)
    assert second.json() == first.json()
    assert (first.headers.get("Idempotent-Replayed"), second.headers["Idempotent-Replayed"]) == (None, "true")
    assert len(house.accept.drafts) == 1


@pytest.mark.parametrize(
    "changes", [{"text": "other"}, {"attachments": [{"filename": "a", "content": "eHh4"}]}, {"to": ["b@example.net"]}]
)
async def test_an_idempotency_key_is_for_one_request_only(client, mailbox, changes):
    key = {"Idempotency-Key": "k"}
    body = a_message(mailbox, attachments=[{"filename": "a", "content": "SGVsbG8="}])
    await client.post("/v1/messages", json=body, headers=key)
    problem_of(await client.post("/v1/messages", json={**body, **changes}, headers=key), 409, "idempotency-conflict")


async def test_a_message_is_shown_with_html_that_runs_nothing(client, received):
    shown = (await client.get(f"/v1/messages/{received.id}")).json()
    assert shown["from"] == {"email": "anna@example.net", "name": "Anna"}
    assert shown["message_id"] == "1@example.net"
    assert shown["flow"] == "inbound"
    assert shown["text"] == "Hello"
    assert "Hi" in shown["html"]
    assert "script" not in shown["html"]
    assert "onclick" not in shown["html"]


async def test_the_bytes_of_a_message_are_handed_out_as_they_came(client, received):
    answer = await client.get(f"/v1/messages/{received.id}/raw")
    assert answer.content == RAW
    assert answer.headers["content-type"] == "message/rfc822"
    assert answer.headers["content-disposition"].startswith(f'attachment; filename="{received.id}.eml"')


async def test_an_attachment_is_a_download_and_never_a_page(client, received):
    page = await client.get(f"/v1/messages/{received.id}/attachments/0")
    assert page.content == b"<script>alert(1)</script>"
    assert page.headers["content-type"] == "application/octet-stream"
    assert page.headers["content-disposition"].startswith("attachment;")
    assert page.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in page.headers["content-security-policy"]
    pdf = await client.get(f"/v1/messages/{received.id}/attachments/1")
    assert (pdf.content, pdf.headers["content-type"]) == (b"%PDF-1", "application/pdf")
    assert "R%C3%A9sum%C3%A9" in pdf.headers["content-disposition"]
    for missing in ("2", "-1", "x"):
        problem_of(await client.get(f"/v1/messages/{received.id}/attachments/{missing}"), 404, "not-found")


async def test_a_conversation_is_shown_with_its_messages_and_listed_by_mailbox(client, received, mailbox):
    shown = (await client.get(f"/v1/conversations/{received.conversation_id}")).json()
    assert shown["subject"] == "Where is my parcel?"
    assert [one["id"] for one in shown["messages"]["items"]] == [received.id]
    listed = (await client.get("/v1/conversations", params={"mailbox_id": mailbox["id"]})).json()
    assert [one["id"] for one in listed["items"]] == [received.conversation_id]
    other = (await client.get("/v1/conversations", params={"mailbox_id": "mbx_zzzzzzzzzzzzz"})).json()
    assert other == {"items": [], "next_cursor": None}


async def test_a_reply_goes_to_the_other_side_of_its_conversation(client, house, received):
    answer = await client.post(
        f"/v1/conversations/{received.conversation_id}/replies", json={"text": "It is on its way."}
    )
    assert answer.status_code == 202
    draft = house.accept.drafts[0]
    assert draft.conversation_id == received.conversation_id
    assert draft.mailbox_id == received.mailbox_id
    assert draft.to[0].email == "anna@example.net"
    unknown = "cnv_" + "0" * 37
    problem_of(await client.post(f"/v1/conversations/{unknown}/replies", json={}), 404, "not-found")
    problem_of(await client.post("/v1/conversations/cnv_0000000000/replies", json={}), 404, "not-found")


async def test_deliveries_are_listed_by_state_and_shown_with_their_attempts(client, house, mailbox):
    delivery_id = (await client.post("/v1/messages", json=a_message(mailbox))).json()["id"]
    now = house.world.now()
    refusal = diagnose(Evidence(Direction.SMTP, Stage.RCPT, "550 5.1.1 no such user", smtp_code=550, enhanced="5.1.1"))
    house.store.attempts_by_id[delivery_id] = [
        outgoing.Attempt(
            delivery_id, 1, now, now + timedelta(seconds=2), outgoing.Signal.PUT_OFF, "rcpt", "550 5.1.1", refusal
        )
    ]
    shown = (await client.get(f"/v1/deliveries/{delivery_id}")).json()
    assert shown["attempts"][0]["outcome"] == "put_off"
    assert shown["attempts"][0]["diagnosis"]["code"] == refusal.name
    assert shown["attempts"][0]["ended_at"] == "2026-07-01T09:30:02Z"
    queued = (await client.get("/v1/deliveries", params={"state": "queued", "mailbox_id": mailbox["id"]})).json()
    assert [one["id"] for one in queued["items"]] == [delivery_id]
    assert (await client.get("/v1/deliveries", params={"state": "sent"})).json()["items"] == []
    wrong = problem_of(await client.get("/v1/deliveries", params={"state": "lost"}), 422, "invalid")
    assert "unconfirmed" in fields_of(wrong)["state"]


async def test_a_delivery_is_cancelled_once_and_a_sent_one_never(client, house, mailbox):
    delivery_id = (await client.post("/v1/messages", json=a_message(mailbox))).json()["id"]
    assert (await client.post(f"/v1/deliveries/{delivery_id}/retry")).json()["state"] == "queued"
    cancelled = (await client.post(f"/v1/deliveries/{delivery_id}/cancel")).json()
    assert (cancelled["state"], cancelled["next_attempt_at"]) == ("cancelled", None)
    problem = problem_of(await client.post(f"/v1/deliveries/{delivery_id}/cancel"), 409, "not-possible")
    assert "cancelled" in problem["detail"]
    problem_of(await client.post("/v1/deliveries/dlv_0000000000/cancel"), 404, "not-found")


async def test_a_person_confirms_an_unconfirmed_delivery_and_the_history_names_the_key(client, house, mailbox):
    draft = Draft(mailbox["id"], (Address("anna@example.net"),), subject="Hello", author="ben")
    unconfirmed = house.accept.delivery(draft, outgoing.State.UNCONFIRMED)
    confirmed = (await client.post(f"/v1/deliveries/{unconfirmed.id}/confirm")).json()
    assert confirmed["state"] == "sent"
    problem_of(await client.post(f"/v1/deliveries/{unconfirmed.id}/confirm"), 409, "not-possible")
    history = (await client.get(f"/v1/deliveries/{unconfirmed.id}")).json()["history"]
    assert [(one["cause"], one["state"], one["by"]) for one in history] == [
        ("handed_in", "queued", None),
        ("confirmed", "sent", "key test"),
    ]
    assert history[1]["words"] == "marked as sent by a person"


async def test_what_expired_is_sent_anew_once(client, house, mailbox):
    draft = Draft(mailbox["id"], (Address("anna@example.net"),), subject="Hello")
    expired = house.accept.delivery(draft, outgoing.State.EXPIRED)
    first = await client.post(f"/v1/deliveries/{expired.id}/resend")
    assert first.status_code == 202
    assert first.json()["resend_of"] == expired.id
    assert first.headers["location"] == f"/v1/deliveries/{first.json()['id']}"
    again = await client.post(f"/v1/deliveries/{expired.id}/resend")
    assert (again.json()["id"], again.headers["idempotent-replayed"]) == (first.json()["id"], "true")
    problem = problem_of(await client.post(f"/v1/deliveries/{first.json()['id']}/resend"), 409, "not-possible")
    assert "still on its way" in problem["detail"]
    problem_of(await client.post("/v1/deliveries/dlv_0000000000/resend"), 404, "not-found")
