"""The shape of one cause: what happened and what to do, with placeholders. It holds no texts."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cause:
    """`reason` says what happened, `steps` what to do, in order. Placeholders in braces are filled by `judge`."""

    reason: str
    steps: tuple[str, ...]
