"""What runs again and again finds its rows by an index, on SQLite, where the planner says so in words."""

from datetime import timedelta

import pytest
from sqlalchemy import Connection

from postroom.core.delivery import State
from postroom.core.mailbox import Direction
from postroom.core.ports.store import Lease
from postroom.store import directions, mailboxes, outbox
from postroom.store.migration import migrate
from postroom.store.sqlite import SQLiteDatabase
from tests.store.make import NOON

LEASE = Lease("mbx_1", "wrk_1", 1)

QUERIES = {
    "delivery_open": [
        (outbox.mailboxes_due, "wrk_1", NOON),
        (outbox.next_due, "wrk_1"),
        (outbox.due, LEASE, NOON, 50),
        (outbox.unconfirmed, LEASE, NOON, 50),
        (outbox.errands_due, "wrk_1", NOON),
    ],
    "delivery_copy": [(outbox.copies_due, LEASE, 50), (outbox.errands_due, "wrk_1", NOON)],
    "delivery_expiring": [(outbox.overdue, NOON, 500)],
    "delivery_state": [(outbox.oldest_held, LEASE, NOON), (outbox.page, "mbx_1", State.FAILED, None, 50, None)],
    "delivery_latest": [(outbox.page, None, None, None, 50, None)],
    "delivery_conversation": [(outbox.page, None, None, "cnv_" + "0" * 37, 50, None)],
    "mailbox_worker_id": [(directions.lasting, "wrk_1", NOON - timedelta(minutes=1), NOON, 10)],
    "health_probe": [(directions.probes_due, "wrk_1", Direction.SMTP, NOON, 10)],
    "mailbox_address_key": [(mailboxes.page, 50, None, None)],
}


@pytest.mark.parametrize("index", QUERIES)
async def test_a_query_that_runs_again_and_again_uses_its_index(index: str, tmp_path) -> None:
    file = tmp_path / "postroom.db"
    await migrate(f"sqlite:///{file}")
    database = SQLiteDatabase(file)

    def plans(connection: Connection, query, arguments) -> list[str]:
        driver = connection.connection.dbapi_connection
        statements: list[str] = []
        driver.set_trace_callback(statements.append)
        query(connection, *arguments)
        driver.set_trace_callback(None)
        return [row[3] for one in statements for row in driver.execute("EXPLAIN QUERY PLAN " + one)]

    for query, *arguments in QUERIES[index]:
        steps = await database.read(plans, query, arguments)
        used = [step for step in steps if f"INDEX {index}" in step or "autoindex_mailbox" in step]
        assert used, steps
        assert not [step for step in steps if step.startswith("SCAN delivery") and "USING" not in step], steps
    await database.close()


async def test_what_is_due_is_read_in_the_order_of_its_index_however_much_waits(tmp_path) -> None:
    """Sorting would read all that waits for each hundred that are taken."""
    file = tmp_path / "postroom.db"
    await migrate(f"sqlite:///{file}")
    database = SQLiteDatabase(file)

    def plans(connection: Connection) -> list[str]:
        driver = connection.connection.dbapi_connection
        statements: list[str] = []
        driver.set_trace_callback(statements.append)
        outbox.due(connection, LEASE, NOON, 50)
        driver.set_trace_callback(None)
        return [row[3] for one in statements for row in driver.execute("EXPLAIN QUERY PLAN " + one)]

    steps = await database.read(plans)
    await database.close()
    assert len(steps) == 2
    assert all("INDEX delivery_open" in one for one in steps), steps
