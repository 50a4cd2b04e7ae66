"""Who is let in, and what happens to requests that are too large, not JSON, or meet a fault."""

import asyncio
import json
from dataclasses import replace

import pytest
import structlog

from postroom.core import apikey
from postroom.core.ports.store import StoreUnavailable
from postroom.web.body import LARGEST
from tests.web.conftest import AUTHORIZATION, NEW_MAILBOX, TOKEN, client_of, problem_of


@pytest.mark.parametrize(
    "header",
    [None, "", "Bearer", "Bearer ", f"Basic {TOKEN}", TOKEN, "Bearer pr_unknown", f"Bearer {TOKEN}x", "Bearer é"],
)
@pytest.mark.parametrize("path", ["/v1/mailboxes", "/v1/nothing", "/v1", "/v1/events"])
async def test_without_a_good_key_nothing_under_v1_is_answered(stranger, header, path):
    headers = {} if header is None else {"Authorization": header.encode()}
    answer = await stranger.get(path, headers=headers)
    problem = problem_of(answer, 401, "unauthorized")
    assert "postroom key create" in problem["detail"]
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


async def test_the_word_bearer_may_be_written_in_any_case(stranger):
    assert (await stranger.get("/v1/mailboxes", headers={"Authorization": f"bEARER {TOKEN}"})).status_code == 200


async def test_a_stranger_is_refused_before_the_body_is_judged(stranger):
    problem_of(await stranger.post("/v1/mailboxes", content=b"x" * (LARGEST + 1)), 401, "unauthorized")


async def test_a_key_is_looked_up_once_in_thirty_seconds_and_its_use_noted_once_a_minute(client, house):
    async def asked():
        await client.get("/v1/mailboxes")
        await asyncio.sleep(0)  # no request waits for the note of its key's use
        return house.store.asked["key"], house.store.asked["key_used"]

    for _ in range(10):
        assert await asked() == (1, 1)
    house.world.advance(seconds=31)
    assert await asked() == (2, 1)
    house.world.advance(seconds=30)
    assert await asked() == (3, 2)
    assert house.store.keys_by_digest[apikey.digest(TOKEN)].last_used_at == house.world.now()


async def test_a_revoked_key_is_refused_after_at_most_thirty_seconds(client, house):
    assert (await client.get("/v1/mailboxes")).status_code == 200
    digest = apikey.digest(TOKEN)
    house.store.keys_by_digest[digest] = replace(house.store.keys_by_digest[digest], revoked_at=house.world.now())
    house.world.advance(seconds=30)
    problem_of(await client.get("/v1/mailboxes"), 401, "unauthorized")


def test_a_key_is_kept_as_its_sha_256_and_begins_with_pr():
    assert apikey.token("abc") == "pr_abc"
    assert apikey.digest("pr_abc") == "b95f5572bab358c7c18f021eb8474e6d3bc7991e57b6914178533820e06bc932"


async def test_a_body_that_is_no_json_is_told_where_it_breaks(client):
    answer = await client.post("/v1/mailboxes", content=b'{"address": }', headers={"Content-Type": "application/json"})
    assert "character 12" in problem_of(answer, 400, "bad-request")["detail"]


@pytest.mark.parametrize(
    "body", [b"\xff\xfe", b'{"a": "\xc3"}', b"[" * 100_000, b"NaN", b"1e999", b"null", b'"x"', b""]
)
async def test_hostile_bodies_are_answered_with_a_problem(client, body):
    answer = await client.post("/v1/mailboxes", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code in (400, 422)
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", None])
async def test_a_body_of_another_type_is_refused(client, kind):
    headers = {} if kind is None else {"Content-Type": kind}
    answer = await client.post("/v1/mailboxes", content=json.dumps(NEW_MAILBOX).encode(), headers=headers)
    problem_of(answer, 415, "unsupported-media-type")


@pytest.mark.parametrize("kind", ["application/json", "application/json; charset=utf-8", "APPLICATION/JSON"])
async def test_json_is_taken_however_it_is_written(client, kind):
    body = json.dumps(NEW_MAILBOX).encode()
    assert (await client.post("/v1/mailboxes", content=body, headers={"Content-Type": kind})).status_code == 201


async def test_a_body_that_says_it_is_too_large_is_refused_unread(client):
    answer = await client.post(
        "/v1/mailboxes", content=b" " * (LARGEST + 1), headers={"Content-Type": "application/json"}
    )
    assert "1 MB" in problem_of(answer, 413, "too-large")["detail"]


async def test_a_body_that_grows_too_large_is_refused_on_the_way(client):
    async def chunks():
        for _ in range(LARGEST // 65536 + 2):
            yield b" " * 65536

    answer = await client.post("/v1/mailboxes", content=chunks(), headers={"Content-Type": "application/json"})
    problem_of(answer, 413, "too-large")


async def test_what_is_not_there_and_what_cannot_be_done_are_problems(client):
    problem_of(await client.get("/v1/nothing"), 404, "not-found")
    problem_of(await client.get("/nothing"), 404, "not-found")
    problem_of(await client.get("/v1/mailboxes/"), 404, "not-found")
    problem_of(await client.get("/static/nothing.css"), 404, "not-found")
    answer = await client.put("/v1/mailboxes", json={})
    problem_of(answer, 405, "method-not-allowed")
    assert set(answer.headers["Allow"].replace(" ", "").split(",")) == {"GET", "POST"}


async def test_a_database_that_cannot_serve_is_503_with_the_reason_and_when_to_come_back(client, house):
    assert (await client.get("/v1/mailboxes")).status_code == 200
    house.store.broken = "The disk is full: free some space."
    answer = await client.get("/v1/mailboxes")
    assert problem_of(answer, 503, "unavailable")["detail"] == "The disk is full: free some space."
    assert answer.headers["Retry-After"] == "5"
    house.world.advance(minutes=1)
    problem_of(await client.get("/v1/mailboxes"), 503, "unavailable")
    house.store.broken = None
    assert (await client.get("/v1/mailboxes")).status_code == 200


async def test_with_a_full_disk_reading_goes_on(client, house):
    async def full(key_id, at):
        raise StoreUnavailable("The disk is full.")

    house.store.key_used = full
    assert (await client.get("/v1/mailboxes")).status_code == 200


async def test_a_fault_of_ours_is_500_and_tells_neither_client_nor_log_what_was_worked_on(client, house):
    async def broken(mailbox_id):
        raise RuntimeError("hunter2 " + mailbox_id)

    house.store.mailbox = broken
    with structlog.testing.capture_logs() as logs:
        answer = await client.get("/v1/mailboxes/mbx_0000000000000")
    problem_of(answer, 500, "internal")
    assert "hunter2" not in answer.text
    assert "hunter2" not in str(logs)
    assert logs[0]["error"] == "RuntimeError"
    assert any("test_access.py" in place for place in logs[0]["where"])
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


async def test_every_answer_has_safe_headers(client, stranger):
    for answer in (
        await client.get("/v1/mailboxes"),
        await stranger.get("/v1/mailboxes"),
        await stranger.get("/"),
        await stranger.get("/nothing"),
        await stranger.get("/static/postroom.css"),
    ):
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "no-referrer"


async def test_two_applications_share_nothing(house):
    from tests.web.conftest import new_house

    other = new_house()
    other.store.keys_by_digest.clear()
    async with client_of(house.app, **AUTHORIZATION) as one, client_of(other.app, **AUTHORIZATION) as two:
        assert (await one.get("/v1/mailboxes")).status_code == 200
        assert (await two.get("/v1/mailboxes")).status_code == 401
