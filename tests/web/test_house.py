"""The application over the real store and the real flows; only the mail server and the settings' discovery are fake."""

import asyncio
import base64
import json
from pathlib import Path

import pytest

from postroom.core import apikey
from postroom.core.apikey import ApiKey
from postroom.core.cursor import Selected
from postroom.core.diagnosis import Evidence, Failure, Stage
from postroom.core.identity import Kind
from postroom.core.mailbox import Direction
from postroom.core.ports.wire import Step
from postroom.flows.accept import Accept
from postroom.flows.announce import Announce
from postroom.flows.connect import Connect
from postroom.flows.probe import Prober
from postroom.flows.recover import Recover
from postroom.flows.tokens import Tokens
from postroom.store import open_store
from postroom.web import Services, build
from postroom.world import RealWorld
from tests.web import fake_flows
from tests.web.conftest import AUTHORIZATION, NEW_MAILBOX, TOKEN, client_of, fields_of, problem_of
from tests.web.fake_flows import WRONG_PASSWORD, Discovery


class Session:
    async def select(self, folder, *, read_only=True):
        return Selected(folder, 1, 1, 0)

    async def logout(self):
        """Nothing is open."""

    quit = logout


class MailServer:
    """Takes any password but one."""

    async def open(self, account, on_step=None):
        if account.credential.password == WRONG_PASSWORD:
            stage, raw = Stage.AUTH, "NO [AUTHENTICATIONFAILED] Invalid credentials"
            if account.direction is Direction.SMTP:
                raw = "535 5.7.8 Authentication failed"
            evidence = Evidence(account.direction, stage, raw)
            on_step(Step("sign_in", ok=False, detail=raw, milliseconds=1.0, evidence=evidence))
            raise Failure(evidence)
        on_step(Step("sign_in", ok=True, detail="signed in", milliseconds=1.0))
        return Session()


@pytest.fixture
async def store(tmp_path: Path):
    world = RealWorld()
    store = await open_store(f"sqlite:///{tmp_path / 'postroom.db'}", secret_key=bytes(32), world=world)
    await store.add_key(ApiKey(world.identifier(Kind.KEY), "test", world.now()), apikey.digest(TOKEN))
    yield store
    await store.close()


@pytest.fixture
async def client(store):
    world = RealWorld()
    server = MailServer()
    connect = Connect(store, Prober(server, server), Recover(store, world), Tokens(store, None, world), world)
    services = Services(
        world,
        store,
        connect,
        Accept(store, world),
        Announce(store, None, world),
        Discovery(),
        fake_flows.Clients(store, world),
        fake_flows.Authorize(store, world),
        None,
        None,
        "test",
        lambda: None,
    )
    async with client_of(build(services), **AUTHORIZATION) as client:
        yield client


