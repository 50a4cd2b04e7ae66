"""Folders by the names that people write, on servers that call them otherwise, and names in UTF-8 (RFC 6855)."""

import pytest

from postroom.core.diagnosis.evidence import Failure
from postroom.wire.imap.listing import Folder
from postroom.wire.imap.naming import meant_by
from tests.wire.imap_peer import NOW, selected, session
from tests.wire.peer import Peer


def folders(*names: str, delimiter: str | None = ".") -> list[Folder]:
    return [Folder(frozenset(), delimiter, name) for name in names]


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("Returns", "INBOX.Returns"),
        ("INBOX/Returns", "INBOX.Returns"),
        ("inbox.returns", "INBOX.Returns"),
        ("Team/Old", "INBOX.Team.Old"),
        ("Team.Old", "INBOX.Team.Old"),
        ("Ru\u0308ck", "INBOX.R\u00fcck"),  # composed by another system
        ("Old", None),  # of a team: not what is meant
        ("Twice", None),
        ("twice", None),
        ("Gone", None),
        ("Shared", None),  # it is there, and refused for something else
        ("", None),
    ],
)
def test_the_one_folder_that_is_meant(name: str, meant: str | None) -> None:
    there = folders(
        "INBOX", "INBOX.Returns", "INBOX.Team.Old", "INBOX.R\u00fcck", "INBOX.Twice", "Twice.", "INBOX.TWICE"
    )
    there += folders("INBOX/Twice", delimiter="/")
    there += folders("Shared", "INBOX.Shared")
    there.append(Folder(frozenset({"\\noselect"}), ".", "INBOX.Gone"))
    assert meant_by(name, there) == meant


def test_the_exact_name_goes_before_one_in_other_case() -> None:
    assert meant_by("Team", folders("INBOX.team", "INBOX.Team")) == "INBOX.Team"
    assert meant_by("TEAM", folders("INBOX.team", "INBOX.Team")) is None


async def test_a_folder_is_looked_for_once_and_then_known() -> None:
    async def story(peer: Peer) -> None:
        await peer.say(await peer.command(b'EXAMINE "Returns"') + b" NO Mailbox does not exist")
        await peer.say(b'* LIST () "." INBOX.Returns', await peer.command(b'LIST "" "*"') + b" OK done")
        for _ in range(2):
            await selected(peer)
        await peer.say(await peer.command(b'MYRIGHTS "INBOX.Returns"') + b" NO no")

    async with session(story, b"IMAP4rev1 ACL") as opened:
        for _ in range(2):
            assert (await opened.select("Returns")).folder == "Returns"
        assert await opened.rights("Returns") is None


@pytest.mark.parametrize(
    "refusal",
    [
        b"NO [UNAVAILABLE] later",
        b"NO [INUSE] locked",
        b"NO [LIMIT] slowly",
        b"BAD User is authenticated but not connected.",
    ],
)
async def test_a_server_in_trouble_is_not_asked_for_names(refusal: bytes) -> None:
    async def story(peer: Peer) -> None:
        await peer.say(await peer.command(b'EXAMINE "Returns"') + b" " + refusal)
        assert await peer.line() == b""

    async with session(story) as opened:
        with pytest.raises(Failure) as caught:
            await opened.select("Returns")
        assert caught.value.evidence.raw.endswith(refusal.decode())


async def test_inbox_is_never_taken_for_another() -> None:
    async def story(peer: Peer) -> None:
        await peer.say(await peer.command(b'EXAMINE "Inbox"') + b" NO [NONEXISTENT] no")
        assert await peer.line() == b""

    async with session(story) as opened:
        with pytest.raises(Failure):
            await opened.select("Inbox")


