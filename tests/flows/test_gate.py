"""How many sign-ins are under way at the same time."""

import asyncio

from postroom.flows.gate import Gate


async def visits(gate: Gate, hosts: list[str], most: dict[str, int], leave: asyncio.Event) -> list[asyncio.Task[None]]:
    under_way: dict[str, int] = {}

    async def visit(host: str) -> None:
        async with gate.at(host):
            for name in (host, "all"):
                under_way[name] = under_way.get(name, 0) + 1
                most[name] = max(most.get(name, 0), under_way[name])
            await leave.wait()
            for name in (host, "all"):
                under_way[name] -= 1

    tasks = [asyncio.create_task(visit(host)) for host in hosts]
    for _ in range(10):
        await asyncio.sleep(0)
    return tasks


async def test_few_at_one_server_more_at_all_and_everyone_gets_through():
    gate, most, leave = Gate(at_one_server=3, at_all=5), {}, asyncio.Event()
    tasks = await visits(gate, ["a"] * 20 + ["b"] * 20, most, leave)
    assert (most["a"], most["all"]) == (3, 5)
    leave.set()
    async with asyncio.timeout(5):
        await asyncio.gather(*tasks)
    assert (most["a"], most["all"]) == (3, 5)
    assert most["b"] <= 3


async def test_those_who_wait_at_a_dead_server_block_no_other():
    gate, most, leave = Gate(at_one_server=3, at_all=5), {}, asyncio.Event()
    tasks = await visits(gate, ["dead"] * 50 + ["well"], most, leave)
    assert most["well"] == 1
    leave.set()
    await asyncio.gather(*tasks)


async def test_one_that_is_cancelled_while_it_waits_leaves_its_place():
    gate, most, leave = Gate(at_one_server=1, at_all=5), {}, asyncio.Event()
    first, waiting = await visits(gate, ["a", "a"], most, leave)
    waiting.cancel()
    leave.set()
    await asyncio.gather(first, waiting, return_exceptions=True)
    async with asyncio.timeout(5), gate.at("a"):
        pass
