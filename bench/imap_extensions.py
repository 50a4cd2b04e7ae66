"""What COMPRESS=DEFLATE (RFC 4978) and QRESYNC (RFC 7162) would bring, on a Dovecot that has both. Nothing is asserted.

    .venv/bin/python bench/imap_extensions.py [--messages 2000]

COMPRESS: one client of plain sockets fetches all messages (70 % of 4 KB, 25 % of 30 KB HTML, 5 % of 400 KB in base 64)
plain and compressed; bytes on the line, its CPU, the server's, and what an idle session keeps on either side. QRESYNC:
bytes of the answer that says what changed in a folder of ten times as many messages, of which every tenth was removed
and every twentieth flagged, beside those of the ESEARCH that Postroom compares its ledger with.
"""

import argparse
import asyncio
import base64
import os
import random
import socket
import sys
import time
import zlib
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from tests.rig.certificates import Certificates
from tests.rig.dovecot import Dovecot
from tests.rig.maildir import letters

WORDS = [
    "order",
    "parcel",
    "invoice",
    "thanks",
    "Monday",
    "please",
    "address",
    "number",
    "the",
    "and",
    "of",
    "to",
    "is",
]
TICKS = os.sysconf("SC_CLK_TCK")


def mixed(count):
    chance = random.Random(1)
    for number in range(count):
        kind = chance.random()
        size = 4_000 if kind < 0.7 else 30_000 if kind < 0.95 else 400_000
        head = f"From: a{number}@example.test\r\nSubject: Nr. {number}\r\nMessage-ID: <{number}@rig.test>\r\n"
        if size == 400_000:
            body = base64.encodebytes(chance.randbytes(290_000)).decode().replace("\n", "\r\n")
        else:
            words = " ".join(chance.choice(WORDS) for _ in range(size // 6))
            body = words if size == 4_000 else f'<div style="margin:0">{words.replace(". ", "</p><p>")}</div>'
        yield (head + "\r\n" + body + "\r\n").encode()


class Client:
    """One session on plain sockets, blocking; compressed from `compress` on."""

    def __init__(self, port, user):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.bytes = 0
        self.inflate = self.deflate = None
        self.rest = b""
        self.until(b"\r\n")
        self.ask(f"LOGIN {user.name} {user.password}")

    def ask(self, words):
        line = f"a {words}\r\n".encode()
        if self.deflate:
            line = self.deflate.compress(line) + self.deflate.flush(zlib.Z_SYNC_FLUSH)
        self.socket.sendall(line)
        return self.until(b"\r\na OK", b"\na NO", b"\na BAD")

    def compress(self):
        self.ask("COMPRESS DEFLATE")
        self.inflate, self.deflate = zlib.decompressobj(-15), zlib.compressobj(wbits=-15)

    def until(self, *ends):
        """How many bytes came, decompressed; only the end is kept."""
        total, tail = 0, b"\r\n"
        while not any(end in tail for end in ends) or not tail.endswith(b"\r\n"):
            chunk = self.socket.recv(65536)
            assert chunk, tail
            self.bytes += len(chunk)
            plain = self.inflate.decompress(chunk) if self.inflate else chunk
            total += len(plain)
            tail = (tail + plain)[-4000:]
        return total


def server_seconds(dovecot):
    """CPU of all processes of this Dovecot, living and ended."""
    total = 0
    for task in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = task.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if task.parent.name == str(dovecot.pid) or fields[1] == str(dovecot.pid):
            total += sum(int(fields[at]) for at in (11, 12, 13, 14))
    return total / TICKS


def fetched(dovecot, user, *, compressed):
    client = Client(dovecot.imap_port, user)
    if compressed:
        client.compress()
    client.ask("SELECT INBOX")
    client.bytes = 0
    cpu, server, began = time.process_time(), server_seconds(dovecot), time.perf_counter()
    client.ask("UID FETCH 1:* (UID FLAGS INTERNALDATE BODY.PEEK[])")
    return client.bytes, time.process_time() - cpu, server_seconds(dovecot) - server, time.perf_counter() - began


def idle_kilobytes():
    """What the two zlib objects of one session take, by the growth of this process."""

    def resident():
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    kept, before = [], resident()
    for _ in range(500):
        pair = zlib.decompressobj(-15), zlib.compressobj(wbits=-15)
        data = pair[1].compress(b"DONE\r\n" * 50) + pair[1].flush(zlib.Z_SYNC_FLUSH)
        pair[0].decompress(data)
        kept.append(pair)
    return (resident() - before) / len(kept) / 1024


def resynchronised(dovecot, user):
    client = Client(dovecot.imap_port, user)
    client.ask("ENABLE QRESYNC")
    client.ask("SELECT INBOX")
    client.ask("UID STORE 1:* +FLAGS.SILENT (\\Seen)")
    count = client.ask("UID SEARCH RETURN (COUNT) ALL")
    assert count
    told = b""
    client.socket.sendall(b"a STATUS INBOX (UIDVALIDITY HIGHESTMODSEQ MESSAGES)\r\n")
    while b"a OK" not in told:
        told += client.socket.recv(65536)
    numbers = told.split(b"(")[1].split(b")")[0].split()
    facts = dict(zip(numbers[::2], map(int, numbers[1::2]), strict=True))
    last = facts[b"MESSAGES"]
    for begin in range(1, last, 1000):
        uids = ",".join(map(str, range(begin, min(begin + 1000, last + 1), 10)))
        client.ask(f"UID STORE {uids} +FLAGS.SILENT (\\Deleted)")
        flagged = ",".join(map(str, range(begin + 1, min(begin + 1000, last + 1), 20)))
        client.ask(f"UID STORE {flagged} +FLAGS.SILENT (\\Flagged)")
    client.ask("EXPUNGE")
    search = client.ask("UID SEARCH RETURN (ALL) ALL")
    client.ask("CLOSE")
    plain = client.ask("SELECT INBOX")
    client.ask("CLOSE")
    known = f"(QRESYNC ({facts[b'UIDVALIDITY']} {facts[b'HIGHESTMODSEQ']} 1:{last}))"
    return search, client.ask(f"SELECT INBOX {known}") - plain


async def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--messages", type=int, default=2000)
    chosen = options.parse_args()
    dovecot = Dovecot(Certificates())
    async with dovecot:
        user, large = dovecot.add_user(), dovecot.add_user()
        dovecot.fill(user.name, mixed(chosen.messages))
        dovecot.fill(large.name, letters(10 * chosen.messages, 500))
        await asyncio.to_thread(fetched, dovecot, user, compressed=False)  # the server's index is made
        print(f"{'':12} {'MB':>7} {'client CPU s':>13} {'server CPU s':>13} {'seconds':>8}")
        for name, compressed in (("plain", False), ("compressed", True)):
            size, cpu, server, wall = await asyncio.to_thread(fetched, dovecot, user, compressed=compressed)
            print(f"{name:12} {size / 1e6:7.1f} {cpu:13.2f} {server:13.2f} {wall:8.1f}")
        print(f"idle, on each side: {idle_kilobytes():.0f} KB a session")
        search, changes = await asyncio.to_thread(resynchronised, dovecot, large)
        print(f"{10 * chosen.messages} messages: ESEARCH {search / 1000:.1f} KB, QRESYNC {changes / 1000:.1f} KB")


asyncio.run(main())
