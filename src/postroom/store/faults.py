"""What a database's error means: cannot serve (and the mend, in words), try again, or a fault of ours. It repeats
nothing."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import asyncpg
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from postroom.core.ports.store import StoreUnavailable


class QueryFault(Exception):
    """The database refused a query: a defect of Postroom. The text has no values, which may be people's mail."""


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        seen = (seen.orig if isinstance(seen, DBAPIError) else None) or seen.__cause__


_SQLITE = {
    sqlite3.SQLITE_FULL: "The disk that holds {file} is full: free some space; nothing was lost, {goes_on}",
    sqlite3.SQLITE_BUSY: "Another program has locked {file} for more than {patience:g} seconds: close it (a database "
    "browser, a backup, a second Postroom); {goes_on}",
    sqlite3.SQLITE_LOCKED: "Another program has locked {file}: close it; {goes_on}",
    sqlite3.SQLITE_READONLY: "{file} cannot be written: let the user that runs Postroom write to it and its folder.",
    sqlite3.SQLITE_PERM: "{file} cannot be written: let the user that runs Postroom write to it and its folder.",
    sqlite3.SQLITE_IOERR: "The disk that holds {file} reports an error: look at the system's log; replace the disk "
    "or mount it again, then {goes_on}",
    sqlite3.SQLITE_CANTOPEN: "{file} cannot be opened: does its folder exist, and may the user that runs Postroom "
    "write there?",
    sqlite3.SQLITE_CORRUPT: "{file} is damaged: stop Postroom and restore the file from a backup.",
    sqlite3.SQLITE_NOTADB: "{file} is not a database of Postroom: name another file, or restore it from a backup.",
    sqlite3.SQLITE_NOMEM: "There is no memory left to work with {file}: give Postroom's machine more.",
}
_GOES_ON = "Postroom goes on by itself."


def sqlite_fault(error: BaseException, file: Path, patience: float) -> BaseException:
    """StoreUnavailable or QueryFault for what SQLite raised; anything else comes back as it is.

    A full disk makes SQLite undo the whole transaction by itself; undoing a savepoint then fails too, and hides the
    cause: so what was being handled is looked at as well.
    """
    ours = [one for one in _chain(error) if isinstance(one, sqlite3.Error)]
    if not ours:
        return error
    for one in (*ours, *_handled(error)):
        text = _SQLITE.get(getattr(one, "sqlite_errorcode", 0) & 0xFF)
        if text is not None:
            return StoreUnavailable(text.format(file=file, patience=patience, goes_on=_GOES_ON))
    return QueryFault(f"{type(ours[0]).__name__}: {getattr(ours[0], 'sqlite_errorname', 'no code')}")


def _handled(error: BaseException) -> Iterator[BaseException]:
    seen = error.__context__
    while seen is not None:
        yield from _chain(seen)
        seen = seen.__context__


_AGAIN = (
    asyncpg.SerializationError,
    asyncpg.DeadlockDetectedError,
    asyncpg.InvalidCachedStatementError,
)
_LOST = (
    asyncpg.PostgresConnectionError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.CannotConnectNowError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    OSError,
)


def is_rolled_back(error: BaseException) -> bool:
    """PostgreSQL says that it undid the transaction for the sake of another: the same again may go through."""
    return any(isinstance(one, _AGAIN) for one in _chain(error))


def is_lost(error: BaseException) -> bool:
    """The connection to PostgreSQL is gone, or could not be had."""
    return any(isinstance(one, _LOST) and not isinstance(one, TimeoutError) for one in _chain(error))


def postgresql_fault(error: BaseException, where: str) -> BaseException:
    """StoreUnavailable or QueryFault for what PostgreSQL or its driver raised; anything else comes back as it is.

    `where` is host and database, without a password.
    """
    for one in _chain(error):
        text = _postgresql_text(one, where)
        if text is not None:
            return StoreUnavailable(text)
    for one in _chain(error):
        if isinstance(one, asyncpg.PostgresError):
            detail = getattr(one, "constraint_name", None) or getattr(one, "table_name", None) or ""
            return QueryFault(f"{type(one).__name__} ({one.sqlstate}) {detail}".strip())
    if isinstance(error, DBAPIError):
        return QueryFault(type(error.orig or error).__name__)
    return error


def _postgresql_text(one: BaseException, where: str) -> str | None:
    match one:
        case asyncpg.InvalidAuthorizationSpecificationError():
            return f"PostgreSQL at {where} refuses the user or password: set POSTROOM_DATABASE to the right ones."
        case asyncpg.InvalidCatalogNameError():
            return f"PostgreSQL has no database at {where}: create it, or mend POSTROOM_DATABASE."
        case asyncpg.InsufficientPrivilegeError():
            return f"PostgreSQL at {where} does not let its user do this: make that user the owner of the database."
        case asyncpg.DiskFullError():
            return f"The disk of PostgreSQL at {where} is full: free some space; nothing was lost, {_GOES_ON}"
        case asyncpg.TooManyConnectionsError():
            return f"PostgreSQL at {where} has no connection left: raise its max_connections; {_GOES_ON}"
        case asyncpg.ReadOnlySQLTransactionError():
            return f"PostgreSQL at {where} only lets us read (a standby?): name the primary in POSTROOM_DATABASE."
        case asyncpg.QueryCanceledError() | asyncpg.LockNotAvailableError() | TimeoutError() | PoolTimeout():
            return f"PostgreSQL at {where} does not answer in time: look at its load and its locks; {_GOES_ON}"
        case asyncpg.InsufficientResourcesError():
            return f"PostgreSQL at {where} is short of resources ({type(one).__name__}): give it more; {_GOES_ON}"
        case asyncpg.PostgresIOError() | asyncpg.DataCorruptedError() | asyncpg.IndexCorruptedError():
            return f"PostgreSQL at {where} reports damaged storage ({type(one).__name__}): look at its log."
        case _:
            pass
    if isinstance(one, _AGAIN):
        return f"PostgreSQL at {where} undid this write several times for the sake of others; {_GOES_ON}"
    if isinstance(one, _LOST):
        return f"PostgreSQL at {where} cannot be reached: is it running, is the network up? {_GOES_ON}"
    return None


def refuses_data(error: BaseException) -> bool:
    """Whether it is the values that the database cannot take: an encoding, a size, a range."""
    for one in _chain(error):
        if isinstance(one, UnicodeError | OverflowError | sqlite3.DataError | asyncpg.DataError):
            return True
        if isinstance(one, asyncpg.PostgresError) and (one.sqlstate or "")[:2] in ("22", "54"):
            return True
        if isinstance(one, sqlite3.Error) and getattr(one, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_TOOBIG:
            return True
    return False
