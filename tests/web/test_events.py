"""The stream of events and the webhooks. The stream runs on a real server: it has no end that a test could wait for."""

import asyncio
import base64
import json
from contextlib import asynccontextmanager
from dataclasses import replace

import httpx2
import pytest
import structlog
import uvicorn
from standardwebhooks import Webhook

from postroom.core import apikey
from postroom.core.events import EventType
from postroom.core.ports.store import StoreUnavailable
from tests.rig.ports import free_port, until_open
from tests.web.conftest import AUTHORIZATION, TOKEN, fields_of, problem_of


@pytest.fixture
async def server(house):
    port = free_port()
    running = uvicorn.Server(
        uvicorn.Config(house.app, host="127.0.0.1", port=port, log_level="warning", lifespan="off")
    )
    task = asyncio.create_task(running.serve())
    await until_open([port], lambda: not task.done())
    yield f"http://127.0.0.1:{port}"
    await house.announce.stop()
    running.should_exit = True
    await task


@asynccontextmanager
async def stream(server, headers=AUTHORIZATION, **params):
    """The lines of a stream, from its first on."""
    async with (
        httpx2.AsyncClient(base_url=server, headers=headers, timeout=10) as client,
        client.stream("GET", "/v1/events", params=params) as answer,
    ):
        assert answer.status_code == 200, await answer.aread()
        assert answer.headers["content-type"].startswith("text/event-stream")
        lines = answer.aiter_lines()
        assert await anext(lines) == ": Postroom"
        assert await anext(lines) == "retry: 2000"
        assert await anext(lines) == ""
        yield lines


async def event(lines):
    """The next event: its id, its type, its data."""
    found = {}
    async for line in lines:
        if line == "" and found:
            return found["id"], found["event"], json.loads(found["data"])
        if line and not line.startswith(":"):
            name, _, value = line.partition(": ")
            found[name] = value
    raise EOFError


async def test_events_come_as_they_happen_in_the_shape_of_the_contract(server, house):
    async with stream(server) as lines:
        await house.announce.tell(EventType.MESSAGE_RECEIVED, message_id="1@example.net", subject="Grüße\nfrom afar")
        assert await event(lines) == (
            "1",
            "message.received",
            {
                "type": "message.received",
                "timestamp": "2026-07-01T09:30:00Z",
                "data": {"message_id": "1@example.net", "subject": "Grüße\nfrom afar"},
            },
        )


async def test_a_stream_that_broke_goes_on_after_the_last_event_that_was_seen_and_misses_none(server, house):
    for number in range(10):
        await house.announce.tell(number=number)
    seen = []
    async with stream(server, after="0") as lines:
        for _ in range(4):
            position, _, body = await event(lines)
            seen.append(body["data"]["number"])
    await house.announce.tell(number=10)
    async with stream(server, {**AUTHORIZATION, "Last-Event-ID": position}, after="0") as lines:
        for _ in range(7):
            seen.append((await event(lines))[2]["data"]["number"])
    assert seen == list(range(11))


async def test_a_new_stream_has_what_is_to_come_and_nothing_of_before(server, house):
    await house.announce.tell(number=1)
    async with stream(server) as lines:
        await house.announce.tell(number=2)
        assert (await event(lines))[2]["data"] == {"number": 2}


async def test_a_stream_can_be_of_some_types_and_of_one_mailbox(server, house):
    for kind, mailbox_id in (
        (EventType.MESSAGE_RECEIVED, "mbx_aaaaaaaaaaaaa"),
        (EventType.DELIVERY_SENT, "mbx_bbbbbbbbbbbbb"),
        (EventType.DELIVERY_SENT, "mbx_aaaaaaaaaaaaa"),
        (EventType.DELIVERY_FAILED, "mbx_aaaaaaaaaaaaa"),
    ):
        await house.announce.tell(kind, mailbox_id)
    async with stream(
        server, after="0", types=["delivery.sent", "delivery.failed"], mailbox_id="mbx_aaaaaaaaaaaaa"
    ) as lines:
        assert [(await event(lines))[0] for _ in range(2)] == ["3", "4"]


async def test_a_silent_stream_gives_signs_of_life(server, house):
    async with stream(server) as lines:
        await house.announce.tick()
        assert await anext(lines) == ": still here"


async def test_a_stream_ends_at_the_next_sign_of_life_when_its_key_is_revoked(server, house):
    async with stream(server) as lines:
        digest = apikey.digest(TOKEN)
        house.store.keys_by_digest[digest] = replace(house.store.keys_by_digest[digest], revoked_at=house.world.now())
        house.world.advance(seconds=31)
        await house.announce.tick()
        assert [line async for line in lines] == []


