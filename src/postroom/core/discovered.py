"""What came of looking for an address's settings: candidates, and each lookup with its outcome. It looks nothing up."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from postroom.core.candidates import SOURCES, Candidate
from postroom.core.diagnosis.text import filled
from postroom.core.diagnosis.text import mark as _


class Outcome(StrEnum):
    """What a lookup brought: settings; an answer without settings for us; the answer that there is no such name; or no
    answer that could be used."""

    FOUND = "found"
    NOTHING = "nothing"
    ABSENT = "absent"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Lookup:
    """One question. `source` is one of SOURCES; `asked` is the name and record, or the address of a file; `detail`
    says in a line what came back; `milliseconds` how long it took."""

    source: str
    asked: str
    outcome: Outcome
    detail: str
    milliseconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Discovered:
    """Settings, best first, and every lookup in the order of its source's trust."""

    candidates: tuple[Candidate, ...] = ()
    lookups: tuple[Lookup, ...] = ()

    def why_nothing(self, address: str) -> str:
        """Why there is nothing to try, and what to do, for the person who typed the address."""
        values = {"address": address, "domain": address.rpartition("@")[2], "failed": _failed(self.lookups)}
        return filled(_reason(self.lookups, values["domain"]), values)


def in_order(lookups: Iterable[Lookup]) -> tuple[Lookup, ...]:
    """The most trusted source first; what was asked first comes first within one."""
    return tuple(sorted(lookups, key=lambda one: SOURCES.index(one.source)))


def _reason(lookups: tuple[Lookup, ...], domain: str) -> str:
    names = [one for one in lookups if one.source in ("srv", "mx", "guess")]
    if not names:
        return _("{address} is no address of a mail domain. Look at the spelling.")
    if all(one.outcome is Outcome.FAILED for one in names):
        return _(
            "No name could be looked up: {failed}. See that this machine is connected and its DNS server answers, or "
            "name the mail servers yourself."
        )
    if any(one.source == "mx" and one.outcome is Outcome.ABSENT for one in names):
        return _("There is no domain {domain}. Look at the spelling of {address}.")
    if any(one.outcome is Outcome.FAILED for one in lookups):
        return _(
            "No mail server was found for {address}, and not everything could be asked: {failed}. Try again, or name "
            "the mail servers as the provider's help page does."
        )
    return _(
        "The domain {domain} exists, but nothing names its mail servers: it is no provider that Postroom knows, and "
        "has no autoconfig file, no SRV records (RFC 6186), no MX of a known provider, and no host named imap., smtp. "
        "or mail. Name the mail servers as the provider's help page does."
    )


def _failed(lookups: tuple[Lookup, ...]) -> str:
    """The first failure of each source, for it says what the others say."""
    first = {one.source: one for one in reversed(lookups) if one.outcome is Outcome.FAILED}
    return "; ".join(f"{one.asked} ({one.detail})" for one in reversed(first.values()))
