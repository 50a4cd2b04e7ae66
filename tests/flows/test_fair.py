"""One mailbox with very many waiting messages, and one whose server hangs, do not delay another's single reply."""

import asyncio
import sqlite3
import time

from tests.flows.house import running, until
from tests.flows.test_odd_servers import Odd, hangs
from tests.wire.peer import served

MANY = 20_000


def multiply(file, delivery_id):
    """Rows like this one's: the same message to send, so many times. What is measured is the queue, not acceptance."""
    with sqlite3.connect(file, isolation_level=None, timeout=10) as database:
        names = [row[1] for row in database.execute("PRAGMA table_info(delivery)")]
        shown = ", ".join(
            "substr(id, 1, length(id) - 6) || printf('%06d', number)" if one == "id" else one for one in names
        )
        database.execute(
            "WITH RECURSIVE counted(number) AS "
            f"(SELECT 1 UNION ALL SELECT number + 1 FROM counted WHERE number < {MANY}) "
            f"INSERT INTO delivery ({', '.join(names)}) SELECT {shown} FROM delivery, counted WHERE id = ?",
            (delivery_id,),
        )


async def test_a_single_reply_goes_out_beside_twenty_thousand_that_wait_and_beside_servers_that_hang(tmp_path):
    stuck, busy = Odd("DATA", hangs, times=None), Odd()
    async with served(stuck) as hanging, served(busy) as working, running(tmp_path) as house:
        crowd = await house.connect("crowd@shop.test", smtp_port=working)
        slow = [await house.connect(f"slow{number}@shop.test", smtp_port=hanging) for number in range(3)]
        team = await house.connect()
        await house.house.connect.pause(crowd)
        first = await house.send(crowd)
        await asyncio.to_thread(multiply, tmp_path / "data" / "postroom.db", first.id)
        for one in slow:
            await house.send(one)
        await house.house.connect.resume(crowd)
        await until(lambda: asyncio.sleep(0, len(busy.taken)), lambda taken: taken > 50)
        waits = []
        for number in range(5):
            began = time.monotonic()
            await house.delivery_in((await house.send(team, f"Reply {number}")).id, "sent")
            waits.append(time.monotonic() - began)
            await asyncio.sleep(0.1)
        left = (await house.store.counts()).deliveries
        assert left["queued"] > MANY // 2  # they waited all the while
        assert sorted(waits)[2] < 10, waits
        assert max(waits) < 60, waits
