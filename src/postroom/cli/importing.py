"""`postroom mailbox import`: many mailboxes from a file, with progress and a report. What it does is done by flows."""

from __future__ import annotations

import asyncio
import csv
import json as json_
import os
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import typer
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from postroom import keyfile
from postroom.cli.house import run
from postroom.cli.output import console, errors, fail, paragraph, say, visible
from postroom.cli.refusals import RefusalFile
from postroom.cli.roster import COLUMNS, Roster, Row, read
from postroom.cli.steps import read_file
from postroom.flows.bulk import Applicant, Bulk, Outcome, Refusals, Result, Why
from postroom.serve import House

MOST_FAULTS = 30
EVERY = 10.0
"""Seconds between lines of progress where there is no terminal to draw on."""
INTERRUPTED = 130
_NOT_REACHED = Why("interrupted", "Not tried: the import was ended before", "Run the same command again.")


def import_(
    file: Path = typer.Argument(help="CSV with a header line, or JSON lines; - reads standard input."),
    report: Path | None = typer.Option(
        None, help="Write what was not connected to this CSV file, with code and words."
    ),
    with_passwords: bool = typer.Option(False, "--with-passwords", help="Passwords stand in that file too."),
    ca_certificate: Path | None = typer.Option(None, help="PEM file of the CA of your own servers."),
    again: bool = typer.Option(False, "--again", help="Also repeat sign-ins that an earlier run saw refused."),
    at_once: int = typer.Option(16, min=1, max=200, help="Mailboxes tried at the same time, at all servers together."),
    json: bool = typer.Option(False, "--json", help="Print JSON lines: one for each mailbox, then the sums."),
) -> None:
    """Connect many mailboxes from a file. Run it again after mending: it only does what is not done.

    Columns: address, name, password, and where they are not found by themselves imap_host, imap_port, imap_security,
    imap_username and the same with smtp_; username, reference, hold_hours, folders (INBOX|Support), unconfirmed.
    """
    roster = read(_content(file), read_file(ca_certificate, "--ca-certificate") if ca_certificate else None)
    _refuse(file, roster)
    if roster.unknown and not json:
        errors.print(
            f"[yellow]Passed over[/] (no columns of ours): {escape(', '.join(roster.unknown))}", soft_wrap=True
        )

    results: list[Result] = []
    ended = False

    async def story(house: House) -> None:
        nonlocal ended
        refusals = RefusalFile(house.settings.data, keyfile.keys(house.settings)[0], house.world)
        bulk = Bulk(
            house.store, house.connect, house.discovery, _Fresh(refusals) if again else refusals, at_once=at_once
        )
        with _Telling(len(roster.applicants), json=json) as telling:

            def told(result: Result) -> None:
                results.append(result)
                telling.tell(result)

            try:
                await bulk.run(roster.applicants, told)
            except asyncio.CancelledError:  # Ctrl-C: what is under way was ended, and the report is still worth reading
                ended = True
            finally:
                done = {one.applicant.line for one in results}
                for one in roster.applicants:
                    if one.line not in done:
                        told(Result(one, Outcome.UNTRIED, _NOT_REACHED))
        if not refusals.writable:
            errors.print(
                "[yellow]Refused sign-ins could not be noted[/]: another run would repeat them.", soft_wrap=True
            )

    run(story)
    missing = [one for one in results if one.outcome in (Outcome.FAILED, Outcome.UNTRIED)]
    if report is not None:
        _write(report, missing, {one.line: one for one in roster.rows}, with_passwords=with_passwords)
    _sums(results, report if missing else None, json=json)
    sys.exit(INTERRUPTED if ended else 1 if missing else 0)


class _Fresh:
    """Refusals that are noted and not heeded."""

    def __init__(self, inner: Refusals) -> None:
        self._inner = inner

    def known(self, applicant: Applicant) -> Why | None:
        return None

    def note(self, applicant: Applicant, why: Why) -> None:
        self._inner.note(applicant, why)


def _content(file: Path) -> bytes:
    try:
        return sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    except OSError as fault:
        fail(f"{file} cannot be read ({fault.strerror})", 2)


def _refuse(file: Path, roster: Roster) -> None:
    """Nothing is tried of a file that is wrong somewhere: half an import is harder to mend than none."""
    if not roster.faults:
        return
    for one in roster.faults[:MOST_FAULTS]:
        errors.print(escape(str(one)), soft_wrap=True)
    more = len(roster.faults) - MOST_FAULTS
    if more > 0:
        errors.print(f"and {more} more", soft_wrap=True)
    fail(f"{file} was not imported; nothing was tried. Mend it and run the command again.", 2)


