"""First sync of a mailbox: Postroom beside mbsync on the same Dovecot, in one run. It asserts nothing.

    .venv/bin/python bench/first_sync.py [--messages 10000] [--size 8192] [--runs 3]

Postroom parses, threads, indexes and commits each message to SQLite (synced); mbsync writes Maildir files, once without
fsync and once with. CPU is the client's own, user and system; memory is its peak resident size.
"""

import argparse
import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from tests.rig.certificates import Certificates
from tests.rig.dovecot import Dovecot
from tests.rig.maildir import letters
from tests.rig.sink import Sink
from tests.walks.postroom import Postroom

TICKS = os.sysconf("SC_CLK_TCK")


@dataclass
class Measured:
    """One run: seconds of wall clock, seconds of CPU, peak memory in MiB."""

    wall: float
    cpu: float
    peak: float


def usage(pid):
    """CPU seconds so far, and the peak resident size in MiB (proc(5))."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    status = Path(f"/proc/{pid}/status").read_text()
    peak = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))
    return (int(fields[11]) + int(fields[12])) / TICKS, peak / 1024


async def postroom(dovecot, sink, user, messages, folder):
    async with Postroom(folder, log_level="warning") as running:
        cpu, _ = usage(running.process.pid)
        end = {"host": "127.0.0.1", "security": "none", "username": user.name}
        mailbox = await running.connect(
            {
                "address": user.address,
                "imap": end | {"port": dovecot.imap_port},
                "smtp": end | {"port": sink.port},
                "auth": {"kind": "password", "password": user.password},
            }
        )
        began = time.perf_counter()
        while True:
            progress = (await running.mailbox(mailbox["id"]))["sync"]
            if progress and progress[0]["synced_at"] and not progress[0]["total"]:
                break
            await asyncio.sleep(0.05)
        wall = time.perf_counter() - began
        after, peak = usage(running.process.pid)
        found = await count(folder)
        assert found == messages, f"{found} of {messages} messages arrived"
        return Measured(wall, after - cpu, peak)


async def count(folder):
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        "import sqlite3, sys; print(*sqlite3.connect(sys.argv[1]).execute('SELECT count(*) FROM message').fetchone())",
        str(folder / "data" / "postroom.db"),
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await process.communicate()
    return int(out)


def waited_for(command):
    """Runs it outside asyncio, which would reap it without its usage."""
    return os.wait4(subprocess.Popen(command).pid, 0)


async def mbsync(dovecot, user, folder, *, fsync):
    (folder / "mail").mkdir()
    config = folder / "mbsyncrc"
    config.write_text(
        f"FSync {'yes' if fsync else 'no'}\n\n"
        f"IMAPAccount a\nHost localhost\nPort {dovecot.imap_port}\nUser {user.name}\nPass {user.password}\n"
        "SSLType None\nAuthMechs LOGIN\nPipelineDepth 50\n\n"
        "IMAPStore far\nAccount a\n\n"
        f"MaildirStore near\nPath {folder}/mail/\nInbox {folder}/mail/INBOX\nSubFolders Verbatim\n\n"
        "Channel c\nFar :far:\nNear :near:\nPatterns INBOX\nCreate Near\nSync Pull\nSyncState *\n"
    )
    began = time.perf_counter()
    _, status, used = await asyncio.to_thread(waited_for, ["mbsync", "-q", "-c", str(config), "c"])
    assert status == 0, f"mbsync ended with {status}"
    return Measured(time.perf_counter() - began, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


async def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--messages", type=int, default=10_000)
    options.add_argument("--size", type=int, default=8192)
    options.add_argument("--runs", type=int, default=3)
    chosen = options.parse_args()
    found = {"Postroom": [], "mbsync, no fsync": [], "mbsync, fsync": []}
    async with AsyncExitStack() as stack:
        dovecot = await stack.enter_async_context(Dovecot(Certificates()))
        user = dovecot.add_user()
        dovecot.fill(user.name, letters(chosen.messages, chosen.size))
        # An SMTP server to connect the mailbox with; nothing is sent in this bench.
        sink = await stack.enter_async_context(Sink(users={user.name: user.password}))
        for run in range(chosen.runs + 1):
            for name, rows in found.items():
                with tempfile.TemporaryDirectory(prefix="postroom-bench-") as folder:
                    place = Path(folder)
                    if name == "Postroom":
                        row = await postroom(dovecot, sink, user, chosen.messages, place)
                    else:
                        row = await mbsync(dovecot, user, place, fsync="no" not in name)
                if run:  # the first warms the server's index
                    rows.append(row)
    base = statistics.median(row.wall for row in found["mbsync, no fsync"])
    print(f"{chosen.messages} messages of {chosen.size} bytes, median of {chosen.runs}")
    print(f"{'':18} {'msg/s':>8} {'ratio':>6} {'CPU ms/msg':>11} {'peak MiB':>9}")
    for name, rows in found.items():
        wall = statistics.median(row.wall for row in rows)
        cpu = statistics.median(row.cpu for row in rows) / chosen.messages * 1000
        peak = statistics.median(row.peak for row in rows)
        print(f"{name:18} {chosen.messages / wall:8.0f} {base / wall:6.2f} {cpu:11.2f} {peak:9.0f}")


asyncio.run(main())
