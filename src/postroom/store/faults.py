"""What a database's error means: cannot serve (and the mend, in words), try again, or a fault of ours. It repeats
nothing."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy.exc import DBAPIError

from postroom.core.ports.store import StoreUnavailable


class QueryFault(Exception):
    """The database refused a query: a defect of Postroom. The text has no values, which may be people's mail."""


def chain(error: BaseException) -> Iterator[BaseException]:
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
GOES_ON = "Postroom goes on by itself."


def sqlite_fault(error: BaseException, file: Path, patience: float) -> BaseException:
    """StoreUnavailable or QueryFault for what SQLite raised; anything else comes back as it is.

    A full disk makes SQLite undo the whole transaction by itself; undoing a savepoint then fails too, and hides the
    cause: so what was being handled is looked at as well.
    """
    ours = [one for one in chain(error) if isinstance(one, sqlite3.Error)]
    if not ours:
        return error
    for one in (*ours, *_handled(error)):
        text = _SQLITE.get(getattr(one, "sqlite_errorcode", 0) & 0xFF)
        if text is not None:
            return StoreUnavailable(text.format(file=file, patience=patience, goes_on=GOES_ON))
    return QueryFault(f"{type(ours[0]).__name__}: {getattr(ours[0], 'sqlite_errorname', 'no code')}")


def _handled(error: BaseException) -> Iterator[BaseException]:
    seen = error.__context__
    while seen is not None:
        yield from chain(seen)
        seen = seen.__context__


def refuses_data(error: BaseException) -> bool:
    """Whether it is the values that the database cannot take: an encoding, a size, a range."""
    for one in chain(error):
        if isinstance(one, UnicodeError | OverflowError | sqlite3.DataError):
            return True
        # PostgreSQL's data exceptions and exceeded limits, without its driver: on SQLite that is not loaded.
        if str(getattr(one, "sqlstate", None) or "")[:2] in ("22", "54"):
            return True
        if isinstance(one, sqlite3.Error) and getattr(one, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_TOOBIG:
            return True
    return False
