"""SQLite: one writer thread that commits waiting jobs together, and a few readers. It knows no table.

Why not a pool of writers: SQLite has one write lock, and many who wait for it are slower than one who takes them all.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import sqlite3
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, Concatenate
from urllib.parse import quote

from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.pool import NullPool

from postroom.core.ports.store import StoreUnavailable
from postroom.store.changes import Changes
from postroom.store.database import P, T, wrote
from postroom.store.faults import sqlite_fault

READERS = 3
"""Threads that read, so that one large message does not keep the others waiting."""
TOGETHER = 200
"""Jobs in one commit, at most."""
PATIENCE = 5.0
"""Seconds to wait for a lock of another program."""
ASK = 0.02
"""Seconds that SQLite itself waits for the lock, at short intervals, before we ask anew: its own waits grow to a tenth
of a second, and would miss the moments that a busy writer leaves."""
HELD = 0.25
"""Seconds for which a writer that always has more to do may take the lock again at once."""
LEFT = 0.01
"""Seconds for which it then leaves the lock to other processes: SQLite has no queue, who asks first gets it."""
LOOK = 0.5
"""Seconds between looks whether another process has written."""
OLDEST = (3, 37, 0)  # STRICT tables

CLOSED = "The database is closed: Postroom is stopping."


@dataclass(slots=True)
class _Job:
    query: Callable[[Connection], Any]
    future: asyncio.Future[Any]
    tells: bool = False
    result: Any = None
    error: BaseException | None = field(default=None)


def engine(file: Path, patience: float = PATIENCE, *, create: bool = False) -> Engine:
    """Connections in the driver's autocommit: we say BEGIN and COMMIT ourselves."""

    def connect() -> sqlite3.Connection:
        if create:
            # It holds people's mail: its owner's alone, and so its WAL. What goes wrong here, SQLite tells better.
            with contextlib.suppress(OSError):
                os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        address = f"file:{quote(str(file))}?mode={'rwc' if create else 'rw'}"
        connection = sqlite3.connect(
            address, uri=True, timeout=patience, isolation_level=None, check_same_thread=False, cached_statements=256
        )
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")  # a commit is on disk when it returns
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute("PRAGMA cache_size = -4096")
        except BaseException:
            connection.close()
            raise
        return connection

    return create_engine("sqlite://", creator=connect, poolclass=NullPool, hide_parameters=True)


def driver_of(connection: Connection) -> sqlite3.Connection:
    """The driver's own connection."""
    driver = connection.connection.dbapi_connection
    if not isinstance(driver, sqlite3.Connection):
        raise TypeError("not a connection of sqlite3")
    return driver


def begin(driver: sqlite3.Connection, patience: float) -> None:
    """BEGIN IMMEDIATE, asked for again while another process has the lock. Raises sqlite3.OperationalError."""
    ends = time.monotonic() + patience
    driver.execute(f"PRAGMA busy_timeout = {int(min(ASK, patience) * 1000)}")
    while True:
        try:
            driver.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() >= ends:
                raise
        else:
            return


