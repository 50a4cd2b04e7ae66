"""The ledger as it is asked for: which UIDs it accounts for, and why some were not read. It takes in no message."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from heapq import merge
from itertools import islice
from operator import attrgetter
from typing import Any

from sqlalchemy import ColumnElement, Connection, Integer, Table, and_, case, cast, delete, func, literal, or_, select

from postroom.core.cursor import Cursor, Outcome, Passed, gone
from postroom.core.ports.store import BadCursor, Entry, Page
from postroom.core.uids import Uids
from postroom.store import database, paging
from postroom.store.schema import folder, ledger, ledger_range


def _here(table: Table, progress: Cursor) -> ColumnElement[bool]:
    return and_(
        table.c.mailbox_id == progress.mailbox_id,
        table.c.folder == progress.folder,
        table.c.uid_validity == progress.uid_validity,
    )


def known(connection: Connection, progress: Cursor, first: int, last: int) -> Uids:
    """Runs of UIDs are made by the database: half a million rows would be slow to carry."""
    rows = (
        select(ledger.c.uid, (ledger.c.uid - func.row_number().over(order_by=ledger.c.uid)).label("run"))
        .where(_here(ledger, progress), ledger.c.uid.between(first, last))
        .subquery()
    )
    own = select(func.min(rows.c.uid), func.max(rows.c.uid)).group_by(rows.c.run)
    skipped = select(ledger_range.c.first_uid, ledger_range.c.last_uid).where(
        _here(ledger_range, progress),
        ledger_range.c.outcome == str(Outcome.SKIPPED),
        ledger_range.c.first_uid <= last,
        ledger_range.c.last_uid >= first,
    )
    runs = [(row[0], row[1]) for query in (own, skipped) for row in connection.execute(query)]
    return Uids.joined((max(run[0], first), min(run[1], last)) for run in runs)


def write_passed(
    connection: Connection, progress: Cursor, passed: Sequence[Passed], noted_at: datetime | None = None
) -> None:
    if not passed:
        return
    new = database.insert(connection, ledger_range)
    changed = {name: new.excluded[name] for name in ("last_uid", "outcome", "reason", "messages", "noted_at")}
    keys = ["mailbox_id", "folder", "uid_validity", "first_uid"]
    connection.execute(
        new.on_conflict_do_update(index_elements=keys, set_=changed),
        [
            {
                "mailbox_id": progress.mailbox_id,
                "folder": progress.folder,
                "uid_validity": progress.uid_validity,
                "first_uid": one.first,
                "last_uid": one.last,
                "outcome": str(one.outcome),
                "reason": one.reason,
                "messages": one.messages,
                "noted_at": noted_at,
            }
            for one in passed
        ],
    )


def drop_skipped(connection: Connection, progress: Cursor) -> None:
    """Runs that were skipped are to be decided on anew."""
    connection.execute(
        delete(ledger_range).where(_here(ledger_range, progress), ledger_range.c.outcome == str(Outcome.SKIPPED))
    )


def drop_gone(connection: Connection, progress: Cursor, shown: Uids) -> None:
    """Runs of UIDs that were taken for gone are so no more; what lies beside them in a run stays."""
    this = and_(_here(ledger_range, progress), ledger_range.c.outcome == str(Outcome.GONE))
    runs = select(ledger_range.c.first_uid, ledger_range.c.last_uid, ledger_range.c.noted_at).where(
        this, ledger_range.c.first_uid <= shown.highest, ledger_range.c.last_uid >= shown.lowest
    )
    for first, last, noted_at in connection.execute(runs).all():
        run = Uids.between(first, last)
        if run & shown:
            connection.execute(delete(ledger_range).where(this, ledger_range.c.first_uid == first))
            write_passed(connection, progress, gone(run - shown), noted_at)


def forget(connection: Connection, mailbox_id: str, name: str, uid_validity: int) -> None:
    for table in (ledger, ledger_range):
        connection.execute(
            delete(table).where(
                table.c.mailbox_id == mailbox_id, table.c.folder == name, table.c.uid_validity == uid_validity
            )
        )


def counts(connection: Connection, mailbox_ids: Sequence[str]) -> dict[str, dict[tuple[str, Outcome], int]]:
    """Of each mailbox: messages by folder and outcome under today's UIDVALIDITY, without those fetched."""
    found: dict[str, dict[tuple[str, Outcome], int]] = {}
    fetched = str(Outcome.FETCHED)
    for table, number in (
        # The condition is written out: only so do both databases see that the partial index serves the query.
        (ledger, func.count()),
        (ledger_range, cast(func.sum(ledger_range.c.messages), Integer)),
    ):
        query = (
            select(table.c.mailbox_id, table.c.folder, table.c.outcome, number)
            .join(folder, _of_today(table))
            .where(table.c.mailbox_id.in_(mailbox_ids), table.c.outcome != literal(fetched, literal_execute=True))
            .group_by(table.c.mailbox_id, table.c.folder, table.c.outcome)
        )
        for row in connection.execute(query):
            of_mailbox = found.setdefault(row[0], {})
            key = (row[1], Outcome(row[2]))
            of_mailbox[key] = of_mailbox.get(key, 0) + row[3]
    return found


