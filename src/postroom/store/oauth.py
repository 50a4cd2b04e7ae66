"""OAuth clients and sign-ins under way. Tokens of mailboxes are elsewhere (credentials)."""

from __future__ import annotations

import dataclasses
import json
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from postroom.core.diagnosis.verdict import Diagnosis
from postroom.core.events import Event
from postroom.core.oauth.authority import Endpoints
from postroom.core.oauth.authorization import REMEMBERED, Authorization, Flow, Progress
from postroom.core.oauth.client import ClientKind, OAuthClient
from postroom.core.ports.store import ClientInUse
from postroom.store import eventlog
from postroom.store.credentials import tokens_fields, tokens_of
from postroom.store.database import insert_new
from postroom.store.schema import credential, oauth_authorization, oauth_client
from postroom.store.vault import Vault


def add_client(connection: Connection, vault: Vault, client: OAuthClient) -> None:
    """Nothing happens where it was added already: processes that start together enter what their settings name."""
    values = _client_values(vault, client) | {"id": client.id, "created_at": client.created_at}
    connection.execute(insert_new(connection, oauth_client).values(values))


def update_client(connection: Connection, vault: Vault, client: OAuthClient) -> bool:
    """A new date of its secret's end is told again."""
    row = connection.execute(select(oauth_client).where(oauth_client.c.id == client.id)).one_or_none()
    if row is None:
        return False
    values = _client_values(vault, client)
    if row.secret_expires_at != client.secret_expires_at:
        values["warned_at"] = None
    connection.execute(update(oauth_client).where(oauth_client.c.id == client.id).values(values))
    return True


def remove_client(connection: Connection, client_id: str) -> bool:
    used = select(func.count()).select_from(credential).where(credential.c.client_id == client_id)
    mailboxes: int = connection.execute(used).scalar_one()
    if mailboxes:
        raise ClientInUse(mailboxes)
    return connection.execute(delete(oauth_client).where(oauth_client.c.id == client_id)).rowcount == 1


def client(connection: Connection, vault: Vault, client_id: str) -> OAuthClient | None:
    row = connection.execute(select(oauth_client).where(oauth_client.c.id == client_id)).one_or_none()
    return _client(vault, row) if row is not None else None


def clients(connection: Connection, vault: Vault) -> list[OAuthClient]:
    """In the order in which they were entered."""
    query = select(oauth_client).order_by(oauth_client.c.created_at, oauth_client.c.id)
    return [_client(vault, row) for row in connection.execute(query)]


def note_trouble(connection: Connection, given: OAuthClient, event: Event | None) -> bool:
    this = update(oauth_client).where(oauth_client.c.id == given.id)
    trouble = given.trouble.as_dict() if given.trouble else None
    if trouble is None:
        mended = this.where(oauth_client.c.trouble_since.is_not(None)).values(trouble=None, trouble_since=None)
        return connection.execute(mended).rowcount == 1
    first = this.where(oauth_client.c.trouble_since.is_(None))
    if connection.execute(first.values(trouble=trouble, trouble_since=given.trouble_since)).rowcount == 0:
        return False
    eventlog.append(connection, [event] if event else [])
    return True


def note_warned(connection: Connection, client_id: str, at: datetime, event: Event) -> bool:
    untold = update(oauth_client).where(oauth_client.c.id == client_id, oauth_client.c.warned_at.is_(None))
    if connection.execute(untold.values(warned_at=at)).rowcount == 0:
        return False
    eventlog.append(connection, [event])
    return True


def add_authorization(connection: Connection, vault: Vault, given: Authorization) -> None:
    old = oauth_authorization.c.expires_at < given.created_at - REMEMBERED
    connection.execute(delete(oauth_authorization).where(old))
    connection.execute(
        insert(oauth_authorization).values(
            id=given.id,
            state=given.state or None,
            client_id=given.client,
            mailbox_id=given.mailbox_id,
            flow=str(given.flow),
            address=given.address,
            username=given.username,
            redirect=given.redirect,
            settings=given.settings,
            user_code=given.user_code,
            verification_uri=given.verification_uri,
            interval=given.interval,
            created_at=given.created_at,
            used_at=given.used_at,
            **_progress_values(vault, given),
        )
    )


