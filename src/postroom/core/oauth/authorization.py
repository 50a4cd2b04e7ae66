"""A sign-in under way: what was begun, for which mailbox, and what became of it. It sends nobody anywhere."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from postroom.core.diagnosis.verdict import Diagnosis
from postroom.core.mailbox import Tokens

GOOD_FOR = timedelta(minutes=20)
"""How long a person may take from our address to the consent: a second factor has to be found."""
KEPT = timedelta(hours=1)
"""How long tokens of a finished sign-in wait for the mailbox that is made of them."""
REMEMBERED = timedelta(days=7)
"""How long a sign-in is remembered, so that a late or repeated answer is told what it is."""


class Flow(StrEnum):
    """How the person signs in: in the browser that comes back to us, or with a code on any device."""

    CODE = "code"
    DEVICE = "device"


class Progress(StrEnum):
    """What became of a sign-in. `signed_in`: its tokens wait for a mailbox; `connected`: they serve one."""

    PENDING = "pending"
    SIGNED_IN = "signed_in"
    CONNECTED = "connected"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Authorization:
    """One sign-in. `state` is its digest; `verifier`, `nonce`, `device_code` and `tokens` are sealed in the store.

    `address` is the mailbox's, `username` whom the provider should name instead where that is somebody with access to
    a shared mailbox. `mailbox_id` where a connected one is signed in to again. `settings` is what the one who began it
    wants of the new mailbox (JSON). `explanation` says in words why it was refused.
    """

    id: str
    client: str
    flow: Flow
    address: str
    created_at: datetime
    expires_at: datetime
    state: str = ""
    redirect: str = ""
    username: str = ""
    mailbox_id: str | None = None
    settings: dict[str, Any] = field(default_factory=dict)
    progress: Progress = Progress.PENDING
    used_at: datetime | None = None
    identity: str = ""
    explanation: str = ""
    diagnosis: Diagnosis | None = None
    verifier: str = field(default="", repr=False)
    nonce: str = field(default="", repr=False)
    device_code: str = field(default="", repr=False)
    user_code: str = ""
    verification_uri: str = ""
    interval: int = 0
    tokens: Tokens | None = None

    @property
    def allowed(self) -> tuple[str, ...]:
        """Whose sign-in is taken."""
        return (self.address, self.username) if self.username else (self.address,)
