"""The shape of one row of the rule tables and when it matches. It does not hold the rows: see `rules`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

from postroom.core.diagnosis.evidence import Stage
from postroom.core.diagnosis.facts import Facts
from postroom.core.diagnosis.phrase import Phrases, says_any
from postroom.core.diagnosis.verdict import Action
from postroom.core.mailbox import Direction

SESSION_START = frozenset({Stage.DNS, Stage.CONNECT, Stage.TLS, Stage.GREETING})
SIGN_IN = frozenset({Stage.AUTH, Stage.OAUTH})
MESSAGE = frozenset({Stage.MAIL, Stage.RCPT, Stage.DATA, Stage.SEND})
FOLDER = frozenset({Stage.SELECT, Stage.FETCH, Stage.IDLE, Stage.APPEND})


class Strength(IntEnum):
    """How much a kind of evidence proves; stronger rows are asked first."""

    FACT = 0  # our own wire saw it, or an error number names the cause
    PROVIDER = 1  # one provider's own words
    WORDS = 2  # a server's, a library's, an operating system's words
    CODE = 3  # RFC 5530 response code, RFC 3463 enhanced code
    TOPIC = 4  # words that tell what it is about, no more
    REPLY = 5  # the three digits, NO, BAD, BYE
    STAGE = 6  # nothing but the place


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One row: if everything that it asks for is there, the evidence means this code.

    `smtp` and `imap` are the codes for sending and receiving; a direction without a code is not concerned.
    `words`, `also` and `unless` hold phrases in lower case: one of `words` and one of `also` must be there, none of
    `unless`. A phrase may have gaps (…). `replies` are three digits, or one digit for the whole class (which the
    enhanced code shows as well). `enhanced` may begin with `x.` for any class. `unless_codes`, `unless_replies` and
    `unless_statuses` contradict the words. `topic` is for words that prove little: codes are asked first.
    `example` is a real text, `given` what is known beside it; a test checks that the row matches them. `source` says
    where the wording is from.
    """

    id: str
    source: str
    example: str = ""
    given: Mapping[str, Any] = field(default_factory=dict)
    smtp: str | None = None
    imap: str | None = None
    action: Action | None = None
    cause: str | None = None
    retry_after: int | None = None
    stages: frozenset[Stage] = frozenset()
    providers: tuple[str, ...] = ()
    words: Phrases = ()
    also: Phrases = ()
    unless: Phrases = ()
    replies: tuple[int, ...] = ()
    enhanced: tuple[str, ...] = ()
    statuses: tuple[str, ...] = ()
    response_codes: tuple[str, ...] = ()
    aadsts: frozenset[int] = frozenset()
    tls: tuple[str, ...] = ()
    unless_codes: tuple[str, ...] = ()
    unless_replies: tuple[int, ...] = ()
    unless_statuses: tuple[str, ...] = ()
    topic: bool = False
    oauth: bool | None = None
    silent: bool | None = None

    def code(self, direction: Direction) -> str | None:
        """The code that this row gives for a direction, None if the row is not about it."""
        return self.smtp if direction is Direction.SMTP else self.imap

    @property
    def strength(self) -> Strength:
        if self.tls or self.aadsts or "OK" in self.statuses:
            return Strength.FACT
        if self.topic:
            return Strength.TOPIC
        if self.words:
            return Strength.PROVIDER if self.providers else Strength.WORDS
        if self.enhanced or self.response_codes:
            return Strength.CODE
        if self.replies or self.statuses:
            return Strength.REPLY
        return Strength.STAGE

    def matches(self, facts: Facts) -> bool:
        """Whether all that the row asks for is among the facts. Direction and stage are the index's business."""
        if self.providers and facts.provider not in self.providers:
            return False
        if self.replies and not _reply_in(facts, self.replies):
            return False
        if self.enhanced and not _enhanced_in(facts.enhanced, self.enhanced):
            return False
        if self.statuses and facts.status not in self.statuses:
            return False
        if self.response_codes and facts.response_codes.isdisjoint(self.response_codes):
            return False
        if self.aadsts and facts.aadsts.isdisjoint(self.aadsts):
            return False
        if self.tls and facts.tls_fault not in self.tls:
            return False
        if self.oauth is not None and facts.oauth is not self.oauth:
            return False
        if self.silent is not None and facts.silent is not self.silent:
            return False
        if self.unless_codes and not facts.response_codes.isdisjoint(self.unless_codes):
            return False
        if self.unless_replies and _reply_in(facts, self.unless_replies):
            return False
        if self.unless_statuses and facts.status in self.unless_statuses:
            return False
        if self.words and not says_any(facts.text, facts.terms, self.words):
            return False
        if self.also and not says_any(facts.text, facts.terms, self.also):
            return False
        return not says_any(facts.text, facts.terms, self.unless)


def _reply_in(facts: Facts, wanted: tuple[int, ...]) -> bool:
    return facts.reply in wanted or facts.reply_class in wanted


def _enhanced_in(enhanced: str | None, wanted: tuple[str, ...]) -> bool:
    return enhanced is not None and (enhanced in wanted or "x" + enhanced[1:] in wanted)
