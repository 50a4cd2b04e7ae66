"""The IMAP service, driven by the standard library's client and by bare commands. Faults are tested beside it."""

import asyncio
import base64
import imaplib
import json
from datetime import UTC, datetime

import pytest

from postroom.simulator import Simulator

from .conftest import ANNA, BEN, PASSWORD
from .dialogue import Dialogue, imap

RAW = (
    b"From: customer@example.net\r\nSubject: A question\r\nMessage-ID: <q1@example.net>\r\n\r\nFirst line\r\nSecond\r\n"
)


async def test_imaplib_reads_and_appends_over_starttls_and_tls(simulator):
    simulator.deliver(ANNA, RAW)

    def drive() -> None:
        with imaplib.IMAP4("127.0.0.1", simulator.imap_port) as client:
            client.starttls(simulator.client_context())
            client.login(ANNA, PASSWORD)
            assert client.select() == ("OK", [b"1"])
            _, found = client.uid("FETCH", "1:*", "(UID BODY.PEEK[])")
            assert found[0][1] == RAW
            status, answer = client.append("Sent", "\\Seen", '"01-Feb-2024 10:00:00 +0200"', RAW)
            assert status == "OK"
            assert b"[APPENDUID 2 1]" in answer[0]
        with imaplib.IMAP4_SSL("localhost", simulator.imaps_port, ssl_context=simulator.client_context()) as client:
            client.login(ANNA, PASSWORD)
            client.select("Sent", readonly=True)
            _, found = client.fetch("1", "(INTERNALDATE FLAGS)")
            assert b'" 1-Feb-2024 10:00:00 +0200"' in found[0]
            assert b"\\Seen" in found[0]

    await asyncio.to_thread(drive)


@pytest.mark.parametrize(
    ("item", "label", "content"),
    [
        ("BODY.PEEK[HEADER]", "BODY[HEADER]", RAW[: RAW.index(b"First")]),
        ("BODY.PEEK[TEXT]", "BODY[TEXT]", b"First line\r\nSecond\r\n"),
        ("BODY.PEEK[]<6.8>", "BODY[]<6>", b"customer"),
        ("BODY.PEEK[]<9000.5>", "BODY[]<9000>", b""),
        (
            "BODY.PEEK[HEADER.FIELDS (subject x-none)]",
            "BODY[HEADER.FIELDS (SUBJECT X-NONE)]",
            b"Subject: A question\r\n\r\n",
        ),
        (
            "BODY.PEEK[HEADER.FIELDS.NOT (From Message-ID)]",
            "BODY[HEADER.FIELDS.NOT (FROM MESSAGE-ID)]",
            b"Subject: A question\r\n\r\n",
        ),
    ],
)
async def test_each_section_is_cut_out_exactly(simulator, item, label, content):
    simulator.deliver(ANNA, RAW)
    async with imap(simulator) as client:
        await client.send(f"t UID FETCH 1 {item}\r\n")
        expected = f"* 1 FETCH (UID 1 {label} {{{len(content)}}}\r\n".encode() + content + b")\r\nt OK Fetched\r\n"
        assert await asyncio.wait_for(client.reader.readexactly(len(expected)), 60) == expected


async def test_only_a_fetch_without_peek_marks_as_seen(simulator):
    simulator.deliver(ANNA, RAW)
    message = simulator.folder(ANNA).messages[1]
    async with imap(simulator) as client:
        await client.ask("FETCH 1 BODY.PEEK[TEXT]")
        assert "\\Seen" not in message.flags
        answer = await client.ask("FETCH 1 BODY[TEXT]")
        assert "\\Seen" in message.flags
        assert "FLAGS (\\Recent \\Seen)" in "".join(answer)


