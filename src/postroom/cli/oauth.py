"""The team's own OAuth clients: how to register one, enter it, change it, and what a provider holds against it."""

from __future__ import annotations

import json as json_module
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import typer
from rich.markup import escape

from postroom import settings
from postroom.cli.house import known_address, run
from postroom.cli.output import ago, fail, paragraph, plain, print_json, say, table, told
from postroom.cli.steps import read_file
from postroom.core.oauth.authority import AUTHORITIES, ISSUER
from postroom.core.oauth.client import ClientKind, OAuthClient, guide_of
from postroom.core.ports.store import ClientInUse
from postroom.flows.clients import BadClient, NoSuchClient
from postroom.serve import House

T = TypeVar("T")

app = typer.Typer(help="OAuth clients: our own registrations at the providers.", no_args_is_help=True)
PROVIDERS = ", ".join([*(one.key for one in AUTHORITIES), ISSUER])
_JSON = typer.Option(False, "--json", help="Print JSON.")
_PROVIDER = typer.Argument(help=f"One of: {PROVIDERS}.")
_SECRET_FILE = typer.Option(None, help="File with the client secret; without it you are asked.")
_ENDS = typer.Option(None, "--secret-expires", formats=["%Y-%m-%d"], help="The day on which the secret ends.")
_CLIENT = typer.Argument(help="The client's id, as `postroom oauth list` shows it.")


@app.command()
def guide(provider: str = _PROVIDER, json: bool = _JSON) -> None:
    """Show how to register a client: the page, the exact redirect address, the scopes."""
    found = guide_of(provider, known_address(settings.load()).redirect_url)
    if found is None:
        fail(f"{provider} is not known; one of: {PROVIDERS}", 2)
    if json:
        print_json(plain(found))
        return
    say(f"[bold]{escape(found.name)}[/]  {escape(found.console)}")
    say(f"Redirect address: [bold]{escape(found.redirect)}[/]")
    say(f"Scopes: {escape(' '.join(found.scopes))}")
    for number, step in enumerate(found.steps, 1):
        paragraph(escape(step), "", f"{number}. ")
    if found.app_steps:
        say("\nTo open mailboxes without a person (client credentials, service account):")
        say(f"Scopes: {escape(' '.join(found.app_scopes))}")
        for number, step in enumerate(found.app_steps, 1):
            paragraph(escape(step), "", f"{number}. ")
    say(f"\nThen: postroom oauth add {provider} --client-id …")


@app.command()
def add(
    provider: str = _PROVIDER,
    client_id: str = typer.Option("", help="The client ID that the provider gave."),
    secret_file: Path | None = _SECRET_FILE,
    service_account: Path | None = typer.Option(None, help="Google: the JSON key file of a service account."),
    tenant: str = typer.Option("", help="Microsoft: the directory (tenant) it is for, where that is one."),
    issuer: str = typer.Option("", help="With `issuer`: the address whose metadata is looked up."),
    scope: list[str] = typer.Option([], help="Instead of the provider's usual scopes."),
    name: str = typer.Option("", help="What you call it."),
    secret_expires: datetime | None = _ENDS,
    json: bool = _JSON,
) -> None:
    """Enter a client, once for each provider."""
    new = OAuthClient(
        id="",
        provider=provider,
        client_id=client_id,
        created_at=datetime.now(UTC),
        name=name,
        tenant=tenant,
        issuer=issuer,
        scopes=tuple(scope),
        secret_expires_at=secret_expires.replace(tzinfo=UTC) if secret_expires else None,
    )
    if service_account is not None:
        new = _of_key_file(new, service_account)
    elif not client_id:
        fail("--client-id is missing: the provider shows it where the client was registered", 2)
    else:
        new = replace(new, secret=_asked(secret_file, needed=not new.authority or new.authority.secret_needed))
    made = _tried(lambda house: house.clients.add(new))
    if json:
        print_json(_shown(made, 0))
        return
    say(f"[green]{escape(made.title)} is entered[/] as {made.id}.")
    say("Connect a mailbox with it: postroom mailbox add ADDRESS --oauth")


