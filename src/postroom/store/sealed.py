"""Everything in the database that is sealed: sealing it anew under a new key, and what to do where a key is lost. It
makes no key."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Column, Connection, Table, delete, func, select, update

from postroom.core.mailbox import AuthKind
from postroom.store.database import insert_new
from postroom.store.schema import (
    connect_link,
    credential,
    mailbox,
    oauth_authorization,
    oauth_client,
    secret_key,
    webhook,
)
from postroom.store.vault import SecretKeyWrong, Vault

BATCH = 200
"""Rows of one transaction: a few milliseconds, in which nobody else writes."""


@dataclass(frozen=True, slots=True)
class Place:
    """A column that holds sealed values, and the key column whose value each is bound to."""

    table: Table
    sealed: str
    owner: str

    @property
    def column(self) -> Column[bytes]:
        return self.table.c[self.sealed]

    @property
    def key(self) -> Column[str]:
        return self.table.c[self.owner]


PLACES = (
    Place(credential, "secret", "mailbox_id"),
    Place(webhook, "secret", "id"),
    Place(oauth_client, "secret", "id"),
    Place(oauth_authorization, "sealed", "id"),
    Place(connect_link, "secret", "id"),
)
"""Every sealed column; a test compares them with the comments of the schema."""


@dataclass(frozen=True, slots=True)
class Resealed:
    """What came of one batch: `after` is where the next begins, None at the end of the place."""

    done: int
    unreadable: tuple[str, ...]
    after: str | None


def reseal(connection: Connection, vault: Vault, place: Place, after: str) -> Resealed:
    """Seals the next rows behind `after` with the newest key, those that are not yet. One that no key opens stays as
    it is; one that somebody writes meanwhile is left to them, who seal with the newest key too."""
    query = (
        select(place.key, place.column)
        .where(place.key > after, func.substr(place.column, 1, len(vault.key_id)) != vault.key_id)
        .order_by(place.key)
        .limit(BATCH)
    )
    rows = connection.execute(query).all()
    done = 0
    unreadable = []
    for owner, sealed in rows:
        try:
            secret = vault.open(sealed, owner)
        except SecretKeyWrong:
            unreadable.append(owner)
            continue
        same = update(place.table).where(place.key == owner, place.column == sealed)
        done += connection.execute(same.values({place.sealed: vault.seal(secret, owner)})).rowcount
    return Resealed(done, tuple(unreadable), rows[-1][0] if rows else None)


def forget_others(connection: Connection, vault: Vault) -> bool:
    """From now on this database belongs to the newest key alone; False, and nothing done, while a value that could be
    read is sealed with another."""
    for place in PLACES:
        other = select(place.key, place.column).where(func.substr(place.column, 1, len(vault.key_id)) != vault.key_id)
        if any(_opens(vault, sealed, owner) for owner, sealed in connection.execute(other)):
            return False
    connection.execute(delete(secret_key).where(secret_key.c.id != vault.fingerprint))
    return True


@dataclass(frozen=True, slots=True)
class Lost:
    """What no key opens any more. `mailboxes`: identifier and address; `webhooks`: identifier and URL; `clients`:
    identifier and name of OAuth clients; `sign_ins` under way with OAuth; connect `links`."""

    mailboxes: tuple[tuple[str, str], ...] = ()
    webhooks: tuple[tuple[str, str], ...] = ()
    clients: tuple[tuple[str, str], ...] = ()
    sign_ins: tuple[str, ...] = ()
    links: tuple[str, ...] = ()


def lost(connection: Connection, vault: Vault) -> Lost:
    """Looks at every sealed value; changes nothing."""

    def of(place: Place) -> tuple[str, ...]:
        rows = connection.execute(select(place.key, place.column).order_by(place.key))
        return tuple(owner for owner, sealed in rows if not _opens(vault, sealed, owner))

    def named(place: Place, key: Column[str], name: Column[str]) -> tuple[tuple[str, str], ...]:
        gone = of(place)
        rows = connection.execute(select(key, name).where(key.in_(gone)).order_by(name)) if gone else ()
        return tuple((identifier, said) for identifier, said in rows)

    return Lost(
        named(PLACES[0], mailbox.c.id, mailbox.c.address),
        named(PLACES[1], webhook.c.id, webhook.c.url),
        named(PLACES[2], oauth_client.c.id, oauth_client.c.client_id),
        of(PLACES[3]),
        of(PLACES[4]),
    )


def give_up(connection: Connection, vault: Vault, gone: Lost, secrets: dict[str, str], now: datetime) -> None:
    """Puts nothing in the place of each lost secret, so that everything opens again: an empty credential, an OAuth
    client without its secret, a webhook that is off and has a new secret (`secrets`, by identifier). From then on this
    database belongs to the newest key."""
    for identifier, _ in gone.mailboxes:
        kind = connection.execute(select(mailbox.c.auth_kind).where(mailbox.c.id == identifier)).scalar_one()
        empty = vault.seal(json.dumps({"kind": str(AuthKind(kind)), "password": ""}), identifier)
        connection.execute(update(credential).where(credential.c.mailbox_id == identifier).values(secret=empty))
    for identifier, _ in gone.webhooks:
        connection.execute(
            update(webhook)
            .where(webhook.c.id == identifier)
            .values(
                secret=vault.seal(secrets[identifier], identifier),
                enabled=False,
                failing_since=now,
                last_error="its signing secret is lost with the earlier key: remove it and make it anew",
            )
        )
    for identifier, _ in gone.clients:
        none = vault.seal("", identifier)
        connection.execute(update(oauth_client).where(oauth_client.c.id == identifier).values(secret=none))
    connection.execute(delete(oauth_authorization).where(oauth_authorization.c.id.in_(gone.sign_ins)))
    connection.execute(delete(connect_link).where(connect_link.c.id.in_(gone.links)))
    connection.execute(delete(secret_key).where(secret_key.c.id != vault.fingerprint))
    connection.execute(insert_new(connection, secret_key), {"id": vault.fingerprint, "created_at": now})


def _opens(vault: Vault, sealed: bytes, owner: str) -> bool:
    try:
        vault.open(sealed, owner)
    except SecretKeyWrong:
        return False
    return True
