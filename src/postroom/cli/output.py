"""How commands print: tables and colour for people, JSON for programs. It fetches nothing."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any, NoReturn

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from postroom.core.diagnosis import Diagnosis
from postroom.core.events import rfc3339

console = Console(highlight=False)
errors = Console(stderr=True, highlight=False)

_COLOURS = {
    "connected": "green",
    "sent": "green",
    "connecting": "cyan",
    "queued": "cyan",
    "sending": "cyan",
    "degraded": "yellow",
    "deferred": "yellow",
    "held": "yellow",
    "unconfirmed": "yellow",
    "paused": "dim",
    "cancelled": "dim",
}


def fail(text: str, code: int = 1) -> NoReturn:
    """Ends with one sentence on standard error."""
    errors.print(f"[red]postroom:[/] {escape(text)}", soft_wrap=True)
    sys.exit(code)


def print_json(value: Any) -> None:
    """One JSON document on standard output."""
    sys.stdout.write(json.dumps(plain(value), ensure_ascii=False, indent=2) + "\n")


def plain(value: Any) -> Any:
    """Dataclasses, times and enumerations as JSON has them."""
    if isinstance(value, Diagnosis):
        return plain(value.as_dict())
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {one.name: plain(getattr(value, one.name)) for one in dataclasses.fields(value) if one.repr}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, datetime):
        return rfc3339(value)
    if isinstance(value, Mapping):
        return {str(name): plain(one) for name, one in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(one) for one in value]
    return value


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table for people; cells may hold markup made by `state`. Only the last column is folded where it is narrow."""
    made = Table(box=None, pad_edge=False, header_style="bold")
    for number, column in enumerate(columns):
        made.add_column(column, overflow="fold", no_wrap=number < len(columns) - 1)
    for row in rows:
        made.add_row(*row)
    console.print(made)


def state(word: str) -> str:
    """A state with its colour."""
    return f"[{_COLOURS.get(word, 'red')}]{word}[/]"


def say(text: str) -> None:
    console.print(text, soft_wrap=True)


def paragraph(text: str, indent: str = "", first: str = "") -> None:
    """Markup with `first` before its first line; on a terminal the others are indented as far, elsewhere it is one
    line, as programs want it."""
    if not console.is_terminal:
        say(f"{indent}{first}{text}")
        return
    grid = Table.grid()
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    grid.add_row(f"{indent}{first}", text)
    console.print(grid)


def visible(text: str) -> str:
    """What a server said, as markup in one line. It may hold anything, also what terminals take for commands."""
    lines = " / ".join(line.strip() for line in text.splitlines() if line.strip())
    return escape("".join(one if one.isprintable() else "\ufffd" for one in lines))


def told(diagnosis: Diagnosis, indent: str = "  ") -> None:
    """A diagnosis for a person: message, reason, steps, and what was seen, as it came."""
    paragraph(f"[bold]{escape(diagnosis.message)}[/]", indent)
    paragraph(visible(diagnosis.reason), indent)
    for number, step in enumerate(diagnosis.steps, 1):
        paragraph(visible(step), indent, f"{number}. ")
    if diagnosis.raw.strip():
        paragraph(f"[dim]Technical detail: {visible(diagnosis.raw[:500])}[/]", indent)


def ago(at: datetime | None, now: datetime | None = None) -> str:
    """A time as people say it: `5 min ago`, `in 71 h`."""
    if at is None:
        return "never"
    distance = (now or datetime.now(UTC)) - at
    words = span(abs(distance))
    return f"in {words}" if distance < timedelta(0) else f"{words} ago"


def span(length: timedelta) -> str:
    seconds = int(length.total_seconds())
    for size, word in ((3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds // size} {word}"
    return f"{seconds} s"
