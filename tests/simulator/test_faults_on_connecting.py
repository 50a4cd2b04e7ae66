"""Faults before anybody has signed in: connect, TLS, greeting, capabilities, STARTTLS. Later stages: test_faults."""

import asyncio
import smtplib
import ssl

import pytest

from .dialogue import Dialogue, fault, plain

PLAIN_PORTS = [("imap", "imap_port"), ("smtp", "smtp_port")]
TLS_PORTS = [("imap", "imaps_port"), ("smtp", "smtps_port")]

# connect


@pytest.mark.parametrize(("protocol", "port"), PLAIN_PORTS + TLS_PORTS)
async def test_refuse_stops_listening_until_it_is_cleared(simulator, protocol, port):
    number = getattr(simulator, port)
    await simulator.add_fault(fault(protocol, "connect", behaviour="refuse"))
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", number)
    await simulator.clear_faults()
    tls = simulator.client_context() if number in (simulator.imaps_port, simulator.smtps_port) else None
    async with Dialogue.to(number, tls) as client:
        assert (await client.line()).startswith(("* OK", "220 "))


@pytest.mark.parametrize(("protocol", "port"), PLAIN_PORTS)
async def test_connect_can_close_reset_or_say_nothing(simulator, protocol, port):
    number = getattr(simulator, port)
    for behaviour in ("close", "reset", "hang"):
        await simulator.add_fault(fault(protocol, "connect", behaviour=behaviour, times=1))
    async with Dialogue.to(number) as client:
        assert await client.reader.read() == b""
    with pytest.raises(ConnectionResetError):
        async with Dialogue.to(number) as client:
            await asyncio.wait_for(client.reader.read(), 60)
    async with Dialogue.to(number) as client:
        assert await client.is_silent()
    async with Dialogue.to(number) as client:
        assert (await client.line()).startswith(("* OK", "220 "))


# tls


@pytest.mark.parametrize(("protocol", "port"), TLS_PORTS)
@pytest.mark.parametrize(
    ("behaviour", "complaint"),
    [
        ("expired", "certificate has expired"),
        ("not_yet_valid", "certificate is not yet valid"),
        ("wrong_host", "Hostname mismatch"),
        ("self_signed", "self-signed certificate"),
        ("unknown_ca", "unable to get local issuer certificate"),
        ("handshake_failure", "handshake failure"),
        ("plain", "WRONG_VERSION_NUMBER"),
    ],
)
async def test_each_tls_fault_is_named_by_the_client(simulator, protocol, port, behaviour, complaint):
    await simulator.add_fault(fault(protocol, "tls", behaviour=behaviour, times=1))
    with pytest.raises(ssl.SSLError) as caught:
        async with Dialogue.to(getattr(simulator, port), simulator.client_context()):
            pass
    assert complaint.casefold() in str(caught.value).casefold().replace("self signed", "self-signed").replace(
        "_failure", " failure"
    )
    async with Dialogue.to(getattr(simulator, port), simulator.client_context()) as client:
        assert (await client.line()).startswith(("* OK", "220 "))


@pytest.mark.parametrize("behaviour", ["close", "hang"])
async def test_a_handshake_can_be_closed_or_left_hanging(simulator, behaviour):
    await simulator.add_fault(fault("imap", "tls", behaviour=behaviour))
    expected = TimeoutError if behaviour == "hang" else (ConnectionError, ssl.SSLError)
    with pytest.raises(expected):
        async with asyncio.timeout(0.3):
            await asyncio.open_connection("127.0.0.1", simulator.imaps_port, ssl=simulator.client_context())


@pytest.mark.parametrize(
    ("behaviour", "complaint"),
    [("expired", "expired"), ("handshake_failure", "HANDSHAKE_FAILURE"), ("plain", "WRONG_VERSION_NUMBER")],
)
async def test_tls_fails_after_starttls_too(simulator, behaviour, complaint):
    await simulator.add_fault(fault("smtp", "tls", behaviour=behaviour))

    def drive() -> None:
        with smtplib.SMTP("127.0.0.1", simulator.smtp_port) as client:
            client.starttls(context=simulator.client_context())

    with pytest.raises(ssl.SSLError, match=complaint):
        await asyncio.to_thread(drive)


# greeting, capabilities, STARTTLS


