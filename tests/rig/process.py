"""A server program as a child of the test run: started in the foreground, stopped by its own id, never left behind."""

import asyncio
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.rig.ports import PATIENCE, until_closed, until_open

# Reads one line when the server was stopped in good order. If the run dies instead (a kill, a crash), the pipe closes
# without one, and the server and its folder go too.
_KEEPER = """
read -r _ && exit 0
kill -s "$2" "$1"
n=0
while kill -0 "$1" 2>/dev/null && [ "$n" -lt 100 ]; do sleep 0.1; n=$((n + 1)); done
kill -s KILL "$1" 2>/dev/null
rm -rf "$3"
"""


class MissingServerError(Exception):
    """A server that the tests need is not on this machine; the text says how to get it."""


def program(name: str, package: str, *folders: str) -> str:
    """Where a program is. Raises MissingServerError when it is not installed."""
    search = os.pathsep.join([*folders, os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])
    found = shutil.which(name, path=search)
    if found is None:
        raise MissingServerError(f"{name} is not installed: run `make servers`, or apt-get install {package}")
    return found


def need_root(server: str) -> None:
    """Raises MissingServerError unless we are root: mail servers start as root and drop their privileges themselves."""
    if os.geteuid() != 0:
        raise MissingServerError(
            f"{server} can only be started by root: run the tests as root, for instance in a container"
        )


async def run(*argv: str | os.PathLike[str], stdin: bytes = b"", env: Mapping[str, str] | None = None) -> str:
    """Run a command to its end and give what it wrote to standard output. Raises RuntimeError with its words."""
    child = await asyncio.create_subprocess_exec(
        *argv,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd="/",
        env={**os.environ, **env} if env else None,
    )
    out, err = await child.communicate(stdin)
    if child.returncode != 0:
        words = (err or out).decode(errors="replace").strip()
        raise RuntimeError(f"{Path(argv[0]).name} ended with {child.returncode}: {words}")
    return out.decode(errors="replace")


class Server:
    """One server of the rig: a folder of its own, one process, some ports that stay the same over a restart.

    A subclass fills the folder and sets `ports`. `async with` starts it, stops it and removes the folder.
    """

    stop_signal = signal.SIGTERM
    account: str | None = None  # the account that the process runs as, where it cannot be root

    def __init__(self, name: str) -> None:
        self.name = name
        self.folder = Path(tempfile.mkdtemp(prefix=f"postroom-{name}-"))
        self.folder.chmod(0o755)  # servers drop their privileges and must still find their files
        self.log = self.folder / f"{name}.log"
        self.ports: tuple[int, ...] = ()
        self._child: subprocess.Popen[bytes] | None = None
        self._keeper: subprocess.Popen[bytes] | None = None

    def command(self) -> Sequence[str]:
        """The command that runs the server in the foreground."""
        raise NotImplementedError

    @property
    def pid(self) -> int:
        """The id of the server's first process. Raises RuntimeError when it is stopped."""
        if self._child is None:
            raise RuntimeError(f"{self.name} is not running")
        return self._child.pid

    @property
    def running(self) -> bool:
        """Whether the server's first process lives."""
        return self._child is not None and self._child.poll() is None

    async def start(self) -> None:
        """Start the server and wait until all its ports answer. Raises RuntimeError with the end of its log."""
        if self.running:
            raise RuntimeError(f"{self.name} is already running")
        self._launch()
        try:
            await until_open(self.ports, lambda: self.running)
        except (ConnectionError, TimeoutError) as error:
            words = self.last_words()
            await self.stop()
            raise RuntimeError(f"{self.name} did not start: {error}\n{words}") from error

    def _launch(self) -> None:
        # Not asyncio's: the process outlives the loop that started it.
        switch = self.account if os.geteuid() == 0 else None
        with (self.folder / "output.log").open("ab") as output:
            self._child = subprocess.Popen(
                self.command(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd="/",
                start_new_session=True,
                user=switch,
                group=switch,
                extra_groups=[] if switch else None,
            )
        self._keeper = subprocess.Popen(
            ["/bin/sh", "-c", _KEEPER, "keeper", str(self._child.pid), self.stop_signal.name[3:], str(self.folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            start_new_session=True,
        )

    async def stop(self) -> None:
        """Stop the server by its id and wait until it and its ports are gone. Nothing happens when it is stopped.

        Raises RuntimeError when it had to be killed because it did not end by itself.
        """
        await self._end(self.stop_signal)

    async def crash(self) -> None:
        """Kill the server's first process without a word to it, as a machine that loses power would."""
        await self._end(signal.SIGKILL)

    async def restart(self) -> None:
        """Stop and start again, on the same ports."""
        await self.stop()
        await self.start()

    async def _end(self, how: signal.Signals) -> None:
        child, keeper = self._child, self._keeper
        self._child = self._keeper = None
        if child is None or keeper is None:
            return
        stubborn = False
        if child.poll() is None:
            child.send_signal(how)
            stubborn = not await _gone(child, how)
            if stubborn:
                os.killpg(child.pid, signal.SIGKILL)
                await _gone(child, signal.SIGKILL)
        keeper.communicate(b"\n")
        await until_closed(self.ports)
        if stubborn:
            raise RuntimeError(f"{self.name} did not stop within {PATIENCE:.0f} s and was killed\n{self.last_words()}")

    def last_words(self, lines: int = 20) -> str:
        """The end of what the server wrote to its log and its standard output."""
        logs = [self.folder / "output.log", self.log]
        return "\n".join(
            line for log in logs if log.exists() for line in log.read_text(errors="replace").splitlines()[-lines:]
        )

    def discard(self) -> None:
        """Remove the server's folder. The server must be stopped."""
        shutil.rmtree(self.folder)

    async def __aenter__(self) -> Self:
        try:
            await self.start()
        except BaseException:
            self.discard()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            await self.stop()
        finally:
            self.discard()


async def _gone(child: subprocess.Popen[bytes], how: signal.Signals) -> bool:
    """Whether the process ended in time. Its whole group is told again each second: a child that was just being
    started when the first signal came has not heard it, and Dovecot would wait five seconds for it."""
    began = told = time.monotonic()
    while child.poll() is None:
        now = time.monotonic()
        if now - began > PATIENCE:
            return False
        if now - told > 1:
            os.killpg(child.pid, how)
            told = now
        await asyncio.sleep(0.02)
    return True
