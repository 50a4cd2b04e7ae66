"""What commands that probe have in common: reading endpoints and passwords, showing steps. It probes nothing."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import typer
from rich.markup import escape

from postroom.cli.output import console, fail, paragraph, plain, say, told, visible
from postroom.core.mailbox import Direction, Endpoint, Security
from postroom.core.ports.wire import Step
from postroom.flows.doctor import Way
from postroom.flows.probe import Probe, Report

PORTS = {
    (Direction.IMAP, Security.TLS): 993,
    (Direction.IMAP, Security.STARTTLS): 143,
    (Direction.IMAP, Security.NONE): 143,
    (Direction.SMTP, Security.TLS): 465,
    (Direction.SMTP, Security.STARTTLS): 587,
    (Direction.SMTP, Security.NONE): 587,
}
NARROW = 72
"""Columns under which a step's detail goes on a line of its own."""
SLOW = 3000
"""Milliseconds from which a step is worth a look."""
_SECURITY = {Security.TLS: "TLS", Security.STARTTLS: "STARTTLS", Security.NONE: "without TLS"}
_BY_PORT = {143: Security.STARTTLS, 587: Security.STARTTLS, 25: Security.STARTTLS}


def endpoint(server: str, security: Security | None, username: str, direction: Direction) -> Endpoint:
    """`host`, `host:port` or `[address]:port`; without a security the port's usual one."""
    host, port = server, None
    if server.startswith("["):
        host, _, rest = server[1:].partition("]")
        port = rest.removeprefix(":") or None
    elif server.count(":") == 1:
        host, _, port = server.partition(":")
    if not host or (port is not None and not (port.isdecimal() and 0 < int(port) < 65536)):
        fail(f"--{direction}: {server!r} is not host or host:port", 2)
    number = int(port) if port else None
    chosen = security or _BY_PORT.get(number or 0, Security.TLS)
    return Endpoint(host, number or PORTS[direction, chosen], chosen, username)


def asked_password(file: Path | None) -> str:
    """From a file, the environment, or the terminal; never from the command line, where others could read it."""
    if file is not None:
        return read_file(file, "--password-file").rstrip("\r\n")
    if (given := os.environ.get("POSTROOM_MAILBOX_PASSWORD")) is not None:
        return given
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    return str(typer.prompt("Password", hide_input=True))


def read_file(file: Path, option: str) -> str:
    """A text file that an option names."""
    try:
        return file.read_text("utf-8")
    except OSError as fault:
        fail(f"{option}: {file} cannot be read ({fault.strerror})", 2)
    except UnicodeDecodeError:
        fail(f"{option}: {file} is no text in UTF-8", 2)


def show_step(direction: Direction, step: Step) -> None:
    """One line, as soon as the step is done; two on a narrow terminal."""
    mark = "[green]✓[/]" if step.ok else "[red]✗[/]"
    head = f"  {direction.upper()} {mark} {step.name.replace('_', ' '):<13}{_took(step.milliseconds)}  "
    detail = visible(_said(step))
    if console.is_terminal and console.width < NARROW:
        say(head)
        paragraph(detail, "       ")
    else:
        paragraph(detail, first=head)


def show_next(direction: Direction, way: Way) -> None:
    """The next way that is tried, as it begins."""
    paragraph(f"next way: {where(way.endpoint)} ({way.source})", first=f"  {direction.upper()} ↳ ")


def where(end: Endpoint) -> str:
    """Host, port and security, for people."""
    host = f"[{end.host}]" if ":" in end.host else end.host
    return escape(f"{host}:{end.port}, {_SECURITY[end.security]}")


def _took(milliseconds: float) -> str:
    words = f"{milliseconds:6.0f} ms" if milliseconds < 10_000 else f"{milliseconds / 1000:6.1f} s "
    return f"[yellow]{words}[/]" if milliseconds >= SLOW else words


def _said(step: Step) -> str:
    """For people: what a plain port says is worth more than TLS's words for it, an exception's text than its name."""
    seen = step.evidence
    if seen is None:
        return step.detail
    if seen.tls is not None and seen.tls.fault == "plain_port" and seen.tls.detail:
        _, _, plainly = seen.tls.detail.partition("; ")
        return f"no TLS is spoken here; {plainly}" if plainly else "no TLS is spoken here"
    if seen.exception == step.detail:
        return step.detail.partition(": ")[2] or step.detail
    return step.detail


def show_report(report: Report) -> None:
    """What is wrong with each direction; the steps were shown as they happened."""
    for probe in (report.imap, report.smtp):
        if probe.diagnosis:
            say(f"\n[bold red]{probe.direction.word.capitalize()} does not work:[/]")
            told(probe.diagnosis)


def report_as_dict(report: Report) -> dict[str, Any]:
    """A report as JSON."""
    return {"ok": report.ok, "imap": _probe_as_dict(report.imap), "smtp": _probe_as_dict(report.smtp)}


def _probe_as_dict(probe: Probe) -> dict[str, Any]:
    return {"ok": probe.ok, "steps": steps_as_dicts(probe.steps), "diagnosis": plain(probe.diagnosis)}


def steps_as_dicts(steps: Iterable[Step]) -> list[dict[str, Any]]:
    """Steps as JSON."""
    return [
        {"name": step.name, "ok": step.ok, "detail": step.detail, "milliseconds": round(step.milliseconds, 1)}
        for step in steps
    ]
