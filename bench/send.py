"""Sending through one mailbox: Postroom beside smtp-source (the limit) and Postfix (a queue), in one run. It asserts
only that every message arrived.

    .venv/bin/python bench/send.py [--messages 5000] [--size 8192] [--connections 2] [--clients 10] [--waiting 100000]
                                   [--outage 60]

Every figure of one table is taken on the same machine into the same smtp-sink (Postfix's own, in C), one program
after the other. smtp-sink offers AUTH and takes any password, so Postroom signs in as it must; Postfix and
smtp-source do not.

* Draining: messages that were accepted and held, from the moment of their release to the last one at the sink with, for
  Postroom, its outcome committed (synced). Over the same number of connections for each.
* Acceptance: Postroom over HTTP, each 202 synced to disk, from keep-alive clients that write prepared bytes; Postfix
  over SMTP from smtp-source at the same concurrency, each 250 synced to disk. Deliveries are held meanwhile by both.
* CPU is that of the program under test (all of its processes), user and system.
* Memory: peak resident size of `postroom serve` while it drains for some seconds with 1,000 and with many waiting; and
  the CPU seconds in which a pause holds those that still wait, each with its event and its story.
* Outage: the sink is gone for a while with messages waiting; seconds from its return to the first message there.

Copies for the Sent folder are not part of it: the IMAP server is stopped before anything is sent.
"""

import argparse
import asyncio
import json
import os
import re
import sqlite3
import sys
import tempfile
import time
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from bench._queues import PATIENCE, SmtpSink, of_family, of_process, postfix, quietly, smtp_source
from tests.walks.postroom import Postroom

from postroom.simulator import Simulator


@dataclass
class Figure:
    """One program's part of a table."""

    name: str
    rate: float
    cpu: float  # milliseconds a message
    peak: float | None = None  # MiB


def peak_of(pid):
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) / 1024


async def of_postfix(sink, chosen):
    """Acceptance and drain of Postfix."""
    async with postfix(sink.port, chosen.connections) as (port, process, folder):
        before = of_family(process.pid)
        wall, _ = await smtp_source(port, chosen.messages, chosen.size, chosen.clients)
        accepting = of_family(process.pid) - before
        held = sum(len(names) for _, _, names in os.walk(folder / "queue" / "hold"))
        if held != chosen.messages:
            raise RuntimeError(f"Postfix holds {held} of {chosen.messages} messages")
        before, start = of_family(process.pid), sink.count
        began = time.perf_counter()
        await quietly("postsuper", "-c", folder, "-H", "ALL")
        await quietly("postqueue", "-c", folder, "-f")
        await sink.holds(start + chosen.messages)
        drained = time.perf_counter() - began
        sending = of_family(process.pid) - before
    return (
        Figure("Postfix 3.7", chosen.messages / wall, accepting / chosen.messages * 1000),
        Figure("Postfix 3.7", chosen.messages / drained, sending / chosen.messages * 1000),
    )


# Postroom

LINE = "It is here, as you asked for it: a line of an answer that is about as long as lines are.\r\n"


async def connect(running, simulator, sink_port, connections):
    """A mailbox that reads from the simulator and sends to the sink."""
    address = "bench@sender.test"
    simulator.create_account(address, "secret")
    end = {"host": "127.0.0.1", "security": "none", "username": address}
    return await running.connect(
        {
            "address": address,
            "imap": end | {"port": simulator.imap_port},
            "smtp": end | {"port": sink_port},
            "auth": {"kind": "password", "password": "secret"},
            "budget": {"connections": connections},
        }
    )


