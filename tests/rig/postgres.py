"""A throw-away PostgreSQL cluster on loopback, and fresh databases in it."""

import asyncio
import os
import secrets
import shutil
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

import asyncpg

from tests.rig.ports import HOST, free_port
from tests.rig.process import MissingServerError, Server, program


class Postgres(Server):
    """A cluster whose superuser is `postgres`, trusted without a password. `fsync=False`: faster and not durable."""

    stop_signal = signal.SIGINT  # fast shutdown: clients are disconnected, everything is written
    account = "postgres"

    def __init__(self, *, fsync: bool = True, **settings: str | int) -> None:
        self._binaries = _binaries()
        super().__init__("postgres")
        self.port = free_port()
        self.ports = (self.port,)
        self._data = self.folder / "data"
        self._settings = {
            "listen_addresses": HOST,
            "port": self.port,
            "unix_socket_directories": "",
            "fsync": "on" if fsync else "off",
            "max_connections": 200,
            "log_destination": "stderr",
            **settings,
        }
        if os.geteuid() == 0:
            shutil.chown(self.folder, self.account, self.account)

    def command(self) -> Sequence[str]:
        """The postgres server itself, with its settings on its command line."""
        options = [f"--{name.replace('_', '-')}={value}" for name, value in self._settings.items()]
        return [str(self._binaries / "postgres"), "-D", str(self._data), *options]

    async def start(self) -> None:
        """Make the cluster when it is not there yet, start the server and wait until it answers queries."""
        if not self._data.exists():
            await asyncio.to_thread(self._initialise)
        await super().start()
        while True:
            try:
                await self._execute("SELECT 1")
            except asyncpg.CannotConnectNowError:
                await asyncio.sleep(0.02)
            else:
                return

    def url(self, database: str) -> str:
        """The address of a database, as the setting for Postroom's database takes it."""
        return f"postgresql://postgres@{HOST}:{self.port}/{database}"

    async def create_database(self, template: str = "template1") -> str:
        """Make a fresh database and give its name."""
        name = f"rig_{secrets.token_hex(6)}"
        await self._execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        return name

    async def drop_database(self, name: str) -> None:
        """Remove a database and disconnect whoever uses it."""
        await self._execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    async def _execute(self, statement: str) -> None:
        connection = await asyncpg.connect(self.url("postgres"))
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    def _initialise(self) -> None:
        switch = self.account if os.geteuid() == 0 else None
        done = subprocess.run(
            [
                *(str(self._binaries / "initdb"), "-D", str(self._data), "--no-sync", "--auth=trust"),
                *("--username=postgres", "--encoding=UTF8", "--locale=C.UTF-8"),
            ],
            capture_output=True,
            text=True,
            cwd="/",
            user=switch,
            group=switch,
            extra_groups=[] if switch else None,
            check=False,
        )
        if done.returncode != 0:
            raise RuntimeError(f"initdb ended with {done.returncode}: {done.stderr.strip()}")


def _binaries() -> Path:
    """The folder of the newest PostgreSQL on this machine, as Debian lays it out, else where PATH finds one."""
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: float(path.parts[4]))
    if versions:
        return versions[-1].parent
    try:
        return Path(program("postgres", "postgresql")).parent
    except MissingServerError as error:
        raise MissingServerError(
            "PostgreSQL is not installed: run `make servers`, or apt-get install postgresql"
        ) from error
