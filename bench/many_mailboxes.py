"""Many mailboxes idling in one `postroom serve`: memory, CPU at rest, connecting, an outage. It asserts nothing.

    .venv/bin/python bench/many_mailboxes.py [--mailboxes 5000] [--plain] [--rest 60]

Beside it, in the same run, a bare client (asyncio, no parsing, no database) connects the same number to the same
Dovecot: what the server itself admits. Dovecot parks idling sessions (imap-hibernate), so that it can hold so many;
its connections stay TLS. The mailboxes are written into the database by the store's own port, not over HTTP one by one,
and are empty. Sending is not tried: no SMTP server takes part. Needs root, as the rig's Dovecot does.
"""

import argparse
import asyncio
import base64
import json
import os
import resource
import ssl
import subprocess
import sys
import tempfile
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from tests.rig.certificates import Certificates
from tests.rig.dovecot import DOMAIN, Dovecot
from tests.walks.postroom import Postroom

from postroom import keyfile, settings
from postroom.core.health import Health, State
from postroom.core.identity import Kind
from postroom.core.mailbox import AuthKind, Credential, Direction, Endpoint, Mailbox, Security
from postroom.core.ports.store import HealthChange
from postroom.store import open_store
from postroom.world import RealWorld

TICKS = os.sysconf("SC_CLK_TCK")
AT_ONCE = 64
"""Connections that the bare client has under way at the same time."""
PASSWORD = "bench"
PATIENCE = 900


def raise_limits(wanted):
    """Two descriptors for each connection may be open in one of Dovecot's processes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft >= wanted:
        return
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, max(hard, wanted)))
    except (OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        print(f"(only {hard} descriptors are allowed here; {wanted} were wanted)", flush=True)


def usage(pid):
    """CPU seconds so far, and the resident size in KiB (proc(5))."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    status = Path(f"/proc/{pid}/status").read_text()
    resident = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))
    return (int(fields[11]) + int(fields[12])) / TICKS, resident


def name(number):
    return f"m{number:05}"


# The bare client, in a process of its own


async def bare(port, count, ca):
    """Connects `count` sessions, up to IDLE, says how long that took, and waits to be ended."""
    context = ssl.create_default_context(cafile=ca) if ca else None
    # As small as Postroom's own, or this client and not the server would be what is measured.
    slots = asyncio.Semaphore(AT_ONCE)
    kept = []

    async def one(number):
        plain = base64.b64encode(f"\0{name(number)}\0{PASSWORD}".encode()).decode()
        async with slots:
            reader, writer = await asyncio.open_connection("localhost", port, ssl=context, limit=4096)
            await reader.readline()
            for tag, command in (("a", f"AUTHENTICATE PLAIN {plain}"), ("b", "EXAMINE INBOX"), ("c", "IDLE")):
                writer.write(f"{tag} {command}\r\n".encode())
                while not (line := await reader.readline()).startswith((tag.encode(), b"+ idling")):
                    assert line, "the server closed"
                assert line.startswith((f"{tag} OK".encode(), b"+ idling")), line
        kept.append(writer)

    began = time.perf_counter()
    await asyncio.gather(*(one(number) for number in range(count)))
    print(json.dumps({"seconds": time.perf_counter() - began}), flush=True)
    await asyncio.to_thread(sys.stdin.readline)


