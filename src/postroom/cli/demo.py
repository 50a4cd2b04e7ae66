"""Postroom in two minutes: connect, receive, answer, break, read why, mend, see it sent. Against the simulator only."""

from __future__ import annotations

import asyncio
import os
import tempfile
from pathlib import Path
from typing import Any

import httpx2
from rich.markup import escape

from postroom.cli.output import console, fail, say
from postroom.cli.story import StepFailed, Story, served, stops_on_signals
from postroom.simulator import Simulator

ADDRESS, PASSWORD, NEW_PASSWORD = "support@example.com", "spring-2026", "autumn-2026"


def demo() -> None:
    """Show the whole job on this machine, then stay up to try it. DEMO_EXIT=1 ends by itself, code 0 if all held."""
    try:
        asyncio.run(_demo(stay=os.environ.get("DEMO_EXIT") != "1"))
    except StepFailed as failed:
        fail(f"the demo stopped: {failed}")
    except asyncio.CancelledError:
        say("\nThe demo has ended; nothing of it is left.")


async def _demo(*, stay: bool) -> None:
    stops_on_signals()
    with tempfile.TemporaryDirectory(prefix="postroom-demo-") as folder:
        async with (
            Simulator() as simulator,
            served(Path(folder), POSTROOM_PORT=os.environ.get("POSTROOM_PORT", "0")) as (address, key),
            httpx2.AsyncClient(base_url=address, headers={"Authorization": f"Bearer {key}"}, timeout=30) as api,
        ):
            await _Demo(simulator, api).tell()
            if stay:
                _what_to_try(simulator, address, key)
                await asyncio.Event().wait()


class _Demo(Story):
    """The demo's steps, each of which must hold."""

    def __init__(self, simulator: Simulator, api: httpx2.AsyncClient) -> None:
        super().__init__(api)
        self._simulator = simulator

    async def tell(self) -> None:
        mailbox_id = await self._connect()
        conversation_id = await self._receive()
        await self._answer(conversation_id)
        held = await self._break(mailbox_id, conversation_id)
        await self._mend(mailbox_id, held)
        console.print("\n[bold green]Every step held.[/]")

    async def _connect(self) -> str:
        self.step("Connect a mailbox: both directions are tried before it is saved")
        self._simulator.create_account(ADDRESS, PASSWORD)
        refused = await self.api.post("/v1/mailboxes", json=self._settings("a wrong password"))
        self.expect(refused.status_code == 422, f"a wrong password was answered with {refused.status_code}")
        self.show(refused.json()["diagnosis"], "With a wrong password:")
        answer = await self.api.post("/v1/mailboxes", json=self._settings(PASSWORD))
        self.expect(answer.status_code == 201, f"connecting was answered with {answer.status_code}: {answer.text}")
        mailbox = answer.json()
        say(f"  With the right one: {ADDRESS} is [green]connected[/], receiving and sending.")
        return str(mailbox["id"])

    async def _receive(self) -> str:
        self.step("Mail arrives, and shows within a second")
        began = asyncio.get_running_loop().time()
        self._simulator.deliver(
            ADDRESS, sender="Ada <ada@example.net>", subject="My order has not arrived", text="Where is it? Thanks, Ada"
        )
        conversation = await self.until("the message shows", self.first_conversation)
        took = asyncio.get_running_loop().time() - began
        say(f"  A conversation, after {took * 1000:.0f} ms: [bold]{escape(conversation['subject'])}[/]")
        return str(conversation["id"])

    async def _answer(self, conversation_id: str) -> None:
        self.step("Answer it")
        delivery = await self.reply(conversation_id, "Dear Ada, it is on its way.")
        say(f"  Accepted and on disk: delivery {delivery['state']}.")
        await self.until("the reply is sent", lambda: self.delivery_in(delivery["id"], "sent"))
        self.expect(self._simulator.outbox_counts() and len(self._simulator.outbox) == 1, "one message at the provider")
        say("  [green]Sent[/]: the provider has it, once.")
        await self.until("the copy is in Sent", self._copy_in_sent)
        say("  A copy is in the mailbox's Sent folder.")

    async def _break(self, mailbox_id: str, conversation_id: str) -> str:
        self.step("Break it: somebody changes the mailbox's password at the provider")
        self._simulator.change_account(ADDRESS, password=NEW_PASSWORD)
        delivery = await self.reply(conversation_id, "Dear Ada, here is the tracking number.")
        await self.until("the mailbox asks for a person", lambda: self.mailbox_in(mailbox_id, "needs_reauth"))
        mailbox = (await self.api.get(f"/v1/mailboxes/{mailbox_id}")).json()
        self.show(mailbox["receiving"]["diagnosis"], "Receiving says:")
        self.show(mailbox["sending"]["diagnosis"], "Sending says:")
        await self.until("the reply is held", lambda: self.delivery_in(delivery["id"], "held"))
        say(f"  The reply is [yellow]held[/], not lost: until {mailbox['oldest_held_expires_at']}.")
        return str(delivery["id"])

    async def _mend(self, mailbox_id: str, held: str) -> None:
        self.step("Mend it: sign in again with the new password")
        answer = await self.api.post(
            f"/v1/mailboxes/{mailbox_id}/reauthenticate", json={"auth": {"kind": "password", "password": NEW_PASSWORD}}
        )
        self.expect(answer.status_code == 200, f"reauthenticate was answered with {answer.status_code}: {answer.text}")
        await self.until("the held reply is sent", lambda: self.delivery_in(held, "sent"))
        counts = self._simulator.outbox_counts()
        self.expect(sorted(counts.values()) == [1, 1], f"each reply once at the provider, not {counts}")
        say("  The held reply is [green]sent[/]; each message went out exactly once.")
        await self.until("receiving works again", lambda: self.mailbox_in(mailbox_id, "connected"))

    def _settings(self, password: str) -> dict[str, Any]:
        return {
            "address": ADDRESS,
            "name": "Support",
            "imap": {"host": self._simulator.host, "port": self._simulator.imaps_port, "security": "tls"},
            "smtp": {"host": self._simulator.host, "port": self._simulator.smtps_port, "security": "tls"},
            "auth": {"kind": "password", "password": password},
            "ca_certificate": self._simulator.ca_pem,
        }

    async def _copy_in_sent(self) -> bool:
        return len(self._simulator.folder(ADDRESS, "Sent").messages) == 1


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
