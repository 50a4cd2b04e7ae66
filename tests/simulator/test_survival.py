"""Whatever bytes arrive: no session may crash the simulator or keep others waiting."""

import asyncio
import contextlib
import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from postroom.simulator import Simulator
from postroom.simulator.imap.command import Arguments, Bad
from postroom.simulator.imap.encoding import from_modified_utf7, to_modified_utf7
from postroom.simulator.imap.fetch import read_items

from .conftest import ANNA, BEN, PASSWORD
from .dialogue import Dialogue, imap, plain, smtp

SIGN_IN = {
    "imap": f't LOGIN {ANNA} "{PASSWORD}"\r\nt SELECT INBOX\r\n'.encode(),
    "smtp": f"EHLO x\r\nAUTH PLAIN {plain()}\r\n".encode(),
}
IMAP_PIECES = st.sampled_from(
    [b"t ", b"UID ", b"FETCH ", b"SEARCH ", b"STORE ", b"COPY ", b"1:* ", b"(", b")", b"{3}\r\n", b"{3+}\r\nabc",
     b"\r\n", b"BODY[", b"]", b"<0.1>", b'"', b"\\", b"NOT ", b"OR ", b"APPEND INBOX ", b"IDLE\r\n", b"DONE\r\n",
     b"LIST ", b"*", b"FLAGS ", b"+", b"{99999999999}\r\n", b"{40000000+}\r\n", b"AUTHENTICATE PLAIN ", b"&", b"-",
     b"RENAME INBOX "]
)  # fmt: skip
SMTP_PIECES = st.sampled_from(
    [b"MAIL FROM:<", b"a@b", b">", b"RCPT TO:<", b"DATA", b"\r\n", b".\r\n", b"\r\n.\r\n", b"AUTH ", b"LOGIN ", b"RSET",
     b"SIZE=99", b" ", b"BODY=8BITMIME", b"EHLO x", b"STARTTLS\r\n", b"QUIT", b"=", b"*"]
)  # fmt: skip


@pytest.mark.parametrize(("protocol", "pieces"), [("imap", IMAP_PIECES), ("smtp", SMTP_PIECES)])
@pytest.mark.parametrize("signed_in", [False, True])
def test_no_bytes_crash_a_session_or_hang_others(protocol, pieces, signed_in):
    loop = asyncio.new_event_loop()
    simulator = Simulator(control_port=None)
    loop.run_until_complete(simulator.__aenter__())
    simulator.create_account(ANNA, PASSWORD)
    simulator.create_account(BEN, PASSWORD)
    simulator.deliver(ANNA, b"Subject: x\r\nDate: nonsense\r\n\r\nbody")

    async def attack(data: bytes) -> None:
        async with Dialogue.to(getattr(simulator, f"{protocol}_port")) as client:
            await client.line()
            await client.send((SIGN_IN[protocol] if signed_in else b"") + data)
            client.writer.write_eof()
            async with imap(simulator, address=BEN) as other:
                assert (await other.ask("NOOP"))[-1].startswith("t OK")
            await client.rest()
        assert simulator.crashes == []

    start = b"t " if protocol == "imap" else b""
    line = st.lists(pieces, max_size=10).map(lambda parts: start + b"".join(parts) + b"\r\n")

    @settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(st.one_of(st.binary(max_size=300), st.lists(line, max_size=6).map(b"".join)))
    def check(data: bytes) -> None:
        loop.run_until_complete(attack(data))

    try:
        check()
    finally:
        loop.run_until_complete(simulator.__aexit__(None, None, None))
        loop.close()


async def test_an_endless_line_is_ended(simulator):
    async with Dialogue.to(simulator.imap_port) as client:
        await client.line()
        await client.send(b"x" * 200_000)
        assert b"* BYE line too long" in await client.rest()
    async with Dialogue.to(simulator.smtp_port) as client:
        await client.line()
        await client.send(b"x" * 200_000)
        assert b"500 5.5.2" in await client.rest()


async def test_a_literal_too_large_is_refused_before_it_is_sent(simulator):
    async with Dialogue.to(simulator.imap_port) as client:
        await client.line()
        for _ in range(3):
            assert (await client.ask("LOGIN {999999}"))[-1].startswith("t NO [TOOBIG]")
        await client.send("t LOGIN {999999+}\r\nabc")
        assert b"* BYE literal too large" in await client.rest()


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=40))
def test_folder_names_survive_modified_utf7(name):
    assert from_modified_utf7(to_modified_utf7(name)) == name


@given(st.binary(max_size=80))
def test_reading_arguments_ends_in_a_value_or_in_bad(data):
    for read in (
        lambda args: args.sequence_set(), lambda args: args.astring(), lambda args: args.flags(),
        lambda args: args.folder(), lambda args: read_items(args, by_uid=True),
    ):  # fmt: skip
        with contextlib.suppress(Bad):
            read(Arguments(data))


@pytest.mark.skipif(shutil.which("mbsync") is None, reason="mbsync (isync) is not installed")
async def test_mbsync_pulls_and_pushes_a_mailbox(simulator, tmp_path: Path):
    for number in range(3):
        simulator.deliver(ANNA, f"Message-ID: <{number}@x>\r\nSubject: {number}\r\n\r\nbody {number}\r\n".encode())
    (tmp_path / "ca.pem").write_text(simulator.ca_pem)
    (tmp_path / "mail").mkdir()
    config = tmp_path / "mbsyncrc"
    config.write_text(
        f"""IMAPAccount a
Host localhost
Port {simulator.imap_port}
User {ANNA}
Pass "{PASSWORD}"
SSLType STARTTLS
CertificateFile {tmp_path}/ca.pem

IMAPStore remote
Account a

MaildirStore local
Path {tmp_path}/mail/
Inbox {tmp_path}/mail/INBOX
SubFolders Verbatim

Channel c
Far :remote:
Near :local:
Patterns *
Create Near
Expunge Both
SyncState *
"""
    )

    async def sync() -> None:
        process = await asyncio.create_subprocess_exec(
            "mbsync", "-c", str(config), "c", stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )
        output, _ = await asyncio.wait_for(process.communicate(), 90)
        assert process.returncode == 0, output.decode()

    await sync()
    pulled = sorted((tmp_path / "mail/INBOX").glob("*/*,U=*"))
    assert len(pulled) == 3
    simulator.folder(ANNA).expunge([2])
    (tmp_path / "mail/Sent/cur").mkdir(parents=True, exist_ok=True)
    (tmp_path / "mail/Sent/cur/1.local:2,S").write_text("Message-ID: <local@x>\nSubject: pushed\n\nbody\n")
    await sync()
    assert len(list((tmp_path / "mail/INBOX").glob("*/*,U=*"))) == 2
    sent = list(simulator.folder(ANNA, "Sent").messages.values())
    assert [message.message_id for message in sent] == ["<local@x>"]
    assert "\\Seen" in sent[0].flags


async def test_many_sessions_at_once_each_get_their_answers(simulator):
    async def one(number: int) -> None:
        async with imap(simulator, address=(ANNA, BEN)[number % 2]) as client, smtp(simulator):
            assert (await client.ask("UID SEARCH ALL"))[-1].startswith("t OK")

    await asyncio.gather(*(one(number) for number in range(40)))
