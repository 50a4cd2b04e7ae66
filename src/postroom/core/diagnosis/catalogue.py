"""The whole failure catalogue as data, for the API and the docs. It judges nothing: see `judge`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from postroom.core.diagnosis.causes import cause_for
from postroom.core.diagnosis.codes import ACTIONS, MESSAGES
from postroom.core.diagnosis.evidence import Evidence, Stage
from postroom.core.diagnosis.rules import RULES
from postroom.core.diagnosis.telling import told
from postroom.core.diagnosis.verdict import Action
from postroom.core.mailbox import Direction


@dataclass(frozen=True, slots=True)
class CatalogueEntry:
    """One code: its fixed message, usual reason and steps, and every action that a diagnosis of it may carry."""

    code: str
    message: str
    reason: str
    steps: tuple[str, ...]
    actions: tuple[Action, ...]


def catalogue() -> Sequence[CatalogueEntry]:
    """Every code of both directions in the catalogue's order, with the steps for a provider that we do not know."""
    return tuple(_entry(name) for name in MESSAGES)


def _entry(name: str) -> CatalogueEntry:
    prefix, _, code = name.partition(".")
    direction = Direction(prefix)
    reason, steps = told(cause_for(None, code), Evidence(direction, Stage.AUTH), "generic")
    return CatalogueEntry(name, MESSAGES[name], reason, steps, _actions(name, direction, code))


def _actions(name: str, direction: Direction, code: str) -> tuple[Action, ...]:
    found = {rule.action or ACTIONS[name] for rule in RULES if rule.code(direction) == code}
    found.add(ACTIONS[name])
    if code == "unknown":
        found |= {Action.FIX_SETTINGS, Action.DEFER_MESSAGE} if direction is Direction.SMTP else {Action.FIX_SETTINGS}
    return tuple(action for action in Action if action in found)
