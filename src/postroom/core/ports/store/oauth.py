"""What flows and web ask of the store about OAuth: our clients, sign-ins under way, who renews a token. No SQL."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from postroom.core.events import Event
from postroom.core.mailbox import Credential
from postroom.core.oauth.authorization import Authorization
from postroom.core.oauth.client import OAuthClient


class ClientInUse(Exception):
    """Mailboxes sign in with this OAuth client: it cannot be removed. `mailboxes` counts them."""

    def __init__(self, mailboxes: int) -> None:
        super().__init__(f"{mailboxes} mailboxes sign in with it: connect them otherwise or remove them first")
        self.mailboxes = mailboxes


@dataclass(frozen=True, slots=True)
class Held:
    """A mailbox's credential as it stands, and its version: what is written must have been made from the newest."""

    credential: Credential = field(repr=False)
    version: int


class OAuthStore(Protocol):
    async def add_oauth_client(self, client: OAuthClient) -> None: ...
    async def oauth_client(self, client_id: str) -> OAuthClient | None: ...
    async def oauth_clients(self) -> list[OAuthClient]: ...
    async def update_oauth_client(self, client: OAuthClient) -> bool:
        """All but its trouble and what was told of it. False where there is none."""
        ...

    async def remove_oauth_client(self, client_id: str) -> bool:
        """False where there is none. Raises ClientInUse."""
        ...

    async def mailboxes_of_client(self, client_id: str) -> list[str]:
        """The identifiers of the mailboxes that sign in with it."""
        ...

    async def note_client_trouble(self, client: OAuthClient, event: Event | None) -> bool:
        """Writes `trouble` and `trouble_since`. The event goes with a first trouble only: False, and no event, where
        the client had one already (or, without trouble, where it had none)."""
        ...

    async def note_client_warned(self, client_id: str, at: datetime, event: Event) -> bool:
        """That its secret's end was told: once. False where it was told before."""
        ...

    async def held_credential(self, mailbox_id: str) -> Held:
        """Raises MailboxGone."""
        ...

    async def claim_refresh(self, mailbox_id: str, holder: str, now: datetime, ttl: timedelta) -> bool:
        """Takes the right to renew the mailbox's token, for `ttl`; False where another holds it."""
        ...

    async def release_refresh(self, mailbox_id: str, holder: str) -> None: ...
    async def save_tokens(self, mailbox_id: str, credential: Credential, version: int) -> bool:
        """Compare and swap on `version`: False, and nothing written, where the credential was replaced meanwhile.
        Ends the right to renew."""
        ...

    async def sign_ins_ending(self, before: datetime, limit: int = 100) -> list[str]:
        """Mailboxes whose sign-in is known to end before then, of which nobody was told."""
        ...

    async def note_sign_in_told(self, mailbox_id: str, event: Event) -> bool:
        """That the end of this sign-in was told: once. False where it was, or where it was signed in anew."""
        ...

    async def add_authorization(self, authorization: Authorization) -> None:
        """Forgets those that are long over, too."""
        ...

    async def authorization(self, authorization_id: str) -> Authorization | None: ...
    async def authorization_by_state(self, digest: str) -> Authorization | None: ...
    async def use_authorization(self, authorization_id: str, at: datetime) -> bool:
        """Its one use: False where it was used before."""
        ...

    async def save_authorization(self, authorization: Authorization) -> None:
        """What became of it; its single-use secrets are forgotten with that."""
        ...