@app.command("list")
def list_clients(json: bool = _JSON) -> None:
    """List the clients, and what the providers hold against them."""

    async def story(house: House) -> list[tuple[OAuthClient, int]]:
        clients = await house.store.oauth_clients()
        return [(one, len(await house.store.mailboxes_of_client(one.id))) for one in clients]

    clients = run(story)
    if json:
        print_json({"items": [_shown(*one) for one in clients]})
        return
    if not clients:
        say(f"No OAuth client is entered yet: postroom oauth guide PROVIDER ({PROVIDERS})")
        return
    rows = [
        (
            one.id,
            escape(one.title),
            escape(one.client_id),
            str(mailboxes or ""),
            ago(one.secret_expires_at) if one.secret_expires_at else "",
            "[red]refused[/]" if one.trouble else "[green]good[/]",
        )
        for one, mailboxes in clients
    ]
    table(("client", "name", "client ID", "mailboxes", "secret ends", ""), rows)
    for one, _ in clients:
        if one.trouble:
            say(f"{one.id}, since {ago(one.trouble_since)}:")
            told(one.trouble)


@app.command()
def change(
    client: str = _CLIENT,
    client_id: str | None = typer.Option(None, help="Another client ID."),
    secret: bool = typer.Option(False, "--secret", help="Ask for a new secret."),
    secret_file: Path | None = typer.Option(None, help="File with the new secret."),
    tenant: str | None = typer.Option(None, help="Another directory (tenant); empty for any."),
    name: str | None = typer.Option(None, help="What you call it."),
    secret_expires: datetime | None = _ENDS,
) -> None:
    """Change a client, for example its secret: its mailboxes try again at once."""
    new_secret = _asked(secret_file, needed=True) if secret or secret_file else None

    async def story(house: House) -> OAuthClient:
        known = await house.store.oauth_client(client)
        if known is None:
            raise NoSuchClient
        changed = replace(
            known,
            client_id=client_id or known.client_id,
            secret=known.secret if new_secret is None else new_secret,
            tenant=known.tenant if tenant is None else tenant,
            name=known.name if name is None else name,
            secret_expires_at=secret_expires.replace(tzinfo=UTC) if secret_expires else known.secret_expires_at,
        )
        return await house.clients.change(changed)

    say(f"{escape(_tried(story).title)} is changed; what waited for it tries again now.")


@app.command()
def remove(client: str = _CLIENT) -> None:
    """Remove a client that no mailbox signs in with."""
    try:
        _tried(lambda house: house.clients.remove(client))
    except ClientInUse as used:
        fail(str(used))
    say(f"{client} is removed.")


def _tried(story: Callable[[House], Awaitable[T]]) -> T:
    try:
        return run(story)
    except BadClient as bad:
        fail(f"{bad.field}: {bad}")
    except NoSuchClient:
        fail("there is no such OAuth client; postroom oauth list shows them")


def _asked(file: Path | None, *, needed: bool) -> str:
    if file is not None:
        return read_file(file, "--secret-file").strip()
    return str(typer.prompt("Client secret", hide_input=True, default="" if not needed else None)).strip()


def _of_key_file(new: OAuthClient, file: Path) -> OAuthClient:
    try:
        fields = json_module.loads(read_file(file, "--service-account"))
        return replace(
            new,
            kind=ClientKind.SERVICE_ACCOUNT,
            client_id=fields["client_email"],
            secret=fields["private_key"],
            key_id=fields.get("private_key_id", ""),
        )
    except (ValueError, KeyError, TypeError):
        fail(f"--service-account: {file} is no JSON key file of a service account", 2)


def _shown(client: OAuthClient, mailboxes: int) -> dict[str, object]:
    fields = plain(replace(client, trouble=None, told_endpoints=None))  # a field that repr leaves out is not in it
    return {**fields, "mailboxes": mailboxes, "trouble": client.trouble.as_dict() if client.trouble else None}
