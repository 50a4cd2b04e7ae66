"""OAuth clients, sign-ins under way, and the right to renew a token, on either database."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from postroom.core.diagnosis import Evidence, Stage, diagnose
from postroom.core.events import Event, EventType
from postroom.core.identity import Kind
from postroom.core.mailbox import AuthKind, Credential, Direction, Tokens
from postroom.core.oauth.authority import Endpoints
from postroom.core.oauth.authorization import REMEMBERED, Authorization, Flow, Progress
from postroom.core.oauth.client import OAuthClient
from postroom.core.ports.store import ClientInUse, MailboxGone
from tests.store.make import NOON, add_mailbox

TTL = timedelta(seconds=45)
TROUBLE = diagnose(Evidence(Direction.IMAP, Stage.OAUTH, raw="AADSTS7000222: secret keys are expired"))


def client(world, **given):
    identifier = world.identifier(Kind.OAUTH_CLIENT)
    return OAuthClient(identifier, "google", "client-1", NOON, **{"secret": "s3cret value", **given})


def tokens(**given):
    usual = {"access_token": "at", "expires_at": NOON + timedelta(hours=1), "refresh_token": "rt", "given_at": NOON}
    return Tokens(**{**usual, **given})


async def signed_in(store, world, **given):
    ours = client(world)
    await store.add_oauth_client(ours)
    mailbox = await add_mailbox(store, world)
    credential = Credential(AuthKind.OAUTH, client=ours.id, identity="anna@example.com", tokens=tokens(**given))
    await store.set_credential(mailbox.id, credential)
    return ours, mailbox, credential


def event(world, mailbox, kind=EventType.OAUTH_CLIENT_NEEDS_ATTENTION):
    return Event(world.identifier(Kind.EVENT), kind, NOON, mailbox.id, {})


async def test_a_client_comes_back_as_it_was_entered(store, world):
    ours = replace(
        client(world),
        provider="issuer",
        issuer="https://id.example.com",
        scopes=("mail",),
        told_endpoints=Endpoints("https://id.example.com/a", "https://id.example.com/t", basic=True),
        secret_expires_at=NOON + timedelta(days=90),
    )
    await store.add_oauth_client(ours)
    assert await store.oauth_client(ours.id) == ours
    assert await store.oauth_clients() == [ours]
    changed = replace(ours, secret="a newer one", name="Example")
    assert await store.update_oauth_client(changed)
    assert await store.oauth_client(ours.id) == changed
    assert not await store.update_oauth_client(replace(ours, id="oac_none"))


async def test_a_client_that_mailboxes_sign_in_with_stays(store, world):
    ours, mailbox, _ = await signed_in(store, world)
    assert await store.mailboxes_of_client(ours.id) == [mailbox.id]
    with pytest.raises(ClientInUse, match="1 mailboxes"):
        await store.remove_oauth_client(ours.id)
    await store.delete_mailbox(mailbox.id)
    assert await store.remove_oauth_client(ours.id)
    assert not await store.remove_oauth_client(ours.id)


async def test_a_credential_with_tokens_comes_back_whole(store, world):
    _, mailbox, credential = await signed_in(
        store, world, previous_refresh_token="rt0", refresh_expires_at=NOON + timedelta(days=7), scope="a b"
    )
    assert await store.credential(mailbox.id) == credential
    assert "rt0" not in repr(credential)


async def test_one_alone_may_renew_until_it_has_died(store, world):
    _, mailbox, _ = await signed_in(store, world)
    assert await store.claim_refresh(mailbox.id, "one", NOON, TTL)
    assert not await store.claim_refresh(mailbox.id, "two", NOON, TTL)
    assert await store.claim_refresh(mailbox.id, "one", NOON, TTL)
    assert await store.claim_refresh(mailbox.id, "two", NOON + 2 * TTL, TTL)
    await store.release_refresh(mailbox.id, "one")
    assert not await store.claim_refresh(mailbox.id, "one", NOON + 2 * TTL, TTL)
    await store.release_refresh(mailbox.id, "two")
    assert await store.claim_refresh(mailbox.id, "one", NOON + 2 * TTL, TTL)


async def test_of_many_who_want_to_renew_at_once_one_may(store, world):
    _, mailbox, _ = await signed_in(store, world)
    claims = (store.claim_refresh(mailbox.id, f"worker {number}", NOON, TTL) for number in range(10))
    assert sum(await asyncio.gather(*claims)) == 1


async def test_what_was_made_of_an_older_credential_is_not_written(store, world):
    _, mailbox, credential = await signed_in(store, world)
    held = await store.held_credential(mailbox.id)
    newer = replace(credential, tokens=tokens(access_token="newer"))
    assert await store.save_tokens(mailbox.id, newer, held.version)
    late = replace(credential, tokens=tokens(access_token="late"))
    assert not await store.save_tokens(mailbox.id, late, held.version)
    by_person = replace(credential, tokens=tokens(access_token="by a person"))
    again = await store.held_credential(mailbox.id)
    await store.set_credential(mailbox.id, by_person)
    assert not await store.save_tokens(mailbox.id, late, again.version)
    assert (await store.credential(mailbox.id)).access_token == "by a person"
    await store.delete_mailbox(mailbox.id)
    assert not await store.save_tokens(mailbox.id, late, again.version)
    with pytest.raises(MailboxGone):
        await store.held_credential(mailbox.id)


async def test_trouble_of_a_client_is_told_once(store, world):
    ours, mailbox, _ = await signed_in(store, world)
    troubled = replace(ours, trouble=TROUBLE, trouble_since=NOON)
    assert await store.note_client_trouble(troubled, event(world, mailbox))
    assert not await store.note_client_trouble(troubled, event(world, mailbox))
    assert (await store.oauth_client(ours.id)).trouble == TROUBLE
    assert len(await store.events(0, types=[EventType.OAUTH_CLIENT_NEEDS_ATTENTION])) == 1
    assert await store.note_client_trouble(ours, None)
    assert not await store.note_client_trouble(ours, None)
    assert (await store.oauth_client(ours.id)).trouble is None


async def test_the_end_of_a_sign_in_is_told_once_for_each_sign_in(store, world):
    ends = NOON + timedelta(days=7)
    _, mailbox, credential = await signed_in(store, world, refresh_expires_at=ends)
    ending = EventType.MAILBOX_SIGN_IN_ENDING
    assert await store.sign_ins_ending(ends - timedelta(days=3)) == []
    assert await store.sign_ins_ending(ends + timedelta(seconds=1)) == [mailbox.id]
    assert await store.note_sign_in_told(mailbox.id, event(world, mailbox, ending))
    assert not await store.note_sign_in_told(mailbox.id, event(world, mailbox, ending))
    assert await store.sign_ins_ending(ends + timedelta(days=1)) == []
    await store.set_credential(mailbox.id, credential)
    assert await store.sign_ins_ending(ends + timedelta(days=1)) == [mailbox.id]


async def test_a_refresh_token_that_nobody_uses_dies_by_disuse(store, world):
    _, mailbox, _ = await signed_in(store, world)
    assert await store.sign_ins_ending(NOON + timedelta(days=179)) == []
    assert await store.sign_ins_ending(NOON + timedelta(days=181)) == [mailbox.id]


async def test_a_sign_in_is_found_by_its_state_and_used_once(store, world):
    ours = client(world)
    await store.add_oauth_client(ours)
    begun = Authorization(
        world.identifier(Kind.AUTHORIZATION),
        ours.id,
        Flow.CODE,
        "anna@example.com",
        NOON,
        NOON + timedelta(minutes=20),
        state="digest",
        verifier="a verifier",
        nonce="a nonce",
        settings={"name": "Support"},
    )
    await store.add_authorization(begun)
    assert await store.authorization(begun.id) == begun
    assert await store.authorization_by_state("digest") == begun
    assert await store.authorization_by_state("") is None
    uses = await asyncio.gather(*(store.use_authorization(begun.id, NOON) for _ in range(5)))
    assert sorted(uses) == [False] * 4 + [True]
    done = replace(begun, used_at=NOON, progress=Progress.SIGNED_IN, identity="anna@example.com", tokens=tokens())
    await store.save_authorization(done)
    assert await store.authorization(begun.id) == done
    later = replace(begun, id=world.identifier(Kind.AUTHORIZATION), state="2", created_at=NOON + 2 * REMEMBERED)
    await store.add_authorization(later)
    assert await store.authorization(begun.id) is None
