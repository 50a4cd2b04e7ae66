"""Reaches the diagnosis: the first row that matches, and what follows from it. It knows no wording itself."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from postroom.core.diagnosis.causes import cause_for
from postroom.core.diagnosis.codes import ACTIONS, MESSAGES
from postroom.core.diagnosis.evidence import Evidence, Stage
from postroom.core.diagnosis.facts import Facts, facts_of
from postroom.core.diagnosis.guides import guide_for
from postroom.core.diagnosis.rule import MESSAGE, Rule
from postroom.core.diagnosis.rules import RULES_AT
from postroom.core.diagnosis.telling import fitting, held_mail, told
from postroom.core.diagnosis.verdict import Action, Diagnosis
from postroom.core.mailbox import Direction, Endpoint

UNKNOWN = "unknown"
NO_RULE = "none"
_ABOUT_THE_MAILBOX = frozenset({Action.RETRY, Action.REAUTHENTICATE, Action.FIX_SETTINGS})


def diagnose(evidence: Evidence, *, trial: bool = False) -> Diagnosis:
    """The judgement on some evidence. Pure, and never an exception, whatever the evidence.

    `trial` is for settings that are not saved: the steps promise no tries by themselves then.
    """
    facts = facts_of(evidence)
    rule = matching_rule(facts)
    code = (rule.code(evidence.direction) if rule else None) or UNKNOWN
    action = _action(rule, code, facts)
    cause = cause_for(rule.cause if rule else "unknown" if facts.text else "nothing_said", code)
    reason, steps = told(cause, evidence, facts.provider, trial=trial)
    return Diagnosis(
        direction=evidence.direction,
        code=code,
        message=MESSAGES[f"{evidence.direction}.{code}"],
        reason=reason,
        steps=steps,
        action=action,
        matched=rule.id if rule else NO_RULE,
        raw=evidence.raw or evidence.exception or "",
        retry_after=_retry_after(rule, action, facts),
    )


def holding(
    diagnosis: Diagnosis,
    *,
    held: int | None = None,
    hold_hours: int = 72,
    oldest_expires_at: datetime | None = None,
    now: datetime | None = None,
) -> Diagnosis:
    """The same, and where a connected mailbox cannot send, what happens with its outgoing mail.

    `held` is the number of deliveries that wait for this mailbox, `hold_hours` the mailbox's setting; with `now` and
    `oldest_expires_at` the time left is said as well. A mailbox that is not saved holds nothing: leave it out there.
    """
    if diagnosis.direction is Direction.IMAP or diagnosis.action not in _ABOUT_THE_MAILBOX:
        return diagnosis
    if diagnosis.returns_message:
        return diagnosis
    return replace(diagnosis, steps=(*diagnosis.steps, held_mail(held, hold_hours, oldest_expires_at, now)))


def settled(diagnosis: Diagnosis, works: Endpoint) -> Diagnosis:
    """The same, and as first step the port and security at which the server was found to answer as it should."""
    return replace(diagnosis, steps=(fitting(works), *diagnosis.steps))


def matching_rule(facts: Facts) -> Rule | None:
    """The strongest row that matches the facts."""
    return next((rule for rule in RULES_AT[facts.direction, facts.stage] if rule.matches(facts)), None)


def _action(rule: Rule | None, code: str, facts: Facts) -> Action:
    if rule and rule.action:
        return rule.action
    if code != UNKNOWN:
        return ACTIONS[f"{facts.direction}.{code}"]
    if facts.stage in (Stage.AUTH, Stage.OAUTH, Stage.SELECT):
        return Action.FIX_SETTINGS  # a refused log-in is not repeated on a guess: that locks accounts
    return Action.DEFER_MESSAGE if facts.stage in MESSAGE else Action.RETRY


def _retry_after(rule: Rule | None, action: Action, facts: Facts) -> int | None:
    if rule is None or action not in (Action.RETRY, Action.DEFER_MESSAGE):
        return None
    if rule.cause == "sending_limit":
        return guide_for(facts.provider).wait or rule.retry_after
    return rule.retry_after
