"""Signing in with OAuth, shown whole: python -m tools.demo_oauth [--pictures FOLDER]. Exit code 0 if all steps held.

A person connects a mailbox by a link in a headless browser, at the simulated provider; mail comes in, the access is
taken back, what is sent is held, one link mends it, and it goes out. Nothing leaves this machine; all it needs is a
browser.
"""

from __future__ import annotations

import argparse
import asyncio
import socket
import tempfile
from pathlib import Path

import httpx2
from rich.markup import escape
from tests.rig.chromium import Chromium, program

from postroom.cli.output import console, fail, say
from postroom.cli.story import StepFailed, Story, served, stops_on_signals
from postroom.simulator import Simulator

ADDRESS, PASSWORD = "support@shop.test", "the person's own password"
OTHER, OTHERS_PASSWORD = "boss@shop.test", "another person's password"
CLIENT_SECRET = "the secret of the team's client"
NO_BROWSER = (
    "this demo shows what people see in a web browser, and none is installed: apt-get install chromium (Debian), "
    "or chromium or google-chrome from your system's packages"
)


class Demo(Story):
    """The steps, each of which must hold. `back` is the address that browsers are sent back to; `folder` has all that
    Postroom wrote."""

    def __init__(
        self,
        simulator: Simulator,
        api: httpx2.AsyncClient,
        browser: Chromium,
        back: str,
        folder: Path,
        pictures: Path | None,
    ) -> None:
        super().__init__(api)
        self._simulator = simulator
        self._browser = browser
        self._back = back
        self._folder = folder
        self._pictures = pictures

    async def tell(self) -> None:
        client = await self._enter_client()
        mailbox = await self._connect(client)
        conversation = await self._receive_and_answer()
        held = await self._revoke(mailbox, conversation)
        await self._mend(mailbox, held)
        await self._search()
        console.print("\n[bold green]Every step held.[/]")

    async def _enter_client(self) -> str:
        self.step("The team's own client is registered at the provider and entered, once")
        self._simulator.create_account(ADDRESS, PASSWORD)
        self._simulator.create_account(OTHER, OTHERS_PASSWORD)
        guides = (await self.asked("GET", "/oauth/providers", 200))["items"]
        (guide,) = [one for one in guides if one["provider"] == "issuer"]
        self.expect(guide["redirect"] == self._back, f"the guide says {guide['redirect']}, not {self._back}")
        self._simulator.change_oauth(client_secret=CLIENT_SECRET, redirect_uris=(self._back,))
        say(f"  Redirect address, to the letter: [bold]{escape(self._back)}[/]")
        registration = {
            "provider": "issuer",
            "issuer": self._simulator.issuer,
            "name": "Example ID",
            "client_id": self._simulator.oauth.client_id,
            "secret": CLIENT_SECRET,
            "scopes": ["openid", "email", "offline_access", "mail"],
        }
        entered = await self.asked("POST", "/oauth/clients", 201, registration)
        self.expect(CLIENT_SECRET not in str(entered), "the API does not show the secret")
        return str(entered["id"])

    async def _connect(self, client: str) -> str:
        self.step("Somebody without an account connects the mailbox: one link, one browser")
        link = await self.asked("POST", "/connect-links", 201, {"brand": "Example Desk", "client": client})
        browser = self._browser
        await browser.open(link["url"])
        await self._sees("Connect a mailbox")
        await browser.fill("address", ADDRESS)
        await browser.click("Continue")
        await self._sees("Sign in with Example ID")
        # Of a domain that nobody runs the servers must be named; others are found.
        for kind, port in (("imap", self._simulator.imaps_port), ("smtp", self._simulator.smtps_port)):
            await browser.fill(f"{kind}_host", "localhost")
            await browser.fill(f"{kind}_port", str(port))
        await browser.click("Sign in with Example ID")
        await self._consents(PASSWORD)
        await self._sees(f"{ADDRESS} is connected")
        used = await self.asked("GET", f"/connect-links/{link['id']}", 200)
        self.expect(used["state"] == "used", f"the link is {used['state']}")
        mailbox = await self.asked("GET", f"/mailboxes/{used['mailbox_id']}", 200)
        self.expect(mailbox["auth"]["kind"] == "oauth", "the mailbox signs in with OAuth")
        await self.until("both directions work", lambda: self.mailbox_in(mailbox["id"], "connected"))
        return str(mailbox["id"])

    async def _receive_and_answer(self) -> str:
        self.step("Mail comes in, and the answer goes out, each signed in to with a token")
        sender = "Ada <ada@example.net>"
        self._simulator.deliver(ADDRESS, sender=sender, subject="My order has not arrived", text="Where is it?")
        conversation = await self.until("the message shows", self.first_conversation)
        say(f"  A conversation: [bold]{escape(conversation['subject'])}[/]")
        delivery = await self.reply(conversation["id"], "Dear Ada, it is on its way.")
        await self.until("the answer is sent", lambda: self.delivery_in(delivery["id"], "sent"))
        by_token = {str(one.service) for one in self._simulator.sessions if one.token}
        self.expect("imap" in by_token, f"the session that reads is signed in by token, not {by_token}")
        say("  The answer is [green]sent[/].")
        return str(conversation["id"])

    async def _revoke(self, mailbox: str, conversation: str) -> str:
        self.step("The access is taken back at the provider: what is sent now is held, and says why")
        self._simulator.revoke(ADDRESS)
        delivery = await self.reply(conversation, "Dear Ada, here is the tracking number.")
        await self.until("the mailbox asks for a person", lambda: self.mailbox_in(mailbox, "needs_reauth"))
        await self.until("the answer is held", lambda: self.delivery_in(delivery["id"], "held"))
        seen = await self.asked("GET", f"/mailboxes/{mailbox}", 200)
        self.show(seen["sending"]["diagnosis"], "Sending says:")
        self.expect(seen["held"] == 1, f"one message is held, not {seen['held']}")
        say(f"  The answer is [yellow]held[/], not lost: until {seen['oldest_held_expires_at']}.")
        return str(delivery["id"])

    async def _mend(self, mailbox: str, held: str) -> None:
        self.step("One call gives one link, and one sign-in mends it; another person's account does not")
        needed = await self.asked("POST", f"/mailboxes/{mailbox}/reauthenticate", 202, {})
        await self._browser.open(needed["link"]["url"])
        await self._sees(f"Sign in again to {ADDRESS}")
        await self._browser.click("Sign in with Example ID")
        await self._browser.shows("wants access to your mailbox")
        await self._browser.fill("address", OTHER)
        await self._consents(OTHERS_PASSWORD)
        await self._sees("You signed in with another account")
        await self._browser.click("Sign in again")
        await self._consents(PASSWORD)
        await self._sees(f"{ADDRESS} is connected")
        await self.until("what was held is sent", lambda: self.delivery_in(held, "sent"))
        counts = self._simulator.outbox_counts()
        self.expect(sorted(counts.values()) == [1, 1], f"each answer once at the provider, not {counts}")
        say("  What was held is [green]sent[/]; each answer went out exactly once.")
        self._simulator.deliver(ADDRESS, subject="One more thing")
        await self.until("both directions work", lambda: self.mailbox_in(mailbox, "connected"))
        await self.until("new mail shows", self._one_more)
        say("  New mail comes in again, at the place where reading had stopped.")

    async def _search(self) -> None:
        self.step("No secret stands in anything that was written")
        secrets = {CLIENT_SECRET, PASSWORD, OTHERS_PASSWORD, *self._simulator.oauth.issued}
        files = [one for one in self._folder.rglob("*") if one.is_file()]
        for file in files:
            raw = file.read_bytes()
            self.expect(not any(one.encode() in raw for one in secrets), f"{file.name} holds a secret")
        say(f"  {len(secrets)} codes, tokens and passwords were looked for in {len(files)} files: log, database, keys.")

    async def _one_more(self) -> bool:
        found = (await self.api.get("/v1/conversations")).json()["items"]
        return {one["subject"] for one in found} == {"My order has not arrived", "One more thing"}

    async def _consents(self, password: str) -> None:
        await self._browser.shows("wants access to your mailbox")
        await self._browser.fill("password", password)
        await self._picture()
        await self._browser.click("Allow")

    async def _sees(self, words: str) -> None:
        await self._browser.shows(words)
        say(f"  The browser shows: {escape(words)}")
        await self._picture()

    async def _picture(self) -> None:
        if self._pictures is not None:
            number = len(list(self._pictures.glob("*.png"))) + 1
            (self._pictures / f"{number:02}.png").write_bytes(await self._browser.screenshot())


