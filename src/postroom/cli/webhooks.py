"""Webhooks: where events are sent to."""

from __future__ import annotations

import typer
from rich.markup import escape

from postroom.cli.house import run
from postroom.cli.output import ago, fail, print_json, say, table
from postroom.core.events import EventType, Webhook, signing_secret
from postroom.core.identity import Kind
from postroom.serve import House

app = typer.Typer(help="Webhooks: events sent to an address of yours, signed and retried.", no_args_is_help=True)


@app.command()
def add(
    url: str = typer.Argument(help="Where events are posted to."),
    event: list[EventType] = typer.Option([], help="Only these events; all unless given."),
    json: bool = typer.Option(False, "--json", help="Print JSON."),
) -> None:
    """Add a webhook and print the secret that signs its calls (Standard Webhooks). It is shown this once."""
    if not url.startswith(("https://", "http://")):
        fail("the address must begin with https:// or http://", 2)

    async def story(house: House) -> Webhook:
        webhook = Webhook(
            id=house.world.identifier(Kind.WEBHOOK),
            url=url,
            secret=signing_secret(house.world.secret()),
            types=tuple(event),
            created_at=house.world.now(),
        )
        await house.store.add_webhook(webhook)
        return webhook

    webhook = run(story)
    if json:
        print_json({"id": webhook.id, "url": webhook.url, "types": webhook.types, "secret": webhook.secret})
    else:
        say(f"{webhook.id} is added. Its secret: {webhook.secret}")


@app.command("list")
def list_webhooks(json: bool = typer.Option(False, "--json", help="Print JSON.")) -> None:
    """List the webhooks and how they fare."""
    webhooks = run(lambda house: house.store.webhooks())
    if json:
        print_json({"items": webhooks})
        return
    if not webhooks:
        say("No webhooks yet: postroom webhook add URL")
        return
    rows = [
        (
            one.id,
            escape(one.url),
            ", ".join(one.types) or "all",
            "[green]works[/]" if not one.last_error else f"[red]fails since {ago(one.failing_since)}[/]",
            escape(one.last_error or ""),
        )
        for one in webhooks
    ]
    table(("webhook", "address", "events", "", "why"), rows)


@app.command()
def remove(webhook: str = typer.Argument(help="The webhook's id.")) -> None:
    """Remove a webhook."""
    if not run(lambda house: house.store.delete_webhook(webhook)):
        fail(f"there is no webhook {webhook}; postroom webhook list shows them")
    say(f"{webhook} is removed.")
