"""Folders of a signed-in session against scripted servers: select, sizes, create, append, find."""

import pytest

from postroom.core.cursor import Selected, Sized
from postroom.core.diagnosis.evidence import Failure, Stage
from tests.wire.imap_peer import NOW, selected, session
from tests.wire.peer import Peer

FETCH = b"UID FETCH "


# Select


async def test_select_gives_what_the_server_says() -> None:
    async def story(peer: Peer) -> None:
        await selected(peer, 172, b"* FLAGS (\\Seen [x)", b"* OK [HIGHESTMODSEQ 715194045007] ok")
        tag = await peer.command(b'SELECT "INBOX"')
        await peer.say(b"* 1 EXISTS", b"* OK [UIDVALIDITY 7] ok", tag + b" OK [READ-WRITE] done")

    async with session(story) as opened:
        assert await opened.select("INBOX") == Selected("INBOX", 42, 100, 172, 715194045007, read_only=True)
        assert await opened.select("INBOX", read_only=False) == Selected("INBOX", 7, None, 1, None, read_only=False)


async def test_a_folder_that_cannot_be_selected_is_named_in_the_evidence() -> None:
    async def story(peer: Peer) -> None:
        tag = await peer.command(b'EXAMINE "Entw&APw-rfe \\"2\\""')
        await peer.say(tag + b" NO [NONEXISTENT] Mailbox doesn't exist")
        await peer.say(b'* LIST () "/" INBOX', await peer.command(b'LIST "" "*"') + b" OK done")

    async with session(story) as opened:
        with pytest.raises(Failure) as caught:
            await opened.select('Entwürfe "2"')
        seen = caught.value.evidence
        assert (seen.stage, seen.status, seen.response_code) == (Stage.SELECT, "NO", "NONEXISTENT")
        assert seen.folder == 'Entwürfe "2"'
        assert opened.closed


@pytest.mark.parametrize("line", [b"* OK fine", b"* OK [UIDVALIDITY] x", b"* OK [UIDVALIDITY x] x"])
async def test_a_folder_without_uidvalidity_is_no_folder(line: bytes) -> None:
    async def story(peer: Peer) -> None:
        tag = await peer.command(b"EXAMINE")
        await peer.say(b"* 1 EXISTS", line, tag + b" OK done")

    async with session(story) as opened:
        with pytest.raises(Failure, match="ProtocolError: the folder has no usable UIDVALIDITY"):
            await opened.select("INBOX")


# Status


async def test_status_tells_of_a_folder_that_is_not_selected() -> None:
    async def story(peer: Peer) -> None:
        tag = await peer.command(b'STATUS "Gel&APY-scht" (MESSAGES UIDNEXT UIDVALIDITY)')
        await peer.say(b'* STATUS "Gel&APY-scht" (MESSAGES 3 UIDNEXT 9 UIDVALIDITY 7)', tag + b" OK done")
        tag = await peer.command(b"STATUS")
        await peer.say(b'* STATUS "Sent" (UIDVALIDITY 7)', tag + b" OK done")
        tag = await peer.command(b"STATUS")
        await peer.say(tag + b" NO [NONEXISTENT] no such folder")
        tag = await peer.command(b"STATUS")
        await peer.say(tag + b" OK but nothing said")

    async with session(story) as opened:
        assert await opened.status("Gelöscht") == Selected("Gelöscht", 7, 9, 3)
        assert await opened.status("Sent") == Selected("Sent", 7, None, 0)
        assert await opened.status("Sent") is None
        assert await opened.status("Sent") is None
        assert not opened.closed


# Sizes


async def test_sizes_are_sorted_and_begin_at_the_uid_asked_for() -> None:
    async def story(peer: Peer) -> None:
        await selected(peer, 4)
        tag = await peer.command(b"UID FETCH 12:* (UID RFC822.SIZE)")
        await peer.say(
            b"* 4 FETCH (RFC822.SIZE 99 UID 14)",
            b"* 2 FETCH (FLAGS (\\Seen))",
            b"* 3 FETCH (UID 13 FLAGS ())",
            b"* 5 EXISTS",
            b"* 1 FETCH (UID 11 RFC822.SIZE 5)",
            b"* 2 FETCH (UID 12 RFC822.SIZE 5000000000)",
            tag + b" OK done",
        )

    async with session(story) as opened:
        await opened.select("INBOX")
        assert await opened.sizes(12) == [Sized(12, 5000000000), Sized(14, 99)]


