"""PostgreSQL through asyncpg: transactions, bounded repeats, LISTEN and NOTIFY. It knows no table."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import Concatenate
from urllib.parse import urlsplit
from uuid import uuid4

import asyncpg
import structlog
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from postroom.core.ports.store import StoreUnavailable
from postroom.store.changes import Changes
from postroom.store.database import P, T, wrote
from postroom.store.postgresql_faults import is_lost, is_rolled_back, postgresql_fault

log = structlog.get_logger()

CHANNEL = "postroom_changed"
REST = 0.02
"""Seconds between two NOTIFYs: many writes are one wake."""
RECONNECT = 1.0
"""Seconds before the listening connection is tried again."""
PAUSES = (0.0, 0.05, 0.25)
"""Seconds before each repeat of what was not committed."""
TIMEOUT = 60.0
"""Seconds for one statement."""
CLOSED = "The database is closed: Postroom is stopping."


Query = Callable[[Connection], T]


async def connect(url: str) -> asyncpg.Connection[asyncpg.Record]:
    """A connection as all of ours are. jit: compiling costs more than our short queries."""
    settings = {"application_name": "postroom", "jit": "off", "timezone": "UTC"}
    return await asyncpg.connect(url, timeout=10, command_timeout=TIMEOUT, server_settings=settings)


def engine(url: str, size: int = 10) -> AsyncEngine:
    """asyncpg reads the address itself, so all that it knows (sslmode, several hosts) may stand there."""
    return create_async_engine(
        "postgresql+asyncpg://",
        async_creator=partial(connect, url),
        pool_size=size,
        max_overflow=size,
        pool_timeout=30,
        hide_parameters=True,
    )


def where(url: str) -> str:
    """Host and database, for messages."""
    parts = urlsplit(url)
    return f"{parts.netloc.rpartition('@')[2]}{parts.path}"


class PostgreSQLDatabase:
    """store.database.Database on a PostgreSQL server. Made inside the event loop that uses it."""

    def __init__(self, url: str) -> None:
        self.changes = Changes()
        self._url = url
        self._where = where(url)
        self._engine = engine(url)
        self._reading = self._engine.execution_options(isolation_level="AUTOCOMMIT")  # saves BEGIN and COMMIT
        self._name = uuid4().hex
        self._untold = asyncio.Event()
        self._lost = asyncio.Event()
        self._closed = False
        self._listening = asyncio.create_task(self._listen(), name="postroom changes")

    async def read(self, query: Callable[Concatenate[Connection, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._repeated(self._read, lambda connection: query(connection, *args, **kwargs))

    async def write(self, query: Callable[Concatenate[Connection, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        result = await self._repeated(self._write, lambda connection: query(connection, *args, **kwargs))
        if wrote(result):
            self.changes.tell()
            self._untold.set()
        return result

    async def note(self, query: Callable[Concatenate[Connection, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._repeated(self._write, lambda connection: query(connection, *args, **kwargs))

    def alone(self) -> AbstractAsyncContextManager[bool]:
        return contextlib.nullcontext(enter_result=False)  # others may work on any host

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._listening.cancel()
        await asyncio.wait([self._listening])
        await self._engine.dispose()

    async def _repeated(
        self, run: Callable[[Callable[[Connection], T]], Awaitable[T]], query: Callable[[Connection], T]
    ) -> T:
        if self._closed:
            raise StoreUnavailable(CLOSED)
        for pause in (*PAUSES, None):
            try:
                return await run(query)
            except _CommitUnknown as unknown:
                raise StoreUnavailable(
                    f"PostgreSQL at {self._where} was lost in the middle of a commit: is it running, is the network "
                    "up? Postroom goes on by itself."
                ) from unknown.__cause__
            except Exception as error:
                if pause is None or not (is_rolled_back(error) or is_lost(error)):
                    judged = postgresql_fault(error, self._where)
                    if judged is error:
                        raise
                    raise judged from None  # the driver's own text may repeat a row
            await asyncio.sleep(pause)
        raise AssertionError("the last turn returns or raises")

    async def _read(self, query: Query[T]) -> T:
        async with self._reading.connect() as connection:
            return await connection.run_sync(query)

    async def _write(self, query: Query[T]) -> T:
        committing = False
        try:
            async with self._engine.connect() as connection, connection.begin():
                result = await connection.run_sync(query)
                committing = True
        except Exception as error:
            if committing and is_lost(error):
                raise _CommitUnknown from error
            raise
        return result

    async def _listen(self) -> None:
        while True:
            try:
                connection = await connect(self._url)
                try:
                    await self._pass_on(connection)
                finally:
                    connection.terminate()
            except Exception as error:  # whatever it was: without this connection every wake comes late
                log.warning("not listening for changes", where=self._where, error=type(error).__name__)
            await asyncio.sleep(RECONNECT)

    async def _pass_on(self, connection: asyncpg.Connection[asyncpg.Record]) -> None:
        """NOTIFY by this connection alone: in a transaction of a write it would make all commits wait in a row."""
        self._lost.clear()
        connection.add_termination_listener(lambda _: self._wake_listener())
        await connection.add_listener(CHANNEL, self._heard)
        self.changes.tell()  # what was told while nobody listened
        while not self._lost.is_set():
            await self._untold.wait()
            if self._lost.is_set():
                return
            self._untold.clear()
            await connection.execute(f"SELECT pg_notify('{CHANNEL}', $1)", self._name)
            await asyncio.sleep(REST)

    def _wake_listener(self) -> None:
        self._lost.set()
        self._untold.set()

    def _heard(self, _connection: object, _pid: int, _channel: str, payload: object) -> None:
        if payload != self._name:
            self.changes.tell()


class _CommitUnknown(Exception):
    """The connection was lost while COMMIT was under way: it may have happened."""
