"""Events are told to everybody who wants them: on the stream without a gap, to webhooks until they are taken."""

import json

from standardwebhooks import Webhook

from tests.walks.outgoing import Heard, line, logged, send_many, settled
from tests.walks.postroom import Postroom
from tests.walks.receiver import Receiver


async def stream(postroom, after, until_position):
    """(position, type, data) of every event from `after` on, up to one of that position."""
    found, position, kind = [], None, ""
    headers = {"Last-Event-ID": str(after)}
    async with postroom.api.stream("GET", "/v1/events", headers=headers, timeout=90) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        async for text in answer.aiter_lines():
            name, _, value = text.partition(": ")
            if name == "id":
                position = int(value)
            elif name == "event":
                kind = value
            elif name == "data":
                body = json.loads(value)
                assert body["type"] == kind
                assert body["timestamp"].endswith("Z")
                found.append((position, kind, body["data"]))
                if position >= until_position:
                    break
    return found


async def test_a_stream_that_is_taken_up_again_misses_nothing_and_repeats_nothing(tmp_path, dovecot):
    async with Postroom(tmp_path) as postroom, line(postroom, dovecot) as to:
        async with Heard(postroom) as first:
            await settled(postroom, await send_many(postroom, to.id, range(10)))
            await first.until("delivery.sent", 10)
        seen = list(first.positions)
        before = await send_many(postroom, to.id, range(10, 20))  # nobody listens
        await settled(postroom, before)
        await postroom.stop()
        await postroom.start()
        after = await send_many(postroom, to.id, range(20, 30))
        await settled(postroom, after)
        async with Heard(postroom) as everything:
            await everything.until("delivery.sent", 30)
        last = everything.positions[-1]

        again = await stream(postroom, seen[-1], last)
        assert seen + [position for position, *_ in again] == everything.positions
        assert everything.positions == sorted(set(everything.positions))
        assert [data["id"] for _, kind, data in again if kind == "delivery.sent"] == [
            one["id"] for one in (*before, *after)
        ]
        # From any place on, the same.
        for number in range(0, len(everything.positions) - 1, 7):
            part = await stream(postroom, everything.positions[number], last)
            assert [position for position, *_ in part] == everything.positions[number + 1 :]


async def test_a_stream_follows_over_a_restart_when_the_client_comes_back_as_browsers_do(tmp_path, dovecot):
    async with Postroom(tmp_path) as postroom, line(postroom, dovecot) as to:
        async with Heard(postroom, to.id) as heard:
            deliveries = await send_many(postroom, to.id, range(5))
            await heard.until("delivery.sent", 1)
            await postroom.kill()
            position = heard.positions[-1]
        known = [data["id"] for data in heard.of("delivery.sent")]
        await postroom.start()
        async with postroom.events(after=position) as next_event:
            while len(known) < 5:
                known.append((await next_event("delivery.sent", 60))["data"]["id"])
        assert sorted(known) == sorted(one["id"] for one in deliveries)


async def test_a_webhook_gets_every_event_signed_once_it_answers_and_is_not_called_after_410(tmp_path, dovecot):
    async with (
        Postroom(tmp_path) as postroom,
        line(postroom, dovecot) as to,
        Heard(postroom) as heard,
        Receiver(500, 302, 204) as receiver,
        Receiver() as other,
    ):
        hook = await postroom.post("/webhooks", {"url": receiver.url, "types": ["delivery.sent"]}, status=201)
        await postroom.post("/webhooks", {"url": other.url}, status=201)
        assert hook["secret"].startswith("whsec_")
        (one,) = await send_many(postroom, to.id, [1])
        posted = await receiver.wait_for(2, 90)  # refused, and again after five seconds
        failing = await postroom.until(
            lambda: postroom.get(f"/webhooks/{hook['id']}"), lambda shown: shown["failing_since"] is not None
        )
        assert failing["enabled"]
        assert failing["last_error"]
        assert {call.headers["webhook-id"] for call in posted} == {posted[0].headers["webhook-id"]}
        for call in posted:
            body = Webhook(hook["secret"]).verify(call.body.decode(), call.headers)
            assert (body["type"], body["data"]["id"]) == ("delivery.sent", one["id"])
        # What comes after it is not kept waiting.
        more = await send_many(postroom, to.id, [2, 3])
        await receiver.wait_for(4)
        bodies = [json.loads(call.body) for call in receiver.posted]
        assert {body["type"] for body in bodies} == {"delivery.sent"}
        assert {body["data"]["id"] for body in bodies} == {each["id"] for each in (one, *more)}
        mended = await postroom.until(
            lambda: postroom.get(f"/webhooks/{hook['id']}"), lambda shown: shown["failing_since"] is None
        )
        assert mended["last_error"] is None

        receiver.statuses = [410]
        await send_many(postroom, to.id, [4])
        gone = await postroom.until(lambda: postroom.get(f"/webhooks/{hook['id']}"), lambda shown: not shown["enabled"])
        assert "410" in gone["last_error"]
        calls = len(receiver.posted)
        await settled(postroom, await send_many(postroom, to.id, [5, 6]))
        await heard.until("delivery.sent", 6)
        told = await other.wait_for(sum(kind == "delivery.sent" for kind, _ in heard.events))
        assert [json.loads(call.body)["data"]["id"] for call in told][-1:] != []
        assert len(receiver.posted) == calls


async def test_a_webhook_that_was_down_gets_its_events_after_a_restart(tmp_path, dovecot):
    async with Postroom(tmp_path) as postroom, line(postroom, dovecot) as to, Receiver(503) as receiver:
        hook = await postroom.post("/webhooks", {"url": receiver.url}, status=201)
        deliveries = await settled(postroom, await send_many(postroom, to.id, range(3)))
        await receiver.wait_for(3)

        async def noted():
            return len(logged(postroom, "webhook failed"))

        await postroom.until(noted, lambda number: number == 3)  # else it is tried again when its claim is over
        await postroom.kill()
        receiver.statuses = [200]
        receiver.posted.clear()
        await postroom.start()
        posted = await receiver.wait_for(3, 90)
        bodies = [Webhook(hook["secret"]).verify(call.body.decode(), call.headers) for call in posted]
        assert {body["data"]["id"] for body in bodies} == {one["id"] for one in deliveries}
        assert len({call.headers["webhook-id"] for call in posted}) == 3
