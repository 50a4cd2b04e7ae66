"""Every row of the rule tables matches its own example, and the tables are well formed."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from postroom.core.diagnosis import Evidence, Stage, diagnose
from postroom.core.diagnosis.causes import CAUSES
from postroom.core.diagnosis.codes import ACTIONS, MESSAGES
from postroom.core.diagnosis.rule import Rule
from postroom.core.diagnosis.rules import RULES
from postroom.core.mailbox import Direction

CASES = [
    pytest.param(rule, direction, id=f"{direction}:{rule.id}")
    for rule in RULES
    for direction in Direction
    if rule.code(direction)
]


def evidence_of(rule: Rule, direction: Direction) -> Evidence:
    stage = Stage.AUTH if not rule.stages or Stage.AUTH in rule.stages else min(rule.stages)
    provider = rule.providers[0] if rule.providers else None
    return replace(Evidence(direction, stage, raw=rule.example, provider=provider), **rule.given)


@pytest.mark.parametrize(("rule", "direction"), CASES)
def test_the_example_of_a_row_is_matched_by_that_row(rule: Rule, direction: Direction) -> None:
    diagnosis = diagnose(evidence_of(rule, direction))
    assert diagnosis.matched == rule.id
    assert diagnosis.code == rule.code(direction)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_a_row_is_well_formed(rule: Rule) -> None:
    assert rule.source
    assert rule.example or rule.given
    assert rule.cause in CAUSES
    for direction in Direction:
        code = rule.code(direction)
        assert code is None or f"{direction}.{code}" in MESSAGES
    for phrase in (*rule.words, *rule.also, *rule.unless):
        assert phrase.first == phrase.first.lower()
        assert phrase.first.strip()


def test_no_two_rows_have_the_same_id() -> None:
    assert [name for name, count in Counter(rule.id for rule in RULES).items() if count > 1] == []


def test_every_code_has_an_action() -> None:
    assert set(ACTIONS) == set(MESSAGES)
