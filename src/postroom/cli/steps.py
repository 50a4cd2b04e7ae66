"""What commands that probe have in common: reading endpoints and passwords, showing steps. It probes nothing."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import typer
from rich.markup import escape

from postroom.cli.output import fail, plain, say, told
from postroom.core.mailbox import Direction, Endpoint, Security
from postroom.core.ports.wire import Step
from postroom.flows.probe import Probe, Report

PORTS = {
    (Direction.IMAP, Security.TLS): 993,
    (Direction.IMAP, Security.STARTTLS): 143,
    (Direction.IMAP, Security.NONE): 143,
    (Direction.SMTP, Security.TLS): 465,
    (Direction.SMTP, Security.STARTTLS): 587,
    (Direction.SMTP, Security.NONE): 587,
}
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
        try:
            return file.read_text().rstrip("\r\n")
        except OSError as fault:
            fail(f"--password-file: {file} cannot be read ({fault.strerror})", 2)
    if (given := os.environ.get("POSTROOM_MAILBOX_PASSWORD")) is not None:
        return given
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    return str(typer.prompt("Password", hide_input=True))


def show_step(direction: Direction, step: Step) -> None:
    """One line, as soon as the step is done."""
    mark = "[green]✓[/]" if step.ok else "[red]✗[/]"
    name = step.name.replace("_", " ")
    say(f"  {direction.upper()} {mark} {name:<13} {step.milliseconds:7.0f} ms  {escape(step.detail)}")


def show_report(report: Report) -> None:
    """What is wrong with each direction; the steps were shown as they happened."""
    for probe in (report.imap, report.smtp):
        if probe.diagnosis:
            say(f"[bold]{probe.direction.word.capitalize()} does not work:[/]")
            told(probe.diagnosis)


def report_as_dict(report: Report) -> dict[str, Any]:
    """A report as JSON."""
    return {"ok": report.ok, "imap": _probe_as_dict(report.imap), "smtp": _probe_as_dict(report.smtp)}


def _probe_as_dict(probe: Probe) -> dict[str, Any]:
    return {
        "ok": probe.ok,
        "steps": [
            {"name": step.name, "ok": step.ok, "detail": step.detail, "milliseconds": round(step.milliseconds, 1)}
            for step in probe.steps
        ],
        "diagnosis": plain(probe.diagnosis),
    }
