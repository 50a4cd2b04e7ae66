"""TLS on the stream: whom it trusts, and what it says about a handshake that failed."""

import asyncio
import asyncio.sslproto
import socket
import ssl
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
import trustme

from postroom.core.diagnosis import diagnose
from postroom.core.diagnosis.evidence import Failure, Stage
from postroom.core.mailbox import Security
from postroom.core.ports.wire import Step
from postroom.wire.resolve import Guard
from postroom.wire.stream import Stream
from postroom.wire.tls import trusting_context
from tests.rig.certificates import Certificate, Certificates
from tests.wire.peer import Peer, account, served

ANYWHERE = Guard(allow_private=True)


async def greeting(peer: Peer) -> None:
    await peer.say(b"* OK hello")
    await peer.gone()


async def refused(certificate: Certificate, folder: Path, ca: str | None, security: Security = Security.TLS) -> Failure:
    async with served(greeting, certificate.server_context(folder)) as port:
        with pytest.raises(Failure) as caught:
            await Stream.open(account(port, security, ca=ca), ANYWHERE)
    return caught.value


async def test_a_certificate_of_the_given_authority_is_trusted(certificates: Certificates, tmp_path: Path) -> None:
    steps: list[Step] = []
    async with served(greeting, certificates.good().server_context(tmp_path)) as port:
        stream = await Stream.open(account(port, Security.TLS, ca=certificates.ca_pem), ANYWHERE, steps.append)
        assert await stream.read_line() == b"* OK hello"
        assert stream.tls is not None
        assert stream.tls.fault is None
        assert "localhost" in stream.tls.names
        assert stream.tls.protocol == "TLSv1.3"
        assert stream.tls.not_after > datetime.now(UTC)
        assert stream.evidence().tls is stream.tls
        until = stream.tls.not_after.date().isoformat()
        assert (steps[-1].name, steps[-1].detail) == ("tls", f"TLS 1.3, certificate for localhost until {until}")
        await stream.close()


@pytest.mark.parametrize("fault", ["expired", "not_yet_valid", "wrong_host"])
async def test_a_bad_certificate_is_refused_with_its_fault_and_its_facts(
    fault: str, certificates: Certificates, tmp_path: Path
) -> None:
    bad: Certificate = getattr(certificates, fault)()
    failure = await refused(bad, tmp_path, certificates.ca_pem)
    seen = failure.evidence
    assert seen.stage is Stage.TLS
    assert seen.exception.startswith("SSLCertVerificationError: ")
    assert seen.tls.fault == fault
    assert ("mail.elsewhere.test" if fault == "wrong_host" else "localhost") in seen.tls.names
    now = datetime.now(UTC)
    assert (seen.tls.not_after < now) == (fault == "expired")
    assert (seen.tls.not_before > now) == (fault == "not_yet_valid")
    assert "trustme" in seen.tls.issuer


async def test_an_unknown_authority_is_named(certificates: Certificates, tmp_path: Path) -> None:
    seen = (await refused(certificates.untrusted(), tmp_path, certificates.ca_pem)).evidence
    assert seen.tls.fault == "unknown_ca"
    assert seen.tls.issuer


async def test_a_self_signed_certificate_is_told_apart_and_trusted_where_it_was_given(tmp_path: Path) -> None:
    itself = trustme.CA()
    # An authority's own certificate, used as a server's: nobody else signed it.
    own = Certificate(chain=itself.cert_pem.bytes(), key=itself.private_key_pem.bytes())
    assert (await refused(own, tmp_path, None)).evidence.tls.fault == "self_signed"
    given = (await refused(own, tmp_path, own.chain.decode())).evidence
    assert given.tls.fault == "wrong_host"  # trusted now, but it is not made out to localhost


async def test_a_servers_own_certificate_is_trusted_without_its_authority(
    certificates: Certificates, tmp_path: Path
) -> None:
    good = certificates.good()
    leaf = good.chain.decode().split("-----END CERTIFICATE-----")[0] + "-----END CERTIFICATE-----\n"
    async with served(greeting, good.server_context(tmp_path)) as port:
        stream = await Stream.open(account(port, Security.TLS, ca=leaf), ANYWHERE)
        assert await stream.read_line() == b"* OK hello"
        await stream.close()


