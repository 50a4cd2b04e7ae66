"""The judgement on evidence, as data. It does not reach it: see judge."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from postroom.core.mailbox import Direction


class Action(StrEnum):
    """What the engine does about a diagnosis; no other code decides that again."""

    RETRY = "retry"
    REAUTHENTICATE = "reauthenticate"
    FIX_SETTINGS = "fix_settings"
    FAIL_MESSAGE = "fail_message"
    DEFER_MESSAGE = "defer_message"


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What is wrong, for a person (message, reason, steps) and for the engine (action).

    `code` has no direction prefix; `matched` names the rule; `raw` is the server's own words, shown as they came;
    `retry_after` are seconds where the provider's rule is known.
    """

    direction: Direction
    code: str
    message: str
    reason: str
    steps: tuple[str, ...]
    action: Action
    matched: str
    raw: str = ""
    retry_after: int | None = None

    @property
    def name(self) -> str:
        """The full code of the catalogue, for example `smtp.invalid_credentials`."""
        return f"{self.direction}.{self.code}"

    @property
    def returns_message(self) -> bool:
        """Whether the message goes back to its author. A rejected one does whoever has to act: where that is a person
        (`fix_settings`, as for a sender's domain without SPF), the next message may wait for it, this one need not."""
        return self.action is Action.FAIL_MESSAGE or self.code == "message_rejected"

    def as_dict(self) -> dict[str, Any]:
        """JSON form, as the API and the command line show it; `from_dict` reads it back."""
        return {
            "code": self.name,
            "message": self.message,
            "reason": self.reason,
            "steps": list(self.steps),
            "action": str(self.action),
            "matched": self.matched,
            "raw": self.raw,
            "retry_after": self.retry_after,
        }

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> Diagnosis:
        direction, _, code = str(value["code"]).partition(".")
        return cls(
            direction=Direction(direction),
            code=code,
            message=value["message"],
            reason=value["reason"],
            steps=tuple(value["steps"]),
            action=Action(value["action"]),
            matched=value["matched"],
            raw=value.get("raw", ""),
            retry_after=value.get("retry_after"),
        )
