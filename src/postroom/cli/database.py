"""The database: its version, its migration. It reads no mail."""

from __future__ import annotations

import asyncio

import typer

from postroom import settings
from postroom.cli import rekey
from postroom.cli.output import print_json, say
from postroom.store import migrate as migrate_store
from postroom.store import schema_version

app = typer.Typer(help="The database: version and migration.", no_args_is_help=True)


@app.command()
def status(json: bool = typer.Option(False, "--json", help="Print JSON.")) -> None:
    """Show where the database is and which version of the schema it has."""
    url = settings.load().database_url
    version = asyncio.run(schema_version(url))
    if json:
        print_json({"database": _without_password(url), "schema": version})
    else:
        say(f"{_without_password(url)}: {'schema ' + version if version else 'empty'}")


@app.command()
def migrate() -> None:
    """Bring the schema up to this version of Postroom. `serve` does so by itself."""
    url = settings.load().database_url
    asyncio.run(migrate_store(url))
    say(f"{_without_password(url)} is up to date.")


app.command("rekey")(rekey.rekey)
app.command("key-lost")(rekey.key_lost)


def _without_password(url: str) -> str:
    scheme, _, rest = url.partition("://")
    login, at, place = rest.rpartition("@")
    return f"{scheme}://{login.partition(':')[0]}{at}{place}"
