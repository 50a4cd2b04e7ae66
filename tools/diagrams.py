"""Draws the state diagrams of docs/architecture.md from the tables in core. It changes nothing else there.

python tools/diagrams.py            writes them
python tools/diagrams.py --check    exit code 1 where the docs differ from the tables
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from postroom.core import delivery, health

DOCS = Path(__file__).parent.parent / "docs" / "architecture.md"


def diagram(table: Mapping[tuple[str, str], tuple[str, tuple[str, ...]]]) -> str:
    """A Mermaid state diagram: one arrow for each pair of states, with the signals that take it."""
    arrows: dict[tuple[str, str], list[str]] = {}
    for (state, signal), (following, effects) in table.items():
        if state != following or effects:
            arrows.setdefault((state, following), []).append(signal)
    lines = ["```mermaid", "stateDiagram-v2"]
    lines += [f"    {state} --> {following}: {' / '.join(signals)}" for (state, following), signals in arrows.items()]
    return "\n".join([*lines, "```"])


def drawn(text: str) -> str:
    """The document with each diagram between its markers made anew."""
    for name, table in (("health", health.TABLE), ("delivery", delivery.TABLE)):
        begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
        before, found, rest = text.partition(begin)
        _, found_end, after = rest.partition(end)
        if not found or not found_end:
            raise SystemExit(f"{DOCS.name}: the markers {begin} and {end} are missing")
        words = {
            (str(state), str(signal)): (str(to), tuple(map(str, effects)))
            for (state, signal), (to, effects) in table.items()
        }
        text = f"{before}{begin}\n{diagram(words)}\n{end}{after}"
    return text


def main() -> int:
    text = DOCS.read_text()
    new = drawn(text)
    if "--check" in sys.argv[1:]:
        if new != text:
            print(f"{DOCS.name}: the diagrams differ from the tables. Mend it: python tools/diagrams.py")
        return int(new != text)
    DOCS.write_text(new)
    return 0


if __name__ == "__main__":
    sys.exit(main())