async def test_an_empty_folder_is_not_asked() -> None:
    async def story(peer: Peer) -> None:
        await selected(peer, 0)

    async with session(story) as opened:
        await opened.select("INBOX")
        assert await opened.sizes(1) == []


async def test_twenty_thousand_responses_are_one_list() -> None:
    async def story(peer: Peer) -> None:
        await selected(peer, 20000)
        tag = await peer.command(FETCH)
        await peer.say(*(b"* %d FETCH (UID %d RFC822.SIZE 8192)" % (n, n) for n in range(1, 20001)), tag + b" OK done")

    async with session(story) as opened:
        await opened.select("INBOX")
        assert len(await opened.sizes(1)) == 20000


# Folders


@pytest.mark.parametrize(
    ("lines", "sent"),
    [
        (
            (b'* LIST (\\HasNoChildren) "/" INBOX', b'* LIST (\\HasNoChildren \\Sent) "/" "Gesendet &- gut"'),
            "Gesendet & gut",
        ),
        ((b'* LIST () "." {14}\r\nINBOX.&AMk-l\\"', b'* LIST () "." "INBOX.Sent Items"'), "INBOX.Sent Items"),
        ((b'* LIST () NIL "&AMk-l&AOk-ments envoy&AOk-s"',), "Éléments envoyés"),
        ((b"* LIST () NIL INBOX", b"* LIST () NIL NIL"), None),
    ],
)
async def test_the_sent_folder_is_found_by_use_or_by_name(lines: tuple[bytes, ...], sent: str | None) -> None:
    async def story(peer: Peer) -> None:
        tag = await peer.command(b'LIST "" "*"')
        await peer.say(*lines, tag + b" OK done")

    async with session(story) as opened:
        assert await opened.sent_folder() == sent


async def test_a_server_that_cannot_list_special_uses_after_all_is_asked_plainly() -> None:
    async def story(peer: Peer) -> None:
        await peer.say(await peer.command(b'LIST "" "*" RETURN (SPECIAL-USE)') + b" BAD what")
        await peer.say(b'* LIST () "/" Sent', await peer.command(b'LIST "" "*"') + b" OK done")

    async with session(story, b"IMAP4rev1 LIST-EXTENDED SPECIAL-USE") as opened:
        assert await opened.sent_folder() == "Sent"


@pytest.mark.parametrize("answer", [b"NO [ALREADYEXISTS] it is there", b"NO Mailbox already exists"])
async def test_creating_what_exists_is_no_failure(answer: bytes) -> None:
    async def story(peer: Peer) -> None:
        await peer.say(await peer.command(b'CREATE "Gesendet &APw-"') + b" " + answer)

    async with session(story) as opened:
        await opened.create("Gesendet ü")


# Append


async def test_append_waits_to_be_asked_for_a_large_message() -> None:
    raw = b"x" * 200_000

    async def story(peer: Peer) -> None:
        tag = await peer.command(b'APPEND "Sent" (\\Seen) "01-Mar-2026 12:00:00 +0000" {200000}')
        assert peer.heard[-1].endswith(b"{200000}")
        await peer.say(b"* 3 EXISTS", b"+ go on")
        assert await peer.reader.readexactly(len(raw)) == raw
        assert await peer.line() == b""
        await peer.say(tag + b" OK [APPENDUID 1 2] done")

    async with session(story, b"IMAP4rev1 LITERAL+") as opened:
        await opened.append("Sent", raw, ["\\Seen"], NOW)
        assert raw[:50].decode() not in str(opened.transcript)


@pytest.mark.parametrize(
    ("capability", "size", "at_once"),
    [(b"LITERAL+", 4097, True), (b"LITERAL-", 4096, True), (b"LITERAL-", 4097, False)],
)
async def test_append_of_a_small_message_does_not_wait_where_it_need_not(
    capability: bytes, size: int, at_once: bool
) -> None:
    async def story(peer: Peer) -> None:
        tag = await peer.command(b"APPEND")
        assert peer.heard[-1].endswith(b"+}") == at_once
        if not at_once:
            await peer.say(b"+")
        assert await peer.reader.readexactly(size) == b"x" * size
        assert await peer.line() == b""
        await peer.say(tag + b" OK done")

    async with session(story, b"IMAP4rev1 " + capability) as opened:
        await opened.append("Sent", b"x" * size, [], NOW)


