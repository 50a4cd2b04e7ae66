"""Postroom in two minutes: connect, receive, answer, break, read why, mend, see it sent. Against the simulator only."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
from rich.markup import escape

from postroom.cli.output import console, fail, say
from postroom.simulator import Simulator

ADDRESS, PASSWORD, NEW_PASSWORD = "support@example.com", "spring-2026", "autumn-2026"
PATIENCE = 60.0
"""Seconds within which each step must hold."""


class StepFailed(Exception):
    """A step of the demo did not hold."""


def demo() -> None:
    """Show the whole job on this machine, then stay up to try it. DEMO_EXIT=1 ends by itself, code 0 if all held."""
    try:
        asyncio.run(_demo(stay=os.environ.get("DEMO_EXIT") != "1"))
    except StepFailed as failed:
        fail(f"the demo stopped: {failed}")
    except asyncio.CancelledError:
        say("\nThe demo has ended; nothing of it is left.")


async def _demo(*, stay: bool) -> None:
    task = asyncio.current_task()
    if task is None:
        raise RuntimeError("no task is running")
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    with tempfile.TemporaryDirectory(prefix="postroom-demo-") as folder:
        async with (
            Simulator() as simulator,
            _served(Path(folder)) as (address, key),
            httpx2.AsyncClient(base_url=address, headers={"Authorization": f"Bearer {key}"}, timeout=30) as api,
        ):
            await _Story(simulator, api).tell()
            if stay:
                _what_to_try(simulator, address, key)
                await asyncio.Event().wait()


@asynccontextmanager
async def _served(folder: Path) -> AsyncIterator[tuple[str, str]]:
    """`postroom serve` as a process of its own, as an operator runs it; its address and an API key."""
    environment = {
        **os.environ,
        "POSTROOM_DATA": str(folder),
        "POSTROOM_DATABASE": "",
        "POSTROOM_HOST": "127.0.0.1",
        "POSTROOM_PORT": os.environ.get("POSTROOM_PORT", "0"),
        "POSTROOM_ALLOW_PRIVATE_HOSTS": "true",
        "POSTROOM_CONFIRM_SECONDS": "1",
        "POSTROOM_LOG_FORMAT": "json",
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


class _Story:
    """The demo's steps, each of which must hold."""

    def __init__(self, simulator: Simulator, api: httpx2.AsyncClient) -> None:
        self._simulator = simulator
        self._api = api
        self._number = 0

    async def tell(self) -> None:
        mailbox_id = await self._connect()
        conversation_id = await self._receive()
        await self._answer(conversation_id)
        held = await self._break(mailbox_id, conversation_id)
        await self._mend(mailbox_id, held)
        console.print("\n[bold green]Every step held.[/]")

    async def _connect(self) -> str:
        self._step("Connect a mailbox: both directions are tried before it is saved")
        self._simulator.create_account(ADDRESS, PASSWORD)
        refused = await self._api.post("/v1/mailboxes", json=self._settings("a wrong password"))
        self._expect(refused.status_code == 422, f"a wrong password was answered with {refused.status_code}")
        self._show(refused.json()["diagnosis"], "With a wrong password:")
        answer = await self._api.post("/v1/mailboxes", json=self._settings(PASSWORD))
        self._expect(answer.status_code == 201, f"connecting was answered with {answer.status_code}: {answer.text}")
        mailbox = answer.json()
        say(f"  With the right one: {ADDRESS} is [green]connected[/], receiving and sending.")
        return str(mailbox["id"])

    async def _receive(self) -> str:
        self._step("Mail arrives, and shows within a second")
        began = asyncio.get_running_loop().time()
        self._simulator.deliver(
            ADDRESS, sender="Ada <ada@example.net>", subject="My order has not arrived", text="Where is it? Thanks, Ada"
        )
        conversation = await self._until("the message shows", self._first_conversation)
        took = asyncio.get_running_loop().time() - began
        say(f"  A conversation, after {took * 1000:.0f} ms: [bold]{escape(conversation['subject'])}[/]")
        return str(conversation["id"])

    async def _answer(self, conversation_id: str) -> None:
        self._step("Answer it")
        delivery = await self._reply(conversation_id, "Dear Ada, it is on its way.")
        say(f"  Accepted and on disk: delivery {delivery['state']}.")
        await self._until("the reply is sent", lambda: self._delivery_in(delivery["id"], "sent"))
        self._expect(
            self._simulator.outbox_counts() and len(self._simulator.outbox) == 1, "one message at the provider"
        )
        say("  [green]Sent[/]: the provider has it, once.")
        await self._until("the copy is in Sent", self._copy_in_sent)
        say("  A copy is in the mailbox's Sent folder.")

    async def _break(self, mailbox_id: str, conversation_id: str) -> str:
        self._step("Break it: somebody changes the mailbox's password at the provider")
        self._simulator.change_account(ADDRESS, password=NEW_PASSWORD)
        delivery = await self._reply(conversation_id, "Dear Ada, here is the tracking number.")
        await self._until("the mailbox asks for a person", lambda: self._mailbox_in(mailbox_id, "needs_reauth"))
        mailbox = (await self._api.get(f"/v1/mailboxes/{mailbox_id}")).json()
        self._show(mailbox["receiving"]["diagnosis"], "Receiving says:")
        self._show(mailbox["sending"]["diagnosis"], "Sending says:")
        await self._until("the reply is held", lambda: self._delivery_in(delivery["id"], "held"))
        say(f"  The reply is [yellow]held[/], not lost: until {mailbox['oldest_held_expires_at']}.")
        return str(delivery["id"])

    async def _mend(self, mailbox_id: str, held: str) -> None:
        self._step("Mend it: sign in again with the new password")
        answer = await self._api.post(
            f"/v1/mailboxes/{mailbox_id}/reauthenticate", json={"auth": {"kind": "password", "password": NEW_PASSWORD}}
        )
        self._expect(answer.status_code == 200, f"reauthenticate was answered with {answer.status_code}: {answer.text}")
        await self._until("the held reply is sent", lambda: self._delivery_in(held, "sent"))
        counts = self._simulator.outbox_counts()
        self._expect(sorted(counts.values()) == [1, 1], f"each reply once at the provider, not {counts}")
        say("  The held reply is [green]sent[/]; each message went out exactly once.")
        await self._until("receiving works again", lambda: self._mailbox_in(mailbox_id, "connected"))

    def _settings(self, password: str) -> dict[str, Any]:
        return {
            "address": ADDRESS,
            "name": "Support",
            "imap": {"host": self._simulator.host, "port": self._simulator.imaps_port, "security": "tls"},
            "smtp": {"host": self._simulator.host, "port": self._simulator.smtps_port, "security": "tls"},
            "auth": {"kind": "password", "password": password},
            "ca_certificate": self._simulator.ca_pem,
        }

    async def _reply(self, conversation_id: str, text: str) -> dict[str, Any]:
        answer = await self._api.post(f"/v1/conversations/{conversation_id}/replies", json={"text": text})
        self._expect(answer.status_code == 202, f"the reply was answered with {answer.status_code}: {answer.text}")
        return dict(answer.json())

    async def _first_conversation(self) -> dict[str, Any] | None:
        items = (await self._api.get("/v1/conversations")).json()["items"]
        return items[0] if items else None

    async def _delivery_in(self, delivery_id: str, state: str) -> bool:
        return bool((await self._api.get(f"/v1/deliveries/{delivery_id}")).json()["state"] == state)

    async def _mailbox_in(self, mailbox_id: str, state: str) -> bool:
        mailbox = (await self._api.get(f"/v1/mailboxes/{mailbox_id}")).json()
        return bool(mailbox["receiving"]["state"] == state and mailbox["sending"]["state"] == state)

    async def _copy_in_sent(self) -> bool:
        return len(self._simulator.folder(ADDRESS, "Sent").messages) == 1

    async def _until(self, what: str, holds: Callable[[], Awaitable[Any]]) -> Any:
        ends = asyncio.get_running_loop().time() + PATIENCE
        while not (value := await holds()):
            if asyncio.get_running_loop().time() > ends:
                raise StepFailed(f"{what}: not within {PATIENCE:.0f} seconds")
            await asyncio.sleep(0.02)
        return value

    def _expect(self, holds: object, otherwise: str) -> None:
        if not holds:
            raise StepFailed(otherwise)

    def _step(self, text: str) -> None:
        self._number += 1
        console.print(f"\n[bold cyan]{self._number}.[/] [bold]{text}[/]")

    def _show(self, diagnosis: dict[str, Any], heading: str) -> None:
        say(f"  {heading}")
        say(f"    [bold]{escape(diagnosis['message'])}[/]")
        say(f"    {escape(diagnosis['reason'])}")
        for number, step in enumerate(diagnosis["steps"], 1):
            say(f"    {number}. {escape(step)}")


def _what_to_try(simulator: Simulator, address: str, key: str) -> None:
    control = f"http://{simulator.host}:{simulator.control_port}"
    say(f"""
Postroom stays up at [bold]{address}[/] (its API is described at {address}/docs). Press Ctrl-C to end. Try:

  export POSTROOM_SIMULATOR={control}
  alias api='curl -s -H "Authorization: Bearer {key}"'
  api {address}/v1/mailboxes
  api -N {address}/v1/events
  .venv/bin/postroom simulate deliver {ADDRESS} --subject "One more thing"
  .venv/bin/postroom simulate fail smtp auth "535 5.7.139 SmtpClientAuthentication is disabled for the Tenant"
  .venv/bin/postroom simulate outage smtp
  .venv/bin/postroom simulate mend
""")
