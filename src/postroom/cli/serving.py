"""The processes that stay: the server, and a worker beside it."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine

import typer
import uvloop

from postroom import logs
from postroom import serve as house
from postroom import settings as settings_
from postroom.cli.output import say


def serve(
    database: str | None = typer.Option(None, help="Overrides POSTROOM_DATABASE."),
    host: str | None = typer.Option(None, help="Overrides POSTROOM_HOST."),
    port: int | None = typer.Option(None, min=0, max=65535, help="Overrides POSTROOM_PORT; 0 takes a free one."),
) -> None:
    """Run Postroom: the API and the engine, in one process."""
    settings = _settings(database=database, host=host, port=port)
    logs.configure(settings)
    _run(house.serve(settings, lambda address: say(f"Postroom listens on {address}")))


def worker(
    database: str | None = typer.Option(None, help="Overrides POSTROOM_DATABASE."),
    port: int | None = typer.Option(
        None, min=0, max=65535, help="Answer /healthz, /readyz and /metrics there (on POSTROOM_HOST); 0: a free one."
    ),
) -> None:
    """Run the engine without the API, beside a server on the same PostgreSQL database."""
    settings = _settings(database=database)
    logs.configure(settings)
    _run(house.work(settings, lambda address: say(f"The worker listens on {address}"), port=port))


def _run(process: Coroutine[None, None, None]) -> None:
    # On uvloop the SMTP client sends about one and a half times as many messages (docs/benchmarks.md).
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(process)


def _settings(**overrides: object) -> settings_.Settings:
    given = {name: value for name, value in overrides.items() if value is not None}
    return settings_.load(given)
