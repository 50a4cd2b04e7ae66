"""All rows in the order in which they are asked, indexed by direction and stage. It does not judge: see `judge`.

Order: first the strength of the evidence (`Strength`), then the families as they stand in FAMILIES, then the rows
as they stand in their family. A provider's new wording is one new row with its example.
"""

from __future__ import annotations

from postroom.core.diagnosis.evidence import Stage
from postroom.core.diagnosis.rule import Rule
from postroom.core.diagnosis.rules import (
    account,
    backend,
    codes_imap,
    codes_smtp,
    completed,
    folder,
    limits,
    network,
    oauth,
    oauth_microsoft,
    oauth_ours,
    ours,
    protocol,
    recipient,
    sender,
    setup,
    sign_in,
    stages,
    tls,
    topics,
)
from postroom.core.mailbox import Direction

FAMILIES = (
    completed,
    tls,
    oauth_microsoft,
    oauth_ours,
    setup,
    ours,
    oauth,
    limits,
    account,
    backend,
    sign_in,
    sender,
    folder,
    recipient,
    protocol,
    network,
    topics,
    codes_imap,
    codes_smtp,
    stages,
)

RULES: tuple[Rule, ...] = tuple(
    sorted((rule for family in FAMILIES for rule in family.RULES), key=lambda rule: rule.strength)
)


def _index() -> dict[tuple[Direction, Stage], tuple[Rule, ...]]:
    return {
        (direction, stage): tuple(
            rule for rule in RULES if rule.code(direction) and (not rule.stages or stage in rule.stages)
        )
        for direction in Direction
        for stage in Stage
    }


RULES_AT = _index()