def admitted(dovecot, count, ca, *, tls):
    """How long a bare client takes to connect them all."""
    port = dovecot.imaps_port if tls else dovecot.imap_port
    role = [sys.executable, __file__, "--bare", str(port), "--mailboxes", str(count), *(["--ca", ca] if tls else [])]
    with subprocess.Popen(role, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        line = process.stdout.readline()
        process.stdin.close()
        process.wait()
    return json.loads(line)["seconds"]


# Postroom


async def fill(folder, dovecot, count, *, tls):
    """The mailboxes, as connecting would have written them, receiving still to be connected."""
    world, now = RealWorld(), datetime.now(UTC)
    chosen = settings.load({"data": folder / "data"})
    store = await open_store(chosen.database_url, secret_key=keyfile.keys(chosen)[0], world=world)
    port, security = (dovecot.imaps_port, Security.TLS) if tls else (dovecot.imap_port, Security.NONE)

    async def add(number):
        mailbox = Mailbox(
            id=world.identifier(Kind.MAILBOX),
            address=f"{name(number)}@{DOMAIN}",
            name="",
            provider="generic",
            imap=Endpoint("localhost", port, security, name(number)),
            smtp=Endpoint("localhost", 25, Security.NONE, name(number)),
            auth_kind=AuthKind.PASSWORD,
            created_at=now,
            ca_certificate=dovecot.ca_pem if tls else None,
        )
        receiving = Health(mailbox.id, Direction.IMAP, State.CONNECTING, now, next_probe_at=now)
        sending = Health(mailbox.id, Direction.SMTP, State.CONNECTED, now)
        credential = Credential(AuthKind.PASSWORD, PASSWORD)
        await store.add_mailbox(mailbox, credential, [HealthChange(receiving), HealthChange(sending)])

    try:
        await asyncio.gather(*(add(number) for number in range(count)))
    finally:
        await store.close()


async def connected(postroom):
    """How many mailboxes are connected, by the metrics."""
    text = (await postroom.api.get("/metrics")).text
    wanted = 'postroom_mailboxes{direction="receiving",state="connected"} '
    return int(float(next((line for line in text.splitlines() if line.startswith(wanted)), " 0").rpartition(" ")[2]))


async def until_all(postroom, count, since):
    """Seconds since then until all were connected."""
    told = since
    while (found := await connected(postroom)) < count:
        now = time.perf_counter()
        if now - told > 15:
            told = now
            print(f"  … {found} after {now - since:.0f} s", flush=True)
        if now - since > PATIENCE:
            sys.exit(f"only {found} of {count} within {PATIENCE} s\n{postroom.last_words()}")
        await asyncio.sleep(0.25)
    return time.perf_counter() - since


def sign_ins(log, after):
    """How many sign-ins the server saw in each second, by its log behind byte `after`."""
    with log.open("rb") as file:
        file.seek(after)
        return Counter(line[:15] for line in file if b"imap-login: Info: Login:" in line)


async def base_memory():
    """Of a process with an empty database."""
    with tempfile.TemporaryDirectory(prefix="postroom-bench-") as folder:
        async with Postroom(Path(folder), log_level="warning"):
            pass  # the first start makes the tables
        async with Postroom(Path(folder), log_level="warning") as postroom:
            await asyncio.sleep(3)
            return usage(postroom.process.pid)[1]


async def main(count, *, tls, rest):
    kept = resource.getrlimit(resource.RLIMIT_NOFILE)
    print(f"{count} mailboxes over {'TLS' if tls else 'plain IMAP'}; {kept[0]} descriptors", flush=True)
    base = await base_memory()
    print(f"base memory, empty database            {base / 1024:9.1f} MiB", flush=True)
    dovecot = Dovecot(Certificates(), hibernate="1s", connections=max(1001, count))
    for number in range(count):
        dovecot.add_user(name(number), PASSWORD)
    ca = dovecot.folder / "ca.pem"
    ca.write_text(dovecot.ca_pem)
    async with dovecot:
        bare_seconds = await asyncio.to_thread(admitted, dovecot, count, str(ca), tls=tls)
        print(f"a bare client connects them in         {bare_seconds:9.1f} s", flush=True)
        await dovecot.restart()
        with tempfile.TemporaryDirectory(prefix="postroom-bench-") as folder:
            await fill(Path(folder), dovecot, count, tls=tls)
            log = dovecot.folder / "dovecot.log"
            postroom = Postroom(Path(folder), log_level="error")
            postroom.key = (await postroom.command("key", "create", "bench")).strip()
            began = time.perf_counter()
            async with postroom:
                seconds = await until_all(postroom, count, began)
                print(f"Postroom, its start included           {seconds:9.1f} s  ({seconds / bare_seconds:.2f} times)")
                await asyncio.sleep(5)
                cpu, resident = usage(postroom.process.pid)
                print(f"  CPU for that                         {cpu:9.1f} s")
                print(f"memory, all idling                     {resident / 1024:9.1f} MiB")
                print(f"  for each mailbox                     {(resident - base) / count:9.1f} KiB", flush=True)
                await asyncio.sleep(rest)
                later, resident = usage(postroom.process.pid)
                print(f"CPU at rest, over {rest:g} s                 {(later - cpu) / rest * 100:9.1f} % of one core")
                print(f"memory after that                      {resident / 1024:9.1f} MiB", flush=True)
                await dovecot.stop()
                await asyncio.sleep(5)
                after = log.stat().st_size
                await dovecot.start()
                seconds = await until_all(postroom, count, time.perf_counter())
                rates = sign_ins(log, after)
                print(f"after the server's restart, all within {seconds:9.1f} s  ({seconds / bare_seconds:.2f} times)")
                most = max(rates.values())
                print(f"  sign-ins that the server saw         {rates.total():9}  at most {most} in a second")
                cpu, resident = usage(postroom.process.pid)
                print(f"memory after that                      {resident / 1024:9.1f} MiB", flush=True)


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--mailboxes", type=int, default=5000)
    options.add_argument("--plain", action="store_true", help="without TLS")
    options.add_argument("--rest", type=float, default=60, help="seconds over which CPU at rest is measured")
    options.add_argument("--bare", type=int, help=argparse.SUPPRESS)
    options.add_argument("--ca", help=argparse.SUPPRESS)
    given = options.parse_args()
    raise_limits(4 * given.mailboxes + 4000)
    if given.bare:
        asyncio.run(bare(given.bare, given.mailboxes, given.ca))
    else:
        asyncio.run(main(given.mailboxes, tls=not given.plain, rest=given.rest))
