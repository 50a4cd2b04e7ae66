"""Secrets in the database: sealed, bound to their owner, and unreadable with another key."""

import asyncio
import logging
from pathlib import Path

import pytest
from sqlalchemy import text

from postroom.core.events import Webhook
from postroom.core.mailbox import Credential
from postroom.core.ports.store import Store
from postroom.store import SecretKeyWrong, open_store
from postroom.store.vault import Vault
from tests.store.make import KEY, NOON, World, add_mailbox

OTHER = bytes(32)


def test_what_is_sealed_opens_for_its_owner_alone() -> None:
    vault = Vault(KEY)
    sealed = vault.seal("hunter2 é", "mbx_1")
    assert vault.open(sealed, "mbx_1") == "hunter2 é"
    assert b"hunter2" not in sealed
    assert vault.seal("hunter2 é", "mbx_1") != sealed
    with pytest.raises(SecretKeyWrong, match="changed or moved"):
        vault.open(sealed, "mbx_2")


def test_every_changed_byte_is_noticed() -> None:
    vault = Vault(KEY)
    sealed = vault.seal("hunter2", "mbx_1")
    for place in range(len(sealed)):
        changed = bytearray(sealed)
        changed[place] ^= 1
        with pytest.raises(SecretKeyWrong):
            vault.open(bytes(changed), "mbx_1")
    for end in range(len(sealed)):
        with pytest.raises(SecretKeyWrong):
            vault.open(sealed[:end], "mbx_1")


def test_another_key_is_told_apart_from_a_changed_row() -> None:
    with pytest.raises(SecretKeyWrong, match="POSTROOM_SECRET_KEY"):
        Vault(OTHER).open(Vault(KEY).seal("x", "mbx_1"), "mbx_1")


def test_a_key_of_the_wrong_size_is_refused_and_a_vault_shows_no_key() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        Vault(b"short")
    assert KEY.hex() not in repr(Vault(KEY))
    assert str(KEY) not in repr(Vault(KEY))


async def test_a_database_opens_with_its_own_key_only(database_url: str, world: World) -> None:
    store = await open_store(database_url, secret_key=KEY, world=world)
    await store.close()
    with pytest.raises(SecretKeyWrong, match="put the earlier key file back"):
        await open_store(database_url, secret_key=OTHER, world=world)
    store = await open_store(database_url, secret_key=KEY, world=world)
    await store.close()


async def test_swapped_rows_do_not_give_one_mailbox_the_password_of_another(store: Store, world: World) -> None:
    one, two = await add_mailbox(store, world, "a@example.org"), await add_mailbox(store, world, "b@example.org")
    await store.set_credential(two.id, Credential(password="other"))

    def swap(connection) -> None:
        statement = "UPDATE credential SET secret = (SELECT c.secret FROM credential c WHERE c.mailbox_id = :two)"
        connection.execute(text(statement + " WHERE mailbox_id = :one"), {"one": one.id, "two": two.id})

    await store._database.write(swap)  # type: ignore[attr-defined]
    with pytest.raises(SecretKeyWrong, match="changed or moved"):
        await store.credential(one.id)
    assert (await store.credential(two.id)).password == "other"


def _everything_in(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.iterdir())


async def test_no_secret_stands_in_the_file_in_logs_or_in_errors(
    tmp_path: Path, world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    file = tmp_path / "postroom.db"
    store = await open_store(f"sqlite:///{file}", secret_key=KEY, world=world)
    await add_mailbox(store, world)
    await store.add_webhook(Webhook("whk_1", "https://example.org", "whsec_verysecret", (), NOON))
    with pytest.raises(Exception, match="IntegrityError") as raised:  # the same identifier again
        await store.add_webhook(Webhook("whk_1", "https://example.org", "whsec_verysecret", (), NOON))
    await store.close()
    written = await asyncio.to_thread(_everything_in, tmp_path)
    for secret in ("correct horse", "whsec_verysecret", KEY.hex()):
        assert secret.encode() not in written
        assert secret not in caplog.text
        assert secret not in repr(raised.value)
    assert KEY not in written
