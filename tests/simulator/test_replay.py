"""Recorded failures, played: a client must meet the words that were recorded."""

import asyncio
import json
import ssl
from pathlib import Path

import pytest

from postroom.simulator import FieldError, Service, Simulator, fault_from_record

from .conftest import ANNA, BEN, PASSWORD
from .dialogue import Dialogue, imap, plain, smtp

CORPUS = Path(__file__).parent.parent / "corpus"
TEXTS = [file.read_text(encoding="utf-8") for file in sorted(CORPUS.glob("*-dev.jsonl"))]
RECORDS = [json.loads(line) for text in TEXTS for line in text.split("\n") if line]
FACTS = ("status", "response_code", "smtp_code", "enhanced")
SMTP_COMMANDS = {"mail": f"MAIL FROM:<{ANNA}>", "rcpt": f"RCPT TO:<{BEN}>", "data": "DATA", "dot": "y\r\n."}
IMAP_COMMANDS = {"select": "SELECT INBOX", "fetch": "FETCH 1 UID", "append": "APPEND INBOX {1+}\r\nx"}


def facts(record: dict) -> dict:
    return {name: record[name] for name in FACTS if record.get(name) is not None}


def words(text: str) -> list[str]:
    """What must survive: the text without line ends, so that a reply may fold it in its own way."""
    return "".join(char if char.isalnum() else " " for char in text).split()


async def smtp_answer(simulator: Simulator, stage: str) -> str:
    if stage in ("greeting", "ehlo", "starttls", "auth"):
        async with Dialogue.to(simulator.smtp_port) as client:
            reply = await client.smtp_reply()
            if stage != "greeting":
                reply = await client.reply("EHLO x")
            if stage == "starttls":
                reply = await client.reply("STARTTLS")
            if stage == "auth":
                reply = await client.reply(f"AUTH PLAIN {plain()}")
            return reply
    async with smtp(simulator) as client:
        for step, command in SMTP_COMMANDS.items():
            reply = await client.reply(command)
            if step == stage:
                return reply
    raise AssertionError(stage)


async def imap_answer(simulator: Simulator, stage: str) -> str:
    async with Dialogue.to(simulator.imap_port) as client:
        if stage == "greeting":
            return await client.line()
        await client.line()
        if stage == "starttls":
            return "".join(await client.ask("STARTTLS"))
        await client.send(f't LOGIN {ANNA} "{PASSWORD}"\r\n')
        if stage == "auth":
            text = await client.line()
            if text.startswith("+ "):
                await client.send("\r\n")
            while not text.splitlines()[-1].startswith(("t ", "* BYE")):
                text += await client.line()
            return text
        await client.until("t OK")
        if stage == "fetch":
            await client.ask("SELECT INBOX")
        await client.send(f"t {IMAP_COMMANDS.get(stage, stage.upper())}\r\n")
        text = await client.line()
        while not text.splitlines()[-1].startswith(("t ", "* BYE")):
            text += await client.line()
        return text


def test_the_corpus_is_there():
    assert len(RECORDS) > 300


async def test_every_record_with_a_servers_words_is_met_by_a_client(simulator):
    """Words of the client around them (stack traces, transcripts of what it sent) may be left out, not changed."""
    played = 0
    for record in RECORDS:
        if record["stage"] in ("dns", "oauth", "connect", "tls"):
            continue
        fault = fault_from_record(record["direction"], record["stage"], record["raw"], **facts(record))
        if fault.answer is None:
            continue
        await simulator.add_fault(fault)
        ask = smtp_answer if fault.protocol is Service.SMTP else imap_answer
        answer = await ask(simulator, fault.stage)
        await simulator.clear_faults()
        assert set(words(answer)) - {"t", "OK", "NO", "BAD", "BYE", "done"} <= {
            *words(record["raw"]),
            *(str(value) for value in facts(record).values()),
            answer[:3],
        }, record["id"]
        assert len(words(answer)) > 1, record["id"]
        if record.get("smtp_code"):
            assert answer.startswith(str(record["smtp_code"])), record["id"]
        several_commands = record["raw"].count("C: ") > 1
        if record.get("status") and fault.stage != "greeting" and not several_commands:
            assert answer.splitlines()[-1].split()[1] == record["status"], record["id"]
        played += 1
    assert played > 300


def test_every_other_record_has_a_behaviour_or_says_why_not():
    for record in RECORDS:
        if record["stage"] == "dns":
            with pytest.raises(FieldError, match="cannot be played"):
                fault_from_record(record["direction"], record["stage"], record["raw"], **facts(record))
        else:
            fault = fault_from_record(record["direction"], record["stage"], record["raw"], **facts(record))
            assert fault.answer or fault.behaviour