@pytest.mark.parametrize(("protocol", "port"), PLAIN_PORTS)
async def test_the_greeting_can_be_any_text_a_goodbye_or_nothing(simulator, protocol, port):
    number = getattr(simulator, port)
    goodbye = {"imap": "* BYE [UNAVAILABLE] Down for the night", "smtp": "421-4.3.2 Down\n421 4.3.2 for the night"}
    await simulator.add_fault(fault(protocol, "greeting", "HTTP/1.1 400 Bad Request", times=1))
    await simulator.add_fault(fault(protocol, "greeting", goodbye[protocol], times=1))
    await simulator.add_fault(fault(protocol, "greeting", behaviour="hang", times=1))
    async with Dialogue.to(number) as client:
        assert await client.line() == "HTTP/1.1 400 Bad Request\r\n"
    async with Dialogue.to(number) as client:
        text = (await client.rest()).decode()
        assert text.splitlines()[0] == goodbye[protocol].splitlines()[0]
    async with Dialogue.to(number) as client:
        await client.send("t NOOP\r\n")
        assert await client.is_silent()


async def test_after_a_refusing_smtp_greeting_only_quit_is_left(simulator):
    await simulator.add_fault(fault("smtp", "greeting", "554-No SMTP service\n554 Bad DNS PTR record"))
    async with Dialogue.to(simulator.smtp_port) as client:
        assert await client.smtp_reply() == "554-No SMTP service\r\n554 Bad DNS PTR record\r\n"
        assert (await client.reply("EHLO x")).startswith("503")
        assert (await client.reply("QUIT")).startswith("221")


async def test_capabilities_can_be_taken_away(simulator):
    imap_fault = await simulator.add_fault(fault("imap", "capability", removes=("STARTTLS", "AUTH=PLAIN", "idle")))
    await simulator.add_fault(fault("smtp", "ehlo", removes=("STARTTLS", "AUTH")))
    async with Dialogue.to(simulator.imap_port) as client:
        assert "STARTTLS" not in await client.line()
        answer = "".join(await client.ask("CAPABILITY"))
        assert "STARTTLS" not in answer
        assert "AUTH=PLAIN" not in answer
        assert "AUTH=LOGIN" in answer
        assert (await client.ask("STARTTLS"))[-1].startswith("t BAD")
        assert (await client.ask(f"AUTHENTICATE PLAIN {plain()}"))[-1].startswith("t NO [CANNOT]")
    async with Dialogue.to(simulator.smtp_port) as client:
        await client.smtp_reply()
        reply = await client.reply("EHLO x")
        assert "STARTTLS" not in reply
        assert "AUTH" not in reply
        assert (await client.reply("STARTTLS")).startswith("502")
        assert (await client.reply(f"AUTH PLAIN {plain()}")).startswith("502")
    await simulator.clear_faults(imap_fault.id)
    async with Dialogue.to(simulator.imap_port) as client:
        assert "STARTTLS" in await client.line()


async def test_capability_ehlo_and_starttls_can_answer_anything(simulator):
    await simulator.add_fault(fault("imap", "capability", "* CAPABILITY IMAP2\n{tag} OK done"))
    await simulator.add_fault(fault("imap", "starttls", "{tag} NO [UNAVAILABLE] TLS is out"))
    await simulator.add_fault(fault("smtp", "ehlo", "502 5.5.1 What is EHLO?", times=1))
    await simulator.add_fault(fault("smtp", "starttls", "454 4.7.0 TLS not available"))
    async with Dialogue.to(simulator.imap_port) as client:
        await client.line()
        assert await client.ask("CAPABILITY") == ["* CAPABILITY IMAP2\r\n", "t OK done\r\n"]
        assert await client.ask("STARTTLS") == ["t NO [UNAVAILABLE] TLS is out\r\n"]
        assert await client.ask("NOOP") == ["t OK Done\r\n"]
    async with Dialogue.to(simulator.smtp_port) as client:
        await client.smtp_reply()
        assert await client.reply("EHLO x") == "502 5.5.1 What is EHLO?\r\n"
        assert (await client.reply("MAIL FROM:<a@b>")).startswith("503")
        await client.reply("EHLO x")
        assert await client.reply("STARTTLS") == "454 4.7.0 TLS not available\r\n"