@pytest.mark.parametrize("said", [b"* OK Dovecot ready.\r\n", b"220 mx ESMTP\r\n", b"SSH-2.0-OpenSSH\r\n"])
async def test_tls_spoken_to_a_plain_port_is_recognised(said: bytes) -> None:
    async def story(peer: Peer) -> None:
        await peer.send(said)
        await peer.gone()

    async with served(story) as port:
        with pytest.raises(Failure) as caught:
            await Stream.open(account(port, Security.TLS), ANYWHERE)
    facts = caught.value.evidence.tls
    assert facts.fault == "plain_port"
    assert facts.detail.endswith(f"in plain text the server says: {said.decode().strip()}")


async def test_an_old_tls_version_is_a_fault_of_protocol(certificates: Certificates, tmp_path: Path) -> None:
    context = certificates.good().server_context(tmp_path)
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1 is deprecated"):
        context.minimum_version = ssl.TLSVersion.TLSv1
    with pytest.warns(DeprecationWarning, match="TLSv1_1 is deprecated"):
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    with socket.create_server(("127.0.0.1", 0)) as listener:
        # asyncio's server would close without the alert that servers send.
        serving = asyncio.create_task(asyncio.to_thread(shake_hands, listener, context))
        with pytest.raises(Failure) as caught:
            await Stream.open(account(listener.getsockname()[1], Security.TLS, ca=certificates.ca_pem), ANYWHERE)
        await serving
    assert caught.value.evidence.tls.fault == "protocol"
    diagnosis = diagnose(caught.value.evidence)
    assert (diagnosis.code, diagnosis.matched) == ("tls_certificate", "tls.seen.protocol")
    assert "TLS 1.2" in " ".join((diagnosis.reason, *diagnosis.steps))


async def test_tls_1_2_is_spoken_with_a_server_that_has_nothing_newer(
    certificates: Certificates, tmp_path: Path
) -> None:
    context = certificates.good().server_context(tmp_path)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    async with served(greeting, context) as port:
        stream = await Stream.open(account(port, Security.TLS, ca=certificates.ca_pem), ANYWHERE)
        assert stream.tls.protocol == "TLSv1.2"
        await stream.close()


async def test_what_the_systems_trust_store_has_is_trusted_and_nothing_else(
    certificates: Certificates, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = tmp_path / "bundle.pem"
    trusting_context.cache_clear()
    try:
        bundle.write_text(trustme.CA().cert_pem.bytes().decode())
        monkeypatch.setenv("SSL_CERT_FILE", str(bundle))
        monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path / "none"))
        assert (await refused(certificates.good(), tmp_path, None)).evidence.tls.fault == "unknown_ca"
        trusting_context.cache_clear()
        bundle.write_text(certificates.ca_pem)
        async with served(greeting, certificates.good().server_context(tmp_path)) as port:
            stream = await Stream.open(account(port, Security.TLS), ANYWHERE)
            assert await stream.read_line() == b"* OK hello"
            await stream.close()
    finally:
        trusting_context.cache_clear()


def shake_hands(listener: socket.socket, context: ssl.SSLContext) -> None:
    plug, _ = listener.accept()
    with plug, pytest.raises(ssl.SSLError):
        context.wrap_socket(plug, server_side=True)


async def test_a_server_that_closes_in_the_handshake_is_lost_not_misjudged() -> None:
    async def story(peer: Peer) -> None:
        await peer.reader.read(100)

    async with served(story) as port:
        with pytest.raises(Failure) as caught:
            await Stream.open(account(port, Security.TLS), ANYWHERE)
    assert caught.value.evidence.stage is Stage.TLS
    assert caught.value.evidence.exception.startswith("ConnectionLost: ")
    assert caught.value.evidence.tls is None


async def test_a_server_silent_in_the_handshake_is_given_up() -> None:
    async def story(peer: Peer) -> None:
        await peer.gone()

    async with served(story) as port:
        with pytest.raises(Failure) as caught:
            await Stream.open(account(port, Security.TLS), ANYWHERE, timeout=0.1)
    assert caught.value.evidence.stage is Stage.TLS
    assert caught.value.evidence.exception == "TimeoutError: no answer for 0.1 seconds"


async def test_an_authority_that_is_no_pem_is_refused_with_words() -> None:
    async with served(greeting) as port:
        with pytest.raises(Failure, match="is not a certificate in PEM form"):
            await Stream.open(account(port, Security.TLS, ca="my certificate"), ANYWHERE)