class _Thread(ABC):
    """A thread with its own connection, opened when first needed and again after a fault."""

    def __init__(self, database: SQLiteDatabase, name: str, jobs: SimpleQueue[_Job | None]) -> None:
        self._database = database
        self._jobs = jobs
        self._connection: Connection | None = None
        self._thread = threading.Thread(target=self._run, name=f"postroom {name}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def join(self) -> None:
        self._thread.join()

    @abstractmethod
    def _run(self) -> None:
        """Answers jobs until there is None."""

    def _open(self) -> tuple[Connection, sqlite3.Connection]:
        if self._connection is None:
            self._connection = self._database.engine.connect()
        return self._connection, driver_of(self._connection)

    def _discard(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(Exception):  # it is given up because it failed
                connection.invalidate()
                connection.close()


class _Reader(_Thread):
    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            try:
                connection, driver = self._open()
                driver.execute("BEGIN")
                try:
                    job.result = job.query(connection)
                finally:
                    driver.execute("ROLLBACK")
            except Exception as error:
                job.error = self._database.judged(error)
                if job.error is not error:
                    self._discard()
            self._database.answer([job])
        self._discard()


class _Writer(_Thread):
    _version = 0
    _looked = 0.0
    _looked_with: sqlite3.Connection | None = None
    _free = 0.0

    def _run(self) -> None:
        going_on = True
        while going_on:
            batch: list[_Job] = []
            try:
                job = self._jobs.get(timeout=LOOK)
                while job is not None:
                    batch.append(job)
                    if len(batch) == TOGETHER:
                        break
                    job = self._jobs.get_nowait()
                going_on = job is not None
            except Empty:
                pass
            if batch:
                self._commit(batch)
                self._database.answer(batch)
                self._let_others()
            else:
                self._free = time.monotonic()
            self._look_for_others()
        self._discard()

    def _let_others(self) -> None:
        if self._jobs.empty():
            self._free = time.monotonic()
        elif time.monotonic() - self._free >= HELD:
            time.sleep(LEFT)
            self._free = time.monotonic()

    def _commit(self, batch: list[_Job]) -> None:
        try:
            connection, driver = self._open()
            if not self._together(batch, connection, driver):
                self._apart(batch, connection, driver)
        except Exception as error:
            judged = self._database.judged(error)
            for job in batch:
                job.error = job.error or judged
            if judged is not error:  # the database's fault: begin again with a fresh connection
                self._discard()

    def _together(self, batch: list[_Job], connection: Connection, driver: sqlite3.Connection) -> bool:
        """False where one of several failed: nothing was written then, and they are to be run again."""
        begin(driver, self._database.patience)
        try:
            for job in batch:
                job.result = job.query(connection)
        except Exception:
            if driver.in_transaction:
                driver.execute("ROLLBACK")
            if len(batch) > 1:
                return False
            raise
        _end(driver)
        return True

    def _apart(self, batch: list[_Job], connection: Connection, driver: sqlite3.Connection) -> None:
        """Each with a savepoint, so that its failure undoes no other; SQLite copies every page that changes for it."""
        begin(driver, self._database.patience)
        try:
            for job in batch:
                driver.execute("SAVEPOINT job")
                try:
                    job.result = job.query(connection)
                except Exception as error:
                    job.error = self._database.judged(error)
                    if not driver.in_transaction:  # SQLite itself undid everything: disk full, I/O error
                        raise
                    driver.execute("ROLLBACK TO job")
                driver.execute("RELEASE job")
        except Exception:
            if driver.in_transaction:
                driver.execute("ROLLBACK")
            raise
        _end(driver)

    def _look_for_others(self) -> None:
        now = time.monotonic()
        if now - self._looked < LOOK or self._connection is None:
            return
        self._looked = now
        try:
            _, driver = self._open()
            version = driver.execute("PRAGMA data_version").fetchone()[0]
        except sqlite3.Error:  # the next job meets it, and tells
            self._discard()
            return
        if driver is not self._looked_with:  # each connection counts for itself
            self._looked_with, self._version = driver, 0
        if self._version not in (0, version):
            self._database.others_wrote()
        self._version = version


def _end(driver: sqlite3.Connection) -> None:
    try:
        driver.execute("COMMIT")
    except Exception:
        if driver.in_transaction:
            driver.execute("ROLLBACK")
        raise


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


class SQLiteDatabase:
    """store.database.Database on one file. Made inside the event loop that uses it."""

    def __init__(self, file: Path, *, patience: float = PATIENCE) -> None:
        self.changes = Changes()
        self.engine = engine(file, patience)
        self._file = file
        self.patience = patience
        self._loop = asyncio.get_running_loop()
        self._writes: SimpleQueue[_Job | None] = SimpleQueue()
        self._reads: SimpleQueue[_Job | None] = SimpleQueue()
        self._writer = _Writer(self, "writer", self._writes)
        self._readers = [_Reader(self, f"reader {number}", self._reads) for number in range(READERS)]
        self._closed = False
        self._lock: int | None = None
        for thread in (self._writer, *self._readers):
            thread.start()

    async def read(self, query: Callable[Concatenate[Connection, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        job = self._job(lambda connection: query(connection, *args, **kwargs))
        self._reads.put(job)
        result: T = await job.future
        return result

    async def write(self, query: Callable[Concatenate[Connection, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        job = self._job(lambda connection: query(connection, *args, **kwargs), tells=True)
        self._writes.put(job)
        result: T = await job.future
        return result

    async def note(self, query: Callable[Concatenate[Connection, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        job = self._job(lambda connection: query(connection, *args, **kwargs))
        self._writes.put(job)
        result: T = await job.future
        return result

    def _job(self, query: Callable[[Connection], Any], *, tells: bool = False) -> _Job:
        if self._closed:
            raise StoreUnavailable(CLOSED)
        return _Job(query, self._loop.create_future(), tells)

    async def close(self) -> None:
        """What was asked before is done first."""
        if self._closed:
            return
        self._closed = True
        self._writes.put(None)
        for _ in self._readers:
            self._reads.put(None)
        for thread in (self._writer, *self._readers):
            await asyncio.to_thread(thread.join)
        await asyncio.sleep(0)  # the last answers are on their way through the loop
        self.engine.dispose()
        if self._lock is not None:
            os.close(self._lock)

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[bool]:
        """Every worker shares a lock on a file beside the database, which the kernel lifts when its process dies. Who
        gets it for itself, as it begins, has no one beside it; who comes meanwhile waits. Asked again, it says no."""
        if self._lock is not None:
            yield False
            return
        try:
            self._lock = os.open(f"{self._file}-worker", os.O_CREAT | os.O_RDWR, 0o600)
        except OSError:  # the disk is full, say: leases protect all the same, only slower
            yield False
            return
        alone = _locked(self._lock)
        if not alone:
            await asyncio.to_thread(fcntl.flock, self._lock, fcntl.LOCK_SH)
        try:
            yield alone
        finally:
            fcntl.flock(self._lock, fcntl.LOCK_SH)

    def judged(self, error: BaseException) -> BaseException:
        """What an error means, in a thread's hands."""
        return sqlite_fault(error, self._file, self.patience)

    def answer(self, jobs: list[_Job]) -> None:
        """From a thread: hands results to those who wait, in one call into the loop."""
        self._in_loop(partial(self._answer, jobs))

    def others_wrote(self) -> None:
        """From the writer thread: another process has written."""
        self._in_loop(self.changes.tell)

    def _in_loop(self, call: Callable[[], None]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits
            self._loop.call_soon_threadsafe(call)

    def _answer(self, jobs: list[_Job]) -> None:
        news = False
        for job in jobs:
            news = news or (job.tells and job.error is None and wrote(job.result))
            if job.future.done():  # cancelled
                continue
            if job.error is not None:
                job.future.set_exception(job.error)
            else:
                job.future.set_result(job.result)
        if news:
            self.changes.tell()
