"""A house whose mailboxes sign in by token at real servers: Dovecot, Postfix, and the rig's OpenID provider."""

import asyncio
import contextlib
import json
from dataclasses import dataclass

from postroom.core.identity import Kind
from postroom.core.mailbox import AuthKind, Credential, Endpoint, Security, Tokens
from postroom.core.oauth.authority import Endpoints
from postroom.core.oauth.client import OAuthClient
from postroom.core.oauth.response import grant_of
from postroom.flows.connect import Connection, NewMailbox
from postroom.serve import House, build
from postroom.settings import Settings
from tests.flows.house import MovedWorld, until
from tests.rig.openid import CLIENT_ID, CLIENT_SECRET, OpenIdProvider


def client_at(world, provider: OpenIdProvider, secret=CLIENT_SECRET) -> OAuthClient:
    """Our registration at the rig's provider."""
    endpoints = Endpoints(
        authorization=f"{provider.url}/authorize",
        token=f"{provider.url}/token",
        device=f"{provider.url}/device",
        userinfo=f"{provider.url}/userinfo",
        issuer=provider.url,
    )
    return OAuthClient(
        id=world.identifier(Kind.OAUTH_CLIENT),
        provider="issuer",
        client_id=CLIENT_ID,
        created_at=world.now(),
        name="Rig",
        secret=secret,
        issuer=provider.url,
        scopes=("openid", "email", "mail"),
        told_endpoints=endpoints,
    )


@dataclass
class SignedIn:
    """A running house with one client; `connect` adds mailboxes."""

    house: House
    world: MovedWorld
    provider: OpenIdProvider
    client: OAuthClient
    dovecot: object
    postfix: object

    @property
    def store(self):
        return self.house.store

    def endpoints(self, user):
        return (
            Endpoint(self.dovecot.host, self.dovecot.imap_port, Security.NONE, user.address),
            Endpoint(self.postfix.host, self.postfix.submission_port, Security.NONE, user.address),
        )

    def credential(self, user, **given):
        """What the token endpoint would have given, as a credential."""
        grant = grant_of(json.dumps(self.provider.give(user.address, **given)), self.world.now())
        return Credential(AuthKind.OAUTH, client=self.client.id, identity=user.address, tokens=grant.tokens)

    async def connect(self, user, credential=None, **settings):
        imap, smtp = self.endpoints(user)
        connection = Connection(user.address, "Support", imap, smtp, credential or self.credential(user))
        return (await self.house.connect.add(NewMailbox(connection, **settings))).mailbox

    async def receives(self, user, mailbox, subject, seconds=90.0):
        """Delivers a message and waits until Postroom has it."""
        raw = f"From: c@example.test\r\nTo: {user.address}\r\nSubject: {subject}\r\n\r\nHello.\r\n".encode()
        await self.dovecot.deliver(user.name, raw)

        async def subjects():
            page = await self.store.conversations(mailbox_id=mailbox.id)
            return [one.subject for one in page.items]

        await until(subjects, lambda found: subject in found, seconds)

    async def tokens(self, mailbox) -> Tokens:
        return (await self.store.held_credential(mailbox.id)).credential.tokens

    async def events(self, *kinds):
        return [one.event for one in await self.store.events(0) if str(one.event.type) in kinds]


@contextlib.asynccontextmanager
async def signed_in(folder, dovecot, postfix, *, engine=True, database="", person="", **provider_settings):
    world = MovedWorld()
    settings = Settings(
        data=folder / "data",
        database=database,
        allow_private_hosts=True,
        plaintext_hosts="localhost,127.0.0.1",
        confirm_seconds=0.2,
    )
    async with (
        OpenIdProvider(dovecot.issuer, person=person, **provider_settings) as provider,
        build(settings, world) as house,
    ):
        provider.now = lambda: world.now().timestamp()
        client = client_at(world, provider)
        await house.store.add_oauth_client(client)
        running = asyncio.create_task(house.engine.run()) if engine else None
        try:
            yield SignedIn(house, world, provider, client, dovecot, postfix)
        finally:
            if running is not None:
                running.cancel()
                await asyncio.gather(running, return_exceptions=True)
