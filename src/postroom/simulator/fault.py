"""Faults as data: at which stage, for whom, how often, and what happens instead. It does not perform them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import count
from typing import ClassVar

from pydantic import ConfigDict

IMAP_STAGES = frozenset(
    {
        "connect",
        "tls",
        "greeting",
        "capability",
        "starttls",
        "auth",
        "list",
        "select",
        "search",
        "fetch",
        "idle",
        "append",
        "store",
        "noop",
        "logout",
    }
)
SMTP_STAGES = frozenset(
    {"connect", "tls", "greeting", "ehlo", "starttls", "auth", "mail", "rcpt", "data", "dot", "noop", "quit"}
)
OAUTH_STAGES = frozenset({"connect", "discovery", "authorize", "device", "token", "userinfo", "revoke"})
_BEFORE_SIGN_IN = frozenset({"connect", "tls", "greeting", "capability", "ehlo", "starttls", "discovery", "device"})


class Service(StrEnum):
    """The services of the simulated provider."""

    IMAP = "imap"
    SMTP = "smtp"
    OAUTH = "oauth"


STAGES = {Service.IMAP: IMAP_STAGES, Service.SMTP: SMTP_STAGES, Service.OAUTH: OAUTH_STAGES}


class Behaviour(StrEnum):
    """What a fault does beside, or instead of, answering."""

    REFUSE = "refuse"  # connect: the ports do not listen as long as the fault stands
    RESET = "reset"  # connect: accepted and reset at once
    HANG = "hang"  # nothing more is said; the connection stays open
    CLOSE = "close"
    SLOW = "slow"  # `delay` seconds before the answer, or `rate` bytes a second
    CUT = "cut"  # closed after `cut_after` bytes of the answer
    EXPIRED = "expired"  # tls: what is wrong with the certificate: this and four more
    NOT_YET_VALID = "not_yet_valid"
    WRONG_HOST = "wrong_host"
    SELF_SIGNED = "self_signed"
    UNKNOWN_CA = "unknown_ca"
    HANDSHAKE_FAILURE = "handshake_failure"  # tls: that alert, as where no protocol or cipher is shared
    PLAIN = "plain"  # tls: no TLS is spoken where it is expected


CERTIFICATE_FAULTS = frozenset(
    {
        Behaviour.EXPIRED,
        Behaviour.NOT_YET_VALID,
        Behaviour.WRONG_HOST,
        Behaviour.SELF_SIGNED,
        Behaviour.UNKNOWN_CA,
    }
)
# TLS 1.2 record: alert, fatal, handshake_failure (RFC 5246 7.2). asyncio closes without sending the alert of OpenSSL.
HANDSHAKE_FAILURE_ALERT = bytes((21, 3, 3, 0, 2, 2, 40))
_ANYWHERE = frozenset({Behaviour.HANG, Behaviour.CLOSE, Behaviour.SLOW, Behaviour.CUT})
_AT_CONNECT = frozenset({Behaviour.REFUSE, Behaviour.RESET, Behaviour.HANG, Behaviour.CLOSE})
_AT_TLS = CERTIFICATE_FAULTS | {Behaviour.PLAIN, Behaviour.HANDSHAKE_FAILURE, Behaviour.HANG, Behaviour.CLOSE}


class FieldError(ValueError):
    """A value given to the simulator is wrong; `field` names which one."""

    def __init__(self, field_name: str, message: str) -> None:
        super().__init__(f"{field_name}: {message}")
        self.field = field_name
        self.message = message


class NotThere(FieldError):
    """What `field` names does not exist."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that goes wrong on command.

    `answer` is raw text of one or more lines, sent in place of the true answer; `{tag}` becomes the tag of the IMAP
    command. In an answer at `auth`, the lines after a challenge (`+ …` or `334 …`) wait for the client's reply to it.
    After a line `* BYE` or `421` the connection is closed, as the protocols say (RFC 9051 7.1.5, RFC 5321 3.8).

    `account` and `argument` narrow it: only this account, only commands whose line contains this text (a folder, a
    recipient; at `dot`, any address of the envelope). `after` lets that many pass first; `times` ends it after so
    many, None when it is cleared.

    `takes_effect` says whether the command is carried out although the answer is another: with `dot` and `close`,
    whether the message was accepted. Unless set, it follows the answer: OK, 2xx and 3xx do, all else does not; what
    is asked of the authorization server never does.

    `removes` takes capabilities (or SMTP extensions) away for as long as the fault stands; its stage is `capability`
    or `ehlo`. `delay` is in seconds and `rate` in bytes a second, for true answers (slow) and for given ones;
    `cut_after` is in bytes. Raises FieldError for what cannot be.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    protocol: Service
    stage: str
    answer: str | None = None
    behaviour: Behaviour | None = None
    account: str | None = None
    argument: str | None = None
    times: int | None = None
    after: int = 0
    takes_effect: bool | None = None
    removes: tuple[str, ...] = ()
    delay: float = 0.0
    rate: int | None = None
    cut_after: int | None = None

    def __post_init__(self) -> None:
        if self.protocol not in list(Service):
            raise FieldError("protocol", f"must be one of {', '.join(Service)}")
        object.__setattr__(self, "protocol", Service(self.protocol))  # also for who writes it as a plain word
        self._check_stage()
        self._check_behaviour()
        if self.account is not None and self.stage in _BEFORE_SIGN_IN:
            raise FieldError("account", f"nobody has signed in yet at {self.stage}: leave it out")
        if self.times is not None and self.times < 1:
            raise FieldError("times", "must be 1 or more, or left out: until cleared")
        if self.after < 0:
            raise FieldError("after", "must be 0 or more")
        if self.answer is None and self.behaviour is None and not self.removes:
            raise FieldError("answer", "a fault needs an answer, a behaviour or something that it removes")

    def _check_stage(self) -> None:
        stages = STAGES[self.protocol]
        if self.stage not in stages:
            raise FieldError("stage", f"{self.stage!r} is not a stage of {self.protocol}: {', '.join(sorted(stages))}")
        if self.stage in ("connect", "tls") and self.answer is not None:
            raise FieldError("answer", f"nothing can be answered at {self.stage}: give a behaviour")
        if self.argument is not None and self.stage in ("connect", "tls", "greeting", "auth"):
            raise FieldError("argument", f"there is none at {self.stage}: leave it out")
        if self.removes and self.stage not in ("capability", "ehlo"):
            raise FieldError("removes", "capabilities are removed at the stage capability (imap) or ehlo (smtp)")
        if self.removes and (self.answer or self.behaviour or self.times or self.after or self.argument):
            raise FieldError("removes", "stands alone and lasts until cleared")

    def _check_behaviour(self) -> None:
        behaviour = self.behaviour
        allowed = {"connect": _AT_CONNECT, "tls": _AT_TLS}.get(self.stage, _ANYWHERE)
        if behaviour is not None and behaviour not in allowed:
            raise FieldError("behaviour", f"{behaviour} does not exist at {self.stage}: {', '.join(sorted(allowed))}")
        if behaviour is Behaviour.REFUSE and (self.times is not None or self.after):
            raise FieldError("times", "a refused connection cannot be counted: it lasts until cleared")
        if behaviour is Behaviour.SLOW and not (self.delay > 0 or self.rate):
            raise FieldError("delay", "slow needs a delay (seconds) or a rate (bytes a second)")
        if behaviour is Behaviour.CUT and (self.cut_after is None or self.cut_after < 0):
            raise FieldError("cut_after", "cut needs the number of bytes after which the answer ends")
        if self.cut_after is not None and behaviour is not Behaviour.CUT:
            raise FieldError("cut_after", "belongs to the behaviour cut")
        if self.stage in ("connect", "tls") and (self.delay or self.rate):
            raise FieldError("delay", f"nothing is answered at {self.stage} that could be late")
        if self.keeps_true_answer and self.takes_effect is False:
            raise FieldError("takes_effect", "a command whose true answer is given takes effect")
        if self.rate is not None and self.rate < 1:
            raise FieldError("rate", "must be 1 byte a second or more")

    @property
    def keeps_true_answer(self) -> bool:
        """Whether the command is answered as ever, only slowly or not to its end."""
        return self.answer is None and self.behaviour in (Behaviour.SLOW, Behaviour.CUT)

    @property
    def effective(self) -> bool:
        """Whether the command is carried out. An IDLE that is answered otherwise never is: it would wait for DONE."""
        if self.stage == "idle":
            return False
        if self.takes_effect is not None or self.protocol is Service.OAUTH:
            return bool(self.takes_effect)
        last = (self.answer or "").rstrip().splitlines()[-1:] or [""]
        return bool(re.match(r"(\{tag\} OK\b|[23]\d\d\b)", last[0]))