@pytest.mark.parametrize(
    ("criteria", "found"),
    [
        ("ALL", "1 2 3"),
        ("UID 2:*", "2 3"),
        ("2", "2"),
        ("UNSEEN", "1 3"),
        ("SEEN", "2"),
        ("KEYWORD $Done", "2"),
        ("HEADER Message-ID <two@x>", "2"),
        ('HEADER X-Odd ""', "3"),
        ("SUBJECT invoice", "1 3"),
        ("NOT SUBJECT invoice", "2"),
        ("OR SUBJECT other BODY three", "2 3"),
        ("(SUBJECT invoice UNSEEN) BODY one", "1"),
        ("SINCE 2-Jan-2024", "2 3"),
        ("BEFORE 2-Jan-2024", "1"),
        ("ON 3-Jan-2024", "3"),
        ("SENTSINCE 1-Jan-2020", "1"),
        ("LARGER 5000", ""),
        ("CHARSET UTF-8 BODY {4+}\r\nüb", "3"),
    ],
)
async def test_search_finds_what_it_should(simulator, criteria, found):
    inbox = simulator.folder(ANNA)
    first = b"Subject: Invoice\r\nDate: Wed, 01 Jan 2020 10:00:00 +0000\r\n\r\none"
    inbox.add(first, datetime(2024, 1, 1, tzinfo=UTC))
    inbox.add(
        b"Subject: other\r\nMessage-ID: <two@x>\r\n\r\ntwo", datetime(2024, 1, 2, tzinfo=UTC), ["\\seen", "$Done"]
    )
    inbox.add("Subject: an invoice\r\nX-Odd: 1\r\n\r\nthree übrig".encode(), datetime(2024, 1, 3, tzinfo=UTC))
    async with imap(simulator) as client:
        lines = await client.ask(f"UID SEARCH {criteria.replace('üb', 'übr')}")
    assert lines[0].split()[2:] == found.split(), lines


async def test_flags_are_set_added_and_taken_away(simulator):
    simulator.deliver(ANNA, RAW)
    message = simulator.folder(ANNA).messages[1]
    async with imap(simulator) as client:
        assert (await client.ask("UID STORE 1 +FLAGS (\\flagged custom)"))[0].startswith("* 1 FETCH (UID 1 FLAGS (")
        assert message.flags == {"\\Flagged", "custom"}
        assert await client.ask("UID STORE 1 -FLAGS.SILENT (CUSTOM)") == ["t OK Stored\r\n"]
        assert message.flags == {"\\Flagged"}
        await client.ask("STORE 1 FLAGS (\\Answered)")
        assert message.flags == {"\\Answered"}


async def test_expunge_takes_only_deleted_messages_and_numbers_move_up(simulator):
    for _ in range(4):
        simulator.deliver(ANNA, RAW)
    async with imap(simulator) as client:
        await client.ask("UID STORE 1,3,4 +FLAGS.SILENT (\\Deleted)")
        assert await client.ask("UID EXPUNGE 1:3") == ["* 3 EXPUNGE\r\n", "* 1 EXPUNGE\r\n", "t OK Expunged\r\n"]
        assert await client.ask("FETCH 1:* UID") == [
            "* 1 FETCH (UID 2)\r\n",
            "* 2 FETCH (UID 4)\r\n",
            "t OK Fetched\r\n",
        ]
        assert await client.ask("EXPUNGE") == ["* 2 EXPUNGE\r\n", "t OK Expunged\r\n"]


async def test_another_sessions_expunge_is_told_only_when_numbers_may_change(simulator):
    simulator.deliver(ANNA, RAW)
    simulator.deliver(ANNA, RAW)
    async with imap(simulator) as client:
        simulator.folder(ANNA).expunge([1])
        assert await client.ask("FETCH 1:* UID") == ["* 2 FETCH (UID 2)\r\n", "t OK Fetched\r\n"]
        assert await client.ask("NOOP") == ["* 1 EXPUNGE\r\n", "t OK Done\r\n"]


async def test_move_and_copy_name_the_new_uids(simulator):
    simulator.deliver(ANNA, RAW)
    simulator.deliver(ANNA, RAW)
    async with imap(simulator) as client:
        assert await client.ask("UID COPY 1:2 Junk") == ["t OK [COPYUID 5 1:2 1:2] Copied\r\n"]
        assert await client.ask("UID MOVE 2 Trash") == [
            "* OK [COPYUID 4 2 1] Moved\r\n",
            "* 2 EXPUNGE\r\n",
            "t OK Moved\r\n",
        ]
        assert (await client.ask("COPY 1 Nowhere"))[-1].startswith("t NO [TRYCREATE]")


async def test_folders_are_made_listed_renamed_and_deleted(simulator):
    async with imap(simulator, folder=None) as client:
        assert (await client.ask('CREATE "Entw&APw-rfe/2024"'))[-1].startswith("t OK")
        assert "Entwürfe/2024" in simulator.accounts.get(ANNA).folders
        assert (await client.ask('CREATE "Entw&APw-rfe/2024"'))[-1].startswith("t NO [ALREADYEXISTS]")
        assert (await client.ask('LIST "" "Entw*"'))[0].endswith('"/" "Entw&APw-rfe/2024"\r\n')
        assert len(await client.ask('LIST "" "%"')) == 6
        special = await client.ask('LIST (SPECIAL-USE) "" "*" RETURN (SUBSCRIBED STATUS (MESSAGES UIDNEXT))')
        assert special[:2] == [
            '* LIST (\\HasNoChildren \\Sent \\Subscribed) "/" "Sent"\r\n',
            '* STATUS "Sent" (MESSAGES 0 UIDNEXT 1)\r\n',
        ]
        assert (await client.ask('RENAME "Entw&APw-rfe/2024" Old'))[-1].startswith("t OK")
        assert (await client.ask("UNSUBSCRIBE Old"))[-1].startswith("t OK")
        assert "Old" not in "".join(await client.ask('LSUB "" "*"'))
        assert (await client.ask("DELETE Old"))[-1].startswith("t OK")
        assert (await client.ask("SELECT Old"))[-1].startswith("t NO [NONEXISTENT]")
        assert (await client.ask("DELETE inbox"))[-1].startswith("t NO")


