"""Whatever bytes a server sends: a result or a Failure, never a hang and never another exception."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from postroom.core.diagnosis.evidence import Failure
from postroom.wire.imap import Session
from postroom.wire.imap.grammar import Continuation, Data, Status, parse
from postroom.wire.imap.tokens import Unparsable, tokenise
from postroom.wire.imap.uids import lowest_reached
from tests.wire.imap_peer import CAPABILITIES, NOW, client, selected, sign_in
from tests.wire.peer import Peer, account, served

WORDS = st.sampled_from(
    [
        *(
            b"* ",
            b"p1 ",
            b"p2 ",
            b"p3 ",
            b"p4 ",
            b"+ ",
            b"\r\n",
            b"\n",
            b" ",
            b"(",
            b")",
            b'"',
            b"\\",
            b"NIL",
            b"[",
            b"]",
        ),
        *(
            b"OK ",
            b"NO ",
            b"BAD ",
            b"BYE ",
            b"PREAUTH ",
            b"1 FETCH ",
            b"FETCH (UID 1 BODY[] {3}\r\nabc)\r\n",
            b"UID 1 ",
        ),
        *(
            b"* 2 EXISTS\r\n",
            b"* SEARCH 1 2\r\n",
            b'* LIST () "/" Sent\r\n',
            b"[CAPABILITY IMAP4rev1 IDLE] ",
            b"[CAPABILITY IMAP4rev1 ENABLE UTF8=ACCEPT ID] ",
            b'* NAMESPACE (("INBOX." ".")) NIL NIL\r\n',
            b"* ENABLED UTF8=ACCEPT\r\n",
            b'* ESEARCH (TAG "p3") UID ALL 1:3\r\n',
            b'* LIST () "." "INBOX.Sent"\r\n',
            b"p4 NO no\r\n",
            b"p5 OK done\r\n",
            b"p6 OK done\r\n",
            b"BODY[] ",
        ),
        *(
            b"{0}\r\n",
            b"{5}\r\n",
            b"{99999999999999}\r\n",
            b"~{2}\r\n",
            b"[UIDVALIDITY 1]",
            b"FLAGS (",
            b"RFC822.SIZE ",
        ),
        *(b"p1 OK done\r\n", b"p2 OK done\r\n", b"p3 OK done\r\n", b"p4 OK x\r\n", b"\0", b"\xff\xfe", b"9" * 30),
    ]
)
BYTES = st.one_of(st.binary(max_size=200), st.lists(st.one_of(WORDS, st.binary(max_size=5)), max_size=40).map(b"".join))

COMMANDS: dict[str, Callable[[Session], Awaitable[object]]] = {
    "select": lambda opened: opened.select("INBOX"),
    "sizes": lambda opened: opened.sizes(1),
    "fetch": lambda opened: fetch_all(opened),
    "idle": lambda opened: opened.idle(0.01),
    "noop": lambda opened: opened.noop(),
    "sent_folder": lambda opened: opened.sent_folder(),
    "create": lambda opened: opened.create("x"),
    "find": lambda opened: opened.find("Sent", "a@b"),
    "append": lambda opened: opened.append("Sent", b"x" * 5000, [], NOW),
    "append_utf8": lambda opened: opened.append("Rück", "Subject: Rück\r\n\r\n".encode(), [], NOW),
    "rights": lambda opened: opened.rights("Rück"),
    "uids": lambda opened: opened.uids(),
    "remove": lambda opened: opened.remove("Sent", "a@b"),
    "logout": lambda opened: opened.logout(),
}
SELECTING = ("select", "find", "remove")
RICH = CAPABILITIES + b" ENABLE UTF8=ACCEPT NAMESPACE ESEARCH ACL UIDPLUS LIST-EXTENDED SPECIAL-USE"


async def fetch_all(opened: Session) -> list[object]:
    return [one async for one in opened.fetch([1, 2, 3])]


@given(st.lists(BYTES, min_size=1, max_size=7).filter(lambda pieces: len(pieces) % 2 == 1))
def test_any_pieces_are_a_response_or_unparsable(pieces: list[bytes]) -> None:
    with suppress(Unparsable):
        response = parse(pieces)
        assert isinstance(response, Status | Continuation | Data)
        if isinstance(response, Data):
            response.tokens()


@given(BYTES)
def test_any_text_is_tokens_or_unparsable(text: bytes) -> None:
    with suppress(Unparsable):
        assert isinstance(tokenise((text,)), list)


@settings(max_examples=60, deadline=None)
@given(BYTES)
@example(b"* OK [CAPABILITY (] x\r\n* CAPABILITY (\r\n")
def test_any_greeting_ends_in_a_session_or_a_failure(said: bytes) -> None:
    async def story(peer: Peer) -> None:
        await peer.send(said)

    async def attempt() -> None:
        async with served(story) as port, asyncio.timeout(90):
            with suppress(Failure):
                (await client(timeout=2).open(account(port))).abort()

    asyncio.run(attempt())


@pytest.mark.parametrize("name", COMMANDS)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(said=BYTES)
def test_any_answer_ends_in_a_result_or_a_failure(name: str, said: bytes) -> None:
    played(name, said)


@pytest.mark.parametrize("name", ["fetch", "sizes", "sent_folder", "rights", "uids", "find"])
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(said=BYTES)
def test_any_answer_with_its_literals_on_disk_does_too(monkeypatch: pytest.MonkeyPatch, name: str, said: bytes) -> None:
    monkeypatch.setattr("postroom.wire.imap.dialogue.SPOOLED", 1)
    played(name, said)


@settings(max_examples=60, deadline=None)
@given(st.lists(BYTES, min_size=1, max_size=7).filter(lambda pieces: len(pieces) % 2 == 1), st.integers(0, 2**32))
def test_any_end_of_a_limited_answer_is_understood_or_passed_over(pieces: list[bytes], lowest: int) -> None:
    code = b"p1 OK [MESSAGELIMIT 10 %d] " % lowest + pieces[0].replace(b"\n", b"")
    status = parse((code,))
    assert isinstance(status, Status)
    assert lowest_reached(status) == lowest
    assert lowest_reached(parse((b"p1 OK [MESSAGELIMIT 10 " + b"9" * 5000 + b"] x",))) is None
    with suppress(Unparsable):
        garbled = parse((b"p1 OK [MESSAGELIMIT " + pieces[0] + b"] x",))
        if isinstance(garbled, Status):
            assert (lowest_reached(garbled) or 0) >= 0


def played(name: str, said: bytes) -> None:
    async def story(peer: Peer) -> None:
        await sign_in(peer, RICH)
        tag = await peer.command(b"ENABLE")
        await peer.say(b"* ENABLED UTF8=ACCEPT", tag + b" OK done")
        if name not in SELECTING:
            await selected(peer)
        await peer.line()
        await peer.send(said)

    async def attempt() -> None:
        async with served(story) as port, asyncio.timeout(90):
            opened = await client(patience=2).open(account(port))
            failure: Failure | None = None
            try:
                if name not in SELECTING:
                    await opened.select("INBOX")
                await COMMANDS[name](opened)
            except Failure as error:
                failure = error
            assert failure is None or opened.closed
            assert failure is None or failure.evidence.exception or failure.evidence.status
            opened.abort()

    asyncio.run(attempt())
