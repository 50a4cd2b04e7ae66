"""Mailboxes: connect, list, look, sign in anew, pause, resume, check, remove."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import typer
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from postroom.cli import sign_in as signing
from postroom.cli.house import person, run
from postroom.cli.output import ago, console, fail, paragraph, plain, print_json, say, state, table, told
from postroom.cli.steps import asked_password, endpoint, report_as_dict, show_next, show_report, show_step
from postroom.core.compose import BadDraft
from postroom.core.compose.recipient import checked
from postroom.core.cursor import Cursor, Outcome
from postroom.core.diagnosis import Action
from postroom.core.mailbox import Credential, Direction, Mailbox, Security, Signature, UnconfirmedPolicy
from postroom.core.message import Address
from postroom.core.oauth.authorization import Flow
from postroom.core.ports.store import AddressTaken, MailboxView
from postroom.core.warning import cautions
from postroom.flows.connect import NewMailbox, NotConnected
from postroom.flows.doctor import Ways, ways_of
from postroom.flows.probe import Connection, Report
from postroom.flows.sign_in import Wanted
from postroom.flows.wishes import Wishes
from postroom.serve import House

app = typer.Typer(help="Mailboxes: connect, look, mend.", no_args_is_help=True)
_JSON = typer.Option(False, "--json", help="Print JSON.")
_MAILBOX = typer.Argument(help="The mailbox: its address or id.")
_PASSWORD_FILE = typer.Option(
    None, help="File with the password; without it you are asked, or POSTROOM_MAILBOX_PASSWORD."
)


_REMEDIES = dict.fromkeys(Action, "check") | {Action.REAUTHENTICATE: "reauthenticate"}
"""The command that follows when a diagnosis' steps are done."""


@app.command()
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
    reference: str | None = typer.Option(None, help="Your own identifier for it."),
    sync_days: int = typer.Option(30, min=0, help="How old mail may be that is read at first, in days."),
    all_mail: bool = typer.Option(False, "--all-mail", help="Read all mail there is, however old."),
    json: bool = _JSON,
) -> None:
    """Connect a mailbox: every step of both directions is tried before it is saved."""
    way = signing.way_of(oauth, device, as_application)
    password = asked_password(password_file) if way is signing.Way.PASSWORD else ""
    ca = ca_certificate.read_text() if ca_certificate else None

    async def story(house: House) -> MailboxView:
        sign_in = username or address
        imap_end = endpoint(imap, imap_security, sign_in, Direction.IMAP) if imap else None
        smtp_end = endpoint(smtp, smtp_security, sign_in, Direction.SMTP) if smtp else None
        days = None if all_mail else sync_days
        ways: Ways | None = None
        if way in (signing.Way.BROWSER, signing.Way.DEVICE):
            wishes = Wishes(True, name, imap_end, smtp_end, ca, hold_hours, tuple(folder), reference, sync_days=days)
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
        new = NewMailbox(connection, hold_hours, tuple(folder), reference, sync_days=days)
        on_step, on_next = (None, None) if json else (show_step, show_next)
        return await told_of(house, await house.connect.add(new, on_step, ways, on_next))

    async def told_of(house: House, view: MailboxView) -> MailboxView:
        if not json:
            say(f"[green]{escape(address)} is connected[/] as {view.mailbox.id}.")
            _warn(view.mailbox)
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


def _warn(mailbox: Mailbox) -> None:
    for one in cautions(mailbox.address, mailbox.imap, mailbox.smtp, mailbox.provider):
        paragraph(escape(one.message), first="[yellow]Warning:[/] ")


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
    say("The first sync is done." + _passed(view))


def _passed(view: MailboxView) -> str:
    """What of the server's mail is not here to be read."""
    by_outcome = {
        outcome: sum(number for (_, of), number in view.passed.items() if of is outcome)
        for outcome in (Outcome.SKIPPED, Outcome.QUARANTINED)
    }
    return "".join(f" {number} {outcome}." for outcome, number in by_outcome.items() if number)


@app.command("list")
def list_mailboxes(json: bool = _JSON) -> None:
    """List the mailboxes with the health of both directions."""

    async def story(house: House) -> list[MailboxView]:
        views: list[MailboxView] = []
        cursor: str | None = None
        while True:
            page = await house.store.mailboxes(limit=200, cursor=cursor)
            views += page.items
            cursor = page.next_cursor
            if cursor is None:
                return views

    views = run(story)
    if json:
        print_json({"items": [view_as_dict(one) for one in views]})
        return
    if not views:
        say("No mailbox is connected yet: postroom mailbox add ADDRESS")
        return
    rows = [
        (
            escape(one.mailbox.address),
            state(one.receiving.state.public),
            state(one.sending.state.public),
            str(one.held or ""),
            ago(one.receiving.heard_at),
            escape(_why(one)),
        )
        for one in views
    ]
    table(("mailbox", "receiving", "sending", "held", "last heard", "why"), rows)


def _why(view: MailboxView) -> str:
    diagnosis = view.receiving.diagnosis or view.sending.diagnosis
    return diagnosis.message if diagnosis else ""


