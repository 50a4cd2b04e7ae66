"""Postroom ends in the middle of sending, gently or not: nothing is lost, and nothing repeated that was answered."""

import asyncio
import time
from collections import Counter

import pytest

from tests.rig.clients import until
from tests.rig.postgres import Postgres
from tests.walks.outgoing import line, logged, read, send_many, settled
from tests.walks.postroom import Postroom


async def queued(postroom, mailbox_id, count):
    """Messages that wait all together: the mailbox is paused while they are accepted."""
    await postroom.post(f"/mailboxes/{mailbox_id}/pause", status=200)
    deliveries = []
    for start in range(0, count, 50):
        numbers = range(start, min(start + 50, count))
        deliveries += await asyncio.gather(*(send_many(postroom, mailbox_id, [number]) for number in numbers))
    await postroom.post(f"/mailboxes/{mailbox_id}/resume", status=200)
    return [one for (one,) in deliveries]


async def all_sent(postroom, mailbox_id, count, seconds):
    async def look():
        return Counter(one["state"] for one in await postroom.everything("/deliveries", mailbox_id=mailbox_id))

    await postroom.until(look, lambda states: states == {"sent": count}, seconds)


@pytest.mark.timeout(240)
@pytest.mark.parametrize(
    ("database", "moments"), [("sqlite", (60, 350)), ("postgresql", (200,))], ids=["sqlite", "postgresql"]
)
async def test_a_killed_process_loses_nothing_and_repeats_only_what_was_not_answered(
    request, tmp_path, dovecot, database, moments
):
    count = 500
    async with (
        Postroom(tmp_path, request.getfixturevalue(f"{database}_url")) as postroom,
        line(postroom, dovecot) as to,
    ):
        deliveries = await queued(postroom, to.id, count)
        for moment in moments:
            await until(lambda moment=moment: len(to.sink.accepted) >= moment, 60)
            await postroom.kill()
            assert len(to.sink.accepted) < count
            await postroom.start()
        await all_sent(postroom, to.id, count, 90)
        assert set(to.numbers()) == set(range(count))
        twice = [name for name, number in to.sink.counts.items() if number > 1]
        assert len(twice) <= len(moments)
        assert max(to.sink.counts.values()) <= 2
        looked = {one["delivery"] for one in logged(postroom, "looked into Sent")}
        for one in deliveries:
            if f"<{one['message_id']}>" in twice:
                assert one["id"] in looked
        await postroom.until(lambda: _without_copy(postroom, to.id), lambda missing: missing == 0, 60)
        copies = Counter(read(raw)["Message-ID"] for raw in dovecot.messages(to.user.name, "Sent"))
        assert copies == Counter({f"<{one['message_id']}>": 1 for one in deliveries})


async def _without_copy(postroom, mailbox_id):
    shown = await postroom.everything("/deliveries", mailbox_id=mailbox_id)
    return sum(one["sent_copy"] != "done" for one in shown)


async def test_a_stop_lets_the_message_under_way_be_answered_and_leaves_the_rest(tmp_path, dovecot, proxy):
    async with Postroom(tmp_path) as postroom, line(postroom, dovecot, through=proxy) as to:
        to.front.delay = 0.15
        deliveries = await queued(postroom, to.id, 12)
        for taken in (3, 7):
            await until(lambda taken=taken: len(to.sink.accepted) >= taken)
            # The server has it, and its answer is still on the way to us.
            began = time.monotonic()
            await postroom.stop()
            assert time.monotonic() - began < 60
            assert postroom.process.returncode == 0
            assert len(to.sink.accepted) < 12
            await postroom.start()
        done = await settled(postroom, deliveries)
        assert sorted(to.numbers()) == list(range(12))
        assert {attempt["outcome"] for one in done for attempt in one["attempts"]} == {"accepted"}
        assert logged(postroom, "looked into Sent") == []


async def test_a_stop_ends_within_ten_seconds_though_the_server_never_answers(tmp_path, dovecot):
    async with Postroom(tmp_path) as postroom, line(postroom, dovecot) as to:
        to.sink.hang("DOT", times=1)
        deliveries = await send_many(postroom, to.id, range(3))
        await until(lambda: "DATA" in to.sink.seen)
        began = time.monotonic()
        await postroom.stop()
        assert time.monotonic() - began < 60
        assert postroom.process.returncode == 0
        await postroom.start()
        await settled(postroom, deliveries)
        assert sorted(to.numbers()) == [0, 1, 2]
        (looked,) = logged(postroom, "looked into Sent")
        assert (looked["delivery"], looked["found"]) == (deliveries[0]["id"], False)


async def test_two_servers_on_one_database_send_each_message_once_and_one_takes_over_from_the_other(
    tmp_path, postgresql_url, dovecot
):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    async with Postroom(tmp_path / "one", postgresql_url, data=tmp_path / "data") as one:
        two = Postroom(tmp_path / "two", postgresql_url, data=tmp_path / "data")
        two.key = one.key
        async with two, line(one, dovecot) as first, line(two, dovecot) as second, line(two, dovecot) as third:
            lines = (first, second, third)

            async def both(number):
                return [await (one, two)[(number + place) % 2].send(to.id) for place, to in enumerate(lines)]

            deliveries = [each for some in await asyncio.gather(*map(both, range(70))) for each in some]
            await until(lambda: sum(len(to.sink.accepted) for to in lines) > 60)
            # The owner of at least one mailbox goes; the other has them all from then on.
            await one.stop()
            await settled(two, deliveries, 60)
            counts = sum((to.sink.counts for to in lines), Counter())
            assert len(counts) == 210
            assert set(counts.values()) == {1}
            await one.start()


@pytest.mark.timeout(180)
async def test_a_database_that_restarts_under_way_loses_nothing_and_repeats_only_what_was_not_answered(
    tmp_path, dovecot
):
    async with (
        Postgres() as postgres,  # its own: other tests use the run's
        Postroom(tmp_path, postgres.url(await postgres.create_database())) as postroom,
        line(postroom, dovecot) as to,
    ):
        deliveries = await queued(postroom, to.id, 150)
        for taken in (20, 70):
            await until(lambda taken=taken: len(to.sink.accepted) >= taken, 40)
            await postgres.restart()
        await all_sent(postroom, to.id, 150, 60)
        assert set(to.numbers()) == set(range(150))
        shown = await settled(postroom, deliveries)
        unanswered = {f"<{one['message_id']}>" for one in shown if len(one["attempts"]) > 1}
        assert {name for name, number in to.sink.counts.items() if number > 1} <= unanswered
        assert max(to.sink.counts.values()) <= 2
