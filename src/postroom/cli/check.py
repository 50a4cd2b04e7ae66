"""The doctor: finds the settings of an address, tries every step, says what is wrong. It saves nothing."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import typer
from rich.markup import escape

from postroom import logs, settings
from postroom.cli.aliases import ALIAS, aliases_in
from postroom.cli.output import fail, paragraph, plain, print_json, say, told, visible
from postroom.cli.steps import (
    asked_password,
    endpoint,
    read_file,
    report_as_dict,
    show_next,
    show_report,
    show_step,
    steps_as_dicts,
    where,
)
from postroom.core.candidates import Candidate
from postroom.core.compose import BadDraft
from postroom.core.compose.recipient import checked
from postroom.core.discovered import Discovered, Lookup, Outcome
from postroom.core.mailbox import Credential, Direction, Endpoint, Security
from postroom.core.message import Address
from postroom.core.provider import by_key, of
from postroom.core.warning import Caution, cautions
from postroom.flows.doctor import BEFORE_SIGN_IN, Patient, Tried, Visit, Way, ways_of
from postroom.flows.probe import Report
from postroom.flows.round_trip import RoundTrip
from postroom.serve import CheckServices, build_check


def check(
    address: str = typer.Argument(help="The address to check."),
    imap: str | None = typer.Option(None, help="IMAP server as host or host:port; found by itself where it can be."),
    imap_security: Security | None = typer.Option(None, help="tls, starttls or none."),
    smtp: str | None = typer.Option(None, help="SMTP server as host or host:port."),
    smtp_security: Security | None = typer.Option(None, help="tls, starttls or none."),
    username: str | None = typer.Option(
        None, help="What to sign in with; the address unless given. For a shared mailbox, the person's own."
    ),
    password_file: Path | None = typer.Option(
        None, help="File with the password; without it POSTROOM_MAILBOX_PASSWORD, standard input, or you are asked."
    ),
    sign_in: bool = typer.Option(True, help="Sign in; without, every step before is tried, and no password is asked."),
    ca_certificate: Path | None = typer.Option(None, help="PEM file of the CA of your own server."),
    folder: list[str] = typer.Option(["INBOX"], help="Folders that are to be read."),
    alias: list[str] = ALIAS,
    send_test: bool = typer.Option(False, "--send-test", help="Send one message to itself and wait for it."),
    wait: int = typer.Option(60, min=1, max=900, help="Seconds that --send-test waits for it."),
    json: bool = typer.Option(False, "--json", help="Print JSON."),
) -> None:
    """Find out whether a mailbox can be connected, and if not, why. No database, no server; without --send-test no
    mail is sent. Exit code 0: all that was tried works; 1: it does not; 2: wrong options."""
    try:
        known_as = checked(Address(address), "address").email
    except BadDraft as bad:
        fail(str(bad), 2)
    if send_test and not sign_in:
        fail("--send-test needs a sign-in", 2)
    name = username or known_as
    given = _Given(
        known_as,
        endpoint(imap, imap_security, name, Direction.IMAP) if imap else None,
        endpoint(smtp, smtp_security, name, Direction.SMTP) if smtp else None,
        username,
    )
    ca = read_file(ca_certificate, "--ca-certificate") if ca_certificate else None
    password = asked_password(password_file) if sign_in else ""
    if send_test and not password:
        fail("--send-test needs a password, and none was given", 2)
    chosen = settings.load()
    quiet = {} if "POSTROOM_LOG_LEVEL" in os.environ else {"log_level": "error"}
    logs.configure(chosen.model_copy(update=quiet))
    addresses = tuple(one.address for one in aliases_in(alias))
    patient = Patient(known_as, Credential(password=password), ca, tuple(folder), bool(password), addresses)
    checkup = _Checkup(build_check(chosen), given, patient, wait if send_test else None, live=not json)
    asyncio.run(checkup.run())
    if json:
        print_json(checkup.as_dict())
    sys.exit(0 if checkup.ok else 1)


@dataclass(frozen=True, slots=True)
class _Given:
    """What the options say; None is to be found."""

    address: str
    imap: Endpoint | None
    smtp: Endpoint | None
    username: str | None


class _Checkup:
    """One check, told as it goes where `live`. `wait` is None where no test message is wanted."""

    def __init__(
        self, services: CheckServices, given: _Given, patient: Patient, wait: int | None, *, live: bool
    ) -> None:
        self._services = services
        self._given = given
        self._patient = patient
        self._wait = wait
        self._live = live
        self._visit: Visit | None = None
        self._trip: RoundTrip | None = None
        self._found = Discovered()

    @property
    def ok(self) -> bool:
        if self._visit is None or not self._visit.report.ok or self._visit.report.smtp.refused:
            return False
        return self._trip.ok if self._trip else True

    async def run(self) -> None:
        """Finds, tries, and sends where it is wanted."""
        await self._find()
        found = self._found.candidates
        ways = ways_of(found, self._given.imap, self._given.smtp, self._given.username)
        imap, smtp = ways.imap, ways.smtp
        if not imap or not smtp:
            if self._live:
                self._fail_nothing_found()
            return
        if self._live:
            say(f"[bold]{escape(self._given.address)}[/]")
            for direction, way in ((Direction.IMAP, imap[0]), (Direction.SMTP, smtp[0])):
                paragraph(f"{where(way.endpoint)}, {_source(way, found)}", first=f"  {direction.upper()} ")
        on_step, on_next = (show_step, show_next) if self._live else (None, None)
        visit = self._visit = await self._services.doctor.visit(self._patient, imap, smtp, on_step, on_next)
        if self._wait is not None and visit.report.ok:
            received, sent = visit.chosen
            self._trip = await self._services.traveller.round_trip(
                self._patient.connection(received.way, sent.way),
                wait=self._wait,
                folder=self._patient.folders[0],
                on_step=on_step,
            )
        if self._live:
            self._conclude(visit)

    async def _find(self) -> None:
        if self._given.imap is not None and self._given.smtp is not None:
            return
        try:
            self._found = await self._services.discovery.discover(self._given.address)
        finally:
            await self._services.discovery.close()
        if self._live:
            _show_lookups(self._found)

    def _fail_nothing_found(self) -> NoReturn:
        why = self._found.why_nothing(self._given.address)
        fail(f"no mail server was found for {self._given.address}. {why} The options are --imap and --smtp.")

    def _cautions(self, visit: Visit) -> tuple[Caution, ...]:
        received, sent = (one.way.endpoint for one in visit.chosen)
        known = of(self._given.address, received.host).key
        proved = self._trip is not None and self._trip.ok
        found = cautions(self._given.address, received, sent, known)
        return tuple(one for one in found if not proved or one.code == "unprotected")

    def _conclude(self, visit: Visit) -> None:
        report = visit.report
        show_report(report)
        for direction, tried, told_of in zip(Direction, (visit.imap, visit.smtp), visit.chosen, strict=True):
            _show_others(direction, tried, told_of)
        if not report.ok:
            if self._wait is not None:
                say("\nNo test message was sent: both directions must work first.")
            return
        if not self._patient.sign_in:
            say("\n[green]Both servers answer as they should.[/] The sign-in was not tried: no password was given.")
            return
        say("\n[green]Both directions work.[/]")
        self._show_aliases(report)
        if self._trip is not None:
            _show_trip(self._trip)
        warnings = self._cautions(visit)
        for one in warnings:
            paragraph(escape(one.message), first="[yellow]Warning:[/] ")
        if self._trip is None and any(one.code != "unprotected" for one in warnings):
            say("--send-test sends one message to the mailbox and looks whether it arrives.")

    def _show_aliases(self, report: Report) -> None:
        refused = dict(report.smtp.refused)
        for address in self._patient.aliases:
            if diagnosis := refused.get(address):
                say(f"[red]✗ It may not send as {escape(address)}:[/]")
                told(diagnosis)
            else:
                say(f"[green]✓[/] It may send as {escape(address)}.")

    def _aliases_as_dicts(self, report: Report) -> list[dict[str, Any]]:
        refused = dict(report.smtp.refused)
        tried = report.smtp.ok and self._patient.sign_in
        return [
            {"address": one, "ok": one not in refused if tried else None, "diagnosis": plain(refused.get(one))}
            for one in self._patient.aliases
        ]

    def as_dict(self) -> dict[str, Any]:
        """The check as JSON; docs/check.md has its shape."""
        if self._visit is None:
            nothing = {"ok": False, "sign_in_tried": False, "settings": None, "imap": None, "smtp": None}
            return {
                "address": self._given.address,
                **nothing,
                "tried": {"imap": [], "smtp": []},
                "aliases": [],
                "send_test": None,
                "warnings": [],
                "lookups": [_lookup_as_dict(one) for one in self._found.lookups],
                "why_nothing": self._found.why_nothing(self._given.address),
            }
        received, sent = self._visit.chosen
        report = report_as_dict(self._visit.report)
        return {
            "address": self._given.address,
            **report,
            "ok": self.ok,
            "sign_in_tried": self._patient.sign_in,
            "settings": {"imap": _way_as_dict(received.way), "smtp": _way_as_dict(sent.way)},
            "tried": {
                "imap": [_tried_as_dict(one) for one in self._visit.imap],
                "smtp": [_tried_as_dict(one) for one in self._visit.smtp],
            },
            "aliases": self._aliases_as_dicts(self._visit.report),
            "send_test": _trip_as_dict(self._trip) if self._trip else None,
            "warnings": [plain(one) for one in self._cautions(self._visit)] if self.ok else [],
            "lookups": [_lookup_as_dict(one) for one in self._found.lookups],
            "why_nothing": None,
        }


def _source(way: Way, found: Sequence[Candidate]) -> str:
    name = next((by_key(one.provider).name for one in found if way.endpoint.host in (one.imap.host, one.smtp.host)), "")
    return {
        "options": "as you gave it",
        "provider": f"from the built-in table: {name}",
        "autoconfig": "from the domain's autoconfig file",
        "srv": "from the domain's SRV records",
        "mx": f"from the domain's MX: {name}",
        "guess": "guessed: nothing names it",
    }.get(way.source, way.source)


_MARKS = {
    Outcome.FOUND: "[green]✓[/]",
    Outcome.NOTHING: "[dim]–[/]",
    Outcome.ABSENT: "[dim]–[/]",
    Outcome.FAILED: "[red]✗[/]",
}


def _show_lookups(found: Discovered) -> None:
    """What was asked: all of it where a person may wonder, else only what failed and what helped."""
    for one in found.lookups:
        if one.outcome in (Outcome.FOUND, Outcome.FAILED) or not found.candidates:
            said = f"{one.asked}: {one.detail} ({one.milliseconds:.0f} ms)"
            paragraph(visible(said), first=f"  {one.source:<10} {_MARKS[one.outcome]} ")


def _lookup_as_dict(lookup: Lookup) -> dict[str, Any]:
    return {**plain(lookup), "milliseconds": round(lookup.milliseconds, 1)}


def _show_others(direction: Direction, tried: Sequence[Tried], told_of: Tried) -> None:
    """Where another way than the first served, that one; where none did, why each other way did not."""
    if len(tried) == 1:
        return
    last = tried[-1]
    if last.probe.ok:
        place = where(last.way.endpoint)
        say(f"\n{direction.word.capitalize()} works at [bold]{place}[/]: enter that in the mailbox's settings.")
    elif last.probe.steps and last.probe.steps[-1].name in BEFORE_SIGN_IN:
        for one in tried:
            if one is told_of:
                continue
            reason = one.probe.diagnosis.reason if one.probe.diagnosis else ""
            paragraph(f"{where(one.way.endpoint)}: {escape(reason)}", "  ", "Also tried: ")


def _show_trip(trip: RoundTrip) -> None:
    if trip.diagnosis is not None:
        say("\n[bold red]The test message failed:[/]")
        told(trip.diagnosis)
    elif trip.finding is not None:
        say("\n[bold red]The test message did not arrive as it should:[/]")
        paragraph(escape(trip.finding), "  ")
    else:
        took = f"{trip.seconds:.0f} s" if trip.seconds and trip.seconds >= 1 else "less than a second"
        say(f"[green]The test message was in {escape(trip.folder or '')} {took} after it was accepted.[/]")
    if trip.folder is not None and not trip.removed:
        paragraph(f"The test message was left in {escape(trip.folder)}: delete it there.")


def _way_as_dict(way: Way) -> dict[str, Any]:
    return {**plain(way.endpoint), "source": way.source}


def _tried_as_dict(tried: Tried) -> dict[str, Any]:
    code = tried.probe.diagnosis.name if tried.probe.diagnosis else None
    return {**_way_as_dict(tried.way), "ok": tried.probe.ok, "code": code}


def _trip_as_dict(trip: RoundTrip) -> dict[str, Any]:
    return {
        "ok": trip.ok,
        "message_id": trip.message_id,
        "steps": steps_as_dicts(trip.steps),
        "folder": trip.folder,
        "seconds": round(trip.seconds, 1) if trip.seconds is not None else None,
        "removed": trip.removed,
        "diagnosis": plain(trip.diagnosis),
        "finding": trip.finding,
    }
