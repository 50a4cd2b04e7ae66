"""The doctor: finds the settings of an address, tries every step, says what is wrong. It saves nothing."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import replace
from pathlib import Path

import typer
from rich.markup import escape

from postroom import settings
from postroom.cli.output import fail, print_json, say
from postroom.cli.steps import asked_password, endpoint, report_as_dict, show_report, show_step
from postroom.core.candidates import Candidate
from postroom.core.mailbox import Credential, Direction, Security
from postroom.flows.probe import Connection, Report
from postroom.serve import build_doctor


def check(
    address: str = typer.Argument(help="The address to check."),
    imap: str | None = typer.Option(None, help="IMAP server as host or host:port; found by itself where it can be."),
    imap_security: Security | None = typer.Option(None, help="tls, starttls or none."),
    smtp: str | None = typer.Option(None, help="SMTP server as host or host:port."),
    smtp_security: Security | None = typer.Option(None, help="tls, starttls or none."),
    username: str | None = typer.Option(None, help="What to sign in with; the address unless given."),
    password_file: Path | None = typer.Option(None, help="File with the password; without it you are asked."),
    ca_certificate: Path | None = typer.Option(None, help="PEM file of the CA of your own server."),
    json: bool = typer.Option(False, "--json", help="Print JSON."),
) -> None:
    """Find out whether a mailbox can be connected, and if not, why. No database, no server, no mail is sent."""
    if "@" not in address:
        fail(f"{address!r} is not an address: it needs an @", 2)
    password = asked_password(password_file)
    sign_in = username or address
    ca = ca_certificate.read_text() if ca_certificate else None

    async def story() -> tuple[Candidate, Report]:
        doctor = build_doctor(settings.load())
        found: list[Candidate] = []
        if imap is None or smtp is None:
            found = await doctor.discovery.discover(address)
            if not found:
                fail(f"no mail server was found for {address}: name them with --imap and --smtp")
        imap_end = endpoint(imap, imap_security, sign_in, Direction.IMAP) if imap else found[0].imap
        smtp_end = endpoint(smtp, smtp_security, sign_in, Direction.SMTP) if smtp else found[0].smtp
        if username:
            imap_end, smtp_end = replace(imap_end, username=username), replace(smtp_end, username=username)
        source = found[0].source if found else "options"
        tried = Candidate(imap_end, smtp_end, found[0].provider if found else "generic", source)
        if not json:
            say(f"[bold]{escape(address)}[/]: settings from {source}")
            say(f"  IMAP {imap_end.host}:{imap_end.port} ({imap_end.security})")
            say(f"  SMTP {smtp_end.host}:{smtp_end.port} ({smtp_end.security})")
        connection = Connection(address, "", imap_end, smtp_end, Credential(password=password), ca)
        return tried, await doctor.prober.probe(connection, on_step=None if json else show_step)

    tried, report = asyncio.run(story())
    if json:
        ends = {"imap": tried.imap, "smtp": tried.smtp}
        print_json({"address": address, "settings": {"source": tried.source, **ends}, **report_as_dict(report)})
    else:
        show_report(report)
        if report.ok:
            say("[green]Both directions work.[/]")
    sys.exit(0 if report.ok else 1)