@pytest.mark.parametrize(
    ("answer", "name", "made"),
    [
        (b'(("INBOX." ".")) (("user." ".")) (("" "."))', "Sent", b"INBOX.Sent"),
        (b'(("INBOX." ".")) NIL NIL', "INBOX.Sent", b"INBOX.Sent"),
        (b'(("INBOX." ".")) (("user." ".")) NIL', "user.anna", b"user.anna"),
        (b'(("" "/")) (("~" "/")) NIL', "Sent", b"Sent"),
        (b'(("" "/" "X-PARAM" ("FLAG1" "FLAG2"))) NIL NIL', "Sent", b"Sent"),
        (b"NIL NIL (())", "Sent", b"Sent"),
        (b"", "Sent", b"Sent"),
    ],
)
async def test_a_folder_is_made_where_the_server_has_its_users_folders(answer: bytes, name: str, made: bytes) -> None:
    async def story(peer: Peer) -> None:
        await peer.say(b"* NAMESPACE " + answer, await peer.command(b"NAMESPACE") + b" OK done")
        await peer.say(await peer.command(b'CREATE "' + made + b'"') + b" OK made")
        await peer.say(await peer.command(b'SUBSCRIBE "' + made + b'"') + b" OK made")
        tag = await peer.command(b'APPEND "' + made + b'"')
        await peer.say(tag + b" NO [OVERQUOTA] full")

    async with session(story, b"IMAP4rev1 NAMESPACE") as opened:
        await opened.create(name)
        with pytest.raises(Failure, match="full"):
            await opened.append(name, b"abc", [], NOW)


async def test_a_folder_that_is_open_for_reading_only_is_closed_before_something_is_put_into_it() -> None:
    async def story(peer: Peer) -> None:
        await selected(peer)
        await peer.say(await peer.command(b'APPEND "Sent"') + b" NO Current box is selected READ-ONLY.")
        await peer.say(b'* LIST () "." Sent', b'* LIST () "." INBOX.Sent', await peer.command(b"LIST") + b" OK done")
        await peer.say(await peer.command(b"CLOSE") + b" OK closed")
        tag = await peer.command(b'APPEND "Sent"')
        await peer.say(b"+")
        assert await peer.reader.readexactly(3) == b"abc"
        await peer.line()
        await peer.say(tag + b" OK done")

    async with session(story, b"IMAP4rev1") as opened:
        await opened.select("Sent")
        await opened.append("Sent", b"abc", [], NOW)


# UTF-8

UTF8 = b"IMAP4rev1 ENABLE UTF8=ACCEPT NAMESPACE LITERAL+"


async def agrees(peer: Peer, answer: bytes = b"* ENABLED UTF8=ACCEPT") -> None:
    tag = await peer.command(b"ENABLE UTF8=ACCEPT")
    await peer.say(answer, tag + b" OK done")


async def test_names_go_and_come_in_utf_8_where_the_server_agrees() -> None:
    async def story(peer: Peer) -> None:
        await agrees(peer)
        tag = await peer.command('EXAMINE "Rück & 台北 &AOk-"'.encode())
        await peer.say(b"* OK [UIDVALIDITY 1] ok", tag + b" OK done")
        tag = await peer.command(b'LIST "" "*"')
        await peer.say('* LIST (\\Sent) "/" "Gesendet & 台北 &AOk-"'.encode(), tag + b" OK done")
        await peer.say(await peer.command(b'EXAMINE "two&AA0ACg-lines"') + b" NO [UNAVAILABLE] later")

    async with session(story, UTF8) as opened:
        assert (await opened.select("Rück & 台北 &AOk-")).uid_validity == 1
        assert await opened.sent_folder() == "Gesendet & 台北 &AOk-"
        with pytest.raises(Failure):
            await opened.select("two\r\nlines")


@pytest.mark.parametrize("answer", [b"* ENABLED", b"* OK nothing enabled", b"* ENABLED CONDSTORE"])
async def test_names_are_encoded_where_it_does_not(answer: bytes) -> None:
    async def story(peer: Peer) -> None:
        await agrees(peer, answer)
        await peer.say(b"* OK [UIDVALIDITY 1] ok", await peer.command(b'EXAMINE "R&APw-ck"') + b" OK done")

    async with session(story, UTF8) as opened:
        await opened.select("Rück")


@pytest.mark.parametrize(
    ("header", "announced"),
    [("Subject: Rück", b" UTF8 (~{%d+}"), ("Subject: R", b" {%d+}")],
)
async def test_a_header_in_utf_8_is_announced(header: str, announced: bytes) -> None:
    raw = f"{header}\r\n\r\nRück\r\n".encode()

    async def story(peer: Peer) -> None:
        await agrees(peer)
        tag = await peer.command(b'APPEND "Sent"')
        assert peer.heard[-1].endswith(announced % len(raw))
        assert await peer.reader.readexactly(len(raw)) == raw
        assert await peer.line() == (b")" if b"~" in announced else b"")
        await peer.say(tag + b" OK done")

    async with session(story, UTF8) as opened:
        await opened.append("Sent", raw, [], NOW)
