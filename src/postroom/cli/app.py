"""Assembles the commands and turns failures into words and exit codes: 0, 1 (a finding), 2 (usage)."""

from __future__ import annotations

import os
import sys

import typer

from postroom import __version__
from postroom.cli import serving
from postroom.cli.output import fail
from postroom.core.ports.store import StoreUnavailable
from postroom.settings import BadSettings
from postroom.store import BadDatabase, SchemaMismatch, SecretKeyWrong

app = typer.Typer(
    name="postroom",
    help="The email channel of a support team: its own mailboxes, in and out, and plain words when one breaks.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(value: bool) -> None:
    if value:
        typer.echo(f"postroom {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Print the version."),
) -> None:
    """Settings come from POSTROOM_… in the environment; docs/settings.md lists them."""


app.command("serve")(serving.serve)
app.command("worker")(serving.worker)


def _add_the_others() -> None:
    # Here, so that a process which stays does not carry the commands that it is not.
    from postroom.cli import (
        aliases,
        check,
        connecting,
        database,
        demo,
        diagnose,
        importing,
        keys,
        links,
        mailboxes,
        oauth,
        outbox,
        simulate,
        webhooks,
    )

    app.command("check")(check.check)
    app.command("diagnose")(diagnose.diagnose_command)
    app.command("demo")(demo.demo)
    app.add_typer(simulate.app, name="simulate")
    mailboxes.app.command("add")(connecting.add)
    mailboxes.app.command("reauthenticate")(connecting.reauthenticate)
    mailboxes.app.command("alias")(aliases.alias)
    mailboxes.app.command("import")(importing.import_)
    mailboxes.app.command("link")(links.link)
    app.add_typer(mailboxes.app, name="mailbox")
    app.add_typer(outbox.app, name="outbox")
    app.add_typer(webhooks.app, name="webhook")
    app.add_typer(oauth.app, name="oauth")
    app.add_typer(keys.app, name="key")
    app.add_typer(database.app, name="db")


def main() -> None:
    """Runs a command; a known failure is one sentence on standard error and exit code 1, never a stack trace."""
    if sys.argv[1:2] not in (["serve"], ["worker"]):
        _add_the_others()
    try:
        app()
    except (BadSettings, StoreUnavailable, SecretKeyWrong, SchemaMismatch, BadDatabase) as known:
        fail(str(known))
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except KeyboardInterrupt:
        sys.exit(130)
