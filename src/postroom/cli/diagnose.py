"""Says what an error text means: pasted, or one JSON object a line. It connects to nothing."""

from __future__ import annotations

import json as jsonlib
import sys
from typing import Any

import typer

from postroom.cli.output import fail, print_json, say, told
from postroom.core.diagnosis import Diagnosis, diagnose, from_json, holding, read
from postroom.core.diagnosis.evidence import Stage
from postroom.core.mailbox import Direction


def diagnose_command(
    text: list[str] = typer.Argument(None, help="The error text; without it, it is read from standard input."),
    direction: Direction = typer.Option(Direction.SMTP, help="Sending (smtp) or receiving (imap)."),
    stage: Stage | None = typer.Option(None, help="Where it happened, if you know."),
    provider: str | None = typer.Option(None, help="For example gmail, microsoft365, dovecot."),
    jsonl: bool = typer.Option(
        False, "--jsonl", help="Read one JSON object a line, write one a line in the same order."
    ),
    json: bool = typer.Option(False, "--json", help="Print JSON."),
) -> None:
    """Say in plain words what a mail server's error means and what to do."""
    if jsonl:
        _lines()
        return
    raw = " ".join(text) if text else sys.stdin.read()
    if not raw.strip():
        fail("no error text: give it as an argument or on standard input", 2)
    diagnosis = holding(diagnose(read(direction, raw, stage=stage, provider=provider)))
    if json:
        print_json(_answer(diagnosis))
    else:
        say(f"[dim]{diagnosis.name}, by rule {diagnosis.matched}, so Postroom will: {diagnosis.action}[/]")
        told(diagnosis, indent="")


def _lines() -> None:
    for number, line in enumerate(sys.stdin.buffer, 1):
        if not line.strip():
            continue
        try:
            value = jsonlib.loads(line.decode("utf-8", "replace"))
            evidence = from_json(value)
        except ValueError as fault:
            fail(f"line {number}: {fault}", 2)
        answer = _answer(holding(diagnose(evidence)))
        if isinstance(value, dict) and "id" in value:
            answer = {"id": value["id"], **answer}
        sys.stdout.write(jsonlib.dumps(answer, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def _answer(diagnosis: Diagnosis) -> dict[str, Any]:
    return {
        "code": diagnosis.code,
        "message": diagnosis.message,
        "reason": diagnosis.reason,
        "steps": list(diagnosis.steps),
        "action": str(diagnosis.action),
        "matched": diagnosis.matched,
    }
