"""One request that is made many times brings one delivery, however many ask at once and whoever is killed."""

import asyncio
import contextlib
import random

import httpx2
import pytest

from tests.walks.outgoing import line, read
from tests.walks.postroom import Postroom


@contextlib.asynccontextmanager
async def doors(tmp_path, request, database):
    """The servers of one Postroom: two where the database is PostgreSQL."""
    url = request.getfixturevalue("postgresql_url") if database == "postgresql" else ""
    (tmp_path / "one").mkdir()
    async with Postroom(tmp_path / "one", url, data=tmp_path / "data") as one:
        if database == "sqlite":
            yield [one]
            return
        (tmp_path / "two").mkdir()
        two = Postroom(tmp_path / "two", url, data=tmp_path / "data")
        two.key = one.key
        async with two:
            yield [one, two]


async def at_once(servers, body, key, count=50):
    """So many clients, each with a connection of its own, spread over the servers."""

    async def client(number):
        server = servers[number % len(servers)]
        headers = {"Authorization": f"Bearer {server.key}", "Idempotency-Key": key}
        async with httpx2.AsyncClient(
            base_url=server.url, headers=headers, timeout=60, trust_env=False, verify=False
        ) as api:
            return await api.post("/v1/messages", json=body)

    return await asyncio.gather(*map(client, range(count)))


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
async def test_fifty_clients_with_one_key_bring_one_delivery(tmp_path, request, dovecot, database):
    async with doors(tmp_path, request, database) as servers, line(servers[0], dovecot) as to:
        body = {"mailbox_id": to.id, "to": ["a@x.test"], "subject": "Once", "text": "It is here."}
        answers = await at_once(servers, body, "order-1")
        assert {answer.status_code for answer in answers} == {202}
        (identifier,) = {answer.json()["id"] for answer in answers}
        assert [answer.headers.get("Idempotent-Replayed") for answer in answers].count("true") == 49
        # Another body with the same key, among the same ones: each gets the answer to its own.
        other = body | {"text": "Something else."}
        mixed = await asyncio.gather(at_once(servers, body, "order-1", 10), at_once(servers, other, "order-1", 10))
        assert [{answer.status_code for answer in some} for some in mixed] == [{202}, {409}]
        # Two bodies race for a key that is new: one of them has it.
        raced = await asyncio.gather(at_once(servers, body, "order-2", 10), at_once(servers, other, "order-2", 10))
        assert sorted({answer.status_code for answer in some} == {202} for some in raced) == [False, True]
        assert sorted({answer.status_code for answer in some} == {409} for some in raced) == [False, True]
        for one in await servers[0].everything("/deliveries", mailbox_id=to.id):
            await servers[0].delivery_in(one["id"], "sent")
        assert len(to.sink.accepted) == 2
        assert [read(one.raw)["Subject"] for one in to.sink.accepted] == ["Once", "Once"]
        assert identifier in {one["id"] for one in await servers[0].everything("/deliveries", mailbox_id=to.id)}


async def test_a_key_that_is_used_again_after_the_process_was_killed_brings_what_was_committed(tmp_path, dovecot):
    """Killed while requests are being answered: each client asks again with its key, as clients do."""
    dice = random.Random()
    async with Postroom(tmp_path) as postroom, line(postroom, dovecot) as to:
        bodies = {
            f"key-{number}": {"mailbox_id": to.id, "to": ["a@x.test"], "subject": f"{number}", "text": "It is here."}
            for number in range(60)
        }
        answered = {}
        for _ in range(2):

            async def ask(key, body):
                headers = {"Idempotency-Key": key}
                with contextlib.suppress(httpx2.HTTPError):
                    answered[key] = (await postroom.api.post("/v1/messages", json=body, headers=headers)).json()["id"]

            asking = [asyncio.create_task(ask(*one)) for one in bodies.items()]
            await asyncio.sleep(dice.uniform(0.02, 0.2))
            await postroom.kill()
            await asyncio.gather(*asking)
            await postroom.start()
        found = {}
        for key, body in bodies.items():
            found[key] = (await postroom.post("/messages", body, status=202, **{"Idempotency-Key": key}))["id"]
        assert answered.items() <= found.items()
        shown = await postroom.everything("/deliveries", mailbox_id=to.id)
        assert sorted(one["id"] for one in shown) == sorted(set(found.values()))
        assert len(shown) == len(bodies)