@pytest.mark.parametrize(
    ("raw", "behaviour"),
    [
        (
            "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: certificate has expired (_ssl.c:1006)",
            "expired",
        ),
        ("certificate verify failed: Hostname mismatch, certificate is not valid for 'mail.x'.", "wrong_host"),
        ("Error: self-signed certificate in certificate chain", "self_signed"),
        ("certificate verify failed: unable to get local issuer certificate", "unknown_ca"),
        ("[SSL: WRONG_VERSION_NUMBER] wrong version number (_ssl.c:1006)", "plain"),
        ("[SSL: SSLV3_ALERT_HANDSHAKE_FAILURE] sslv3 alert handshake failure", "handshake_failure"),
        ("something odd happened", "close"),
    ],
)
def test_tls_words_become_the_fault_that_causes_them(raw, behaviour):
    assert fault_from_record("imap", "tls", raw).behaviour == behaviour


@pytest.mark.parametrize(
    ("raw", "behaviour"),
    [
        ("ConnectionRefusedError: [Errno 111] Connection refused", "refuse"),
        ("TimeoutError: timed out", "hang"),
        ("ConnectionResetError: [Errno 104] Connection reset by peer", "reset"),
        ("Network is unreachable", "close"),
    ],
)
def test_connection_words_become_the_fault_that_causes_them(raw, behaviour):
    assert fault_from_record("smtp", "connect", raw).behaviour == behaviour


async def test_a_transcript_is_played_as_the_server_spoke_it(simulator):
    raw = "C: A1 AUTHENTICATE XOAUTH2 ****\nS: + eyJzdGF0dXMiOiI0MDAifQ==\nC: \nS: A1 NO [ALERT] Too many connections"
    await simulator.replay("imap", "auth", raw, status="NO", response_code="ALERT")
    assert await imap_answer(simulator, "auth") == "+ eyJzdGF0dXMiOiI0MDAifQ==\r\nt NO [ALERT] Too many connections\r\n"


async def test_a_lost_connection_is_played_as_one(simulator):
    await simulator.replay("imap", "fetch", "ERROR: command: FETCH => socket error: EOF")
    async with imap(simulator) as client:
        await client.send("t FETCH 1 UID\r\n")
        assert await client.rest() == b""


async def test_a_certificate_met_at_starttls_is_played_there(simulator):
    raw = "Could not convert socket to TLS; PKIX path building failed: unable to find valid certification path"
    await simulator.replay("smtp", "starttls", raw)
    async with Dialogue.to(simulator.smtp_port) as client:
        await client.smtp_reply()
        await client.reply("EHLO x")
        assert (await client.reply("STARTTLS")).startswith("220")
        with pytest.raises(ssl.SSLCertVerificationError, match="local issuer"):
            await asyncio.wait_for(client.writer.start_tls(simulator.client_context(), server_hostname="localhost"), 60)


@pytest.mark.parametrize(
    ("direction", "stage", "raw", "known", "answer"),
    [
        ("smtp", "auth", "535-5.7.8 a\n535 5.7.8 b", {}, "535-5.7.8 a\n535 5.7.8 b"),
        ("smtp", "auth", "454 4.7.0 Later\n at com.example.Mail", {}, "454-4.7.0 Later\n454 at com.example.Mail"),
        ("smtp", "mail", "Try later", {"enhanced": "4.3.2"}, "451 Try later"),
        ("smtp", "send", "No", {"smtp_code": 553}, "553 No"),
        ("imap", "auth", "NO [LIMIT] Enough", {}, "{tag} NO [LIMIT] Enough"),
        ("imap", "auth", "a7 NO Enough", {}, "{tag} NO Enough"),
        ("imap", "auth", "Enough", {"response_code": "LIMIT"}, "{tag} NO [LIMIT] Enough"),
        ("imap", "select", "BAD What", {}, "{tag} BAD What"),
        ("imap", "fetch", "* BYE Gone", {"status": "BYE"}, "* BYE Gone"),
        ("imap", "greeting", "BYE Gone", {"status": "BYE"}, "* BYE Gone"),
        ("imap", "greeting", "* NO [UNAVAILABLE] Sick", {"status": "NO"}, "* NO [UNAVAILABLE] Sick"),
        ("imap", "capability", "* CAPABILITY IMAP4", {}, "* CAPABILITY IMAP4\n{tag} OK done"),
    ],
)
def test_words_get_the_wire_form_and_nothing_else(direction, stage, raw, known, answer):
    assert fault_from_record(direction, stage, raw, **known).answer == answer
