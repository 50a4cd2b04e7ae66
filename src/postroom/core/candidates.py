"""Settings that may serve an address, best first. It looks nothing up: wire does, and hands in what it found."""

from __future__ import annotations

from dataclasses import dataclass

from postroom.core.mailbox import Endpoint


@dataclass(frozen=True, slots=True)
class Candidate:
    """One way to reach an address. `source` is where it comes from: provider, autoconfig, srv, mx or guess."""

    imap: Endpoint
    smtp: Endpoint
    provider: str
    source: str
