"""A database that any release has written opens, is brought up to date, and still says what it said."""

import sqlite3
from pathlib import Path

import pytest

from postroom.core.delivery import State
from postroom.core.events import EventType
from postroom.core.health import State as HealthState
from postroom.core.mailbox import Credential
from postroom.store import open_store, schema_version
from postroom.store.migration import newest
from postroom.store.schema import metadata
from tests.store.make import KEY, NOON, TTL, World, acceptance, diagnosis, own

RELEASES = sorted(Path(__file__).parent.glob("*.sql"))


@pytest.fixture(params=RELEASES, ids=lambda path: path.stem)
def written(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A database file as a release left it."""
    file = tmp_path / "postroom.db"
    connection = sqlite3.connect(file)
    connection.executescript(request.param.read_text())
    connection.close()
    return file


def test_there_is_a_database_of_every_release() -> None:
    assert "0.1.0" in [path.stem for path in RELEASES]


def test_the_first_release_has_something_in_every_table(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "x.db")
    connection.executescript((Path(__file__).parent / "0.1.0.sql").read_text())
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    empty = [name for name in tables if connection.execute(f"SELECT count(*) FROM {name}").fetchone()[0] == 0]
    assert empty == []
    connection.close()


async def test_what_a_release_wrote_is_read_and_worked_with(written: Path) -> None:
    url = f"sqlite:///{written}"
    world = World(100_000)
    store = await open_store(url, secret_key=KEY, world=world)
    assert await schema_version(url) == newest()
    paused, view = sorted((await store.mailboxes()).items, key=lambda one: one.held, reverse=True)
    assert (view.mailbox.address, view.mailbox.reference) == ("help@example.org", "crm-7")
    assert (view.sending.state, view.sending.diagnosis) == (HealthState.SUSPECTED, diagnosis())
    assert view.receiving.heard_at == NOON
    assert view.cursors[0].last_uid == 3
    assert paused.held == 1
    assert await store.credential(view.mailbox.id) == Credential(password="correct horse")
    mailbox_id = view.mailbox.id
    message = await store.message_by_rfc_id(mailbox_id, "1@example.com")
    assert message is not None
    assert message.parsed.subject == "Der Drucker – wieder"
    assert await store.raw(message.id) is not None
    conversation = await store.conversation(message.conversation_id)
    assert conversation is not None
    quarantined = [one for one in await store.events(0) if one.event.data.get("quarantine")]
    assert len(quarantined) == 1
    failed = (await store.deliveries(state=State.FAILED)).items[0]
    assert [one.state.value for one in failed.recipients] == ["accepted", "refused"]
    assert len(await store.attempts(failed.id)) == 1
    assert await store.repeated(mailbox_id, "key", "digest") == failed
    assert (await store.webhooks())[0].secret == "whsec_secret"
    calls = await store.calls_due(NOON + TTL, TTL)
    assert EventType.DELIVERY_FAILED in {call.recorded.event.type for call in calls}
    assert await store.key("digest") is not None
    last = await store.last_position()
    world.at += 100 * TTL
    leases = await own(store, world, "wrk_new")
    assert leases[mailbox_id].epoch == 2
    held = await store.accept(acceptance(world, mailbox_id))
    assert held.delivery.state is State.HELD
    assert [one.position for one in await store.events(last)] == [last + 1]
    await store.close()


async def test_an_upgraded_database_has_the_tables_of_a_new_one(written: Path) -> None:
    store = await open_store(f"sqlite:///{written}", secret_key=KEY, world=World())
    await store.close()
    connection = sqlite3.connect(written)
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    connection.close()
    assert tables - {"alembic_version"} == set(metadata.tables)
