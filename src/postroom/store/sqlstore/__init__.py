"""core.ports.store.Store on a database, a file for each concern. It holds no SQL."""

from postroom.store.sqlstore.whole import SqlStore

__all__ = ["SqlStore"]