async def test_select_says_what_a_client_needs_to_know(simulator):
    simulator.deliver(ANNA, RAW)
    async with imap(simulator, folder=None) as client:
        answer = "".join(await client.ask("SELECT inbox"))
        for part in ("* 1 EXISTS", "* 1 RECENT", "[UIDVALIDITY 1]", "[UIDNEXT 2]", "[UNSEEN 1]", "[READ-WRITE]"):
            assert part in answer
        assert (await client.ask("EXAMINE INBOX"))[-1].startswith("t OK [READ-ONLY]")
        assert (await client.ask("STORE 1 +FLAGS (\\Deleted)"))[-1].startswith("t NO [READ-ONLY]")


async def test_idle_pushes_a_delivery_within_a_tenth_of_a_second(simulator):
    """The best of five: the machine that runs the tests may pause at any time."""
    loop = asyncio.get_running_loop()
    waits = []
    async with imap(simulator) as client:
        await client.send("t IDLE\r\n")
        await client.until("+ ")
        for number in range(1, 6):
            started = loop.time()
            simulator.deliver(ANNA, RAW)
            assert await client.line() == f"* {number} EXISTS\r\n"
            waits.append(loop.time() - started)
            await client.until(f"* {number} RECENT")
        assert min(waits) < 0.1
        simulator.folder(ANNA).expunge([1])
        assert await client.line() == "* 1 EXPUNGE\r\n"
        await client.send("DONE\r\n")
        assert await client.line() == "t OK Idled\r\n"


async def test_idle_pushes_what_another_session_changes(simulator):
    simulator.deliver(ANNA, RAW)
    async with imap(simulator) as idler, imap(simulator) as other:
        await idler.send("t IDLE\r\n")
        await idler.until("+ ")
        await other.ask("STORE 1 +FLAGS (\\Flagged)")
        assert await idler.line() == "* 1 FETCH (UID 1 FLAGS (\\Flagged))\r\n"


async def test_an_account_without_idle_neither_offers_nor_takes_it(simulator):
    simulator.change_account(ANNA, idle=False)
    async with imap(simulator) as client:
        assert " IDLE" not in "".join(await client.ask("CAPABILITY"))
        assert (await client.ask("IDLE"))[-1].startswith("t BAD")


async def test_the_connection_limit_counts_signed_in_sessions(simulator):
    simulator.change_account(ANNA, connection_limit=1)
    async with imap(simulator), Dialogue.to(simulator.imap_port) as second:
        await second.line()
        assert (await second.ask(f'LOGIN {ANNA} "{PASSWORD}"'))[-1].startswith("t NO [LIMIT]")
        assert (await second.ask(f'LOGIN {BEN} "{PASSWORD}"'))[-1].startswith("t OK")


async def test_a_full_mailbox_refuses_append(simulator):
    simulator.change_account(ANNA, quota=100)
    async with imap(simulator) as client:
        assert (await client.ask("APPEND INBOX {3+}\r\nabc"))[-1].startswith("t OK [APPENDUID")
        assert (await client.ask("APPEND INBOX {98+}\r\n" + "x" * 98))[-1].startswith("t NO [OVERQUOTA]")


async def test_a_changed_password_ends_the_open_sessions(simulator):
    async with imap(simulator) as anna, imap(simulator, address=BEN) as ben:
        simulator.change_account(ANNA, password="new")
        assert (await anna.rest()).startswith(b"* BYE")
        assert (await ben.ask("NOOP"))[-1].startswith("t OK")
    async with Dialogue.to(simulator.imap_port) as client:
        await client.line()
        assert (await client.ask(f'LOGIN {ANNA} "{PASSWORD}"'))[-1].startswith("t NO [AUTHENTICATIONFAILED]")
        assert (await client.ask(f"LOGIN {ANNA} new"))[-1].startswith("t OK")


