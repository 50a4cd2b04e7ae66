"""Servers of the rig as processes: nothing is left behind, and a missing one is said in words."""

import asyncio
import sys
from pathlib import Path

import pytest

from tests.rig.clients import until
from tests.rig.ports import free_port, is_open
from tests.rig.process import MissingServerError, Server, program

ROOT = Path(__file__).parents[2]
STORY = """
import asyncio
from tests.rig.certificates import Certificates
from tests.rig.dovecot import Dovecot

async def story():
    dovecot = Dovecot(Certificates())
    await dovecot.start()
    print(dovecot.imap_port, dovecot.folder, flush=True)
    await asyncio.sleep(60)

asyncio.run(story())
"""


async def test_a_killed_run_leaves_no_server_and_no_folder():
    run = await asyncio.create_subprocess_exec(sys.executable, "-c", STORY, cwd=ROOT, stdout=asyncio.subprocess.PIPE)
    port, folder = (await run.stdout.readline()).decode().split()
    assert is_open(int(port))
    run.kill()
    await run.wait()
    await until(lambda: not is_open(int(port)) and not Path(folder).exists())


def test_a_missing_server_is_said_with_the_way_to_get_it():
    with pytest.raises(MissingServerError, match="run `make servers`, or apt-get install dovecot-imapd"):
        program("dovecot-of-no-such-name", "dovecot-imapd")


class _Broken(Server):
    def command(self):
        return ["/bin/sh", "-c", "echo 'no such setting' >&2; exit 3"]


async def test_a_server_that_does_not_start_is_quoted():
    broken = _Broken("broken")
    broken.ports = (free_port(),)
    with pytest.raises(RuntimeError, match="no such setting"):
        async with broken:
            pass
    assert not broken.folder.exists()


class _Stubborn(Server):
    def command(self):
        return [
            sys.executable,
            "-c",
            f"import signal, socket; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
            f"plug = socket.create_server(('127.0.0.1', {self.ports[0]})); signal.pause()",
        ]


async def test_a_server_that_does_not_stop_is_killed_and_named(monkeypatch):
    monkeypatch.setattr("tests.rig.process.PATIENCE", 0.5)
    stubborn = _Stubborn("stubborn")
    stubborn.ports = (free_port(),)
    with pytest.raises(RuntimeError, match="stubborn did not stop"):
        async with stubborn:
            pass
    assert not is_open(stubborn.ports[0])
