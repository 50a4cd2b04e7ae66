"""Workers of one database share the mailboxes: one that joins gets its part, and nothing is lost on the way."""

import asyncio
import signal

import asyncpg
import httpx2

from postroom import serve
from postroom.settings import Settings
from tests.flows.house import running, until

COUNT = 6


async def shares(database):
    """How many mailboxes each worker has, the least first."""
    connection = await asyncpg.connect(database)
    try:
        rows = await connection.fetch("SELECT worker_id, count(*) FROM mailbox GROUP BY worker_id")
    finally:
        await connection.close()
    return sorted((row[0] or "", row[1]) for row in rows)


def numbers(found):
    return sorted(number for _, number in found)


async def test_a_worker_that_joins_takes_its_share_and_gives_it_back_when_it_leaves(tmp_path, postgresql_url):
    secret = "0" * 64
    async with running(tmp_path, postgresql_url, secret_key=secret) as first:
        addresses = [f"team{number}@shop.test" for number in range(COUNT)]
        mailboxes = [await first.connect(address) for address in addresses]
        (ours,) = await until(lambda: shares(postgresql_url), lambda found: numbers(found) == [COUNT], 60)
        second = running(tmp_path, postgresql_url, simulator=first.simulator, secret_key=secret)
        async with second:
            both = await until(lambda: shares(postgresql_url), lambda found: numbers(found) == [3, 3], 60)
            assert {owner for owner, _ in both} > {ours[0]}
            for address in addresses:
                first.simulator.deliver(address, subject=f"To {address}")

            async def arrived():
                return sorted(one["subject"] for one in await first.events("message.received"))

            await until(arrived, lambda found: len(found) >= COUNT, 60)
            assert await arrived() == sorted(f"To {address}" for address in addresses)
            for mailbox in mailboxes:
                await first.delivery_in((await first.send(mailbox)).id, "sent", 60)
        assert await until(lambda: shares(postgresql_url), lambda found: numbers(found) == [COUNT], 60) == [ours]
        assert len(first.simulator.outbox) == COUNT


async def test_a_worker_says_how_it_is_to_who_asks(tmp_path, monkeypatch):
    monkeypatch.setattr(serve, "_settle_down", lambda: None)  # it is for a process of its own
    addresses = []
    settings = Settings(data=tmp_path / "data", allow_private_hosts=True)
    working = asyncio.create_task(serve.work(settings, addresses.append, port=0))

    async def address():
        return addresses

    (base,) = await until(address, bool, 60)
    async with httpx2.AsyncClient(base_url=base, timeout=60, trust_env=False) as client:

        async def ready():
            return (await client.get("/readyz")).status_code

        await until(ready, lambda status: status == 200, 60)
        assert (await client.get("/healthz")).json()["status"] == "ok"
        assert "postroom_store_up 1.0" in (await client.get("/metrics")).text
        assert (await client.get("/v1/mailboxes")).status_code == 404
    signal.raise_signal(signal.SIGTERM)
    await asyncio.wait_for(working, 60)
