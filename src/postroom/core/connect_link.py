"""A connect link: what it is for, its signature, how long and how often it serves. It connects nothing."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from postroom.core.diagnosis.verdict import Action, Diagnosis
from postroom.core.identity import milliseconds

USUAL = timedelta(hours=24)
LONGEST = timedelta(days=7)
CLAIMED = timedelta(minutes=3)
"""How long one try may have the link to itself; a try that died with its process gives it back then."""
PAUSE = timedelta(minutes=15)
"""How long the link rests after too many tries in vain: providers block accounts that are tried more often."""
MOST = 20
REFUSED_SIGN_IN = 4
OTHER_FAILURE = 1
"""What a try in vain counts: the fifth refused sign-in, or the twentieth failure of another kind, reaches MOST."""


class LinkState(StrEnum):
    """Whether a link still serves."""

    OPEN = "open"
    USED = "used"
    REVOKED = "revoked"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class ConnectLink:
    """Lets whoever has its address connect one mailbox, or sign in to `mailbox_id` again, and nothing else.

    `address` is suggested for a new mailbox. `brand` is the builder's name on the page, `return_url` where the person
    goes afterwards, with `return_state` as `state`. `client` chooses among our OAuth clients. `connected_id` is the
    mailbox that came of it. `failures` is a sum (REFUSED_SIGN_IN, OTHER_FAILURE); until `waits_until` no try is taken.
    """

    id: str
    created_at: datetime
    expires_at: datetime
    secret: str = field(repr=False)
    address: str = ""
    mailbox_id: str | None = None
    connected_id: str | None = None
    reference: str | None = None
    name: str = ""
    brand: str = ""
    return_url: str = ""
    return_state: str = ""
    client: str | None = None
    used_at: datetime | None = None
    revoked_at: datetime | None = None
    busy_until: datetime | None = None
    failures: int = 0
    waits_until: datetime | None = None

    def state(self, now: datetime) -> LinkState:
        if self.used_at is not None:
            return LinkState.USED
        if self.revoked_at is not None:
            return LinkState.REVOKED
        return LinkState.EXPIRED if self.expires_at <= now else LinkState.OPEN

    @property
    def token(self) -> str:
        """What stands in its address: the identifier and the signature of all that it may do."""
        may = [self.id, self.mailbox_id, self.client, self.return_url, milliseconds(self.expires_at)]
        return f"{self.id}.{self._signature('link', json.dumps(may))}"

    @property
    def form_token(self) -> str:
        """What a form on its page bears, so that no other page can post in its place."""
        return self._signature("form", self.id)

    def signed(self, token: str) -> bool:
        """Whether this is its token, to the letter."""
        return hmac.compare_digest(self.token.encode(), token.encode())

    def _signature(self, what: str, text: str) -> str:
        made = hmac.digest(self.secret.encode(), f"{what}\n{text}".encode(), hashlib.sha256)
        return base64.urlsafe_b64encode(made).decode().rstrip("=")


def identifier_in(token: str) -> str:
    """The identifier that a token claims; what it says is true only where `signed` says so."""
    return token.partition(".")[0]


def failed(link: ConnectLink, diagnosis: Diagnosis | None, now: datetime) -> ConnectLink:
    """The link after a try in vain."""
    refused = diagnosis is not None and diagnosis.action is Action.REAUTHENTICATE
    failures = link.failures + (REFUSED_SIGN_IN if refused else OTHER_FAILURE)
    if failures < MOST:
        return replace(link, failures=failures, waits_until=None)
    return replace(link, failures=0, waits_until=now + PAUSE)


def return_address(link: ConnectLink, status: str, reference: str | None = None) -> str:
    """Where the person goes back to; empty where nobody named an address. What its query holds already stays."""
    if not link.return_url:
        return ""
    parts = urlsplit(link.return_url)
    told = {
        "status": status,
        "mailbox_id": link.connected_id or link.mailbox_id or "",
        "reference": reference or link.reference or "",
        "state": link.return_state,
    }
    query = parse_qsl(parts.query, keep_blank_values=True) + [(name, value) for name, value in told.items() if value]
    return urlunsplit(parts._replace(query=urlencode(query)))


def used_data(link: ConnectLink, address: str) -> dict[str, Any]:
    """What `connect_link.used` says."""
    return {
        "id": link.id,
        "mailbox_id": link.connected_id,
        "address": address,
        "reference": link.reference,
        "reconnected": link.mailbox_id is not None,
    }
