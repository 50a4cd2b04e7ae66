"""From what a request says of signing in to a credential. It asks no provider: the flows do."""

from __future__ import annotations

from postroom.core.mailbox import AuthKind, Credential, Tokens
from postroom.core.oauth.client import ClientKind
from postroom.web import problem
from postroom.web.schema.connection import (
    Auth,
    ClientCredentialsAuth,
    PasswordAuth,
    ServiceAccountAuth,
    SignedInAuth,
    TokenAuth,
)
from postroom.web.services import Services


async def credential_of(services: Services, given: Auth, address: str) -> Credential:
    """Raises Problem (there is no such client), SignInFailed (there is no such finished sign-in)."""
    match given:
        case PasswordAuth():
            return Credential(password=given.password.get_secret_value())
        case SignedInAuth():
            return await services.authorize.credential(given.authorization, address)
        case TokenAuth():
            client = await _client(services, given.client, ClientKind.APPLICATION)
            tokens = Tokens(refresh_token=given.refresh_token.get_secret_value())
            return Credential(given.kind, client=client, tenant=given.tenant, tokens=tokens)
        case ClientCredentialsAuth():
            client = await _client(services, given.client, ClientKind.APPLICATION)
            return Credential(given.kind, client=client, tenant=given.tenant)
        case ServiceAccountAuth():
            client = await _client(services, given.client, ClientKind.SERVICE_ACCOUNT)
            return Credential(AuthKind.SERVICE_ACCOUNT, client=client)


async def served(services: Services, given: Auth, mailbox_id: str) -> None:
    """The credential serves a mailbox now: a sign-in that it came from is over."""
    if isinstance(given, SignedInAuth):
        await services.authorize.served(given.authorization, mailbox_id)


async def _client(services: Services, client_id: str, wanted: ClientKind) -> str:
    client = await services.store.oauth_client(client_id)
    if client is None or client.kind is not wanted:
        raise problem.invalid("auth.client", f"There is no such OAuth client of the kind {wanted}.")
    return client.id
