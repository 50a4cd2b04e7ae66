"""Opens the house for one command: settings, store, flows; the engine does not run. It prints nothing."""

from __future__ import annotations

import asyncio
import getpass
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

from postroom import logs, settings
from postroom.cli.output import fail
from postroom.serve import House, build

T = TypeVar("T")

PATIENCE = 30.0
"""Seconds that a command waits for the server beside it to leave it SQLite's lock: a person asked for it once."""


@asynccontextmanager
async def opened() -> AsyncIterator[House]:
    """For commands that read or change what is stored; a server that runs beside notices within a second."""
    chosen = settings.load()
    logs.configure(chosen.model_copy(update={"log_level": "error"}))
    async with build(chosen, patience=PATIENCE) as house:
        yield house


def known_address(chosen: settings.Settings) -> settings.Settings:
    """The same, where a browser can be told to come back; else it ends with the mend."""
    if not chosen.public_url and chosen.port == 0:
        fail(
            "POSTROOM_PORT is 0: the server takes a free port at each start, so nobody knows the address that browsers "
            "come back to. Set POSTROOM_PUBLIC_URL, or a port.",
            2,
        )
    return chosen


def person() -> str:
    """Who gives this command, as stories of deliveries name them."""
    try:
        return f"command line ({getpass.getuser()})"
    except (KeyError, OSError):  # a user without a name, as in a container
        return f"command line (user {os.getuid()})"


def run(story: Callable[[House], Awaitable[T]]) -> T:
    """Runs one story with the house open."""

    async def told() -> T:
        async with opened() as house:
            return await story(house)

    return asyncio.run(told())
