"""A server that answers for so many messages at a time (MESSAGELIMIT, RFC 9738; Yahoo): the rest is asked for."""

import re

import pytest

from postroom.core.uids import Uids
from tests.wire.imap_peer import selected, session
from tests.wire.peer import Peer

LIMIT = 10
RANGE = re.compile(rb"(\d+)(?::(\d+|\*))?")


class Limited:
    """A folder with the UIDs 101 to `last`, which gives the highest LIMIT of what each command names. `stubborn` says
    the same of every command."""

    def __init__(self, last: int, *, stubborn: bool = False) -> None:
        self.there = set(range(101, last + 1))
        self.stubborn = stubborn
        self.commands = 0

    async def __call__(self, peer: Peer) -> None:
        await selected(peer, len(self.there))
        while line := await peer.line():
            tag, _, words = line.partition(b" ")
            await peer.say(*self.answers(words), tag + b" OK" + self.code + b" done")

    def answers(self, words: bytes) -> list[bytes]:
        self.commands += 1
        named = self.named_in(words)
        given = sorted(named, reverse=True)[:LIMIT]
        lowest = 100 if self.stubborn else min(given, default=0)
        self.code = b" [MESSAGELIMIT %d %d]" % (LIMIT, lowest) if len(named) > LIMIT or self.stubborn else b""
        if b"SEARCH RETURN" in words:
            return [b'* ESEARCH (TAG "p1") UID' + b" ALL " + b",".join(b"%d" % uid for uid in given) if given else b""]
        if b"SEARCH" in words:
            return [b"* SEARCH" + b"".join(b" %d" % uid for uid in given)]
        body = b" BODY[] {2}\r\nhi" if b"BODY.PEEK[]" in words else b" RFC822.SIZE 2"
        return [b"* %d FETCH (UID %d%s)" % (uid, uid, body) for uid in given]

    def named_in(self, words: bytes) -> set[int]:
        found = set(self.there)
        for part in re.findall(rb"UID (?:FETCH )?([\d:*,]+)", words):
            runs = [RANGE.fullmatch(one) for one in part.split(b",")]
            last = {id(run): 2**32 if run[2] == b"*" else int(run[2] or run[1]) for run in runs}
            found &= {uid for uid in self.there for run in runs if int(run[1]) <= uid <= last[id(run)]}
        return found


@pytest.mark.parametrize("capabilities", [b"IMAP4rev1 MESSAGELIMIT=10", b"IMAP4rev1 ESEARCH MESSAGELIMIT=10"])
async def test_all_messages_are_found_sized_and_fetched(capabilities: bytes) -> None:
    server = Limited(145)
    async with session(server, capabilities) as opened:
        await opened.select("INBOX")
        assert list(await opened.uids()) == list(range(101, 146))
        assert list(await opened.uids(Uids.between(110, 130))) == list(range(110, 131))
        assert [one.uid for one in await opened.sizes(90)] == list(range(101, 146))
        assert [one.uid for one in await opened.sizes(120)] == list(range(120, 146))
        some = Uids.of([1, *range(102, 140, 2), 150])
        assert [one.uid for one in await opened.sizes_of(some)] == list(range(102, 140, 2))
        arrived = [one.uid async for one in opened.fetch([50, *range(101, 146)])]
        assert sorted(arrived) == list(range(101, 146))
        assert len(arrived) == 45


async def test_a_server_that_never_comes_on_is_not_asked_for_ever() -> None:
    server = Limited(125, stubborn=True)
    async with session(server, b"IMAP4rev1") as opened:
        await opened.select("INBOX")
        await opened.uids()
        await opened.sizes(1)
        await opened.sizes_of(Uids.between(1, 125))
        assert [one.uid async for one in opened.fetch([1, 2, 125])] == [125]
    assert server.commands <= 10
