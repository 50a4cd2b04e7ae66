"""Writes a database with something in every table, as SQL text: once for each release, kept for all that follow.

python -m tests.upgrade.write tests/upgrade/0.1.0.sql
"""

import asyncio
import sqlite3
import sys
import tempfile
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from postroom.core.apikey import ApiKey
from postroom.core.cursor import Cursor, Outcome
from postroom.core.delivery import Attempt, Recipient, RecipientState, SentCopy, Signal, State
from postroom.core.events import Event, EventType, Webhook
from postroom.core.health import State as HealthState
from postroom.core.mailbox import Direction
from postroom.core.ports.store import HealthChange, Settlement
from postroom.store import open_store
from tests.store.make import KEY, NOON, World, acceptance, add_mailbox, arrival, diagnosis, health, own, parsed


async def fill(url: str) -> None:
    """A little of everything."""
    world = World()
    store = await open_store(url, secret_key=KEY, world=world)
    mailbox = await add_mailbox(store, world, reference="crm-7")
    paused = await add_mailbox(store, world, "paused@example.org", sending=HealthState.PAUSED)
    leases = await own(store, world)
    lease = leases[mailbox.id]
    await store.heard(mailbox.id, Direction.IMAP, NOON)
    await own(store, world)
    await store.add_webhook(Webhook("whk_1", "https://example.org/hook", "whsec_secret", (), NOON))
    await store.add_key(ApiKey("key_1", "CRM", NOON), "digest")
    await store.record(
        lease,
        Cursor(mailbox.id, "INBOX", 7, 3, 12, NOON, 3, 3),
        [
            arrival(world, mailbox.id, 1),
            replace(arrival(world, mailbox.id, 2), outcome=Outcome.QUARANTINED, parsed=None, reason="nested too deep"),
            arrival(world, mailbox.id, 3, outcome=Outcome.SKIPPED, raw=None, parsed=None, reason="too large", size=9),
        ],
    )
    answer = acceptance(world, mailbox.id, content=parsed(in_reply_to="1@example.com"), idempotency=("key", "digest"))
    await store.accept(answer)
    await store.accept(acceptance(world, paused.id))
    await store.begin(lease, answer.delivery, NOON)
    recipients = (
        Recipient("ann@example.com", RecipientState.ACCEPTED, "250 ok"),
        Recipient("ben@example.com", RecipientState.REFUSED, "550 no", diagnosis("recipient_unknown")),
    )
    failed = replace(
        answer.delivery,
        state=State.FAILED,
        recipients=recipients,
        attempts=1,
        diagnosis=recipients[1].diagnosis,
        sent_copy=SentCopy.DUE,
    )
    attempt = Attempt(failed.id, 1, NOON, NOON, Signal.REFUSED, "rcpt", "550 no", failed.diagnosis, recipients)
    told = Event("evt_failed", EventType.DELIVERY_FAILED, NOON, mailbox.id, {"id": failed.id})
    await store.settle(lease, Settlement(failed, State.SENDING, attempt, (told,)))
    suspected = health(mailbox.id, Direction.SMTP, HealthState.SUSPECTED, diagnosis=diagnosis(), failures=2)
    later = NOON + timedelta(minutes=1)
    await store.save_health(HealthChange(replace(suspected, next_probe_at=later)), HealthState.CONNECTED)
    await store.fan_out(NOON)
    await store.close()


def main(path: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "postroom.db"
        asyncio.run(fill(f"sqlite:///{file}"))
        connection = sqlite3.connect(file)
        path.write_text("\n".join(connection.iterdump()) + "\n")
        connection.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