class _Telling:
    """Shows how far it is: a bar on a terminal, a line now and then elsewhere, JSON lines for programs."""

    def __init__(self, total: int, *, json: bool) -> None:
        self._total = total
        self._json = json
        self._counts: Counter[Outcome] = Counter()
        self._began = self._told_at = time.monotonic()
        columns = (TextColumn("Connecting"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[rate]}"))
        self._bar = Progress(*columns, TimeRemainingColumn(), console=console, transient=True)
        self._task = self._bar.add_task("import", total=total, rate="")
        self._drawn = console.is_terminal and not json

    def __enter__(self) -> _Telling:
        if self._drawn:
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._drawn:
            self._bar.stop()

    def tell(self, result: Result) -> None:
        self._counts[result.outcome] += 1
        done = self._counts.total()
        if self._json:
            sys.stdout.write(json_.dumps(_as_dict(result) | {"done": done, "total": self._total}) + "\n")
            sys.stdout.flush()
            return
        if self._drawn:
            self._bar.update(self._task, completed=done, rate=self._words(done))
        elif time.monotonic() - self._told_at > EVERY:
            self._told_at = time.monotonic()
            say(f"{done} of {self._total}{self._words(done)}{self._left(done)}")

    def _tried(self) -> int:
        return self._counts[Outcome.CONNECTED] + self._counts[Outcome.FAILED]

    def _words(self, done: int) -> str:
        rate = self._tried() / max(time.monotonic() - self._began, 0.001)
        failed = f", {self._counts[Outcome.FAILED]} failed" if self._counts[Outcome.FAILED] else ""
        return f" ({rate:.1f} a second{failed})" if done else ""

    def _left(self, done: int) -> str:
        tried = self._tried()
        if not tried:
            return ""
        seconds = (self._total - done) * (time.monotonic() - self._began) / tried
        return f", {int(seconds)} s left" if seconds < 120 else f", {int(seconds / 60)} min left"


def _as_dict(result: Result) -> dict[str, Any]:
    why = result.why
    return {
        "line": result.applicant.line,
        "address": result.applicant.address,
        "outcome": result.outcome.value,
        "mailbox_id": result.mailbox_id,
        "code": why.code if why else None,
        "message": why.message if why else None,
        "first_step": why.first_step if why else None,
    }


def _sums(results: list[Result], report: Path | None, *, json: bool) -> None:
    counts = Counter(one.outcome for one in results)
    if json:
        sums = {one.value: counts[one] for one in Outcome}
        sys.stdout.write(json_.dumps({"sums": sums, "report": str(report) if report else None}) + "\n")
        return
    for one in sorted(results, key=lambda result: result.applicant.line):
        if one.outcome is not Outcome.FAILED or one.why is None:
            continue
        say(f"[red]✗[/] line {one.applicant.line}  [bold]{escape(one.applicant.address)}[/]  [dim]{one.why.code}[/]")
        paragraph(visible(one.why.message), "  ")
        if one.why.first_step:
            paragraph(visible(one.why.first_step), "  ", "First: ")
    untried = Counter(one.why for one in results if one.outcome is Outcome.UNTRIED and one.why is not None)
    for why, number in untried.items():
        paragraph(f"[yellow]{number} mailboxes:[/] {visible(why.message)}")
        if why.first_step:
            paragraph(visible(why.first_step), "  ", "First: ")
    parts = [f"[green]{counts[Outcome.CONNECTED]} connected[/]"]
    parts += [f"{counts[Outcome.PRESENT]} connected before"] if counts[Outcome.PRESENT] else []
    parts += [f"[red]{counts[Outcome.FAILED]} failed[/]"] if counts[Outcome.FAILED] else []
    parts += [f"[yellow]{counts[Outcome.UNTRIED]} not tried[/]"] if counts[Outcome.UNTRIED] else []
    say(", ".join(parts) + ".")
    if report is not None:
        say(f"What is missing stands in {escape(str(report))}: mend it there and import that file.")


def _write(report: Path, missing: list[Result], rows: dict[int, Row], *, with_passwords: bool) -> None:
    """As it was given, with what went wrong; whole or not at all, and for its owner alone."""
    given = [rows[one.applicant.line].values for one in missing]
    named = {name for row in given for name in row} | {"address", "password"}
    columns = [name for name in COLUMNS if name in named]
    hidden = () if with_passwords else ("password",)
    try:
        descriptor, name = tempfile.mkstemp(dir=report.absolute().parent, prefix=f".{report.name}")
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
            table = csv.writer(file)
            table.writerow([*columns, "line", "code", "message", "first_step"])
            for one, row in zip(missing, given, strict=True):
                cells = ["" if column in hidden else _cell(row.get(column, "")) for column in columns]
                why = one.why or _NOT_REACHED
                table.writerow([*cells, one.applicant.line, why.code, why.message, why.first_step])
        Path(name).replace(report)
    except OSError as fault:
        errors.print(f"[red]--report:[/] {escape(str(report))} cannot be written ({fault.strerror})", soft_wrap=True)


def _cell(value: object) -> str:
    return "|".join(map(str, value)) if isinstance(value, list) else str(value)
