"""Mailboxes from the terminal: connect one, sign in to it anew. What they look like then is shown by mailboxes."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import typer
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from postroom.cli import sign_in as signing
from postroom.cli.aliases import ALIAS, aliases_in, refused_aliases
from postroom.cli.house import run
from postroom.cli.mailboxes import JSON, MAILBOX, found, passed, view_as_dict, warn
from postroom.cli.output import console, fail, print_json, say
from postroom.cli.steps import asked_password, endpoint, report_as_dict, show_next, show_report, show_step
from postroom.core.mailbox import Credential, Direction, Security
from postroom.core.oauth.authorization import Flow
from postroom.core.ports.store import AddressTaken, MailboxView
from postroom.flows.connect import NewMailbox, NotConnected
from postroom.flows.doctor import Ways, ways_of
from postroom.flows.probe import Connection
from postroom.flows.sign_in import Wanted
from postroom.flows.wishes import Wishes
from postroom.serve import House

_PASSWORD_FILE = typer.Option(
    None, help="File with the password; without it you are asked, or POSTROOM_MAILBOX_PASSWORD."
)


def add(
    address: str = typer.Argument(help="The address to connect."),
    name: str = typer.Option("", help="The name that recipients see."),
    imap: str | None = typer.Option(None, help="IMAP server as host or host:port; found by itself where it can be."),
    imap_security: Security | None = typer.Option(None, help="tls (port 993), starttls or none (port 143)."),
    smtp: str | None = typer.Option(None, help="SMTP server as host or host:port."),
    smtp_security: Security | None = typer.Option(None, help="tls (port 465), starttls (port 587) or none."),
    username: str | None = typer.Option(None, help="What to sign in with; the address unless given."),
    password_file: Path | None = _PASSWORD_FILE,
    oauth: bool = signing.OAUTH,
    device: bool = signing.DEVICE,
    as_application: bool = signing.APPLICATION,
    client: str | None = signing.CLIENT,
    sign_in_as: str = signing.PERSON,
    ca_certificate: Path | None = typer.Option(None, help="PEM file of the CA of your own server."),
    hold_hours: int = typer.Option(72, min=1, max=720, help="How long outgoing mail is held during an outage."),
    folder: list[str] = typer.Option(["INBOX"], help="Folders to read."),
    alias: list[str] = ALIAS,
    reference: str | None = typer.Option(None, help="Your own identifier for it."),
    sync_days: int = typer.Option(30, min=0, help="How old mail may be that is read at first, in days."),
    all_mail: bool = typer.Option(False, "--all-mail", help="Read all mail there is, however old."),
    json: bool = JSON,
) -> None:
    """Connect a mailbox: every step of both directions is tried before it is saved."""
    way = signing.way_of(oauth, device, as_application)
    password = asked_password(password_file) if way is signing.Way.PASSWORD else ""
    ca = ca_certificate.read_text() if ca_certificate else None
    aliases = aliases_in(alias)

    async def story(house: House) -> MailboxView:
        sign_in = username or address
        imap_end = endpoint(imap, imap_security, sign_in, Direction.IMAP) if imap else None
        smtp_end = endpoint(smtp, smtp_security, sign_in, Direction.SMTP) if smtp else None
        days = None if all_mail else sync_days
        ways: Ways | None = None
        if way in (signing.Way.BROWSER, signing.Way.DEVICE):
            wishes = Wishes(
                True,
                name,
                imap_end,
                smtp_end,
                ca,
                hold_hours,
                tuple(folder),
                reference,
                aliases=aliases,
                sync_days=days,
            )
            flow = Flow.DEVICE if way is signing.Way.DEVICE else Flow.CODE
            wanted = Wanted(address, client=client, username=sign_in_as, flow=flow, wishes=wishes)
            return await told_of(house, await signing.signed_in(house, wanted, quiet=json))
        if imap_end is None or smtp_end is None:
            found = await house.discovery.discover(address)
            if not found.candidates:
                fail(f"no mail server was found for {address}. {found.why_nothing(address)} (--imap, --smtp)", 2)
            ways = ways_of(found.candidates, imap_end, smtp_end, username)
            imap_end, smtp_end = ways.imap[0].endpoint, ways.smtp[0].endpoint
        connection = Connection(
            address=address,
            name=name,
            imap=imap_end,
            smtp=smtp_end,
            credential=(
                await signing.application_credential(house, client)
                if way is signing.Way.APPLICATION
                else Credential(password=password)
            ),
            ca_certificate=ca,
        )
        new = NewMailbox(connection, hold_hours, tuple(folder), reference, aliases=aliases, sync_days=days)
        on_step, on_next = (None, None) if json else (show_step, show_next)
        return await told_of(house, await house.connect.add(new, on_step, ways, on_next))

    async def told_of(house: House, view: MailboxView) -> MailboxView:
        if not json:
            say(f"[green]{escape(address)} is connected[/] as {view.mailbox.id}.")
            warn(view.mailbox)
            for one in refused_aliases(view.mailbox):
                say(one)
            await _first_sync(house, view.mailbox.id)
        return view

    try:
        view = run(story)
    except AddressTaken:
        fail(f"{address} is connected already; postroom mailbox show {address}")
    except NotConnected as refused:
        if json:
            print_json(report_as_dict(refused.report))
        else:
            show_report(refused.report)
            say(f"{escape(address)} was not saved.")
        sys.exit(1)
    if json:
        print_json(view_as_dict(view))


def reauthenticate(
    mailbox: str = MAILBOX,
    password_file: Path | None = _PASSWORD_FILE,
    oauth: bool = signing.OAUTH,
    device: bool = signing.DEVICE,
    as_application: bool = signing.APPLICATION,
    client: str | None = signing.CLIENT,
    sign_in_as: str = signing.PERSON,
) -> None:
    """Sign in anew, with a new password or with the provider: receiving goes on where it was, held mail goes out."""
    way = signing.way_of(oauth, device, as_application)
    password = asked_password(password_file) if way is signing.Way.PASSWORD else ""

    async def story(house: House) -> MailboxView:
        view = await found(house, mailbox)
        if way in (signing.Way.BROWSER, signing.Way.DEVICE):
            flow = Flow.DEVICE if way is signing.Way.DEVICE else Flow.CODE
            again = Wanted(mailbox_id=view.mailbox.id, client=client, username=sign_in_as, flow=flow)
            return await signing.signed_in(house, again)
        if way is signing.Way.APPLICATION:
            credential = await signing.application_credential(house, client)
        else:
            credential = Credential(password=password)
        return await house.connect.reauthenticate(view.mailbox.id, credential, show_step)

    try:
        view = run(story)
    except NotConnected as refused:
        show_report(refused.report)
        sys.exit(1)
    say(f"[green]{escape(view.mailbox.address)} is signed in again.[/]")


async def _first_sync(house: House, mailbox_id: str) -> None:
    """Shows how the first sync goes, where a server is there to do it."""
    if not await house.store.alive(house.world.now()):
        say("Nothing runs yet that would read it: start it with [bold]postroom serve[/].")
        return
    columns = (TextColumn("First sync"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("sync", total=None)
        while True:
            view = await house.store.mailbox(mailbox_id)
            if view is None:
                return
            if not view.receiving.usable:
                break
            if view.cursors and all(one.synced_at for one in view.cursors):
                break
            busy = [one for one in view.cursors if one.total]
            if busy:
                progress.update(task, total=sum(one.total for one in busy), completed=sum(one.done for one in busy))
            await asyncio.sleep(0.2)
    say("The first sync is done." + passed(view))
