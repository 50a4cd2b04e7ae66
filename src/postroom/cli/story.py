"""What demos have in common: a Postroom of their own, and steps that are told and must hold. It tells no story."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
from rich.markup import escape

from postroom.cli.output import console, say

PATIENCE = 60.0
"""Seconds within which each step must hold."""


class StepFailed(Exception):
    """A step did not hold."""


def stops_on_signals() -> None:
    """SIGTERM and SIGINT cancel the task that calls this."""
    task = asyncio.current_task()
    if task is None:
        raise RuntimeError("no task is running")
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)


@asynccontextmanager
async def served(folder: Path, **settings: str) -> AsyncIterator[tuple[str, str]]:
    """`postroom serve` as a process of its own, as an operator runs it, with these variables in its environment; its
    address and an API key. What it writes is in the folder."""
    environment = {
        **os.environ,
        "POSTROOM_DATA": str(folder),
        "POSTROOM_DATABASE": "",
        "POSTROOM_HOST": "127.0.0.1",
        "POSTROOM_PUBLIC_URL": "",
        "POSTROOM_ALLOW_PRIVATE_HOSTS": "true",
        "POSTROOM_CONFIRM_SECONDS": "1",
        "POSTROOM_LOG_FORMAT": "json",
        **settings,
    }
    log = (folder / "postroom.log").open("wb")
    program = (sys.executable, "-m", "postroom")
    server = await asyncio.create_subprocess_exec(
        *program, "serve", env=environment, stdout=asyncio.subprocess.PIPE, stderr=log, start_new_session=True
    )
    try:
        if server.stdout is None:
            raise RuntimeError("the server has no output")
        line = (await asyncio.wait_for(server.stdout.readline(), PATIENCE)).decode().strip()
        if not line.startswith("Postroom listens on "):
            raise StepFailed("postroom serve did not start:\n" + (folder / "postroom.log").read_text()[-2000:])
        maker = await asyncio.create_subprocess_exec(
            *program, "key", "create", "demo", env=environment, stdout=asyncio.subprocess.PIPE
        )
        key, _ = await maker.communicate()
        yield line.rpartition(" ")[2], key.decode().strip()
    finally:
        if server.returncode is None:
            server.terminate()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(server.wait(), 15)
            if server.returncode is None:
                server.kill()
        log.close()


class Story:
    """Steps in the terminal. `api` is a client of the running Postroom."""

    def __init__(self, api: httpx2.AsyncClient) -> None:
        self.api = api
        self._number = 0

    def step(self, text: str) -> None:
        """A heading."""
        self._number += 1
        console.print(f"\n[bold cyan]{self._number}.[/] [bold]{text}[/]")

    def expect(self, holds: object, otherwise: str) -> None:
        """Raises StepFailed."""
        if not holds:
            raise StepFailed(otherwise)

    async def until(self, what: str, holds: Callable[[], Awaitable[Any]]) -> Any:
        """What was seen when it held. Raises StepFailed."""
        ends = asyncio.get_running_loop().time() + PATIENCE
        while not (value := await holds()):
            if asyncio.get_running_loop().time() > ends:
                raise StepFailed(f"{what}: not within {PATIENCE:.0f} seconds")
            await asyncio.sleep(0.02)
        return value

    def show(self, diagnosis: dict[str, Any], heading: str) -> None:
        """A diagnosis, as people read it."""
        say(f"  {heading}")
        say(f"    [bold]{escape(diagnosis['message'])}[/]")
        say(f"    {escape(diagnosis['reason'])}")
        for number, step in enumerate(diagnosis["steps"], 1):
            say(f"    {number}. {escape(step)}")

    async def asked(self, method: str, path: str, status: int, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """A request to the API. Raises StepFailed where its status is another."""
        answer = await self.api.request(method, f"/v1{path}", json=body)
        self.expect(answer.status_code == status, f"{method} {path}: {answer.status_code} {answer.text}")
        return dict(answer.json())

    async def reply(self, conversation_id: str, text: str) -> dict[str, Any]:
        return await self.asked("POST", f"/conversations/{conversation_id}/replies", 202, {"text": text})

    async def first_conversation(self) -> dict[str, Any] | None:
        items = (await self.api.get("/v1/conversations")).json()["items"]
        return items[0] if items else None

    async def delivery_in(self, delivery_id: str, state: str) -> bool:
        return bool((await self.api.get(f"/v1/deliveries/{delivery_id}")).json()["state"] == state)

    async def mailbox_in(self, mailbox_id: str, state: str) -> bool:
        """Whether both directions are."""
        mailbox = (await self.api.get(f"/v1/mailboxes/{mailbox_id}")).json()
        return bool(mailbox["receiving"]["state"] == state and mailbox["sending"]["state"] == state)