def request(running, mailbox_id, number, size):
    text = (LINE * (size // len(LINE) + 1))[: size - 600]  # the header and the envelope of the parts are the rest
    body = json.dumps(
        {"mailbox_id": mailbox_id, "to": ["customer@elsewhere.test"], "subject": f"Answer {number}", "text": text}
    ).encode()
    head = (
        f"POST /v1/messages HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {running.key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def post_all(running, mailbox_id, numbers, size, clients):
    """Each client one connection, one request after the other; prepared bytes, for the client shares the machine."""
    prepared = iter([request(running, mailbox_id, number, size) for number in numbers])
    host, port = running.url.removeprefix("http://").rsplit(":", 1)

    async def client():
        reader, writer = await asyncio.open_connection(host, int(port))
        for one in prepared:
            writer.write(one)
            head = await reader.readuntil(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 202"):
                raise RuntimeError((head + await reader.read(2000)).decode(errors="replace"))
            length = int(re.search(rb"content-length: (\d+)", head, re.IGNORECASE)[1])
            await reader.readexactly(length)
        writer.close()

    began = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(clients)))
    return time.perf_counter() - began


def database(folder):
    connection = sqlite3.connect(folder / "data" / "postroom.db", timeout=30)
    connection.execute("PRAGMA journal_mode = WAL")
    return connection


async def settled(folder, number):
    """Waits until so many are sent, by the database."""
    ends = time.monotonic() + PATIENCE
    with database(folder) as connection:
        while True:
            count = connection.execute("SELECT count(*) FROM delivery WHERE state = 'sent'").fetchone()[0]
            if count >= number:
                return
            if time.monotonic() > ends:
                raise TimeoutError(f"{count} of {number} are sent after {PATIENCE:.0f} s")
            await asyncio.sleep(0.02)


@asynccontextmanager
async def postroom(sink_port, connections):
    """A running Postroom with a paused mailbox, its IMAP server gone."""
    with tempfile.TemporaryDirectory(prefix="postroom-bench-") as name:
        folder = Path(name)
        async with Postroom(folder, log_level="warning") as running:
            async with Simulator(control_port=None) as simulator:
                mailbox = await connect(running, simulator, sink_port, connections)
            await running.post(f"/mailboxes/{mailbox['id']}/pause")
            yield running, mailbox["id"], folder


async def of_postroom(sink, chosen):
    """Acceptance and drain of Postroom."""
    async with postroom(sink.port, chosen.connections) as (running, mailbox_id, folder):
        pid = running.process.pid
        before = of_process(pid)
        wall = await post_all(running, mailbox_id, range(chosen.messages), chosen.size, chosen.clients)
        accepting = of_process(pid) - before
        before, start = of_process(pid), sink.count
        began = time.perf_counter()
        await running.post(f"/mailboxes/{mailbox_id}/resume")
        await sink.holds(start + chosen.messages)
        await settled(folder, chosen.messages)
        drained = time.perf_counter() - began
        sending = of_process(pid) - before
        peak = peak_of(pid)
    return (
        Figure("Postroom", chosen.messages / wall, accepting / chosen.messages * 1000, peak),
        Figure("Postroom", chosen.messages / drained, sending / chosen.messages * 1000, peak),
    )


async def memory(sink, chosen, waiting):
    """Peak MiB while it drains for some seconds with so many waiting. The deliveries are copies of one that was
    accepted over the API, made in the database while Postroom is stopped. Last, the CPU seconds to hold them."""
    async with postroom(sink.port, chosen.connections) as (running, mailbox_id, folder):
        await post_all(running, mailbox_id, range(1), chosen.size, 1)
        await running.stop()
        await asyncio.to_thread(copy_deliveries, folder, waiting - 1)
        await running.start()
        pid, start = running.process.pid, sink.count
        resting = peak_of(pid)
        await running.post(f"/mailboxes/{mailbox_id}/resume")
        ends = time.monotonic() + 10
        for _ in range(200):
            if sink.count - start < waiting and time.monotonic() < ends:
                await asyncio.sleep(0.05)
        sent, peak, before = sink.count - start, peak_of(pid), of_process(pid)
        await running.post(f"/mailboxes/{mailbox_id}/pause")
        return resting, peak, sent, of_process(pid) - before


def copy_deliveries(folder, number):
    connection = database(folder)
    columns = [row[1] for row in connection.execute("PRAGMA table_info(delivery)")]
    # Ids that sort behind the first; their last characters are the counter.
    changed = {"id": "substr(id, 1, length(id) - 6) || printf('%06d', n)", "rfc_message_id": "n || rfc_message_id"}
    chosen = ", ".join(changed.get(column, column) for column in columns)
    connection.execute(
        f"WITH RECURSIVE count(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM count WHERE n < {number}) "
        f"INSERT OR IGNORE INTO delivery ({', '.join(columns)}) SELECT {chosen} FROM delivery, count"
    )
    connection.commit()
    connection.close()


async def outage(sink, chosen):
    """Seconds from the sink's return to the first message, and how many events people got."""
    async with postroom(sink.port, chosen.connections) as (running, mailbox_id, folder):
        await running.post(f"/mailboxes/{mailbox_id}/resume")
        await running.mailbox_in(mailbox_id, sending="connected")
        with database(folder) as connection:
            before = connection.execute("SELECT last FROM event_position").fetchone()[0]
        await sink.stop()
        await post_all(running, mailbox_id, range(100), chosen.size, chosen.clients)
        await asyncio.sleep(chosen.outage)
        await sink.start()
        began = time.perf_counter()
        await sink.holds(1)
        first = time.perf_counter() - began
        await sink.holds(100)
        whole = time.perf_counter() - began
        await settled(folder, 100)
        with database(folder) as connection:
            told = "SELECT type, count(*) FROM event WHERE type LIKE 'mailbox.%' AND position > ? GROUP BY 1"
            kinds = dict(connection.execute(told, [before]))
    return first, whole, kinds


def table(title, rows, base):
    print(f"\n{title}")
    print(f"{'':24} {'msg/s':>8} {'ratio':>7} {'CPU ms/msg':>11} {'peak MiB':>9}")
    for one in rows:
        peak = f"{one.peak:9.0f}" if one.peak is not None else " " * 9
        print(f"{one.name:24} {one.rate:8.0f} {one.rate / base:7.2f} {one.cpu:11.2f} {peak}")


async def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--messages", type=int, default=5000)
    options.add_argument("--size", type=int, default=8192)
    options.add_argument("--connections", type=int, default=2, help="SMTP connections of one mailbox")
    options.add_argument("--clients", type=int, default=10, help="who hand in messages at the same time")
    options.add_argument("--waiting", type=int, default=100_000)
    options.add_argument("--outage", type=float, default=60)
    chosen = options.parse_args()
    print(f"{chosen.messages} messages of {chosen.size} bytes, {chosen.connections} connections, "
          f"{chosen.clients} clients; load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")  # fmt: skip
    async with AsyncExitStack() as stack:
        sink = await stack.enter_async_context(SmtpSink())
        await smtp_source(sink.port, 500, chosen.size, chosen.connections)  # warms the sink up
        wall, cpu = await smtp_source(sink.port, chosen.messages, chosen.size, chosen.connections)
        limit = Figure("smtp-source", chosen.messages / wall, cpu / chosen.messages * 1000)
        taken, sent = await of_postroom(sink, chosen)
        postfix_taken, postfix_sent = await of_postfix(sink, chosen)
        wall, cpu = await smtp_source(sink.port, chosen.messages, chosen.size, chosen.connections)
        again = Figure("smtp-source, at the end", chosen.messages / wall, cpu / chosen.messages * 1000)
        table("Draining what was held (ratio to smtp-source)", [limit, sent, postfix_sent, again], limit.rate)
        table("Acceptance, synced (ratio to Postfix)", [taken, postfix_taken], postfix_taken.rate)
        print(f"\nFrom API to sink: {taken.cpu + sent.cpu:.2f} ms of CPU a message, beside Postfix's "
              f"{postfix_taken.cpu + postfix_sent.cpu:.2f}")  # fmt: skip
        print("\nMemory, MiB: at rest, and peak while draining for 10 seconds; then CPU seconds to hold the rest")
        for waiting in (1000, chosen.waiting):
            resting, peak, done, holding = await memory(sink, chosen, waiting)
            print(f"{waiting:>8} waiting {resting:8.0f} {peak:8.0f}   ({done} sent) {holding:8.2f}")
        if chosen.outage:
            first, whole, kinds = await outage(sink, chosen)
            print(f"\nAfter {chosen.outage:.0f} s without the server: first message after {first:.1f} s, all 100 after "
                  f"{whole:.1f} s; told to people: {kinds or 'nothing'}")  # fmt: skip


asyncio.run(main())
