"""A connect link from the terminal, for somebody without an account. It connects no mailbox."""

from __future__ import annotations

from datetime import timedelta

import typer

from postroom.cli.house import known_address, run
from postroom.cli.output import fail, plain, print_json, say
from postroom.core.connect_link import ConnectLink
from postroom.core.ports.store import AddressTaken
from postroom.flows.connect import NoSuchMailbox
from postroom.flows.connect_links import BadLink, NewLink
from postroom.serve import House


def link(
    mailbox: str = typer.Argument("", help="An address to suggest, or a connected mailbox (address or id) to mend."),
    brand: str = typer.Option("", help="Your product's name: the page bears it."),
    return_url: str = typer.Option("", help="Where the person goes afterwards."),
    reference: str | None = typer.Option(None, help="Your own identifier for the mailbox."),
    client: str | None = typer.Option(None, help="Which OAuth client; found by the provider unless given."),
    hours: float = typer.Option(24.0, min=0.02, max=168, help="How long the link serves."),
    json: bool = typer.Option(False, "--json", help="Print JSON."),
) -> None:
    """Print a link where somebody without an account connects a mailbox, or signs in to it again. It serves once."""

    async def story(house: House) -> tuple[ConnectLink, str]:
        known_address(house.settings)
        known = await (house.store.mailbox_by_address if "@" in mailbox else house.store.mailbox)(mailbox)
        if known is None and mailbox and "@" not in mailbox:
            raise NoSuchMailbox
        new = NewLink(
            address="" if known else mailbox,
            mailbox_id=known.mailbox.id if known else None,
            reference=reference,
            brand=brand,
            return_url=return_url,
            client=client,
            lifetime=timedelta(hours=hours),
        )
        made = await house.links.make(new)
        return made, house.links.url(made)

    try:
        made, url = run(story)
    except BadLink as bad:
        fail(f"--{bad.field.replace('_', '-')}: {bad}")
    except NoSuchMailbox:
        fail(f"no mailbox {mailbox} is connected; postroom mailbox list shows them")
    except AddressTaken as taken:
        fail(str(taken))
    if json:
        fields = {"id": made.id, "mailbox_id": made.mailbox_id, "expires_at": made.expires_at}
        print_json({"url": url, **{name: plain(value) for name, value in fields.items()}})
        return
    typer.echo(url)
    what = f"Signs {made.address} in again" if made.mailbox_id else "Connects one mailbox"
    say(f"{what}; serves once, until {made.expires_at:%Y-%m-%d %H:%M} UTC. Whoever has it can use it.")
