"""Outages and dropped sessions. Connections refused by a fault are tested with the faults."""

import asyncio

import pytest

from .conftest import ANNA, BEN
from .dialogue import Dialogue, imap, smtp

PLAIN_PORTS = [("imap", "imap_port"), ("smtp", "smtp_port")]


@pytest.mark.parametrize(("protocol", "port"), PLAIN_PORTS)
async def test_an_outage_drops_sessions_and_ends_on_the_same_port(simulator, protocol, port):
    number = getattr(simulator, port)
    other = simulator.smtp_port if protocol == "imap" else simulator.imap_port
    async with Dialogue.to(number) as client, Dialogue.to(other) as unharmed:
        await client.line()
        await unharmed.line()
        await simulator.outage(protocol)
        assert await client.rest() == b""
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", number)
        assert await unharmed.is_silent(0.05)
    await simulator.restore(protocol)
    assert getattr(simulator, port) == number
    async with Dialogue.to(number) as client:
        assert (await client.line()).startswith(("* OK", "220 "))


async def test_an_outage_ends_by_itself_after_its_seconds(simulator):
    await simulator.outage("imap", seconds=0.05)
    assert not simulator.listens("imap")
    for _ in range(500):
        if simulator.listens("imap"):
            break
        await asyncio.sleep(0.01)
    async with imap(simulator):
        pass


async def test_mail_that_came_before_an_outage_is_there_after_it(simulator):
    simulator.deliver(ANNA, b"Subject: x\r\n\r\n")
    await simulator.outage("imap")
    simulator.deliver(ANNA, b"Subject: y\r\n\r\n")
    await simulator.restore("imap")
    async with imap(simulator, folder=None) as client:
        assert "* 2 EXISTS\r\n" in await client.ask("SELECT INBOX")


async def test_kick_ends_the_sessions_it_names_with_a_goodbye(simulator):
    async with imap(simulator) as anna, imap(simulator, address=BEN) as ben, smtp(simulator) as sender:
        assert simulator.kick(address=ANNA, protocol="imap") == 1
        assert (await anna.rest()).startswith(b"* BYE")
        assert simulator.kick(protocol="smtp") == 1
        assert (await sender.rest()).startswith(b"421 ")
        assert (await ben.ask("NOOP"))[-1].startswith("t OK")
