"""The database cannot be written: the disk is full, another program holds it. Nothing is half done; it goes on."""

import shutil
import sqlite3
import subprocess

import pytest

from tests.walks.outgoing import line, send_many, settled
from tests.walks.postroom import Postroom


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 8 MB."""
    place = tmp_path / "disk"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(place)], check=True)
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


async def refused(postroom, mailbox_id, words, most=60):
    """Sends until that is refused: what was accepted before, and the answer."""
    accepted = []
    for number in range(most):
        body = {"mailbox_id": mailbox_id, "to": ["a@x.test"], "text": "A line of text.\n" * 500}
        answer = await postroom.api.post("/v1/messages", json=body | {"headers": {"X-Number": str(number)}})
        if answer.status_code != 202:
            assert answer.status_code == 503, answer.text
            assert answer.headers["Retry-After"]
            problem = answer.json()
            assert words in problem["detail"], problem
            return accepted, problem
        accepted.append(answer.json())
    raise AssertionError(f"{most} messages were accepted")


async def ready(postroom):
    answer = await postroom.api.get("/readyz")
    return answer.status_code, answer.json()


async def test_a_full_disk_is_told_and_what_was_accepted_goes_out_when_there_is_room(tmp_path, small_disk, dovecot):
    async with Postroom(tmp_path, data=small_disk) as postroom, line(postroom, dovecot) as to:
        await to.sink.stop()
        await send_many(postroom, to.id, ["before"])
        await postroom.mailbox_in(to.id, sending="degraded")
        await to.sink.start()
        filler = small_disk / "filler"
        free = shutil.disk_usage(small_disk).free
        filler.write_bytes(bytes(max(0, free - 200_000)))
        accepted, problem = await refused(postroom, to.id, "is full")
        assert "free some space" in problem["detail"]
        _, why = await postroom.until(lambda: ready(postroom), lambda answer: answer[0] == 503)
        assert "is full" in why["detail"]
        assert (await postroom.get(f"/mailboxes/{to.id}"))["id"] == to.id  # reading goes on
        filler.unlink()
        await postroom.until(lambda: ready(postroom), lambda answer: answer[0] == 200, 30)
        done = await settled(postroom, accepted, 40)
        after = await send_many(postroom, to.id, ["after"])
        await settled(postroom, after)
        shown = await postroom.everything("/deliveries", mailbox_id=to.id)
        assert len(shown) == 1 + len(done) + 1
        assert {one["state"] for one in shown} == {"sent"}
        # Nothing but what was accepted, each once.
        assert sorted(to.sink.counts) == sorted(f"<{one['message_id']}>" for one in shown)
        assert set(to.sink.counts.values()) == {1}


async def test_a_database_that_another_program_locks_is_told_and_used_again_when_it_is_free(tmp_path, dovecot):
    async with Postroom(tmp_path) as postroom, line(postroom, dovecot) as to:
        accepted = await send_many(postroom, to.id, range(3))
        other = sqlite3.connect(tmp_path / "data" / "postroom.db", isolation_level=None, timeout=10)
        other.execute("BEGIN EXCLUSIVE")
        try:
            none, problem = await refused(postroom, to.id, "Another program has locked")
            assert none == []
            assert problem["type"].endswith("unavailable")
            await postroom.until(lambda: ready(postroom), lambda answer: answer[0] == 503)
        finally:
            other.execute("ROLLBACK")
            other.close()
        await postroom.until(lambda: ready(postroom), lambda answer: answer[0] == 200, 30)
        accepted += await send_many(postroom, to.id, range(3, 6))
        await settled(postroom, accepted, 40)
        assert sorted(to.numbers()) == list(range(6))


async def test_a_message_whose_answer_cannot_be_written_is_written_when_it_can_be(tmp_path, dovecot, proxy):
    """The server has taken it while the database cannot be written: that is not forgotten."""
    async with Postroom(tmp_path) as postroom, line(postroom, dovecot, through=proxy) as to:
        to.front.delay = 0.5
        accepted = await send_many(postroom, to.id, range(2))
        await to.sink.wait_for(1)
        other = sqlite3.connect(tmp_path / "data" / "postroom.db", isolation_level=None, timeout=10)
        other.execute("BEGIN EXCLUSIVE")
        await postroom.until(lambda: ready(postroom), lambda answer: answer[0] == 503)
        other.execute("ROLLBACK")
        other.close()
        done = await settled(postroom, accepted, 40)
        assert [[attempt["outcome"] for attempt in one["attempts"]] for one in done] == [["accepted"], ["accepted"]]
        assert to.numbers() == [0, 1]
