"""Takes in what a folder showed: ledger, messages, conversations, events and the cursor at once. It parses nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection, insert, select, update

from postroom.core.cursor import Cursor, Outcome, Passed
from postroom.core.events import Event, EventType, message_data
from postroom.core.message import Flow, Message
from postroom.core.ports.store import Lease
from postroom.core.uids import Uids
from postroom.store import bounces, conversations, database, eventlog, messages
from postroom.store import ledger as ledger_rows
from postroom.store.faults import refuses_data
from postroom.store.leases import fence
from postroom.store.placing import placed
from postroom.store.recognise import Digested, recognised, sent_before
from postroom.store.rows import cursor_of_row, cursor_values
from postroom.store.schema import folder, ledger, message

_INSERT = insert(ledger)  # made once: building costs more than running
UNSTORABLE = "It holds characters or values that the database cannot keep. Its raw bytes are kept as they came."


def cursor(connection: Connection, mailbox_id: str, name: str) -> Cursor | None:
    query = select(folder).where(folder.c.mailbox_id == mailbox_id, folder.c.name == name)
    row = connection.execute(query).one_or_none()
    return cursor_of_row(row) if row is not None else None


def record(
    connection: Connection,
    lease: Lease,
    progress: Cursor,
    arrivals: Sequence[Digested],
    passed: Sequence[Passed],
    events: Sequence[Event],
    now: datetime,
    new_id: Callable[[], str],
) -> list[Message]:
    """All or nothing; an arrival that the database cannot take as it is becomes a quarantined one."""
    fence(connection, lease)
    _advance(connection, progress)
    ledger_rows.write_passed(connection, progress, passed, now)
    eventlog.append(connection, events)
    new = _unknown(connection, progress, arrivals)
    if not new:
        return []
    try:
        with connection.begin_nested():
            return _take_in(connection, progress, new, now, new_id)
    except Exception as error:
        if not refuses_data(error):
            raise
    return [taken for one in new for taken in _take_one(connection, progress, one, now, new_id)]


def forget(connection: Connection, lease: Lease, name: str, uid_validity: int) -> None:
    """Rows of the ledger go; messages are marked as of no UIDVALIDITY (0 is none), so that they are known again."""
    fence(connection, lease)
    ledger_rows.forget(connection, lease.mailbox_id, name, uid_validity)
    shown = (message.c.mailbox_id == lease.mailbox_id, message.c.folder == name)
    connection.execute(update(message).where(*shown, message.c.uid_validity == uid_validity).values(uid_validity=0))


def widen(connection: Connection, lease: Lease, progress: Cursor, passed: Sequence[Passed]) -> None:
    fence(connection, lease)
    _advance(connection, progress)
    ledger_rows.drop_skipped(connection, progress)
    ledger_rows.write_passed(connection, progress, passed)


def reopen(connection: Connection, lease: Lease, progress: Cursor, shown: Uids) -> None:
    fence(connection, lease)
    _advance(connection, progress)
    ledger_rows.drop_gone(connection, progress, shown)


def _take_one(
    connection: Connection, progress: Cursor, one: Digested, now: datetime, new_id: Callable[[], str]
) -> list[Message]:
    try:
        with connection.begin_nested():
            return _take_in(connection, progress, [one], now, new_id)
    except Exception as error:
        if not refuses_data(error):
            raise
    refused = replace(one.arrival, outcome=Outcome.QUARANTINED, parsed=None, bounce=None, reason=UNSTORABLE)
    return _take_in(connection, progress, [replace(one, arrival=refused)], now, new_id)


def _advance(connection: Connection, progress: Cursor) -> None:
    values = cursor_values(progress)
    new = database.insert(connection, folder).values(values)
    changed = {key: new.excluded[key] for key in values if key not in ("mailbox_id", "name")}
    connection.execute(new.on_conflict_do_update(index_elements=["mailbox_id", "name"], set_=changed))


def _unknown(connection: Connection, progress: Cursor, arrivals: Sequence[Digested]) -> list[Digested]:
    """Without those whose UID is in the ledger."""
    if not arrivals:
        return []
    query = select(ledger.c.uid).where(
        ledger.c.mailbox_id == progress.mailbox_id,
        ledger.c.folder == progress.folder,
        ledger.c.uid_validity == progress.uid_validity,
        ledger.c.uid.in_([one.arrival.uid for one in arrivals]),
    )
    seen = set(connection.execute(query).scalars())
    new: list[Digested] = []
    for one in arrivals:
        if one.arrival.uid not in seen:
            seen.add(one.arrival.uid)
            new.append(one)
    return new


def _take_in(
    connection: Connection, progress: Cursor, new: Sequence[Digested], now: datetime, new_id: Callable[[], str]
) -> list[Message]:
    ours = _before(connection, progress, new)
    fresh = [one for one in new if one.arrival.outcome is not Outcome.SKIPPED and one.arrival.uid not in ours]
    reports = _reports(connection, progress, fresh)
    kept = placed(connection, progress, fresh, reports)
    ours.update({one.arrival.uid: one.arrival.message_id for one in fresh})
    connection.execute(
        _INSERT,
        [
            {
                "mailbox_id": progress.mailbox_id,
                "folder": progress.folder,
                "uid_validity": progress.uid_validity,
                "uid": one.arrival.uid,
                "outcome": str(one.arrival.outcome),
                "message_id": ours.get(one.arrival.uid),
                "size": len(one.arrival.raw) if one.arrival.raw is not None else one.arrival.size,
                "reason": one.arrival.reason,
            }
            for one in new
        ],
    )
    if not kept:
        return []
    taken = [one.message for one in kept]
    messages.add(connection, kept)
    conversations.join(connection, progress.mailbox_id, taken)
    kind = EventType.MESSAGE_RECEIVED if progress.flow is Flow.INBOUND else EventType.MESSAGE_SENT_ELSEWHERE
    told = [
        Event(one.arrival.event_id, kind, now, progress.mailbox_id, message_data(ours_))
        for one, ours_ in zip(fresh, taken, strict=True)
    ]
    bounced = [
        event
        for arrived_as, report in reports.items()
        for event in bounces.apply(connection, progress.mailbox_id, report, arrived_as, now, new_id)
    ]
    eventlog.append(connection, [*told, *bounced])
    return taken


def _reports(connection: Connection, progress: Cursor, fresh: Sequence[Digested]) -> dict[str, bounces.Returned]:
    """What is reported on messages of ours, by the message that it came as."""
    found = {
        one.arrival.message_id: bounces.returned(connection, progress.mailbox_id, one.arrival.bounce)
        for one in fresh
        if one.arrival.bounce is not None and progress.flow is Flow.INBOUND
    }
    return {arrived_as: report for arrived_as, report in found.items() if report is not None}


def _before(connection: Connection, progress: Cursor, new: Sequence[Digested]) -> dict[int, str]:
    """Our messages for those UIDs whose message has come before; they stand in this folder now. In a Sent folder, also
    for what we sent ourselves, which stands in none."""
    if progress.flow is Flow.OUTBOUND:
        return sent_before(connection, progress, [one for one in new if one.arrival.outcome is not Outcome.SKIPPED])
    known = recognised(connection, progress, [one for one in new if one.arrival.outcome is not Outcome.SKIPPED])
    if known:
        here = {"folder": progress.folder, "uid_validity": progress.uid_validity}
        moved = (message.c.mailbox_id == progress.mailbox_id, message.c.id.in_(known.values()))
        connection.execute(update(message).where(*moved).values(here))
    return known