async def _demo(pictures: Path | None) -> None:
    stops_on_signals()
    with tempfile.TemporaryDirectory(prefix="postroom-demo-") as name:
        folder, port = Path(name), _free_port()
        async with Simulator() as simulator, Chromium(width=720, height=900) as browser:
            (folder / "ca.pem").write_text(simulator.ca_pem)
            # For the demo the provider's authority is the one that this Postroom's system trusts.
            own = {"SSL_CERT_FILE": str(folder / "ca.pem"), "POSTROOM_PORT": str(port)}
            async with (
                served(folder, **own) as (address, key),
                httpx2.AsyncClient(base_url=address, headers={"Authorization": f"Bearer {key}"}, timeout=60) as api,
            ):
                back = f"http://localhost:{port}/oauth/callback"
                try:
                    await Demo(simulator, api, browser, back, folder, pictures).tell()
                except AssertionError as other:  # what the browser was to show
                    raise StepFailed(str(other)) from other


def _free_port() -> int:
    """Sign-ins come back to an address that is registered before the server starts."""
    with socket.create_server(("127.0.0.1", 0)) as held:
        return int(held.getsockname()[1])


def main() -> None:
    """Tells the story."""
    reader = argparse.ArgumentParser(description=(__doc__ or "").partition(":")[0])
    reader.add_argument("--pictures", type=Path, help="folder for a picture of each page that the browser shows")
    pictures = reader.parse_args().pictures
    if pictures is not None:
        pictures.mkdir(parents=True, exist_ok=True)
    if program() is None:
        fail(NO_BROWSER)
    try:
        asyncio.run(_demo(pictures))
    except StepFailed as failed:
        fail(f"the demo stopped: {failed}")
    except asyncio.CancelledError:
        fail("the demo was stopped")


if __name__ == "__main__":
    main()
