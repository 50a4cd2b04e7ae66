"""Opening a stream against real sockets: lookup, which hosts are allowed, connect."""

import asyncio
import socket

import pytest

from postroom.core.diagnosis import diagnose
from postroom.core.diagnosis.evidence import Failure, Stage
from postroom.core.mailbox import Security
from postroom.core.ports.wire import Step
from postroom.wire import stream as stream_module
from postroom.wire.resolve import Guard, PrivateHost, ascii_host, is_public, resolve
from postroom.wire.stream import Stream
from tests.wire.peer import Peer, account, served

ANYWHERE = Guard(allow_private=True)
PLAIN = Guard(allow_private=True, plaintext=["localhost", "Mail.Example.ORG"])


async def opened(port: int, **options: float) -> Stream:
    return await Stream.open(account(port), ANYWHERE, **options)


async def silent(peer: Peer) -> None:
    await peer.gone()


def closed_port() -> int:
    with socket.socket() as plug:
        plug.bind(("127.0.0.1", 0))
        return plug.getsockname()[1]


# Resolving


@pytest.mark.parametrize(
    "address",
    [
        "10.1.2.3",
        "127.0.0.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "::1",
        "fe80::1%eth0",
        "fd00::1",
        "ff02::1",
        "::ffff:127.0.0.1",
        "2002:7f00:1::",
        "64:ff9b::a00:1",
        "no address",
    ],
)
def test_an_address_off_the_public_internet_is_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["1.1.1.1", "2606:4700::1111", "64:ff9b::101:101"])
def test_an_address_of_the_public_internet_is_public(address: str) -> None:
    assert is_public(address)


async def test_a_private_host_is_refused_with_the_setting_that_allows_it() -> None:
    with pytest.raises(Failure) as caught:
        await Stream.open(account(993, host="localhost"), Guard())
    seen = caught.value.evidence
    assert seen.stage is Stage.DNS
    assert seen.exception.startswith("PrivateHost: localhost is ")
    assert "POSTROOM_ALLOW_PRIVATE_HOSTS" in seen.exception


async def test_private_addresses_are_left_out_where_a_public_one_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("postroom.wire.resolve._look_up", lambda name, port: ["10.0.0.1", "1.1.1.1", "1.1.1.1"])
    assert await resolve("mixed.example", 993, Guard()) == ["1.1.1.1"]
    monkeypatch.setattr("postroom.wire.resolve._look_up", lambda name, port: ["10.0.0.1"])
    with pytest.raises(PrivateHost):
        await resolve("private.example", 993, Guard())


def test_a_host_in_another_script_is_encoded_for_dns() -> None:
    assert ascii_host("Postfach.Müller.example.") == "postfach.xn--mller-kva.example"
    assert ascii_host("IMAP.Example.ORG") == "imap.example.org"


@pytest.mark.parametrize(
    "host", ["", " ", "imap example.org", "https://imap.example.org", "a@b", "x\0y", "ü" * 80, "..", "a" * 300]
)
async def test_what_is_no_host_name_fails_at_the_lookup(host: str) -> None:
    with pytest.raises(Failure) as caught:
        await Stream.open(account(993, host=host), ANYWHERE)
    assert caught.value.evidence.stage is Stage.DNS


@pytest.mark.parametrize("port", [0, -1, 65536])
async def test_what_is_no_port_fails_with_words(port: int) -> None:
    with pytest.raises(Failure, match="is not a port"):
        await opened(port)


async def test_a_host_without_address_is_reported_as_the_failed_step() -> None:
    steps: list[Step] = []
    with pytest.raises(Failure) as caught:
        await Stream.open(account(993, host="nowhere.invalid"), ANYWHERE, steps.append)
    assert caught.value.evidence.exception.startswith("gaierror: ")
    assert [(step.name, step.ok) for step in steps] == [("resolve", False)]
    assert steps[0].evidence is caught.value.evidence


async def test_a_lookup_that_hangs_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    async def hang(*_: object) -> list[str]:
        return await asyncio.get_running_loop().create_future()

    monkeypatch.setattr(stream_module, "resolve", hang)
    with pytest.raises(Failure) as caught:
        await opened(993, timeout=0.05)
    assert caught.value.evidence.stage is Stage.DNS
    assert caught.value.evidence.exception == "TimeoutError: no answer for 0.05 seconds"


# Connecting


async def test_each_address_is_tried_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    async def two(*_: object) -> list[str]:
        return ["127.0.0.2", "127.0.0.1"]

    monkeypatch.setattr(stream_module, "resolve", two)
    steps: list[Step] = []
    async with served(silent) as port:
        stream = await Stream.open(account(port), ANYWHERE, steps.append)
        assert stream.address == "127.0.0.1"
        assert steps[-1].detail == "127.0.0.1 (2 of 2)"
        stream.abort()


async def test_a_refused_connection_says_so() -> None:
    port = closed_port()
    with pytest.raises(Failure) as caught:
        await opened(port)
    seen = caught.value.evidence
    assert (seen.stage, seen.address, seen.port) == (Stage.CONNECT, "127.0.0.1", port)
    assert seen.exception.startswith("ConnectionRefusedError: ")
    assert seen.raw == seen.exception


async def test_the_steps_tell_time_and_address() -> None:
    steps: list[Step] = []
    async with served(silent) as port:
        (await Stream.open(account(port), ANYWHERE, steps.append)).abort()
    assert [(step.name, step.ok, step.evidence) for step in steps] == [("resolve", True, None), ("connect", True, None)]
    assert all(step.milliseconds >= 0 for step in steps)


async def test_plain_text_is_spoken_only_to_hosts_that_are_named() -> None:
    with pytest.raises(Failure) as caught:
        await Stream.open(account(143, Security.NONE, host="mail.example.net"), PLAIN)
    diagnosis = diagnose(caught.value.evidence)
    assert (diagnosis.code, diagnosis.matched) == ("server_misconfigured", "ours.plaintext")
    assert "mail.example.net to POSTROOM_PLAINTEXT_HOSTS" in " ".join(diagnosis.steps)
    PLAIN.check_plaintext("mail.example.org")

    async def story(peer: Peer) -> None:
        await peer.say(b"* OK hello")
        await peer.gone()

    async with served(story) as port:
        stream = await Stream.open(account(port, Security.NONE, host="localhost"), PLAIN)
        assert await stream.read_line() == b"* OK hello"
        await stream.close()
