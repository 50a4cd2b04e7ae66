"""What is wanted of a mailbox that a sign-in under way will connect, as JSON that waits. It connects none."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from postroom.core.budget import AS_GRANTED, Budget
from postroom.core.mailbox import Alias, Endpoint, Security, Signature, UnconfirmedPolicy


@dataclass(frozen=True, slots=True)
class Wishes:
    """Settings of the new mailbox. Without `imap` or `smtp` they are looked up. `connect` False: somebody else makes
    the mailbox of the tokens. `connect_link` is the link that the sign-in was begun from."""

    connect: bool = True
    name: str = ""
    imap: Endpoint | None = None
    smtp: Endpoint | None = None
    ca_certificate: str | None = None
    hold_hours: int = 72
    folders: tuple[str, ...] = ("INBOX",)
    reference: str | None = None
    unconfirmed: UnconfirmedPolicy = UnconfirmedPolicy.ASK
    aliases: tuple[Alias, ...] = ()
    budget: Budget = AS_GRANTED
    sync_days: int | None = 30
    reply_to: str | None = None
    signature: Signature | None = None
    read_sent: bool = True
    connect_link: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """JSON; `from_dict` reads it back."""
        return {**asdict(self), "folders": list(self.folders)}

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> Wishes:
        """What is missing is as usual: an older Postroom may have written it."""
        given = {name: value[name] for name in cls.__dataclass_fields__ if name in value}
        for name in ("imap", "smtp"):
            if given.get(name) is not None:
                given[name] = Endpoint(**{**given[name], "security": Security(given[name]["security"])})
        if "folders" in given:
            given["folders"] = tuple(given["folders"])
        if "unconfirmed" in given:
            given["unconfirmed"] = UnconfirmedPolicy(given["unconfirmed"])
        given["aliases"] = tuple(Alias(**one) for one in given.get("aliases", ()))
        given["budget"] = Budget(**given.get("budget", {}))
        if given.get("signature") is not None:
            given["signature"] = Signature(**given["signature"])
        return cls(**given)
