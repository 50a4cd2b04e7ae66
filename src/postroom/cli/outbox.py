"""The outbox: what waits, what went out, what did not, and why."""

from __future__ import annotations

import typer
from rich.markup import escape

from postroom.cli.house import person, run
from postroom.cli.output import ago, fail, print_json, say, state, table, told, visible
from postroom.core.delivery import Attempt, Delivery, NotPossible, State
from postroom.core.ports.store import Page
from postroom.core.story import Chapter, story
from postroom.flows.accept import NoSuchDelivery
from postroom.serve import House

app = typer.Typer(help="Outgoing messages: list, look, retry, confirm, resend, cancel.", no_args_is_help=True)
_JSON = typer.Option(False, "--json", help="Print JSON.")


@app.command("list")
def list_deliveries(
    mailbox: str | None = typer.Option(None, help="Only this mailbox (id or address)."),
    state_: State | None = typer.Option(None, "--state", help="Only this state."),
    bounced: bool = typer.Option(False, "--bounced", help="Only those that came back from a recipient."),
    conversation: str | None = typer.Option(None, help="Only this conversation (id)."),
    limit: int = typer.Option(50, min=1, max=200, help="How many, latest first."),
    json: bool = _JSON,
) -> None:
    """List deliveries, latest first."""

    async def story(house: House) -> Page[Delivery]:
        mailbox_id = mailbox
        if mailbox is not None and "@" in mailbox:
            view = await house.store.mailbox_by_address(mailbox)
            if view is None:
                fail(f"no mailbox {mailbox} is connected; postroom mailbox list shows them")
            mailbox_id = view.mailbox.id
        return await house.store.deliveries(
            mailbox_id=mailbox_id,
            state=state_,
            conversation_id=conversation,
            bounced=bounced or None,
            limit=limit,
        )

    page = run(story)
    if json:
        print_json(page)
        return
    if not page.items:
        say("Nothing there.")
        return
    rows = [
        (
            one.id,
            state("bounced" if one.bounced else one.state),
            escape(", ".join(recipient.address for recipient in one.recipients)),
            ago(one.accepted_at),
            ago(one.expires_at) if one.state in (State.HELD, State.QUEUED, State.DEFERRED) else "",
            escape(one.diagnosis.message) if one.diagnosis else "",
        )
        for one in page.items
    ]
    table(("delivery", "state", "to", "accepted", "expires", "why"), rows)


@app.command()
def show(delivery: str = typer.Argument(help="The delivery's id."), json: bool = _JSON) -> None:
    """Show a delivery with its recipients and attempts."""

    async def look(house: House) -> tuple[Delivery, list[Attempt], tuple[Chapter, ...]]:
        found = await house.store.delivery(delivery)
        if found is None:
            fail(f"there is no delivery {delivery}")
        history = story(found, await house.store.transitions(delivery))
        return found, await house.store.attempts(delivery), history

    found, attempts, history = run(look)
    if json:
        print_json({"delivery": found, "attempts": attempts, "history": history})
        return
    say(f"{found.id}  {state(found.state)}  accepted {ago(found.accepted_at)}, expires {ago(found.expires_at)}")
    for recipient in found.recipients:
        say(f"  to {escape(recipient.address)}: {recipient.state}  [dim]{escape(recipient.reply or '')}[/]")
    for attempt in attempts:
        answer = f"[dim]{escape(attempt.reply or '')}[/]"
        say(f"  attempt {attempt.number}, {ago(attempt.started_at)}: {attempt.outcome}  {answer}")
    for one in history:
        say(f"  {one.at:%Y-%m-%d %H:%M:%S}  {state(one.state)}  {_told_of(one)}")
    if found.diagnosis:
        told(found.diagnosis)
    if found.state is State.UNCONFIRMED:
        say(f"The server may have taken it. If it arrived: postroom outbox confirm {found.id}")
        say(f"If it did not: postroom outbox retry {found.id} (it may then arrive twice)")


def _told_of(one: Chapter) -> str:
    parts = [one.words, f"by {one.by}" if one.by else "", f"attempt {one.attempt}" if one.attempt else ""]
    line = visible(", ".join(part for part in parts if part))
    detail = one.note or one.why
    return f"{line}  [dim]{visible(detail)}[/]" if detail else line


@app.command()
def retry(delivery: str = typer.Argument(help="The delivery's id.")) -> None:
    """Send it now instead of later."""
    _act("retry", delivery)


@app.command()
def confirm(delivery: str = typer.Argument(help="The delivery's id.")) -> None:
    """Mark an unconfirmed one as sent: you know that it arrived."""
    _act("confirm", delivery)


@app.command()
def resend(delivery: str = typer.Argument(help="The delivery's id.")) -> None:
    """Send the message of one that expired, failed or came back anew, to those who have not got it."""
    _act("resend", delivery)


@app.command()
def cancel(delivery: str = typer.Argument(help="The delivery's id.")) -> None:
    """Do not send it."""
    _act("cancel", delivery)


def _act(what: str, delivery: str) -> None:
    async def story(house: House) -> Delivery:
        if what == "resend":
            return (await house.accept.resend(delivery, person())).delivery
        acts = {"retry": house.accept.retry, "confirm": house.accept.confirm, "cancel": house.accept.cancel}
        return await acts[what](delivery, person())

    try:
        changed = run(story)
    except NoSuchDelivery:
        fail(f"there is no delivery {delivery}")
    except NotPossible as refused:
        fail(str(refused))
    say(f"{changed.id} is {state(changed.state)} now.")
