"""From arrival to webhook, beside what a bare IDLE client sees of the same message, and a burst. It asserts nothing.

    .venv/bin/python bench/arrival.py [--mailboxes 1000] [--messages 200] [--burst 1000]

Dovecot delivers by LMTP; a bare client idles on the mailbox that gets the mail, and so does Postroom, with as many more
mailboxes idling beside it. The difference is between the bare client's EXISTS and the webhook's request, which comes
after the message was fetched, parsed, threaded and committed. Messages come one at a time, half a second apart. The
clocks are one clock. Needs root, as the rig's Dovecot does.
"""

import argparse
import asyncio
import base64
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))
sys.path.insert(0, str(Path(__file__).parent))

from many_mailboxes import PASSWORD, fill, name, raise_limits, until_all
from tests.rig.certificates import Certificates
from tests.rig.dovecot import Dovecot
from tests.walks.postroom import Postroom

PAUSE = 0.5


class Receiver:
    """A web server that notes when each message was announced; connections are kept open."""

    def __init__(self):
        self.seen = {}
        self.more = asyncio.Event()

    async def __aenter__(self):
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self.server.sockets[0].getsockname()[1]}/"
        return self

    async def __aexit__(self, *_):
        self.server.close()

    async def serve(self, reader, writer):
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                at = time.perf_counter()
                length = next(
                    int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line[:15] == b"content-length:"
                )
                body = json.loads(await reader.readexactly(length))
                writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
                if body["type"] == "message.received":
                    self.seen.setdefault(body["data"]["message_id"].strip("<>"), at)
                    self.more.set()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def until(self, identifiers, seconds=120.0):
        """Waits until all were announced."""
        async with asyncio.timeout(seconds):
            while not self.seen.keys() >= identifiers:
                self.more.clear()
                await self.more.wait()


class Bare:
    """Notes when the server tells of each further message."""

    def __init__(self, port):
        self.port = port
        self.at = {}
        self.more = asyncio.Event()

    async def __aenter__(self):
        self.reader, self.writer = await asyncio.open_connection("localhost", self.port)
        await self.reader.readline()
        plain = base64.b64encode(f"\0{name(0)}\0{PASSWORD}".encode()).decode()
        for tag, command in (("a", f"AUTHENTICATE PLAIN {plain}"), ("b", "EXAMINE INBOX"), ("c", "IDLE")):
            self.writer.write(f"{tag} {command}\r\n".encode())
            while not (await self.reader.readline()).startswith((tag.encode(), b"+ idling")):
                pass
        self.task = asyncio.create_task(self.follow())
        return self

    async def __aexit__(self, *_):
        self.task.cancel()
        self.writer.close()

    async def follow(self):
        while line := await self.reader.readline():
            words = line.split()
            if words[2:3] == [b"EXISTS"]:
                self.at.setdefault(int(words[1]), time.perf_counter())
                self.more.set()

    async def until(self, count, seconds=60.0):
        """When the server told of so many."""
        async with asyncio.timeout(seconds):
            while max(self.at, default=0) < count:
                self.more.clear()
                await self.more.wait()
        return self.at[min(one for one in self.at if one >= count)]


def letter(number):
    identifier = f"bench.{number}@example.test"
    text = (
        f"From: Ada <ada@example.test>\r\nTo: {name(0)}@rig.test\r\nSubject: Question {number}\r\n"
        f"Message-ID: <{identifier}>\r\nDate: Mon, 23 Nov 2026 09:00:00 +0000\r\n\r\n" + "It does not work.\r\n" * 100
    )
    return identifier, text.encode()


def percentile(values, share):
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


async def main(mailboxes, messages, burst):
    dovecot = Dovecot(Certificates(), hibernate="1s", connections=max(1001, mailboxes + 100))
    for number in range(1, mailboxes):
        dovecot.add_user(name(number), PASSWORD)
    # Dovecot is slow to tell sessions that it parked: the one that is measured stays a process.
    dovecot.add_user(name(0), PASSWORD, imap_hibernate_timeout="0")
    with tempfile.TemporaryDirectory(prefix="postroom-bench-") as folder:
        async with dovecot, Receiver() as receiver:
            await fill(Path(folder), dovecot, mailboxes, tls=True)
            postroom = Postroom(Path(folder), log_level="error")
            postroom.key = (await postroom.command("key", "create", "bench")).strip()
            async with postroom:
                await postroom.post("/webhooks", {"url": receiver.url})
                await until_all(postroom, mailboxes, time.perf_counter())
                print(f"{mailboxes} mailboxes idle", flush=True)
                await asyncio.sleep(3)
                async with Bare(dovecot.imap_port) as bare:
                    later, whole = [], []
                    for number in range(messages):
                        identifier, raw = letter(number)
                        began = time.perf_counter()
                        await dovecot.deliver(name(0), raw)
                        told = await bare.until(number + 1)
                        await receiver.until({identifier})
                        later.append((receiver.seen[identifier] - told) * 1000)
                        whole.append((receiver.seen[identifier] - began) * 1000)
                        await asyncio.sleep(PAUSE)
                    print(f"arrival to webhook, {messages} messages, one at a time, ms")
                    for words, values in (("after the bare client", later), ("after LMTP began", whole)):
                        middle, high = statistics.median(values), percentile(values, 0.99)
                        print(f"  {words:24} median {middle:8.1f}   99th percentile {high:8.1f}", flush=True)
                    letters = dict(letter(messages + number) for number in range(burst))
                    began = time.perf_counter()
                    # Into the folder at once: delivering them one after the other would be what is measured.
                    for raw in letters.values():
                        dovecot.drop(name(0), raw)
                    dropped = time.perf_counter()
                    await receiver.until(set(letters))
                    ended = time.perf_counter()
                    told = await bare.until(messages + burst)
                    print(f"a burst of {burst} messages into one mailbox, put there in {dropped - began:.2f} s")
                    print(f"  the bare client knows of all after {told - dropped:8.2f} s")
                    print(f"  all are announced after            {ended - dropped:8.2f} s", flush=True)


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--mailboxes", type=int, default=1000)
    options.add_argument("--messages", type=int, default=200)
    options.add_argument("--burst", type=int, default=1000)
    given = options.parse_args()
    raise_limits(4 * given.mailboxes + 4000)
    asyncio.run(main(given.mailboxes, given.messages, given.burst))
