"""API keys: made, listed, revoked. A key's token is shown once, when it is made."""

from __future__ import annotations

import typer

from postroom.cli.house import run
from postroom.cli.output import ago, fail, print_json, say, table
from postroom.core import apikey
from postroom.core.apikey import ApiKey
from postroom.core.identity import Kind
from postroom.serve import House

app = typer.Typer(help="API keys, the bearer tokens of /v1.", no_args_is_help=True)


@app.command()
def create(
    name: str = typer.Argument(help="What or who it is for, for example `crm`."),
    json: bool = typer.Option(False, "--json", help="Print JSON."),
) -> None:
    """Make a key and print it, alone. It is shown this once; the database keeps only its digest."""

    async def story(house: House) -> tuple[str, str]:
        token = apikey.token(house.world.secret())
        key = ApiKey(house.world.identifier(Kind.KEY), name, house.world.now())
        await house.store.add_key(key, apikey.digest(token))
        return key.id, token

    key_id, token = run(story)
    if json:
        print_json({"id": key_id, "name": name, "token": token})
    else:
        typer.echo(token)


@app.command("list")
def list_keys(json: bool = typer.Option(False, "--json", help="Print JSON.")) -> None:
    """List the keys."""
    keys = run(lambda house: house.store.keys())
    if json:
        print_json({"items": keys})
        return
    if not keys:
        say("No keys yet. Make one: postroom key create NAME")
        return
    rows = [
        (one.id, one.name, ago(one.created_at), ago(one.last_used_at), "[red]revoked[/]" if one.revoked_at else "valid")
        for one in keys
    ]
    table(("key", "name", "made", "last used", ""), rows)


@app.command()
def revoke(key: str = typer.Argument(help="The key's id, as `postroom key list` shows it.")) -> None:
    """Revoke a key; requests with it are refused within half a minute."""
    if not run(lambda house: house.store.revoke_key(key, house.world.now())):
        fail(f"there is no valid key {key}; postroom key list shows them")
    say(f"{key} is revoked.")
