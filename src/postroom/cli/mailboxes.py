"""Mailboxes: list, look, change, pause, resume, check, remove. They are connected in connecting."""

from __future__ import annotations

import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import typer
from rich.markup import escape

from postroom.cli.house import person, run
from postroom.cli.output import ago, fail, paragraph, plain, print_json, say, state, table, told
from postroom.cli.steps import report_as_dict, show_report, show_step
from postroom.core.compose import BadDraft
from postroom.core.compose.recipient import checked
from postroom.core.cursor import Cursor, Outcome
from postroom.core.diagnosis import Action
from postroom.core.mailbox import Direction, Mailbox, Signature, UnconfirmedPolicy
from postroom.core.message import Address
from postroom.core.ports.store import MailboxView
from postroom.core.warning import cautions
from postroom.flows.probe import Report
from postroom.serve import House

app = typer.Typer(help="Mailboxes: connect, look, mend.", no_args_is_help=True)
JSON = typer.Option(False, "--json", help="Print JSON.")
MAILBOX = typer.Argument(help="The mailbox: its address or id.")
_REMEDIES = dict.fromkeys(Action, "check") | {Action.REAUTHENTICATE: "reauthenticate"}
"""The command that follows when a diagnosis' steps are done."""


def warn(mailbox: Mailbox) -> None:
    for one in cautions(mailbox.address, mailbox.imap, mailbox.smtp, mailbox.provider):
        paragraph(escape(one.message), first="[yellow]Warning:[/] ")


def passed(view: MailboxView) -> str:
    """What of the server's mail is not here to be read."""
    by_outcome = {
        outcome: sum(number for (_, of), number in view.passed.items() if of is outcome)
        for outcome in (Outcome.SKIPPED, Outcome.QUARANTINED)
    }
    return "".join(f" {number} {outcome}." for outcome, number in by_outcome.items() if number)


@app.command("list")
def list_mailboxes(json: bool = JSON) -> None:
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
    if diagnosis is None:
        return "comes and goes" if view.receiving.flapping or view.sending.flapping else ""
    return diagnosis.message


@app.command()
def show(mailbox: str = MAILBOX, json: bool = JSON) -> None:
    """Show one mailbox: settings, health, diagnosis with its steps."""

    async def story(house: House) -> MailboxView:
        return await found(house, mailbox)

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
        if health.flapping:
            say("  It comes and goes: changes are not announced until it has stood as it is for half an hour.")
        if health.diagnosis:
            told(health.diagnosis)
            say(f"  In the terminal: postroom mailbox {_REMEDIES[health.diagnosis.action]} {escape(one.address)}")
    if view.held:
        say(f"{view.held} outgoing held; the oldest expires {ago(view.oldest_held_expires_at)}.")
    warn(one)
    for cursor in view.cursors:
        say(f"folder {escape(cursor.folder)}: last read {ago(cursor.synced_at)}{_progress(cursor)}")
        compared = cursor.reconciled
        if compared.at is not None:
            healed = f", {compared.healed} found missing so far and read" if compared.healed else ""
            say(f"  the server had {compared.server} messages {ago(compared.at)}, {compared.ledger} known{healed}")
    if unread := passed(view):
        say(f"Not read:{unread} Why: GET /v1/mailboxes/{one.id}/ledger")


def _progress(cursor: Cursor) -> str:
    if not cursor.total:
        return ""
    left = f", about {cursor.seconds_left} s left" if cursor.seconds_left is not None else ""
    return f", {cursor.done} of {cursor.total} read ({cursor.per_minute} a minute{left})"


@app.command("set")
def set_(
    mailbox: str = MAILBOX,
    unconfirmed: UnconfirmedPolicy | None = typer.Option(None, help="What a person or Postroom decides."),
    hold_hours: int | None = typer.Option(None, min=1, max=720, help="How long outgoing mail waits."),
    reply_to: str | None = typer.Option(None, help="Where answers go to; empty takes it away."),
    signature: Path | None = typer.Option(None, exists=True, help="File with the signature, text or .html."),
    no_signature: bool = typer.Option(False, "--no-signature", help="Take the signature away."),
    read_sent: bool | None = typer.Option(None, help="Whether replies sent from elsewhere are read from Sent."),
) -> None:
    """Change how a mailbox works. What is not given stays."""

    async def story(house: House) -> MailboxView:
        known = (await found(house, mailbox)).mailbox
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
def pause(mailbox: str = MAILBOX) -> None:
    """Stop reading and sending; outgoing mail is held and its clock runs on."""
    _act(mailbox, "pause")


@app.command()
def resume(mailbox: str = MAILBOX) -> None:
    """Go on reading and sending."""
    _act(mailbox, "resume")


def _act(mailbox: str, what: str) -> None:
    async def story(house: House) -> MailboxView:
        view = await found(house, mailbox)
        act = house.connect.pause if what == "pause" else house.connect.resume
        return await act(view.mailbox.id, person())

    view = run(story)
    say(
        f"{escape(view.mailbox.address)}: receiving {state(view.receiving.state.public)}, "
        f"sending {state(view.sending.state.public)}"
    )


@app.command()
def check(mailbox: str = MAILBOX, json: bool = JSON) -> None:
    """Try every step of a connected mailbox now. Exit code 1 where one fails."""

    async def story(house: House) -> Report:
        view = await found(house, mailbox)
        return await house.connect.check(view.mailbox.id, None if json else show_step)

    report = run(story)
    if json:
        print_json(report_as_dict(report))
    else:
        show_report(report)
    sys.exit(0 if report.ok else 1)


@app.command()
def remove(
    mailbox: str = MAILBOX, yes: bool = typer.Option(False, "--yes", help="Do not ask; also what waits is removed.")
) -> None:
    """Remove a mailbox with its credentials, messages and deliveries. The provider's mail stays there."""

    async def story(house: House) -> Mailbox:
        view = await found(house, mailbox)
        waiting = f" {view.held} held messages will not be sent." if view.held else ""
        if not yes and not typer.confirm(f"Remove {view.mailbox.address} and all that is stored of it?{waiting}"):
            fail("nothing was removed")
        await house.connect.remove(view.mailbox.id)
        return view.mailbox

    say(f"{escape(run(story).address)} is removed.")


async def found(house: House, mailbox: str) -> MailboxView:
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