@app.command()
def show(mailbox: str = _MAILBOX, json: bool = _JSON) -> None:
    """Show one mailbox: settings, health, diagnosis with its steps."""

    async def story(house: House) -> MailboxView:
        return await _found(house, mailbox)

    view = run(story)
    if json:
        print_json(view_as_dict(view))
        return
    one = view.mailbox
    say(f"[bold]{escape(one.address)}[/]  {one.id}  ({one.provider})")
    for direction, health in ((Direction.IMAP, view.receiving), (Direction.SMTP, view.sending_told(datetime.now(UTC)))):
        place = one.endpoint(direction)
        say(
            f"{direction.word}: {state(health.state.public)} since {ago(health.since)}, "
            f"{place.host}:{place.port} ({place.security})"
        )
        if health.diagnosis:
            told(health.diagnosis)
            say(f"  In the terminal: postroom mailbox {_REMEDIES[health.diagnosis.action]} {escape(one.address)}")
    if view.held:
        say(f"{view.held} outgoing held; the oldest expires {ago(view.oldest_held_expires_at)}.")
    _warn(one)
    for cursor in view.cursors:
        say(f"folder {escape(cursor.folder)}: last read {ago(cursor.synced_at)}{_progress(cursor)}")
        compared = cursor.reconciled
        if compared.at is not None:
            healed = f", {compared.healed} found missing so far and read" if compared.healed else ""
            say(f"  the server had {compared.server} messages {ago(compared.at)}, {compared.ledger} known{healed}")
    if passed := _passed(view):
        say(f"Not read:{passed} Why: GET /v1/mailboxes/{one.id}/ledger")


def _progress(cursor: Cursor) -> str:
    if not cursor.total:
        return ""
    left = f", about {cursor.seconds_left} s left" if cursor.seconds_left is not None else ""
    return f", {cursor.done} of {cursor.total} read ({cursor.per_minute} a minute{left})"


@app.command()
def reauthenticate(
    mailbox: str = _MAILBOX,
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
        view = await _found(house, mailbox)
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


@app.command("set")
def set_(
    mailbox: str = _MAILBOX,
    unconfirmed: UnconfirmedPolicy | None = typer.Option(None, help="What a person or Postroom decides."),
    hold_hours: int | None = typer.Option(None, min=1, max=720, help="How long outgoing mail waits."),
    reply_to: str | None = typer.Option(None, help="Where answers go to; empty takes it away."),
    signature: Path | None = typer.Option(None, exists=True, help="File with the signature, text or .html."),
    no_signature: bool = typer.Option(False, "--no-signature", help="Take the signature away."),
    read_sent: bool | None = typer.Option(None, help="Whether replies sent from elsewhere are read from Sent."),
) -> None:
    """Change how a mailbox works. What is not given stays."""

    async def story(house: House) -> MailboxView:
        known = (await _found(house, mailbox)).mailbox
        return await house.connect.change(
            replace(
                known,
                unconfirmed=unconfirmed or known.unconfirmed,
                hold_hours=hold_hours or known.hold_hours,
                reply_to=known.reply_to if reply_to is None else _address(reply_to),
                signature=None if no_signature else _signature(signature) or known.signature,
                read_sent=known.read_sent if read_sent is None else read_sent,
            )
        )

    say(f"{escape(run(story).mailbox.address)} is changed.")


def _address(given: str) -> str | None:
    try:
        return checked(Address(given), "reply_to").email if given else None
    except BadDraft as wrong:
        fail(str(wrong), 2)


def _signature(file: Path | None) -> Signature | None:
    if file is None:
        return None
    return Signature(html=file.read_text()) if file.suffix == ".html" else Signature(file.read_text())


@app.command()
def pause(mailbox: str = _MAILBOX) -> None:
    """Stop reading and sending; outgoing mail is held and its clock runs on."""
    _act(mailbox, "pause")


@app.command()
def resume(mailbox: str = _MAILBOX) -> None:
    """Go on reading and sending."""
    _act(mailbox, "resume")


def _act(mailbox: str, what: str) -> None:
    async def story(house: House) -> MailboxView:
        view = await _found(house, mailbox)
        act = house.connect.pause if what == "pause" else house.connect.resume
        return await act(view.mailbox.id, person())

    view = run(story)
    say(
        f"{escape(view.mailbox.address)}: receiving {state(view.receiving.state.public)}, "
        f"sending {state(view.sending.state.public)}"
    )


@app.command()
def check(mailbox: str = _MAILBOX, json: bool = _JSON) -> None:
    """Try every step of a connected mailbox now. Exit code 1 where one fails."""

    async def story(house: House) -> Report:
        view = await _found(house, mailbox)
        return await house.connect.check(view.mailbox.id, None if json else show_step)

    report = run(story)
    if json:
        print_json(report_as_dict(report))
    else:
        show_report(report)
    sys.exit(0 if report.ok else 1)


@app.command()
def remove(
    mailbox: str = _MAILBOX, yes: bool = typer.Option(False, "--yes", help="Do not ask; also what waits is removed.")
) -> None:
    """Remove a mailbox with its credentials, messages and deliveries. The provider's mail stays there."""

    async def story(house: House) -> Mailbox:
        view = await _found(house, mailbox)
        waiting = f" {view.held} held messages will not be sent." if view.held else ""
        if not yes and not typer.confirm(f"Remove {view.mailbox.address} and all that is stored of it?{waiting}"):
            fail("nothing was removed")
        await house.connect.remove(view.mailbox.id)
        return view.mailbox

    say(f"{escape(run(story).address)} is removed.")


async def _found(house: House, mailbox: str) -> MailboxView:
    store = house.store
    view = await (store.mailbox_by_address(mailbox) if "@" in mailbox else store.mailbox(mailbox))
    if view is None:
        fail(f"no mailbox {mailbox} is connected; postroom mailbox list shows them")
    return view


def view_as_dict(view: MailboxView) -> dict[str, object]:
    """A mailbox as JSON, in the contract's words."""
    one = view.mailbox
    return {
        **plain(view.mailbox),
        "receiving": plain(view.receiving.as_dict()),
        "sending": plain(view.sending_told(datetime.now(UTC)).as_dict()),
        "held": view.held,
        "oldest_held_expires_at": plain(view.oldest_held_expires_at),
        "warnings": [plain(each) for each in cautions(one.address, one.imap, one.smtp, one.provider)],
    }