async def test_append_makes_the_folder_where_the_server_suggests_it() -> None:
    async def story(peer: Peer) -> None:
        await peer.say(await peer.command(b'APPEND "Sent"') + b" NO [TRYCREATE] no such folder")
        await peer.say(await peer.command(b'LIST "" "*"') + b" OK done")
        await peer.say(await peer.command(b'CREATE "Sent"') + b" OK made")
        await peer.say(await peer.command(b'SUBSCRIBE "Sent"') + b" NO who cares")
        tag = await peer.command(b'APPEND "Sent"')
        await peer.say(b"+")
        await peer.reader.readexactly(3)
        assert await peer.line() == b""
        await peer.say(tag + b" OK done")

    async with session(story, b"IMAP4rev1") as opened:
        await opened.append("Sent", b"abc", ["\\Seen"], NOW)


async def test_a_refused_append_says_why_even_after_the_connection_is_closed() -> None:
    async def story(peer: Peer) -> None:
        tag = await peer.command(b"APPEND")
        await peer.say(b"+")
        await peer.reader.read(1000)
        await peer.say(tag + b" NO [OVERQUOTA] Mailbox is full")
        peer.writer.write_eof()

    async with session(story, b"IMAP4rev1") as opened:
        with pytest.raises(Failure) as caught:
            await opened.append("Sent", b"x" * 2**26, ["\\Seen"], NOW)
        seen = caught.value.evidence
        assert (seen.stage, seen.status, seen.response_code, seen.folder) == (Stage.APPEND, "NO", "OVERQUOTA", "Sent")


async def test_what_is_no_flag_is_never_sent() -> None:
    async def story(peer: Peer) -> None:
        assert await peer.line() == b""

    async with session(story) as opened:
        with pytest.raises(ValueError, match="not IMAP flags"):
            await opened.append("Sent", b"x", ["\\Seen) {1}\r\nx"], NOW)


# Find


async def test_find_verifies_what_the_search_says() -> None:
    async def story(peer: Peer) -> None:
        await selected(peer)
        tag = await peer.command(b'UID SEARCH HEADER Message-ID "a@x"')
        await peer.say(b"* SEARCH 4 9 7 (MODSEQ 12)", tag + b" OK done")
        tag = await peer.command(b"UID FETCH 4,7,9 (UID BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])")
        await peer.send(
            b'* 1 FETCH (UID 4 BODY[HEADER.FIELDS ("Message-ID")] {26}\r\nMessage-ID: <aa@x.org>\r\n\r\n)\r\n'
            b"* 2 FETCH (UID 9 BODY[HEADER.FIELDS (MESSAGE-ID)] {23}\r\nMESSAGE-id:\r\n <a@x>\r\n\r\n)\r\n"
            b"* 3 FETCH (UID 7 BODY[HEADER.FIELDS (MESSAGE-ID)] NIL)\r\n"
        )
        await peer.say(tag + b" OK done")

    async with session(story) as opened:
        assert await opened.find("Sent", "a@x") == [9]


@pytest.mark.parametrize("answer", [b"BAD no such key", b"NO cannot search", b"OK nothing"])
async def test_find_reads_the_last_headers_where_search_fails(answer: bytes) -> None:
    async def story(peer: Peer) -> None:
        await selected(peer, 200)
        await peer.say(await peer.command(b"UID SEARCH") + b" " + answer)
        tag = await peer.command(b"FETCH 151:* (UID BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])")
        await peer.send(b"* 200 FETCH (UID 77 BODY[HEADER.FIELDS (MESSAGE-ID)] {21}\r\nMessage-ID: <a@x>\r\n\r\n)\r\n")
        await peer.say(tag + b" OK done")

    async with session(story) as opened:
        assert await opened.find("Sent", "a@x") == [77]


async def test_find_in_an_empty_folder_asks_nothing() -> None:
    async def story(peer: Peer) -> None:
        await selected(peer, 0)

    async with session(story) as opened:
        assert await opened.find("Sent", "a@x") == []


# The end


async def test_logout_says_good_bye_and_never_raises() -> None:
    async def polite(peer: Peer) -> None:
        await peer.say(b"* BYE see you", await peer.command(b"LOGOUT") + b" OK done")

    async def rude(peer: Peer) -> None:
        await peer.command(b"LOGOUT")
        await peer.say(b"* BYE")
        peer.writer.close()

    async def garbled(peer: Peer) -> None:
        await peer.command(b"LOGOUT")
        await peer.say(b"\xff\xfe")

    for story in (polite, rude, garbled):
        async with session(story) as opened:
            await opened.logout()
            assert opened.closed
            await opened.logout()
