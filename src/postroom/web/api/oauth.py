"""OAuth: the team's clients at providers, and sign-ins of people. It shows no page: the way back is in pages."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Query, Response

from postroom.core.oauth import client as core
from postroom.core.oauth.authority import AUTHORITIES, ISSUER
from postroom.flows.connect import NoSuchMailbox
from postroom.flows.sign_in import SignInFailed
from postroom.web import problem
from postroom.web.schema.base import ListQuery
from postroom.web.schema.fields import AuthorizationId, OAuthClientId
from postroom.web.schema.oauth import (
    Authorization,
    BegunAuthorization,
    NewAuthorization,
    NewOAuthClient,
    OAuthClient,
    OAuthClientChange,
    OAuthClientList,
    OAuthGuide,
    OAuthGuideList,
)
from postroom.web.schema.paged import page_of
from postroom.web.services import Injected, Services

router = APIRouter(prefix="/oauth", tags=["oauth"])


@router.get("/providers", operation_id="list_oauth_providers")
async def providers(services: Injected) -> OAuthGuideList:
    """How to register a client at each provider: the page, the exact redirect address, the scopes, the steps."""
    keys = [*(one.key for one in AUTHORITIES), ISSUER]
    guides = [core.guide_of(key, services.authorize.redirect) for key in keys]
    return OAuthGuideList(items=[OAuthGuide.of(one) for one in guides if one is not None], next_cursor=None)


@router.post("/clients", operation_id="create_oauth_client", status_code=201)
async def create(services: Injected, given: NewOAuthClient, response: Response) -> OAuthClient:
    """Enters a client of the team's own: once for each provider, or for each tenant where it has one of its own."""
    client = await services.clients.add(given.client(services.world.now()))
    response.headers["Location"] = f"/v1/oauth/clients/{client.id}"
    return OAuthClient.of(client, 0)


@router.get("/clients", operation_id="list_oauth_clients")
async def show_all(services: Injected, query: Annotated[ListQuery, Query()]) -> OAuthClientList:
    """All clients, without their secrets, and what the providers hold against them."""
    clients = sorted(await services.store.oauth_clients(), key=lambda one: one.id)  # identifiers sort by time
    part, following = page_of(clients, lambda one: one.id, limit=query.limit, cursor=query.cursor)
    return OAuthClientList(items=[await _shown(services, one) for one in part], next_cursor=following)


@router.get("/clients/{client_id}", operation_id="get_oauth_client")
async def show(services: Injected, client_id: OAuthClientId) -> OAuthClient:
    """One client; `trouble` says what the provider holds against it."""
    return await _shown(services, await _client(services, client_id))


@router.patch("/clients/{client_id}", operation_id="change_oauth_client")
async def change(services: Injected, client_id: OAuthClientId, given: OAuthClientChange) -> OAuthClient:
    """Changes it, for example to a new secret; mailboxes that waited for that try again at once."""
    client = await _client(services, client_id)
    asked = given.model_fields_set
    changed = replace(
        client,
        client_id=given.client_id or client.client_id,
        name=client.name if given.name is None else given.name,
        secret=given.secret.get_secret_value() if given.secret else client.secret,
        tenant=client.tenant if given.tenant is None else given.tenant,
        scopes=client.scopes if given.scopes is None else tuple(given.scopes),
        key_id=client.key_id if given.key_id is None else given.key_id,
        secret_expires_at=given.secret_expires_at if "secret_expires_at" in asked else client.secret_expires_at,
    )
    return await _shown(services, await services.clients.change(changed))


@router.delete("/clients/{client_id}", operation_id="remove_oauth_client", status_code=204)
async def remove(services: Injected, client_id: OAuthClientId) -> None:
    """Removes a client that no mailbox signs in with."""
    await services.clients.remove(client_id)


@router.post("/authorizations", operation_id="begin_authorization", status_code=201)
async def begin(services: Injected, given: NewAuthorization, response: Response) -> BegunAuthorization:
    """Begins a sign-in: the person opens `url` and consents, and the mailbox is connected, or connected again.

    With `flow: device` they enter `user_code` there, on any machine; look at the sign-in every `interval` seconds.
    A sign-in serves once and for 20 minutes.
    """
    if (given.mailbox_id is None) == (given.address is None):
        raise problem.invalid(
            "address", "Give either the address of a new mailbox, or the mailbox_id of a connected one."
        )
    try:
        begun = await services.authorize.begin(given.wanted())
    except NoSuchMailbox:
        raise problem.invalid("mailbox_id", "There is no such mailbox.") from None
    response.headers["Location"] = f"/v1/oauth/authorizations/{begun.authorization.id}"
    return BegunAuthorization.begun(begun.authorization, begun.url)


@router.get("/authorizations/{authorization_id}", operation_id="get_authorization")
async def look(services: Injected, authorization_id: AuthorizationId) -> Authorization:
    """How a sign-in stands; one with a device code moves on only when it is looked at."""
    try:
        found = await services.authorize.look(authorization_id)
    except SignInFailed as failed:
        found = failed.authorization
    if found is None:
        raise problem.not_found("sign-in")
    return Authorization.of(found)


async def _client(services: Services, client_id: str) -> core.OAuthClient:
    client = await services.store.oauth_client(client_id)
    if client is None:
        raise problem.not_found("OAuth client")
    return client


async def _shown(services: Services, client: core.OAuthClient) -> OAuthClient:
    return OAuthClient.of(client, len(await services.store.mailboxes_of_client(client.id)))
