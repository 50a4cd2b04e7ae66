"""Postroom is killed, or not alone: every message is there exactly once all the same."""

import asyncio
import contextlib
import os
import random
import secrets
import sqlite3
import sys

import asyncpg

from tests.rig.clients import until
from tests.walks.letters import arrived, as_served, letter, many, names, numbered
from tests.walks.postroom import Postroom, settings_for

KILLS = int(os.environ.get("POSTROOM_TEST_KILLS", "3"))
COUNT = 250 * KILLS  # so that a life is long enough to bring something
TAKEN_OVER = 25.0  # a dead worker's time to live is 15 seconds


async def rows(database, query):
    """Runs one statement on the database, beside Postroom."""
    if database.startswith("sqlite:///"):
        with sqlite3.connect(database.removeprefix("sqlite:///")) as file:
            return [tuple(row) for row in file.execute(query)]
    connection = await asyncpg.connect(database)
    try:
        return [tuple(row) for row in await connection.fetch(query)]
    finally:
        await connection.close()


async def test_killed_at_any_moment_of_a_first_reading_it_has_every_message_once(
    tmp_path, database_url, dovecot, user, sink, proxy
):
    front = await proxy(dovecot.imap_port)
    sink.users = {user.name: user.password}
    dovecot.fill(user.name, many("old", COUNT))
    total = sum(len(raw) for raw in as_served(dovecot.imap_port, user))
    postroom = Postroom(tmp_path, database_url)
    await postroom.start()
    mailbox = await postroom.connect(settings_for(user, front.port, sink.port))
    # Killed by what has come from the server since the last start: the moments fall anywhere within the work.
    seed = os.environ.get("POSTROOM_TEST_SEED", secrets.token_hex(4))
    sys.stdout.write(f"POSTROOM_TEST_SEED={seed}\n")  # shown with a failure
    chance = random.Random(seed)
    for _ in range(KILLS):
        aim = front.passed["to_client"] + chance.random() * 1.6 * total / KILLS
        with contextlib.suppress(AssertionError):  # all was read before it came so far: then it is killed at rest
            await until(lambda aim=aim: front.passed["to_client"] >= aim, 2)
        await asyncio.sleep(chance.random() * 0.05)  # between bytes and their commit too
        await postroom.kill()
        await rows(database_url, "DELETE FROM worker")  # as if its time to live were over: nobody waits 15 seconds
        await postroom.start()
    found = await arrived(postroom, mailbox, COUNT, seconds=90)
    assert names(found) == numbered("old", COUNT)
    assert await rows(database_url, "SELECT uid, outcome FROM ledger ORDER BY uid") == [
        (uid, "fetched") for uid in range(1, COUNT + 1)
    ]
    await dovecot.deliver(user.name, letter("new"))
    assert len(await arrived(postroom, mailbox, COUNT + 1)) == COUNT + 1
    await postroom.stop()


async def test_two_processes_share_the_mailboxes_and_one_takes_over_when_the_other_is_killed(
    tmp_path, postgresql_url, dovecot, sink, proxy
):
    front = await proxy(dovecot.imap_port)
    users = [dovecot.add_user() for _ in range(6)]
    sink.users = {user.name: user.password for user in users}
    secret = secrets.token_hex(32)
    first, second = (Postroom(tmp_path / name, postgresql_url, secret_key=secret) for name in ("first", "second"))
    for one in (first, second):
        one.folder.mkdir()
    await first.start()
    second.key = first.key
    await second.start()
    mailboxes = [await first.connect(settings_for(user, front.port, sink.port)) for user in users]

    async def watched():
        return front.connections

    await first.until(watched, lambda connections: connections == len(users))
    for user in users:
        dovecot.drop(user.name, letter("shared"))
    for mailbox in mailboxes:
        assert names(await arrived(second, mailbox, 1)) == ["shared"]
    assert front.connections == len(users)  # one session for each mailbox, however many processes

    await first.kill()
    for user in users:
        dovecot.drop(user.name, letter("while nobody watched"))
    for mailbox in mailboxes:
        assert len(await arrived(second, mailbox, 2, seconds=TAKEN_OVER)) == 2
    await second.until(watched, lambda connections: connections == len(users))
    await second.stop()