@dataclass(slots=True)
class StandingFault:
    """A fault that was put in force, and how often it was met and struck."""

    id: str
    fault: Fault
    met: int = 0
    fired: int = 0

    @property
    def spent(self) -> bool:
        return self.fault.times is not None and self.fired >= self.fault.times


@dataclass(slots=True)
class Faults:
    """All faults in force. The first that fits strikes, in the order in which they were added."""

    standing: dict[str, StandingFault] = field(default_factory=dict)
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def add(self, fault: Fault) -> StandingFault:
        entry = StandingFault(f"fault-{next(self._numbers)}", fault)
        self.standing[entry.id] = entry
        return entry

    def clear(self, fault_id: str | None = None) -> int:
        """End one fault, or all; returns how many ended. Raises NotThere for an id that does not stand."""
        if fault_id is None:
            ended = len(self.standing)
            self.standing.clear()
            return ended
        if self.standing.pop(fault_id, None) is None:
            raise NotThere("id", f"no fault {fault_id!r} is in force")
        return 1

    def strike(self, protocol: Service, stage: str, account: str | None = None, argument: str = "") -> Fault | None:
        """The fault that strikes here and now, counted; None where all goes well."""
        for entry in self.standing.values():
            fault = entry.fault
            if fault.protocol is not protocol or fault.stage != stage or fault.removes or entry.spent:
                continue
            if fault.account is not None and fault.account.casefold() != (account or "").casefold():
                continue
            if fault.argument is not None and fault.argument.casefold() not in argument.casefold():
                continue
            entry.met += 1
            if entry.met > fault.after:
                entry.fired += 1
                return fault
        return None

    def removed(self, protocol: Service) -> frozenset[str]:
        """Names of the capabilities that are taken away, upper-case."""
        faults = (entry.fault for entry in self.standing.values())
        return frozenset(name.upper() for fault in faults if fault.protocol is protocol for name in fault.removes)

    def refuses(self, protocol: Service) -> bool:
        """Whether the ports of this service must not listen."""
        faults = (entry.fault for entry in self.standing.values())
        return any(fault.protocol is protocol and fault.behaviour is Behaviour.REFUSE for fault in faults)
