"""The key of the vault: a new one for everything that is sealed, or a life without the one that is lost."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import typer
from rich.markup import escape

from postroom import keyfile, logs, settings
from postroom.cli.output import fail, print_json, say
from postroom.core.diagnosis import Evidence, Stage, diagnose
from postroom.core.mailbox import Direction
from postroom.flows.recover import Recover
from postroom.settings import Settings
from postroom.store import open_store
from postroom.store.sealed import Lost
from postroom.store.sqlstore import SqlStore
from postroom.world import RealWorld

_RUNNING = (
    "{number} of Postroom's processes work on this database: stop them first. (One that was killed counts for 15 "
    "seconds more.) They could not read what is sealed with a new key."
)


def rekey(
    running: bool = typer.Option(
        False, "--running", help="Do it while Postroom runs: every process was started with both keys (environment)."
    ),
    json: bool = typer.Option(False, "--json", help="Print JSON."),
) -> None:
    """Change the secret key: everything that is sealed is sealed anew, in small steps. If it is cut off, run it again.

    With a key file a new key is made, and the earlier is thrown away at the end. With POSTROOM_SECRET_KEY, set it to
    the new key and POSTROOM_SECRET_KEY_OLD to the earlier.
    """
    chosen = _settings()
    done, unreadable = asyncio.run(_rekey(chosen, running=running))
    if json:
        print_json({"sealed": done, "unreadable": sorted(unreadable)})
    else:
        say(f"{done} secrets are sealed with the new key, and the earlier key is of no use any more.")
        if keyfile.path(chosen) is None:
            say("Unset POSTROOM_SECRET_KEY_OLD at the next start.")
        if unreadable:
            say(f"No key opens {len(unreadable)} others: [bold]postroom db key-lost[/] says whose they are.")
    sys.exit(1 if unreadable else 0)


async def _rekey(chosen: Settings, *, running: bool) -> tuple[int, set[str]]:
    file = keyfile.path(chosen)
    held = keyfile.keys(chosen)
    if file is None and len(held) == 1:
        fail("set POSTROOM_SECRET_KEY to the new key and POSTROOM_SECRET_KEY_OLD to the earlier one", 2)
    async with _opened(chosen, held, idle=not running or file is not None):
        pass  # the keys fit the database, and nobody works on it: only then is the key file touched
    if file is not None and len(held) == 1:
        held = (keyfile.new_key(), *held)
        keyfile.replace(file, held)
    done, unreadable = 0, set[str]()
    async with _opened(chosen, held, idle=not running or file is not None) as store:
        async for number, unread in store.reseal():
            done += number
            unreadable |= set(unread)
        if not await store.forget_earlier_keys():
            fail("something was sealed with the earlier key meanwhile: run it again")
    if file is not None:
        keyfile.replace(file, held[:1])
    return done, unreadable


def key_lost(
    yes: bool = typer.Option(False, "--yes", help="Do it; without, only say what is lost."),
    json: bool = typer.Option(False, "--json", help="Print JSON."),
) -> None:
    """The earlier secret key is lost: say which mailboxes must sign in again, and with --yes go on without it.

    Mail, conversations and what waits to be sent stay. Exit code 1: something is lost, and --yes was not given.
    """
    gone = asyncio.run(_key_lost(_settings(), act=yes))
    if json:
        print_json(
            {
                "mailboxes": [{"id": one, "address": address} for one, address in gone.mailboxes],
                "webhooks": [{"id": one, "url": url} for one, url in gone.webhooks],
                "oauth_clients": [{"id": one, "client_id": name} for one, name in gone.clients],
                "done": yes,
            }
        )
    else:
        _show(gone, done=yes)
    sys.exit(1 if gone != Lost() and not yes else 0)


async def _key_lost(chosen: Settings, *, act: bool) -> Lost:
    world = RealWorld()
    async with _opened(chosen, keyfile.keys(chosen), idle=act, any_key=True) as store:
        gone = await store.lost()
        if not act:
            return gone
        recover = Recover(store, world)
        for identifier, _ in gone.mailboxes:
            view = await store.mailbox(identifier)
            if view is None:
                continue
            for direction in Direction:
                said = "KeyLost: the key that this credential was sealed with is gone"
                evidence = Evidence(direction, Stage.AUTH, exception=said, provider=view.mailbox.provider)
                await recover.unknown_credential(view.mailbox, direction, diagnose(evidence))
        await store.give_up(gone)
        return gone


def _show(gone: Lost, *, done: bool) -> None:
    if gone == Lost():
        say("Nothing is lost: the key opens everything.")
        return
    for title, rows, mend in (
        ("mailboxes must sign in again", gone.mailboxes, "postroom mailbox reauthenticate {}"),
        ("webhooks have lost their signing secret", gone.webhooks, "make it anew: {}"),
        ("OAuth clients have lost their secret", gone.clients, "enter the secret of {} again"),
    ):
        if rows:
            say(f"[bold]{len(rows)} {title}:[/]")
            for _, name in rows:
                say("  " + escape(mend.format(name)))
    if done:
        say("Postroom can be started. All mail is here, and what waits is sent when its mailbox is signed in to.")
    else:
        say("Nothing was changed. If the earlier key cannot be found, go on with: postroom db key-lost --yes")


def _settings() -> Settings:
    chosen = settings.load()
    logs.configure(chosen.model_copy(update={"log_level": "error"}))
    return chosen


@asynccontextmanager
async def _opened(
    chosen: Settings, held: tuple[bytes, ...], *, idle: bool, any_key: bool = False
) -> AsyncIterator[SqlStore]:
    """The store; with `idle` only where no process works on it."""
    world = RealWorld()
    store = await open_store(
        chosen.database_url, secret_key=held[0], earlier_keys=held[1:], world=world, any_key=any_key
    )
    try:
        if idle and (number := await store.alive(world.now())):
            fail(_RUNNING.format(number=number))
        yield store
    finally:
        await store.close()
