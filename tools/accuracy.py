"""Measures the diagnosis against the corpus: python tools/accuracy.py [--ids even|odd] [--quiet] [FILE …].

It prints, for each file, how often the code (or one that is accepted as well) and the action are right, where codes
are mixed up, and each miss. It changes nothing. The rules were written with every one of these texts in sight: the
figures show that none is lost again (-threads: texts from public threads that were misjudged at first, among others
of their kind), not how often a text never seen is judged right.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from postroom.core.diagnosis import Action, Diagnosis, diagnose, from_json

CORPUS = Path(__file__).parent.parent / "tests" / "corpus"
PASSING = frozenset({Action.RETRY, Action.DEFER_MESSAGE})
FOR_A_PERSON = frozenset({Action.REAUTHENTICATE, Action.FIX_SETTINGS})


@dataclass(frozen=True, slots=True)
class Judged:
    """One text of the corpus and what we said about it."""

    sample: dict[str, Any]
    diagnosis: Diagnosis

    @property
    def right(self) -> bool:
        return self.diagnosis.code in {self.sample["code"], *self.sample["alt"]}

    @property
    def acted_right(self) -> bool:
        return self.diagnosis.action in allowed_actions(self.sample)


def allowed_actions(sample: dict[str, Any]) -> frozenset[Action]:
    """What the engine may do, by the corpus' `retry` word.

    Nothing that a server refuses for good while receiving can be returned to anybody: a person looks at it.
    """
    allowed = {
        "now": PASSING,
        "backoff": PASSING,
        "needs_action": FOR_A_PERSON,
        "never": frozenset({Action.FAIL_MESSAGE}),
    }[sample["retry"]]
    if sample["retry"] == "never" and sample["direction"] == "imap":
        return allowed | {Action.FIX_SETTINGS}
    return allowed


def judged(path: Path, ids: str) -> list[Judged]:
    """Every text of a file, or those with even or odd ids."""
    samples = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    wanted = {"even": 0, "odd": 1}.get(ids)
    return [
        Judged(s, diagnose(from_json(s)))
        for s in samples
        if wanted is None or int(s["id"].rpartition("-")[2]) % 2 == wanted
    ]


def report(name: str, results: list[Judged], *, quiet: bool) -> None:
    """Prints the figures of one file."""
    right = sum(result.right for result in results)
    acted = sum(result.acted_right for result in results)
    print(f"{name}: {len(results)} texts, code {right / len(results):.1%}, action {acted / len(results):.1%}")
    if quiet:
        return
    confused = Counter((r.sample["code"], r.diagnosis.code) for r in results if not r.right)
    for (meant, taken), count in confused.most_common():
        print(f"  {count:3} {meant} taken for {taken}")
    for result in results:
        if result.right and result.acted_right:
            continue
        said = result.diagnosis
        sample = result.sample
        wanted = f"{sample['code']} {sample['alt']} {sample['retry']}"
        print(f"- {sample['id']} {sample['stage']} {sample['provider']}: {wanted}")
        print(f"    said {said.code} / {said.action} by {said.matched}")
        print(f"    {sample['raw'][:300]!r}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--ids", choices=("even", "odd", "all"), default="all")
    parser.add_argument("--quiet", action="store_true", help="only the figures")
    chosen = parser.parse_args()
    for path in chosen.files or sorted(CORPUS.glob("*.jsonl")):
        results = judged(path, chosen.ids)
        if results:
            report(path.stem, results, quiet=chosen.quiet)


if __name__ == "__main__":
    main()
