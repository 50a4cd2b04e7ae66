"""What PostgreSQL's errors mean: cannot serve (and the mend, in words), try again, or a fault of ours. It repeats
nothing."""

from __future__ import annotations

import asyncpg
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from postroom.core.ports.store import StoreUnavailable
from postroom.store.faults import GOES_ON, QueryFault, chain

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
    return any(isinstance(one, _AGAIN) for one in chain(error))


def is_lost(error: BaseException) -> bool:
    """The connection to PostgreSQL is gone, or could not be had."""
    return any(isinstance(one, _LOST) and not isinstance(one, TimeoutError) for one in chain(error))


def postgresql_fault(error: BaseException, where: str) -> BaseException:
    """StoreUnavailable or QueryFault for what PostgreSQL or its driver raised; anything else comes back as it is.

    `where` is host and database, without a password.
    """
    for one in chain(error):
        text = _postgresql_text(one, where)
        if text is not None:
            return StoreUnavailable(text)
    for one in chain(error):
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
            return f"The disk of PostgreSQL at {where} is full: free some space; nothing was lost, {GOES_ON}"
        case asyncpg.TooManyConnectionsError():
            return f"PostgreSQL at {where} has no connection left: raise its max_connections; {GOES_ON}"
        case asyncpg.ReadOnlySQLTransactionError():
            return f"PostgreSQL at {where} only lets us read (a standby?): name the primary in POSTROOM_DATABASE."
        case asyncpg.QueryCanceledError() | asyncpg.LockNotAvailableError() | TimeoutError() | PoolTimeout():
            return f"PostgreSQL at {where} does not answer in time: look at its load and its locks; {GOES_ON}"
        case asyncpg.InsufficientResourcesError():
            return f"PostgreSQL at {where} is short of resources ({type(one).__name__}): give it more; {GOES_ON}"
        case asyncpg.PostgresIOError() | asyncpg.DataCorruptedError() | asyncpg.IndexCorruptedError():
            return f"PostgreSQL at {where} reports damaged storage ({type(one).__name__}): look at its log."
        case _:
            pass
    if isinstance(one, _AGAIN):
        return f"PostgreSQL at {where} undid this write several times for the sake of others; {GOES_ON}"
    if isinstance(one, _LOST):
        return f"PostgreSQL at {where} cannot be reached: is it running, is the network up? {GOES_ON}"
    return None
