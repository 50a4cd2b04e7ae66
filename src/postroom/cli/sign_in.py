"""A sign-in with OAuth from the terminal: a browser on any machine, or a device code. It connects nothing itself."""

from __future__ import annotations

import asyncio
import sys
from enum import StrEnum
from typing import NoReturn
from urllib.parse import parse_qs, urlsplit

import typer
from rich.markup import escape

from postroom.cli.house import known_address
from postroom.cli.output import fail, say, told
from postroom.cli.steps import show_report, show_step
from postroom.core.mailbox import AuthKind, Credential
from postroom.core.oauth.authorization import Authorization, Flow, Progress
from postroom.core.oauth.client import ClientKind, OAuthClient
from postroom.core.ports.store import AddressTaken, MailboxView
from postroom.flows.probe import OnStep
from postroom.flows.sign_in import Begun, NoClient, SignInFailed, Wanted
from postroom.serve import House

GLANCE = 1.0
OAUTH = typer.Option(False, "--oauth", help="Sign in with the provider in a web browser instead of a password.")
DEVICE = typer.Option(False, "--device", help="Sign in with a code that is entered on any machine (not with Google).")
CLIENT = typer.Option(None, "--client", help="Which OAuth client, oac_…; found by the provider unless given.")
PERSON = typer.Option("", "--sign-in-as", help="Who signs in for a shared mailbox.")
APPLICATION = typer.Option(
    False,
    "--as-application",
    help="The OAuth client itself opens the mailbox: client credentials, or a service account.",
)


class Way(StrEnum):
    """How the command line signs in."""

    PASSWORD = "password"  # noqa: S105 - the name of a way
    BROWSER = "browser"
    DEVICE = "device"
    APPLICATION = "application"


def way_of(oauth: bool, device: bool, application: bool) -> Way:
    """What the options ask for; ends with usage where they contradict each other."""
    if oauth + device + application > 1:
        fail("choose one of --oauth, --device and --as-application", 2)
    if device:
        return Way.DEVICE
    if application:
        return Way.APPLICATION
    return Way.BROWSER if oauth else Way.PASSWORD


async def application_credential(house: House, client_id: str | None) -> Credential:
    """The client that opens mailboxes in its own name."""
    clients = await house.store.oauth_clients()
    chosen = [one for one in clients if client_id in (None, one.id) and _acts_alone(one)]
    if len(chosen) != 1:
        fail("name the OAuth client with --client: postroom oauth list shows them", 2)
    service = chosen[0].kind is ClientKind.SERVICE_ACCOUNT
    kind = AuthKind.SERVICE_ACCOUNT if service else AuthKind.CLIENT_CREDENTIALS
    return Credential(kind, client=chosen[0].id)


def _acts_alone(client: OAuthClient) -> bool:
    return client.kind is ClientKind.SERVICE_ACCOUNT or bool(client.app_scopes)


async def signed_in(house: House, wanted: Wanted, *, quiet: bool = False) -> MailboxView:
    """Leads a person through the sign-in and gives the connected mailbox. Ends the command where it fails; a mailbox
    that could not be opened is shown with its steps. `quiet` prints only where to go, on standard error."""
    if wanted.flow is Flow.CODE:
        known_address(house.settings)
    try:
        begun = await house.authorize.begin(wanted)
        _tell(begun, quiet)
        if wanted.flow is Flow.DEVICE:
            done = await _entered(house, begun.authorization, None if quiet else show_step)
        elif await house.store.alive(house.world.now()):
            done = await _come_back(house, begun.authorization, quiet)
        else:
            return await _pasted(house, begun, None if quiet else show_step)
    except NoClient as none:
        fail(str(none))
    except AddressTaken:
        fail(f"{wanted.address} is connected already; postroom mailbox show {wanted.address}")
    except SignInFailed as failed:
        _failed(failed.authorization, failed)
    view = await house.store.mailbox(done.mailbox_id) if done.mailbox_id else None
    if view is None or done.progress is not Progress.CONNECTED:
        _failed(done)
    return view


def _tell(begun: Begun, quiet: bool) -> None:
    words = f"Open this address in a web browser and sign in as {begun.authorization.username or ''}".rstrip()
    words = words if begun.authorization.username else f"{words} {begun.authorization.address}"
    lines = [f"{words}:", "", f"  {begun.url}", ""]
    if begun.authorization.user_code:
        lines += [f"Enter the code [bold]{escape(begun.authorization.user_code)}[/] there.", ""]
    if quiet:
        sys.stderr.write("\n".join(lines).replace("[bold]", "").replace("[/]", "") + "\n")
        return
    for line in lines:
        say(line if line.startswith("Enter") else escape(line))


async def _entered(house: House, begun: Authorization, on_step: OnStep | None) -> Authorization:
    while True:
        looked = await house.authorize.look(begun.id, on_step)
        if looked is None or looked.progress is not Progress.PENDING:
            return looked or begun
        await asyncio.sleep(GLANCE)


async def _come_back(house: House, begun: Authorization, quiet: bool) -> Authorization:
    """The browser comes back to the server that runs beside: it connects the mailbox."""
    if not quiet:
        say("Waiting for the browser to come back to Postroom …")
    while True:
        if house.world.now() >= begun.expires_at:
            fail("nobody signed in within 20 minutes; begin again")
        looked = await house.store.authorization(begun.id)
        if looked is None or looked.progress is Progress.CONNECTED or looked.explanation:
            return looked or begun
        await asyncio.sleep(GLANCE)


async def _pasted(house: House, begun: Begun, on_step: OnStep | None) -> MailboxView:
    """Nothing runs that the browser could come back to: it shows an error there, and its address holds the answer."""
    words = "No server runs here, so the browser will not find the page it comes back to. Copy its whole address then."
    typer.echo(words, err=True)
    address = str(await asyncio.to_thread(typer.prompt, "Address in the browser", err=True))
    query = {name: values[0] for name, values in parse_qs(urlsplit(address.strip()).query).items()}
    done = await house.authorize.finish(
        query.get("state", ""),
        code=query.get("code", ""),
        error=query.get("error", ""),
        description=query.get("error_description", ""),
        issuer=query.get("iss", ""),
        on_step=on_step,
    )
    if isinstance(done, Authorization):
        _failed(done)
    return done


def _failed(authorization: Authorization | None, failed: SignInFailed | None = None) -> NoReturn:
    words = str(failed) if failed else (authorization.explanation if authorization else "")
    if failed is not None and failed.report is not None:
        show_report(failed.report)
    else:
        diagnosis = failed.diagnosis if failed else authorization.diagnosis if authorization else None
        if diagnosis is not None:
            told(diagnosis)
    fail(words or "the sign-in did not come to its end")