def _of_today(table: Table) -> ColumnElement[bool]:
    return and_(
        folder.c.mailbox_id == table.c.mailbox_id,
        folder.c.name == table.c.folder,
        folder.c.uid_validity == table.c.uid_validity,
    )


def page(
    connection: Connection,
    mailbox_id: str,
    outcome: Outcome | None,
    name: str | None,
    limit: int,
    cursor: str | None,
) -> Page[Entry]:
    after = _place(cursor) if cursor is not None else None
    rows = list(islice(merge(*_halves(connection, mailbox_id, outcome, name, limit, after), key=_order), limit + 1))
    kept = rows[:limit]
    more = kept and len(rows) > limit
    last = paging.encode(kept[-1].folder, str(kept[-1].first_uid), str(kept[-1].kind)) if more else None
    return Page(tuple(_entry(row) for row in kept), last)


_order = attrgetter("folder", "first_uid", "kind")


def _place(cursor: str) -> tuple[str, int, int]:
    name, uid, kind = paging.decode(cursor, str, str, str)
    if not (uid.isdecimal() and len(uid) < 19 and kind in ("0", "1")):
        raise BadCursor
    return name, int(uid), int(kind)


def _halves(
    connection: Connection,
    mailbox_id: str,
    outcome: Outcome | None,
    name: str | None,
    limit: int,
    after: tuple[str, int, int] | None,
) -> list[Sequence[Any]]:
    """Rows of single messages (kind 1) and of runs (kind 0), each in the order of the page."""
    of_one = select(
        ledger.c.folder,
        ledger.c.uid.label("first_uid"),
        ledger.c.uid.label("last_uid"),
        ledger.c.outcome,
        literal(1, literal_execute=True).label("messages"),
        ledger.c.size,
        ledger.c.message_id,
        ledger.c.reason,
        literal(1, literal_execute=True).label("kind"),
    )
    of_many = select(
        ledger_range.c.folder,
        ledger_range.c.first_uid,
        ledger_range.c.last_uid,
        ledger_range.c.outcome,
        ledger_range.c.messages,
        case((ledger_range.c.messages < 0, 0)).label("size"),
        case((ledger_range.c.messages < 0, ledger_range.c.reason)).label("message_id"),
        ledger_range.c.reason,
        literal(0, literal_execute=True).label("kind"),
    )
    found: list[Sequence[Any]] = []
    for query, table, uid, kind in (
        (of_one, ledger, ledger.c.uid, 1),
        (of_many, ledger_range, ledger_range.c.first_uid, 0),
    ):
        query = query.join(folder, _of_today(table)).where(table.c.mailbox_id == mailbox_id)
        if outcome is not None:
            query = query.where(table.c.outcome == literal(str(outcome), literal_execute=True))
        if name is not None:
            query = query.where(table.c.folder == name)
        if after is not None:
            query = query.where(
                or_(
                    table.c.folder > after[0],
                    and_(table.c.folder == after[0], uid > after[1]),
                    and_(table.c.folder == after[0], uid == after[1], literal(kind) > after[2]),
                )
            )
        found.append(connection.execute(query.order_by(table.c.folder, uid).limit(limit + 1)).all())
    return found


def _entry(row: Any) -> Entry:  # noqa: ANN401 - a row of either table
    return Entry(
        folder=row.folder,
        first_uid=row.first_uid,
        last_uid=row.last_uid,
        outcome=Outcome(row.outcome),
        messages=row.messages,
        size=row.size,
        message_id=row.message_id,
        reason=row.reason,
    )
