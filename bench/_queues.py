"""What bench/send.py measures against: smtp-sink, smtp-source and Postfix as a queue. It measures nothing."""

import asyncio
import os
import re
import shutil
import signal
import string
import subprocess
import tempfile
import time
from contextlib import asynccontextmanager
from pathlib import Path

from tests.rig.ports import free_port
from tests.rig.process import need_root, program

TICKS = os.sysconf("SC_CLK_TCK")
PATIENCE = 300.0
"""Seconds after which a step that does not end is given up."""


def of_process(pid):
    """CPU seconds so far of a process, and its children that have ended (proc(5))."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(int(fields[number]) for number in (11, 12, 13, 14)) / TICKS


def of_family(pid):
    """CPU seconds so far of a process and all below it, living or ended."""
    total = of_process(pid)
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            try:
                total += of_family(int(child))
            except (FileNotFoundError, ProcessLookupError):
                continue  # it ended: its parent has its time
    return total


class SmtpSink:
    """Postfix's smtp-sink, counting what it takes."""

    def __init__(self, port=None):
        self.port = port or free_port()
        self.count = 0
        self._process = None
        self._reading = None

    async def __aenter__(self):
        await self.start()
        return self

    async def __aexit__(self, *_):
        await self.stop()

    async def start(self):
        command = [program("smtp-sink", "postfix"), "-c", "-u", "nobody", f"127.0.0.1:{self.port}", "1000"]
        self._process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
        self.count = 0
        self._reading = asyncio.create_task(self._read())
        for _ in range(500):
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", self.port)
                writer.close()
                return
            except ConnectionRefusedError:
                await asyncio.sleep(0.01)
        raise TimeoutError("smtp-sink did not start")

    async def _read(self):
        while chunk := await self._process.stdout.read(65536):
            if found := re.findall(rb"mesg=(\d+)", chunk):
                self.count = int(found[-1])

    async def stop(self):
        if self._process is not None and self._process.returncode is None:
            self._process.terminate()
            await self._process.wait()
            await self._reading

    async def holds(self, number):
        """Waits until it has taken so many."""
        ends = time.monotonic() + PATIENCE
        while self.count < number:
            if time.monotonic() > ends:
                raise TimeoutError(f"{self.count} of {number} messages came within {PATIENCE:.0f} s")
            await asyncio.sleep(0.005)


async def smtp_source(port, messages, size, connections):
    """Sends into a port; seconds, and CPU seconds of smtp-source itself."""
    command = [program("smtp-source", "postfix"), "-d", "-s", str(connections), "-m", str(messages), "-l", str(size)]
    command += ["-f", "bench@sender.test", "-t", "customer@elsewhere.test", f"127.0.0.1:{port}"]
    began = time.perf_counter()

    def waited_for():
        return os.wait4(subprocess.Popen(command).pid, 0)  # outside asyncio, which would reap it without its usage

    _, status, used = await asyncio.to_thread(waited_for)
    if status:
        raise RuntimeError(f"smtp-source ended with {status}")
    return time.perf_counter() - began, used.ru_utime + used.ru_stime


# Postfix as a queue

MAIN = """
compatibility_level = 3.6
queue_directory = $folder/queue
data_directory = $folder/data
command_directory = $commands
daemon_directory = $daemons
maillog_file = $folder/postfix.log
maillog_file_prefixes = $folder
myhostname = mx.bench.test
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
mydestination =
alias_maps =
alias_database =
local_recipient_maps =
disable_dns_lookups = yes
smtpd_peername_lookup = no
default_transport = smtp:[127.0.0.1]:$sink
smtp_destination_concurrency_limit = $connections
smtp_initial_destination_concurrency = $connections
initial_destination_concurrency = $connections
smtp_connection_cache_on_demand = yes
smtp_destination_recipient_limit = 1
smtpd_client_restrictions = check_client_access static:HOLD, permit
smtpd_error_sleep_time = 0
"""
MASTER = """
127.0.0.1:$port inet n - n - 100 smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
flush unix n - n 1000? 0 flush
showq unix n - n - - showq
proxymap unix - - n - - proxymap
smtp unix - - n - $connections smtp
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
tlsmgr unix - - n 1000? 1 tlsmgr
postlog unix-dgram n - n - 1 postlogd
"""


@asynccontextmanager
async def postfix(sink_port, connections):
    """A Postfix that holds what it accepts; gives its port, its process and its folder."""
    need_root("Postfix")
    folder = Path(tempfile.mkdtemp(prefix="postroom-bench-postfix-"))
    os.chmod(folder, 0o755)
    master = Path(program("master", "postfix", "/usr/lib/postfix/sbin", "/usr/libexec/postfix"))
    port = free_port()
    values = {
        "folder": folder,
        "commands": Path(program("postfix", "postfix")).parent,
        "daemons": master.parent,
        "sink": sink_port,
        "connections": connections,
        "port": port,
    }
    (folder / "queue").mkdir()
    (folder / "data").mkdir()
    shutil.chown(folder / "data", "postfix")
    (folder / "main.cf").write_text(string.Template(MAIN).substitute(values))
    (folder / "master.cf").write_text(string.Template(MASTER).substitute(values))
    await quietly("postfix", "-c", folder, "check")
    process = await asyncio.create_subprocess_exec(
        str(master), "-c", str(folder), "-s", cwd="/", start_new_session=True, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        for _ in range(1000):
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                break
            except ConnectionRefusedError:
                await asyncio.sleep(0.01)
        yield port, process, folder
    finally:
        process.send_signal(signal.SIGTERM)
        await process.wait()
        shutil.rmtree(folder, ignore_errors=True)


async def quietly(name, *arguments):
    process = await asyncio.create_subprocess_exec(
        program(name, "postfix"),
        *map(str, arguments),
        cwd="/",
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    _, words = await process.communicate()
    if process.returncode:
        raise RuntimeError(f"{name} ended with {process.returncode}: {words.decode(errors='replace').strip()}")
