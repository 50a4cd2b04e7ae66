"""What a subject says beside its words: whether it is of an answer, and which topic it names. It threads nothing."""

from __future__ import annotations

import re

SHORTEST_TOPIC = 6
"""Characters: `Hello` or `Order` is the subject of too many conversations to tell one."""
LONGEST_TOPIC = 200

# What mail programs write for "Re:", by language; a counter may follow (Re[2]:, AW(3):).
_REPLIED = re.compile(
    r"\s*(re|aw|antw|sv|vs|vá|ref|rif|rép|rv|res|odp|ynt|bls|atb|回复|回覆|答复|答覆|回信|返信|отв|ответ)"
    r"\s*([\[(]\d{1,3}[\])])?\s*[:：]",
    re.IGNORECASE,
)
_LISTED = re.compile(r"\s*\[(?:ext|external|extern)[^\]]{0,20}\]", re.IGNORECASE)


def is_reply(subject: str) -> bool:
    """Whether it begins with `Re:` in some language."""
    return _REPLIED.match(_LISTED.sub("", subject, count=1)) is not None


def topic(subject: str) -> str | None:
    """The subject without `Re:` and the like, its case and its spacing; None where it is too short to tell a topic."""
    rest = subject[: 2 * LONGEST_TOPIC]
    while (found := _REPLIED.match(rest) or _LISTED.match(rest)) is not None:
        rest = rest[found.end() :]
    kept = " ".join(rest.casefold().split())[:LONGEST_TOPIC]
    return kept if len(kept) >= SHORTEST_TOPIC else None