def authorization(connection: Connection, vault: Vault, authorization_id: str) -> Authorization | None:
    query = select(oauth_authorization).where(oauth_authorization.c.id == authorization_id)
    row = connection.execute(query).one_or_none()
    return _authorization(vault, row) if row is not None else None


def authorization_by_state(connection: Connection, vault: Vault, digest: str) -> Authorization | None:
    query = select(oauth_authorization).where(oauth_authorization.c.state == digest)
    row = connection.execute(query).one_or_none()
    return _authorization(vault, row) if row is not None else None


def use_authorization(connection: Connection, authorization_id: str, at: datetime) -> bool:
    unused = update(oauth_authorization).where(
        oauth_authorization.c.id == authorization_id, oauth_authorization.c.used_at.is_(None)
    )
    return connection.execute(unused.values(used_at=at)).rowcount == 1


def save_authorization(connection: Connection, vault: Vault, given: Authorization) -> None:
    this = update(oauth_authorization).where(oauth_authorization.c.id == given.id)
    connection.execute(this.values(mailbox_id=given.mailbox_id, **_progress_values(vault, given)))


def _client_values(vault: Vault, given: OAuthClient) -> dict[str, Any]:
    return {
        "kind": str(given.kind),
        "provider": given.provider,
        "name": given.name,
        "client_id": given.client_id,
        "secret": vault.seal(given.secret, given.id),
        "key_id": given.key_id,
        "tenant": given.tenant,
        "issuer": given.issuer,
        "scopes": list(given.scopes),
        "endpoints": dataclasses.asdict(given.told_endpoints) if given.told_endpoints else None,
        "secret_expires_at": given.secret_expires_at,
    }


def _client(vault: Vault, row: Row[Any]) -> OAuthClient:
    return OAuthClient(
        id=row.id,
        provider=row.provider,
        client_id=row.client_id,
        created_at=row.created_at,
        kind=ClientKind(row.kind),
        name=row.name,
        secret=vault.open(row.secret, row.id),
        key_id=row.key_id,
        tenant=row.tenant,
        issuer=row.issuer,
        scopes=tuple(row.scopes),
        told_endpoints=Endpoints(**row.endpoints) if row.endpoints else None,
        secret_expires_at=row.secret_expires_at,
        warned_at=row.warned_at,
        trouble=Diagnosis.from_dict(row.trouble) if row.trouble else None,
        trouble_since=row.trouble_since,
    )


def _progress_values(vault: Vault, given: Authorization) -> dict[str, Any]:
    secrets = {
        "verifier": given.verifier,
        "nonce": given.nonce,
        "device_code": given.device_code,
        "tokens": tokens_fields(given.tokens),
    }
    return {
        "sealed": vault.seal(json.dumps(secrets), given.id),
        "progress": str(given.progress),
        "identity": given.identity,
        "explanation": given.explanation,
        "diagnosis": given.diagnosis.as_dict() if given.diagnosis else None,
        "expires_at": given.expires_at,
    }


def _authorization(vault: Vault, row: Row[Any]) -> Authorization:
    secrets = json.loads(vault.open(row.sealed, row.id))
    return Authorization(
        id=row.id,
        client=row.client_id,
        flow=Flow(row.flow),
        address=row.address,
        created_at=row.created_at,
        expires_at=row.expires_at,
        state=row.state or "",
        redirect=row.redirect,
        username=row.username,
        mailbox_id=row.mailbox_id,
        settings=row.settings,
        progress=Progress(row.progress),
        used_at=row.used_at,
        identity=row.identity,
        explanation=row.explanation,
        diagnosis=Diagnosis.from_dict(row.diagnosis) if row.diagnosis else None,
        verifier=secrets["verifier"],
        nonce=secrets["nonce"],
        device_code=secrets["device_code"],
        user_code=row.user_code,
        verification_uri=row.verification_uri,
        interval=row.interval,
        tokens=tokens_of(secrets["tokens"]),
    )
