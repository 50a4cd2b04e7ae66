"""Big messages lie on disk until they are read: what comes is what was sent, and what goes wrong is a Failure."""

import contextlib
import gc
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from postroom.core.diagnosis.evidence import Failure, Stage
from postroom.wire.imap.spool import SPOOLED, Spooled, spool
from tests.wire.imap_peer import selected, session
from tests.wire.peer import Peer

BIG = os.urandom(SPOOLED + 12_345)


def story(cut: int | None = None, before: bytes = b"BODY[]"):
    async def gives(peer: Peer) -> None:
        await selected(peer, 3)
        tag = await peer.command(b"UID FETCH ")
        await peer.say(b"* 1 FETCH (UID 1 BODY[] {2}", b"hi)")
        await peer.send(b"* 2 FETCH (UID 2 %s {%d}\r\n" % (before, len(BIG)) + BIG[:cut])
        if cut is not None:
            peer.writer.close()
        else:
            await peer.say(b" FLAGS (\\Seen))", b"* 3 FETCH (UID 3 BODY[] {3}", b"end)", tag + b" OK done")

    return gives


async def test_a_big_message_is_on_disk_and_small_ones_are_not(tmp_path: Path) -> None:
    async with session(story(), spool=tmp_path) as opened:
        await opened.select("INBOX")
        fetched = [one async for one in opened.fetch([1, 2, 3])]
    assert [one.raw for one in fetched[::2]] == [b"hi", b"end"]
    big = fetched[1].raw
    assert isinstance(big, Spooled)
    assert (len(big), fetched[1].flags) == (len(BIG), {"\\Seen"})
    assert os.listdir(tmp_path) == []  # a file without a name: nothing is left behind by a crash
    assert big.read() == BIG


async def test_a_line_that_breaks_in_a_big_message_is_a_failure(tmp_path: Path) -> None:
    async with session(story(cut=SPOOLED // 2), spool=tmp_path) as opened:
        await opened.select("INBOX")
        with pytest.raises(Failure) as caught:
            assert [one async for one in opened.fetch([1, 2, 3])] == []
    assert caught.value.evidence.exception == "ConnectionLost: the server closed the connection"


async def test_a_disk_that_takes_nothing_is_a_failure(tmp_path: Path) -> None:
    async with session(story(), spool=tmp_path / "missing") as opened:
        await opened.select("INBOX")
        with pytest.raises(Failure) as caught:
            assert [one async for one in opened.fetch([1, 2, 3])] == []
        assert opened.closed
    assert caught.value.evidence.stage is Stage.FETCH
    assert caught.value.evidence.exception.startswith("FileNotFoundError: ")


@pytest.mark.parametrize("before", [b"RFC822.SIZE", b"INTERNALDATE", b"X"])
async def test_a_big_literal_where_none_belongs_harms_nothing(before: bytes, tmp_path: Path) -> None:
    async with session(story(before=before), spool=tmp_path) as opened:
        await opened.select("INBOX")
        assert [one.uid async for one in opened.fetch([1, 2, 3])] == [1, 3]


@pytest.mark.parametrize("line", [b'* LIST () "/" {%d}', b"* MYRIGHTS INBOX {%d}", b"* SEARCH {%d}", b"* {%d}"])
async def test_a_big_literal_in_another_answer_ends_in_a_result_or_a_failure(line: bytes, tmp_path: Path) -> None:
    async def said(peer: Peer) -> None:
        tag = (await peer.line()).partition(b" ")[0]
        await peer.send(line % len(BIG) + b"\r\n" + BIG + b"\r\n")
        await peer.say(tag + b" OK done")

    async with session(said, b"IMAP4rev1 ACL", spool=tmp_path) as opened:
        with contextlib.suppress(Failure):
            assert await (opened.rights("INBOX") if b"RIGHTS" in line else opened.sent_folder()) != ""
            return
        assert opened.closed


async def test_a_file_is_closed_when_nobody_wants_it(tmp_path: Path) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield b"abc"

    spooled = await spool(chunks(), 3, tmp_path)
    place = f"/proc/self/fd/{spooled._file.fileno()}"
    assert os.readlink(place).startswith(str(tmp_path))
    del spooled
    gc.collect()
    with contextlib.suppress(FileNotFoundError):
        assert not os.readlink(place).startswith(str(tmp_path))