async def get(client, path, **params):
    answer = await client.get(path, params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def post(client, path, status=202, **body):
    answer = await client.post(path, json=body)
    assert answer.status_code == status, answer.text
    return answer.json()


async def pages(client, path, **params):
    """All entries of a list, asked for in pages of two."""
    items, cursor = [], {}
    while True:
        page = await get(client, path, limit=2, **params, **cursor)
        items += page["items"]
        if page["next_cursor"] is None:
            return items
        cursor = {"cursor": page["next_cursor"]}


async def test_a_mailbox_a_message_a_reply_and_what_became_of_them(client, store):
    refused = await client.post("/v1/mailboxes", json={**NEW_MAILBOX, "auth": {"password": WRONG_PASSWORD}})
    assert problem_of(refused, 422, "not-connected")["diagnosis"]["code"] == "imap.invalid_credentials"
    mailbox = await post(client, "/v1/mailboxes", 201, **NEW_MAILBOX)
    assert mailbox["sending"]["state"] == "connected"
    problem_of(await client.post("/v1/mailboxes", json=NEW_MAILBOX), 409, "address-taken")

    key = {"Idempotency-Key": "first"}
    body = {
        "mailbox_id": mailbox["id"],
        "to": ["Anna <anna@example.net>"],
        "bcc": ["boss@example.com"],
        "subject": "Grüße",
        "text": "Hello",
        "headers": {"X-Ticket": "4711"},
        "attachments": [{"filename": "a.txt", "content_type": "text/plain", "content": "SGVsbG8="}],
    }
    delivery = (await client.post("/v1/messages", json=body, headers=key)).json()
    assert (await client.post("/v1/messages", json=body, headers=key)).json()["id"] == delivery["id"]
    conflict = await client.post("/v1/messages", json={**body, "text": "other"}, headers=key)
    problem_of(conflict, 409, "idempotency-conflict")

    message = await get(client, f"/v1/messages/{delivery['message']}")
    assert (message["message_id"], message["flow"]) == (delivery["message_id"], "outbound")
    raw = (await client.get(f"/v1/messages/{delivery['message']}/raw")).content
    assert b"X-Ticket: 4711" in raw
    assert b"boss@example.com" not in raw
    attached = await client.get(f"/v1/messages/{delivery['message']}/attachments/0")
    assert (attached.content, message["attachments"][0]["filename"]) == (b"Hello", "a.txt")

    reply = await post(client, f"/v1/conversations/{delivery['conversation_id']}/replies", text="And also")
    assert [one["address"] for one in reply["recipients"]] == ["anna@example.net"]
    conversation = await get(client, f"/v1/conversations/{delivery['conversation_id']}")
    assert [one["id"] for one in conversation["messages"]["items"]] == [delivery["message"], reply["message"]]

    cancelled = await post(client, f"/v1/deliveries/{reply['id']}/cancel", 200)
    assert cancelled["state"] == "cancelled"
    problem_of(await client.post(f"/v1/deliveries/{reply['id']}/retry"), 409, "not-possible")
    assert (await get(client, f"/v1/deliveries/{reply['id']}"))["attempts"] == []
    queued = await get(client, "/v1/deliveries", state="queued", mailbox_id=mailbox["id"])
    assert [one["id"] for one in queued["items"]] == [delivery["id"]]
    figures = (await client.get("/metrics")).text
    assert 'postroom_deliveries{state="cancelled"} 1.0' in figures
    assert 'postroom_mailboxes{direction="sending",state="connected"} 1.0' in figures


async def test_a_paused_mailbox_holds_what_is_accepted_and_resuming_is_told(client):
    mailbox = await post(client, "/v1/mailboxes", 201, **NEW_MAILBOX)
    path = f"/v1/mailboxes/{mailbox['id']}"
    assert (await post(client, f"{path}/pause", 200))["sending"]["state"] == "paused"
    delivery = await post(client, "/v1/messages", mailbox_id=mailbox["id"], to=["anna@example.net"], text="x")
    assert delivery["state"] == "held"
    shown = await get(client, path)
    assert (shown["held"], shown["oldest_held_expires_at"]) == (1, delivery["expires_at"])
    assert (await post(client, f"{path}/resume", 200))["receiving"]["state"] == "connecting"
    assert (await post(client, f"{path}/check", 200))["ok"]
    assert (await get(client, path))["held"] == 1  # it is to go first, alone; no engine runs here that sends it
    renewed = await post(client, f"{path}/reauthenticate", 200, auth={"password": "new"})
    assert (renewed["sending"]["state"], renewed["held"]) == ("connected", 0)
    assert (await client.delete(path)).status_code == 204
    problem_of(await client.get(f"/v1/deliveries/{delivery['id']}"), 404, "not-found")


async def test_lists_are_paged_without_a_gap(client):
    mailboxes = [
        await post(client, "/v1/mailboxes", 201, **{**NEW_MAILBOX, "address": f"a{number}@example.com"})
        for number in range(5)
    ]
    assert len(await pages(client, "/v1/mailboxes")) == 5
    sent = []
    for number in range(7):
        mailbox_id = mailboxes[number % 2]["id"]
        sent.append(await post(client, "/v1/messages", mailbox_id=mailbox_id, to=["b@example.net"], text=str(number)))
    listed = await pages(client, "/v1/deliveries")
    assert [one["id"] for one in listed] == [one["id"] for one in reversed(sent)]
    assert len(await pages(client, "/v1/conversations", mailbox_id=mailboxes[0]["id"])) == 4
    conversation_id = sent[0]["conversation_id"]
    for number in range(4):
        await post(client, f"/v1/conversations/{conversation_id}/replies", text=str(number))
    texts, cursor = [], {}
    while cursor is not None:
        page = (await get(client, f"/v1/conversations/{conversation_id}", limit=2, **cursor))["messages"]
        texts += [one["text"].strip() for one in page["items"]]
        cursor = {"cursor": page["next_cursor"]} if page["next_cursor"] else None
    assert texts == ["0", "0", "1", "2", "3"]


@pytest.mark.parametrize("path", ["/v1/mailboxes", "/v1/deliveries", "/v1/conversations"])
@pytest.mark.parametrize(
    "place",
    [
        "x",
        "",
        [],
        {},
        [1],
        ["a"],
        ["a", "b"],
        ["0001-01-01T00:00:00+14:00", "a"],
        ["\ud800", "\ud800"],
        ["2026-07-01T00:00:00Z", "\x00"],
        ["9" * 300, "a"],
    ],
)
async def test_a_forged_cursor_is_refused_or_leads_nowhere(client, path, place):
    forged = base64.urlsafe_b64encode(json.dumps(place).encode()).decode().rstrip("=")
    answer = await client.get(path, params={"cursor": forged})
    if answer.status_code != 200:
        assert "cursor" in fields_of(problem_of(answer, 422, "invalid"))


async def test_a_stream_of_the_real_log_has_every_event_once_and_in_order(client, store):
    for number in range(3):
        await post(client, "/v1/mailboxes", 201, **{**NEW_MAILBOX, "address": f"a{number}@example.com"})
    announce = Announce(store, None, RealWorld())
    positions, events = [], announce.follow(0)
    async with asyncio.timeout(10):
        async for recorded in events:
            positions.append(recorded.position)
            if len(positions) == 6:
                break
    await events.aclose()
    assert positions == sorted(set(positions))


async def test_a_webhook_is_kept_with_its_secret_and_removed(client, store):
    made = await post(client, "/v1/webhooks", 201, url="https://example.com/hook", types=["delivery.failed"])
    assert (await store.webhook(made["id"])).secret == made["secret"]
    changed = await client.patch(f"/v1/webhooks/{made['id']}", json={"enabled": False})
    assert changed.json()["enabled"] is False
    renewed = await post(client, f"/v1/webhooks/{made['id']}/rotate", 200)
    assert (await store.webhook(made["id"])).secret == renewed["secret"] != made["secret"]
    assert (await client.delete(f"/v1/webhooks/{made['id']}")).status_code == 204
    assert await store.webhooks() == []


async def test_what_compose_refuses_is_named_by_its_field(client):
    mailbox = await post(client, "/v1/mailboxes", 201, **NEW_MAILBOX)
    for wrong, field in (({"to": []}, "to"), ({"headers": {"Reply-To": "x@example.net"}}, "headers")):
        body = {"mailbox_id": mailbox["id"], "to": ["a@example.net"], "text": "x", **wrong}
        problem = problem_of(await client.post("/v1/messages", json=body), 422, "invalid")
        assert next(iter(fields_of(problem))).startswith(field)


async def test_conversations_are_merged_and_split_by_a_person(client):
    mailbox = await post(client, "/v1/mailboxes", 201, **NEW_MAILBOX)
    body = {"mailbox_id": mailbox["id"], "to": ["anna@example.net"], "text": "Hello"}
    one, two = [await post(client, "/v1/messages", **body, subject=subject) for subject in ("One", "Two")]
    first, second = one["conversation_id"], two["conversation_id"]
    merged = await post(client, f"/v1/conversations/{second}/merge", 200, into=first)
    assert (merged["id"], merged["message_count"]) == (first, 2)
    assert (await get(client, f"/v1/conversations/{second}"))["id"] == first
    assert (await post(client, f"/v1/conversations/{second}/replies", text="x"))["conversation_id"] == first
    new = await post(client, f"/v1/conversations/{first}/split", 201, messages=[two["message"]])
    assert (new["subject"], new["message_count"]) == ("Two", 1)
    for path, given, field in (
        (f"{first}/merge", {"into": first}, "into"),
        (f"{first}/merge", {"into": second}, "into"),
        (f"{new['id']}/split", {"messages": [two["message"]]}, "messages"),
    ):
        refused = await client.post(f"/v1/conversations/{path}", json=given)
        assert list(fields_of(problem_of(refused, 422, "invalid"))) == [field]
    nothing = first[:-4] + "zzzz"
    problem_of(await client.post(f"/v1/conversations/{nothing}/merge", json={"into": first}), 404, "not-found")
    problem_of(
        await client.post(f"/v1/conversations/{nothing}/split", json={"messages": [two["message"]]}), 404, "not-found"
    )
