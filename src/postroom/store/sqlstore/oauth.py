"""The store's port of OAuth: each method hands one query to one transaction. It holds no SQL."""

from __future__ import annotations

from datetime import datetime, timedelta

from postroom.core.events import Event
from postroom.core.mailbox import Credential
from postroom.core.oauth.authorization import Authorization
from postroom.core.oauth.client import OAuthClient
from postroom.core.ports.store import Held
from postroom.store import credentials, oauth
from postroom.store.sqlstore.base import Base


class OAuthMethods(Base):
    """Part of SqlStore."""

    async def add_oauth_client(self, client: OAuthClient) -> None:
        await self._write(oauth.add_client, self._vault, client)

    async def oauth_client(self, client_id: str) -> OAuthClient | None:
        return await self._read(oauth.client, self._vault, client_id)

    async def oauth_clients(self) -> list[OAuthClient]:
        return await self._read(oauth.clients, self._vault)

    async def update_oauth_client(self, client: OAuthClient) -> bool:
        return await self._write(oauth.update_client, self._vault, client)

    async def remove_oauth_client(self, client_id: str) -> bool:
        return await self._write(oauth.remove_client, client_id)

    async def mailboxes_of_client(self, client_id: str) -> list[str]:
        return await self._read(credentials.of_client, client_id)

    async def note_client_trouble(self, client: OAuthClient, event: Event | None) -> bool:
        return await self._write(oauth.note_trouble, client, event)

    async def note_client_warned(self, client_id: str, at: datetime, event: Event) -> bool:
        return await self._write(oauth.note_warned, client_id, at, event)

    async def held_credential(self, mailbox_id: str) -> Held:
        return await self._read(credentials.held, self._vault, mailbox_id)

    async def claim_refresh(self, mailbox_id: str, holder: str, now: datetime, ttl: timedelta) -> bool:
        return await self._note(credentials.claim, mailbox_id, holder, now, ttl)

    async def release_refresh(self, mailbox_id: str, holder: str) -> None:
        await self._note(credentials.release, mailbox_id, holder)

    async def save_tokens(self, mailbox_id: str, credential: Credential, version: int) -> bool:
        return await self._note(credentials.save, self._vault, mailbox_id, credential, version)

    async def sign_ins_ending(self, before: datetime, limit: int = 100) -> list[str]:
        return await self._read(credentials.ending, before, limit)

    async def note_sign_in_told(self, mailbox_id: str, event: Event) -> bool:
        return await self._write(credentials.told, mailbox_id, event)

    async def add_authorization(self, authorization: Authorization) -> None:
        await self._write(oauth.add_authorization, self._vault, authorization)

    async def authorization(self, authorization_id: str) -> Authorization | None:
        return await self._read(oauth.authorization, self._vault, authorization_id)

    async def authorization_by_state(self, digest: str) -> Authorization | None:
        return await self._read(oauth.authorization_by_state, self._vault, digest)

    async def use_authorization(self, authorization_id: str, at: datetime) -> bool:
        return await self._write(oauth.use_authorization, authorization_id, at)

    async def save_authorization(self, authorization: Authorization) -> None:
        await self._write(oauth.save_authorization, self._vault, authorization)
