"""Which passing failures are for a person when they have lasted. How long one has lasted, health knows."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from postroom.core.diagnosis.verdict import Action, Diagnosis

PERSON_AFTER = {"account.unconnected": timedelta(hours=24)}
"""By row. Exchange answers "authenticated but not connected" while it moves a mailbox, and for ever where there is no
licence, IMAP is off, or a shared mailbox is asked for in the wrong way."""


def person_after(diagnosis: Diagnosis) -> timedelta | None:
    """After how long somebody is called for this trouble though it is tried again by itself; None for never."""
    return PERSON_AFTER.get(diagnosis.matched) if diagnosis.action is Action.RETRY else None


def for_a_person(diagnosis: Diagnosis) -> Diagnosis:
    """The same, to be mended by somebody: it is only looked at slowly then."""
    return replace(diagnosis, action=Action.FIX_SETTINGS, retry_after=None)
