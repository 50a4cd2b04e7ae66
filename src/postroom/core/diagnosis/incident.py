"""Tells a trouble that many mailboxes of a provider share as the provider's. Whether it is one, health decides."""

from __future__ import annotations

from dataclasses import replace

from postroom.core.diagnosis.codes import MESSAGES
from postroom.core.diagnosis.text import filled
from postroom.core.diagnosis.text import mark as _
from postroom.core.diagnosis.verdict import Action, Diagnosis
from postroom.core.mailbox import Direction

REASON = _(
    "{alike} of the {of_provider} mailboxes at {host} were refused in the same way within the last minutes, which "
    "points to trouble at the provider and not to their passwords. It said: {raw}"
)
STEPS = (
    _("Postroom tries again every few minutes by itself; nobody has to sign in again for this."),
    _("See the provider's status page, or ask its support, if it goes on."),
    _("Where you have changed these passwords yourself, enter the new ones now."),
)
SHARED = _(
    "{alike} of the {of_provider} mailboxes at {host} have this trouble at the same time, so it is the provider's, or "
    "on the way there, and not this mailbox's. {reason}"
)
SHARED_STEP = _("See the provider's status page; if it shows nothing, check the network between Postroom and {host}.")
_OWN = frozenset({"mailbox_limit_exceeded", "folder_error"})
_CODES = {Direction.IMAP: "account_unreachable", Direction.SMTP: "temporary_auth_failure"}
_MARK = "common."
_LONGEST = 200


def as_incident(diagnosis: Diagnosis, *, alike: int, of_provider: int, host: str, wait: int) -> Diagnosis:
    """The refusal of one sign-in told as the provider's incident, tried again after `wait` seconds."""
    code = _CODES[diagnosis.direction]
    values = {"alike": str(alike), "of_provider": str(of_provider), "host": host, "raw": diagnosis.raw[:_LONGEST]}
    return replace(
        diagnosis,
        code=code,
        message=MESSAGES[f"{diagnosis.direction}.{code}"],
        reason=filled(REASON, values),
        steps=tuple(filled(step, {}) for step in STEPS),
        action=Action.RETRY,
        matched=f"{_MARK}{diagnosis.code}",
        retry_after=wait,
    )


def as_shared(diagnosis: Diagnosis, *, alike: int, of_provider: int, host: str) -> Diagnosis:
    """A passing trouble that many mailboxes of one server have alike, told as one. It is tried again as it would be."""
    values = {"alike": str(alike), "of_provider": str(of_provider), "host": host, "reason": diagnosis.reason}
    return replace(
        diagnosis,
        reason=filled(SHARED, values),
        steps=(filled(SHARED_STEP, values), *diagnosis.steps),
        matched=f"{_MARK}{diagnosis.code}",
    )


def may_be_shared(diagnosis: Diagnosis) -> bool:
    """Whether a passing trouble can be a server's: a used-up sending limit and a busy folder are the mailbox's own."""
    return diagnosis.action is Action.RETRY and diagnosis.code not in _OWN


def refused_as(diagnosis: Diagnosis) -> str:
    """The full code by which mailboxes count as refused alike: that of the refusal, also where an incident is told."""
    if diagnosis.matched.startswith(_MARK):
        return f"{diagnosis.direction}.{diagnosis.matched.removeprefix(_MARK)}"
    return diagnosis.name