@pytest.mark.parametrize(
    ("mechanism", "response"),
    [
        ("XOAUTH2", "user={user}\x01auth=Bearer {token}\x01\x01"),
        ("OAUTHBEARER", "n,a={user},\x01host=localhost\x01port=143\x01auth=Bearer {token}\x01\x01"),
    ],
)
async def test_a_token_signs_in_and_a_wrong_one_gets_its_challenge(simulator, mechanism, response):
    simulator.change_account(ANNA, access_token="good")

    def encoded(token: str) -> str:
        return base64.b64encode(response.format(user=ANNA, token=token).encode()).decode()

    async with Dialogue.to(simulator.imap_port) as client:
        await client.line()
        await client.send(f"t AUTHENTICATE {mechanism} {encoded('stale')}\r\n")
        challenge = json.loads(base64.b64decode((await client.line())[2:]))
        assert challenge["status"] in ("400", "invalid_token")
        await client.send("\r\n")
        assert (await client.line()).startswith("t NO [AUTHENTICATIONFAILED]")
        await client.send(f"t AUTHENTICATE {mechanism}\r\n")
        assert await client.line() == "+ \r\n"
        await client.send(encoded("good") + "\r\n")
        assert (await client.line()).startswith("t OK [CAPABILITY")


async def test_renumbering_gives_a_new_uidvalidity_and_ends_sessions_that_look(simulator):
    simulator.deliver(ANNA, RAW)
    simulator.deliver(ANNA, RAW)
    simulator.folder(ANNA).expunge([1])
    before = simulator.folder(ANNA).uid_validity
    async with imap(simulator) as looking, imap(simulator, folder="Sent") as elsewhere:
        simulator.renumber(ANNA)
        assert (await looking.rest()).startswith(b"* BYE")
        answer = "".join(await elsewhere.ask("STATUS INBOX (UIDVALIDITY UIDNEXT MESSAGES)"))
    assert f"UIDVALIDITY {simulator.folder(ANNA).uid_validity} UIDNEXT 2 MESSAGES 1" in answer
    assert simulator.folder(ANNA).uid_validity > before


async def test_sign_in_needs_tls_where_it_is_so_set():
    async with Simulator(plain_sign_in=False) as simulator:
        simulator.create_account(ANNA, PASSWORD)
        async with Dialogue.to(simulator.imap_port) as client:
            assert "LOGINDISABLED" in await client.line()
            assert (await client.ask(f'LOGIN {ANNA} "{PASSWORD}"'))[-1].startswith("t NO [PRIVACYREQUIRED]")
        async with Dialogue.to(simulator.imaps_port, simulator.client_context()) as client:
            assert "LOGINDISABLED" not in await client.line()
            assert (await client.ask(f'LOGIN {ANNA} "{PASSWORD}"'))[-1].startswith("t OK")


async def test_commands_sent_with_starttls_are_thrown_away(simulator):
    """Or an attacker could put commands before the handshake (RFC 3207 6)."""
    async with Dialogue.to(simulator.imap_port) as client:
        await client.line()
        await client.send("a STARTTLS\r\nb NOOP\r\n")
        assert (await client.line()).startswith("a OK")
        await client.writer.start_tls(simulator.client_context(), server_hostname="localhost")
        await client.send("c NOOP\r\n")
        assert await client.line() == "c OK Done\r\n"


async def test_internal_dates_come_from_the_clock_that_was_given():
    moment = datetime(2031, 3, 4, 5, 6, 7, tzinfo=UTC)
    async with Simulator(now=lambda: moment) as simulator:
        simulator.create_account(ANNA, PASSWORD)
        simulator.deliver(ANNA, RAW)
        async with imap(simulator) as client:
            assert '" 4-Mar-2031 05:06:07 +0000"' in (await client.ask("FETCH 1 INTERNALDATE"))[0]


async def test_an_account_with_threads_names_them_by_their_subject(simulator):
    simulator.create_account("gmail@example.org", PASSWORD, threads=True)
    for subject in ("A question", "Re: RE: a question", "Another"):
        simulator.deliver("gmail@example.org", RAW.replace(b"A question", subject.encode()))

    def drive() -> list[bytes]:
        with imaplib.IMAP4("127.0.0.1", simulator.imap_port) as client:
            client.starttls(simulator.client_context())
            client.login("gmail@example.org", PASSWORD)
            assert b"X-GM-EXT-1" in client.capability()[1][0]
            client.select()
            return client.fetch("1:*", "(X-GM-THRID)")[1]

    first, second, third = (line.rpartition(b" ")[2] for line in await asyncio.to_thread(drive))
    assert first == second != third