async def test_starttls_turns_a_plain_connection_into_tls(certificates: Certificates, tmp_path: Path) -> None:
    context = certificates.good().server_context(tmp_path)

    async def story(peer: Peer) -> None:
        await peer.line()
        await peer.say(b"OK begin")
        await peer.writer.start_tls(context)
        await peer.say(b"now in private")
        assert await peer.line() == b"indeed"
        await peer.gone()

    async with served(story) as port:
        stream = await Stream.open(account(port, Security.STARTTLS, ca=certificates.ca_pem), ANYWHERE)
        await stream.write(b"STARTTLS\r\n")
        assert await stream.read_line() == b"OK begin"
        await stream.start_tls()
        assert await stream.read_line() == b"now in private"
        await stream.write(b"indeed\r\n")
        assert "localhost" in stream.tls.names
        await stream.close()


async def test_plain_text_behind_the_agreement_to_starttls_is_an_attack() -> None:
    async def story(peer: Peer) -> None:
        await peer.line()
        await peer.say(b"OK begin", b"a1 OK injected")
        await peer.gone()

    async with served(story) as port:
        stream = await Stream.open(account(port, Security.STARTTLS), ANYWHERE)
        await stream.write(b"STARTTLS\r\n")
        await stream.read_line()
        with pytest.raises(Failure) as caught:
            await stream.start_tls()
        assert caught.value.evidence.exception.startswith("ProtocolError: the server sent plain text")
        assert caught.value.evidence.stage is Stage.STARTTLS


async def test_the_buffer_of_a_tls_connection_is_small() -> None:
    assert asyncio.sslproto.SSLProtocol.max_size <= 64 * 1024


def test_contexts_are_shared_and_strict_where_it_counts(certificates: Certificates) -> None:
    context = trusting_context(certificates.ca_pem)
    assert context is trusting_context(certificates.ca_pem)
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2


async def test_a_large_message_goes_up_and_comes_down_over_tls(certificates: Certificates, tmp_path: Path) -> None:
    size = 5 * 2**20

    async def story(peer: Peer) -> None:
        data = await peer.reader.readexactly(size)
        await peer.send(data)
        await peer.gone()

    async with served(story, certificates.good().server_context(tmp_path)) as port:
        stream = await Stream.open(account(port, Security.TLS, ca=certificates.ca_pem), ANYWHERE)
        data = bytes(range(256)) * (size // 256)
        await stream.write(data, secret=True)
        assert await stream.read_exactly(size) == data
        await stream.close()


@pytest.mark.parametrize("orderly", [True, False])
async def test_an_end_inside_tls_is_noticed_at_once(orderly: bool, certificates: Certificates, tmp_path: Path) -> None:
    async def story(peer: Peer) -> None:
        await peer.line()
        if orderly:
            peer.writer.close()
        else:
            peer.writer.transport.abort()

    async with served(story, certificates.good().server_context(tmp_path)) as port:
        stream = await Stream.open(account(port, Security.TLS, ca=certificates.ca_pem), ANYWHERE)
        await stream.write(b"x\r\n")
        started = time.monotonic()
        with pytest.raises(Failure) as caught:
            await stream.read_line()
        assert caught.value.evidence.exception.startswith("ConnectionLost: ")
        assert time.monotonic() - started < 2


async def test_a_server_that_sends_more_than_is_read_is_held_back_inside_tls(
    certificates: Certificates, tmp_path: Path
) -> None:
    sent = 0

    async def story(peer: Peer) -> None:
        nonlocal sent
        for _ in range(1000):
            await peer.send(b"y" * 65536)
            sent += 65536

    async with served(story, certificates.good().server_context(tmp_path)) as port:
        stream = await Stream.open(account(port, Security.TLS, ca=certificates.ca_pem), ANYWHERE)
        await stream.read_exactly(10)
        await asyncio.sleep(0.3)
        assert len(stream._pipe.buffer) < 2**20
        before = sent
        assert before < 65536 * 1000
        await stream.read_exactly(20 * 2**20)
        assert sent > before
        stream.abort()


async def test_a_silent_server_that_waits_for_tls_is_told_apart(certificates: Certificates, tmp_path: Path) -> None:
    async def silent(peer: Peer) -> None:
        await peer.gone()

    for context, words in ((certificates.good().server_context(tmp_path), "TlsExpected: "), (None, None)):
        async with served(silent, context) as port:
            stream = await Stream.open(account(port), ANYWHERE, timeout=1.5)
            if words is None:
                await stream.first_word()  # silent in both ways: whoever reads next waits on
                assert not stream.closed
                stream.abort()
                continue
            with pytest.raises(Failure) as caught:
                await stream.first_word()
            assert caught.value.evidence.exception.startswith(words)
