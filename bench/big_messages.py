"""Big messages in many mailboxes at once: the peak memory of Postroom while it reads them. It asserts nothing.

    .venv/bin/python bench/big_messages.py [--mailboxes 8] [--messages 1] [--megabytes 100]

Each mailbox has so many messages with an attachment in base 64. The peak is resident memory; `base` is that of the same
process before the mailboxes are connected. A row is printed for one mailbox alone, and one for all at once.
"""

import argparse
import asyncio
import base64
import os
import sys
import tempfile
import time
from contextlib import AsyncExitStack
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from tests.rig.certificates import Certificates
from tests.rig.dovecot import Dovecot
from tests.rig.sink import Sink
from tests.walks.postroom import Postroom

HEAD = (
    b"From: anna@example.test\r\nTo: team@rig.test\r\nSubject: The film\r\n"
    b'MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="b"\r\n\r\n'
    b"--b\r\nContent-Type: text/plain\r\n\r\nHere it is.\r\n"
    b"--b\r\nContent-Type: video/mp4\r\nContent-Transfer-Encoding: base64\r\n"
    b'Content-Disposition: attachment; filename="film.mp4"\r\n\r\n'
)


def letter(number, megabytes):
    line = base64.encodebytes(os.urandom(57)).replace(b"\n", b"\r\n")
    body = line * (megabytes * 2**20 // len(line))
    return b"Message-ID: <film-%d@rig.test>\r\n" % number + HEAD + body + b"--b--\r\n"


def memory(pid, field):
    """MiB, of proc(5)."""
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith(field)) / 1024


async def measured(dovecot, sink, users, messages):
    with tempfile.TemporaryDirectory(prefix="postroom-bench-") as folder:
        async with Postroom(Path(folder), log_level="warning") as running:
            base = memory(running.process.pid, "VmRSS")
            began = time.perf_counter()
            for user in users:
                end = {"host": "127.0.0.1", "security": "none", "username": user.name}
                await running.connect(
                    {
                        "address": user.address,
                        "imap": end | {"port": dovecot.imap_port},
                        "smtp": end | {"port": sink.port},
                        "auth": {"kind": "password", "password": user.password},
                    }
                )
            await running.until(
                lambda: running.everything("/conversations"),
                lambda seen: len(seen) == len(users) * messages,
                seconds=600,
            )
            return base, memory(running.process.pid, "VmHWM"), time.perf_counter() - began


async def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--mailboxes", type=int, default=8)
    options.add_argument("--messages", type=int, default=1)
    options.add_argument("--megabytes", type=int, default=100)
    chosen = options.parse_args()
    async with AsyncExitStack() as stack:
        dovecot = await stack.enter_async_context(Dovecot(Certificates()))
        users = [dovecot.add_user() for _ in range(chosen.mailboxes)]
        for user in users:
            dovecot.fill(user.name, (letter(number, chosen.megabytes) for number in range(chosen.messages)))
        sink = await stack.enter_async_context(Sink(users={user.name: user.password for user in users}))
        print(f"{chosen.messages} messages of {chosen.megabytes} MB in each mailbox")
        print(f"{'mailboxes':>9} {'base MiB':>9} {'peak MiB':>9} {'seconds':>8}")
        for some in (users[:1], users):
            base, peak, seconds = await measured(dovecot, sink, some, chosen.messages)
            print(f"{len(some):9} {base:9.0f} {peak:9.0f} {seconds:8.1f}")


asyncio.run(main())