async def test_a_stream_whose_database_fails_ends_so_that_the_client_comes_back(server, house):
    async def failing(after, **_):
        yield None
        raise StoreUnavailable("The disk is full.")

    house.announce.follow = failing
    with structlog.testing.capture_logs() as logs:
        async with stream(server) as lines:
            assert [line async for line in lines] == [": still here", ""]
    assert logs == [{"event": "stream of events ended", "log_level": "warning", "reason": "The disk is full."}]


async def test_a_client_that_leaves_leaves_nothing_behind(server, house):
    async with stream(server):
        assert house.announce.open == 1
    for _ in range(200):
        if house.announce.open == 0:
            break
        await asyncio.sleep(0.01)
    assert house.announce.open == 0


async def test_streams_end_when_the_house_closes(server, house):
    async with stream(server) as lines:
        await house.announce.stop()
        rest = [line async for line in lines]
    assert all(line.startswith(":") or not line for line in rest)


@pytest.mark.parametrize("position", ["x", "-1", "99999999999999999999", "1.5", "٣"])
async def test_a_position_that_is_none_is_refused(client, position):
    answer = await client.get("/v1/events", headers={"Last-Event-ID": position.encode()})
    assert "Last-Event-ID" in fields_of(problem_of(answer, 422, "invalid"))


@pytest.mark.parametrize(
    ("params", "field"),
    [({"after": "-1"}, "after"), ({"after": str(2**63)}, "after"), ({"types": "x"}, "types[0]"), ({"typ": "x"}, "typ")],
)
async def test_a_stream_of_what_does_not_exist_is_refused(client, params, field):
    assert list(fields_of(problem_of(await client.get("/v1/events", params=params), 422, "invalid"))) == [field]


async def test_a_webhook_shows_its_secret_when_it_is_made_or_renewed_and_never_else(client, house):
    made = await client.post("/v1/webhooks", json={"url": "https://example.com/hook", "types": ["delivery.failed"]})
    webhook = made.json()
    path = f"/v1/webhooks/{webhook['id']}"
    assert made.status_code == 201
    assert made.headers["Location"] == path
    secret = webhook.pop("secret")
    assert (await client.get(path)).json() == webhook
    assert (await client.get("/v1/webhooks")).json() == {"items": [webhook], "next_cursor": None}
    assert "secret" not in (await client.patch(path, json={"enabled": False})).json()
    renewed = (await client.post(f"{path}/rotate")).json()["secret"]
    assert renewed != secret
    assert house.store.webhooks_by_id[webhook["id"]].secret == renewed


async def test_a_webhook_secret_is_one_that_the_standard_library_signs_with(client):
    for _ in range(3):
        secret = (await client.post("/v1/webhooks", json={"url": "https://example.com"})).json()["secret"]
        assert len(base64.b64decode(secret.removeprefix("whsec_"), validate=True)) == 32
        Webhook(secret)


async def test_a_webhook_is_changed_and_removed(client):
    webhook = (await client.post("/v1/webhooks", json={"url": "https://example.com/hook"})).json()
    path = f"/v1/webhooks/{webhook['id']}"
    changed = (
        await client.patch(path, json={"url": "http://example.org:8080/x", "types": ["message.received"]})
    ).json()
    assert (changed["url"], changed["types"], changed["enabled"]) == (
        "http://example.org:8080/x",
        ["message.received"],
        True,
    )
    assert (await client.delete(path)).status_code == 204
    problem_of(await client.delete(path), 404, "not-found")
    problem_of(await client.patch(path, json={}), 404, "not-found")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.com",
        "ftp://example.com",
        "https://",
        "https://user:pw@example.com",
        "https://exa mple.com",
        7,
        None,
        "https://example.com/#x",
        "https://example.com:99999",
        "https://[::1",
        "javascript:alert(1)",
        "https://-x.com",
    ],
)
async def test_a_webhook_to_what_is_no_url_is_refused(client, url):
    problem = problem_of(await client.post("/v1/webhooks", json={"url": url}), 422, "invalid")
    assert list(fields_of(problem)) == ["url"]


async def test_webhooks_are_paged(client):
    made = [
        (await client.post("/v1/webhooks", json={"url": f"https://example.com/{n}"})).json()["id"] for n in range(5)
    ]
    first = (await client.get("/v1/webhooks?limit=3")).json()
    second = (await client.get("/v1/webhooks", params={"limit": 3, "cursor": first["next_cursor"]})).json()
    assert [one["id"] for one in first["items"] + second["items"]] == sorted(made)
    assert second["next_cursor"] is None


async def test_a_stream_that_cannot_go_on_without_a_gap_says_so(client, house):
    house.store.pruned = 7
    for seen, query in (("6", ""), (None, "?after=3")):
        answer = await client.get(f"/v1/events{query}", headers={"Last-Event-ID": seen} if seen else {})
        assert "position 7" in problem_of(answer, 410, "events-gone")["detail"]
