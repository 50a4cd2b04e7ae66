"""Aliases: other addresses that a mailbox may send as. It sends nothing."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from email.utils import parseaddr

import typer
from rich.markup import escape

from postroom.cli.house import run
from postroom.cli.output import fail, paragraph, plain, print_json, say
from postroom.core.compose import BadDraft
from postroom.core.compose.recipient import checked
from postroom.core.mailbox import Alias, Mailbox
from postroom.core.message import Address
from postroom.flows.connect import NotConnected
from postroom.serve import House

ALIAS = typer.Option(
    [], "--alias", help="Another address that it may send as, as often as wanted: ADDRESS or 'Name <ADDRESS>'."
)


def aliases_in(given: list[str]) -> tuple[Alias, ...]:
    """What `--alias` names. Ends with usage where that is no address."""
    named = [parseaddr(one) for one in given]
    try:
        return tuple(
            Alias(checked(Address(address or text), "--alias").email, name)
            for (name, address), text in zip(named, given, strict=True)
        )
    except BadDraft as bad:
        fail(str(bad), 2)


def refused_aliases(mailbox: Mailbox) -> Iterator[str]:
    """What the server said to those that it refuses, a line each."""
    for one in mailbox.aliases:
        if one.refused:
            yield f"[red]It may not send as {escape(one.address)}[/]: {escape(one.refused)}"


def alias(
    mailbox: str = typer.Argument(help="The mailbox: its address or id."),
    add: str | None = typer.Option(None, "--add", help="An address that the mailbox may send as."),
    name: str = typer.Option("", help="The name that recipients see with it."),
    remove: str | None = typer.Option(None, "--remove", help="An alias that is to be forgotten."),
    json: bool = typer.Option(False, "--json", help="Print JSON."),
) -> None:
    """List, add or remove the addresses that a mailbox may send as. Each is asked of the server, without a message.
    Exit code 1 where the server refuses one."""
    try:
        added = Alias(checked(Address(add), "address").email, name) if add else None
    except BadDraft as bad:
        fail(str(bad), 2)

    async def story(house: House) -> Mailbox:
        view = await (house.store.mailbox_by_address(mailbox) if "@" in mailbox else house.store.mailbox(mailbox))
        if view is None:
            fail(f"no mailbox {mailbox} is connected; postroom mailbox list shows them")
        gone = {one.casefold() for one in (add, remove) if one}
        kept = tuple(one for one in view.mailbox.aliases if one.address.casefold() not in gone)
        aliases = (*kept, added) if added else kept
        if aliases == view.mailbox.aliases:
            return view.mailbox
        return (await house.connect.change(replace(view.mailbox, aliases=aliases))).mailbox

    try:
        found = run(story)
    except NotConnected as refused:
        fail(f"{mailbox} cannot be signed in to, so nothing was changed: {refused}")
    if json:
        print_json({"items": [plain(one) for one in found.aliases]})
    elif not found.aliases:
        say(f"{escape(found.address)} sends as itself only.")
    else:
        for one in found.aliases:
            mark = "[red]✗[/]" if one.refused else "[green]✓[/]"
            paragraph(escape(one.refused or one.name), first=f"{mark} {escape(one.address)}  ")
    sys.exit(1 if any(one.refused for one in found.aliases) else 0)
