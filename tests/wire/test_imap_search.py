"""UID SEARCH against scripted servers: which UIDs there are."""

from datetime import date

import pytest

from postroom.core.diagnosis.evidence import Failure, Stage
from postroom.core.uids import Uids
from postroom.wire.imap import search
from tests.wire.imap_peer import CAPABILITIES, selected, session
from tests.wire.peer import Peer

ESEARCH = CAPABILITIES + b" ESEARCH"


async def test_uids_come_as_runs_where_the_server_has_esearch() -> None:
    async def story(peer: Peer) -> None:
        await selected(peer)
        tag = await peer.command(b"UID SEARCH RETURN (ALL) ALL")
        await peer.say(b'* ESEARCH (TAG "%s") UID ALL 9:7,1:4294967295' % tag, tag + b" OK done")
        tag = await peer.command(b"UID SEARCH RETURN (ALL) UID 3:8 SINCE 6-Jun-2026")
        await peer.say(b'* ESEARCH (TAG "%s") UID COUNT 3 ALL 5,7:9 MODSEQ 12' % tag, tag + b" OK done")
        tag = await peer.command(b"UID SEARCH RETURN (ALL) UID 3:8")
        await peer.say(b'* ESEARCH (TAG "%s") UID' % tag, tag + b" OK nothing")

    async with session(story, ESEARCH) as opened:
        await opened.select("INBOX")
        assert await opened.uids() == Uids.between(1, 2**32 - 1)
        assert await opened.uids(Uids.between(3, 8), date(2026, 6, 6)) == Uids.of([5, 7, 8])
        assert await opened.uids(Uids.between(3, 8)) == Uids()


async def test_uids_come_one_by_one_where_it_has_not() -> None:
    async def story(peer: Peer) -> None:
        await selected(peer)
        tag = await peer.command(b"UID SEARCH ALL")
        await peer.say(b"* SEARCH 5 3 4", b"* SEARCH 9 (MODSEQ 7)", b"* SEARCH", tag + b" OK done")

    async with session(story) as opened:
        await opened.select("INBOX")
        assert await opened.uids() == Uids.of([3, 4, 5, 9])


async def test_an_answer_that_does_not_come_is_not_taken_for_nothing_found() -> None:
    async def story(peer: Peer) -> None:
        await selected(peer)
        tag = await peer.command(b"UID SEARCH RETURN (ALL) ALL")
        await peer.say(b"* 4 EXISTS", tag + b" OK done")
        tag = await peer.command(b"UID SEARCH ALL")
        await peer.say(b"* SEARCH 1 2", tag + b" OK done")

    async with session(story, ESEARCH) as opened:
        await opened.select("INBOX")
        assert await opened.uids() == Uids.of([1, 2])


async def test_nothing_is_asked_of_an_empty_folder_or_of_no_uids() -> None:
    async def story(peer: Peer) -> None:
        await selected(peer, 0)
        await selected(peer, 3)

    async with session(story) as opened:
        await opened.select("INBOX")
        assert await opened.uids() == Uids()
        await opened.select("INBOX")
        assert await opened.uids(Uids()) == Uids()


async def test_a_server_that_cannot_search_by_date_gives_all() -> None:
    async def story(peer: Peer) -> None:
        await selected(peer)
        tag = await peer.command(b"UID SEARCH ALL SINCE 6-Jun-2026")
        await peer.say(tag + b" NO [CANNOT] SINCE is not supported")
        tag = await peer.command(b"UID SEARCH ALL")
        await peer.say(b"* SEARCH 1 2 3", tag + b" OK done")

    async with session(story) as opened:
        await opened.select("INBOX")
        assert await opened.uids(since=date(2026, 6, 6)) == Uids.between(1, 3)


async def test_a_large_folder_is_looked_through_in_pieces_from_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "AT_ONCE", 2)

    async def story(peer: Peer) -> None:
        await selected(peer, 5)
        for numbers, found in ((b"4:*", b"40 50"), (b"2:3", b"20 30"), (b"1:1", b"10")):
            tag = await peer.command(b"UID SEARCH " + numbers)
            await peer.say(b"* SEARCH " + found, tag + b" OK done")

    async with session(story) as opened:
        await opened.select("INBOX")
        assert await opened.uids() == Uids.of([10, 20, 30, 40, 50])


@pytest.mark.parametrize("answer", [b"ALL", b"ALL ()", b"ALL 1:x", b"ALL 99999999999", b'ALL "1"'])
async def test_a_set_that_is_none_is_a_protocol_error(answer: bytes) -> None:
    async def story(peer: Peer) -> None:
        await selected(peer)
        tag = await peer.command(b"UID SEARCH")
        await peer.say(b'* ESEARCH (TAG "%s") UID %s' % (tag, answer), tag + b" OK done")

    async with session(story, ESEARCH) as opened:
        await opened.select("INBOX")
        with pytest.raises(Failure) as refused:
            await opened.uids()
        assert refused.value.evidence.stage is Stage.FETCH
        assert "ProtocolError" in str(refused.value.evidence.exception)


async def test_sizes_of_chosen_messages_pass_over_those_that_are_not_there() -> None:
    async def story(peer: Peer) -> None:
        await selected(peer)
        tag = await peer.command(b"UID FETCH 3:4,7 (UID RFC822.SIZE)")
        await peer.say(
            b"* 2 FETCH (UID 7 RFC822.SIZE 70)",
            b"* 1 FETCH (UID 3 RFC822.SIZE 30)",
            b"* 9 FETCH (UID 99 RFC822.SIZE 1)",
            b"* 1 FETCH (FLAGS ())",
            tag + b" OK done",
        )

    async with session(story) as opened:
        await opened.select("INBOX")
        assert [(one.uid, one.size) for one in await opened.sizes_of(Uids.of([7, 3, 4]))] == [(3, 30), (7, 70)]
