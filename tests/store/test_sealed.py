"""Another secret key: everything sealed anew, broken off and gone on with; and what is lost with a key."""

import pytest
from sqlalchemy import LargeBinary

from postroom.core.events import Webhook
from postroom.core.mailbox import Credential
from postroom.core.oauth.client import OAuthClient
from postroom.store import SecretKeyWrong, open_store, sealed
from postroom.store.schema import metadata
from postroom.store.sealed import PLACES, Lost
from tests.store.make import KEY, NOON, World, add_mailbox

NEW = bytes(32)


def test_every_sealed_column_of_the_schema_has_its_place() -> None:
    told = {
        (table.name, column.name)
        for table in metadata.tables.values()
        for column in table.columns
        if isinstance(column.type, LargeBinary) and "sealed" in (column.comment or "").lower()
    }
    assert told == {(place.table.name, place.sealed) for place in PLACES}


async def filled(url: str, world: World, mailboxes: int = 5) -> list[str]:
    store = await open_store(url, secret_key=KEY, world=world)
    made = [await add_mailbox(store, world, f"{number}@example.org") for number in range(mailboxes)]
    for one in made:
        await store.set_credential(one.id, Credential(password=f"password of {one.address}"))
    await store.add_webhook(Webhook("whk_1", "https://example.org", "whsec_verysecret", (), NOON))
    await store.add_oauth_client(OAuthClient("oac_1", "google", "client", NOON, secret="s3cret"))
    await store.close()
    return [one.id for one in made]


async def opens_with(url: str, world: World, mailboxes: list[str], *keys: bytes) -> None:
    store = await open_store(url, secret_key=keys[0], earlier_keys=keys[1:], world=world)
    for number, mailbox in enumerate(mailboxes):
        assert (await store.credential(mailbox)).password == f"password of {number}@example.org"
    assert [one.secret for one in await store.webhooks()] == ["whsec_verysecret"]
    assert [one.secret for one in await store.oauth_clients()] == ["s3cret"]
    await store.close()


async def test_everything_is_sealed_anew_and_the_earlier_key_is_of_no_use_then(database_url: str, world: World) -> None:
    mailboxes = await filled(database_url, world)
    store = await open_store(database_url, secret_key=NEW, earlier_keys=[KEY], world=world)
    assert not await store.forget_earlier_keys()
    assert sum([done async for done, _ in store.reseal()]) == len(mailboxes) + 2
    assert await store.forget_earlier_keys()
    await store.close()
    await opens_with(database_url, world, mailboxes, NEW)
    with pytest.raises(SecretKeyWrong):
        await open_store(database_url, secret_key=KEY, world=world)


async def test_what_was_broken_off_opens_with_both_keys_and_is_gone_on_with(
    database_url: str, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sealed, "BATCH", 2)
    mailboxes = await filled(database_url, world)
    store = await open_store(database_url, secret_key=NEW, earlier_keys=[KEY], world=world)
    async for done, _ in store.reseal():
        assert done == 2
        break
    await store.close()
    await opens_with(database_url, world, mailboxes, NEW, KEY)
    with pytest.raises(SecretKeyWrong):  # it could not read what is sealed already
        await open_store(database_url, secret_key=KEY, world=world)
    store = await open_store(database_url, secret_key=NEW, earlier_keys=[KEY], world=world)
    assert sum([done async for done, _ in store.reseal()]) == len(mailboxes)
    assert await store.forget_earlier_keys()
    await store.close()
    await opens_with(database_url, world, mailboxes, NEW)


async def test_a_password_that_is_given_meanwhile_is_not_lost(database_url: str, world: World) -> None:
    (mailbox,) = await filled(database_url, world, 1)
    store = await open_store(database_url, secret_key=NEW, earlier_keys=[KEY], world=world)
    beside = await open_store(database_url, secret_key=KEY, earlier_keys=[NEW], world=world)
    [_ async for _ in store.reseal()]
    await beside.set_credential(mailbox, Credential(password="a newer one"))  # by one that seals with the earlier key
    assert not await store.forget_earlier_keys()
    [_ async for _ in store.reseal()]
    assert await store.forget_earlier_keys()
    assert (await store.credential(mailbox)).password == "a newer one"
    await store.close()
    await beside.close()


async def test_what_is_lost_with_a_key_is_named_and_given_up(database_url: str, world: World) -> None:
    mailboxes = await filled(database_url, world, 2)
    with pytest.raises(SecretKeyWrong, match="key-lost"):
        await open_store(database_url, secret_key=NEW, world=world)
    store = await open_store(database_url, secret_key=NEW, world=world, any_key=True)
    gone = await store.lost()
    assert gone == Lost(
        ((mailboxes[0], "0@example.org"), (mailboxes[1], "1@example.org")),
        (("whk_1", "https://example.org"),),
        (("oac_1", "client"),),
    )
    await store.close()
    with pytest.raises(SecretKeyWrong):  # to look changes nothing
        await open_store(database_url, secret_key=NEW, world=world)
    store = await open_store(database_url, secret_key=NEW, world=world, any_key=True)
    await store.give_up(gone)
    assert await store.lost() == Lost()
    await store.close()
    store = await open_store(database_url, secret_key=NEW, world=world)
    assert (await store.credential(mailboxes[0])).password == ""
    (webhook,) = await store.webhooks()
    assert (webhook.enabled, webhook.secret != "whsec_verysecret") == (False, True)
    assert "make it anew" in (webhook.last_error or "")
    await store.close()
