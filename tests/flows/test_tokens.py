"""Tokens of connected mailboxes, on real servers: renewed ahead and once, refused, revoked, and dead while idling."""

import asyncio
import json
import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from postroom.core.compose import Draft
from postroom.core.diagnosis import Failure
from postroom.core.health import State
from postroom.core.mailbox import Direction
from postroom.core.message import Address
from postroom.flows.recover import Recover
from postroom.serve import build
from postroom.settings import Settings
from tests.flows.house import until
from tests.flows.signed_in import signed_in

CORPUS = Path(__file__).parents[1] / "corpus"


async def health(house, mailbox, direction=Direction.IMAP):
    return await house.store.health(mailbox.id, direction)


def ours(diagnosis):
    return diagnosis is not None and diagnosis.code == "server_misconfigured"


async def send(signed, mailbox):
    draft = Draft(mailbox.id, (Address("anna@customer.test"),), subject="An answer", text="It is here.")
    return (await signed.house.accept.accept(draft)).delivery


async def test_a_mailbox_signed_in_by_token_receives_and_sends(tmp_path, dovecot, postfix, user):
    async with signed_in(tmp_path, dovecot, postfix) as signed:
        mailbox = await signed.connect(user)
        await signed.receives(user, mailbox, "First")
        delivery = await send(signed, mailbox)
        await until(lambda: signed.store.delivery(delivery.id), lambda one: one.state == "sent")
        assert signed.provider.asked["refresh_token"] == 0


async def test_a_token_that_dies_while_idling_is_replaced_without_a_word(tmp_path, dovecot, postfix, user):
    async with signed_in(tmp_path, dovecot, postfix, expires_in=600) as signed:
        mailbox = await signed.connect(user)
        await signed.receives(user, mailbox, "Before")
        signed.world.move(minutes=20)
        await dovecot.kick(user.name)
        signed.world.move(minutes=1)
        await signed.receives(user, mailbox, "After", seconds=90)
        assert signed.provider.asked["refresh_token"] == 1
        told = [str(one.type) for one in await signed.events("mailbox.degraded", "mailbox.needs_reauth")]
        assert told == []


async def test_both_directions_and_many_callers_renew_once(tmp_path, dovecot, postfix, user):
    async with signed_in(tmp_path, dovecot, postfix, engine=False) as signed:
        mailbox = await signed.connect(user)
        signed.world.move(minutes=59)
        signed.provider.delay = 0.2
        ready = signed.house.tokens.ready
        given = await asyncio.gather(*(ready(mailbox, one) for one in (*Direction, *Direction)))
        assert len({one.access_token for one in given}) == 1
        assert signed.provider.asked["refresh_token"] == 1
        assert await signed.tokens(mailbox) == given[0].tokens


async def test_two_workers_renew_once(tmp_path, dovecot, postfix, user, postgresql_url):
    async with signed_in(tmp_path, dovecot, postfix, engine=False, database=postgresql_url) as signed:
        mailbox = await signed.connect(user)
        signed.world.move(hours=2)  # the old token is dead: nobody can go on with it
        signed.provider.delay = 0.5
        settings = Settings(data=tmp_path / "data", database=postgresql_url, allow_private_hosts=True)
        async with build(settings, signed.world) as other:
            both = [house.tokens.ready(mailbox, Direction.IMAP) for house in (signed.house, other)]
            first, second = await asyncio.gather(*both)
        assert first.access_token == second.access_token
        assert signed.provider.asked["refresh_token"] == 1


async def test_whoever_waits_may_be_stopped_and_the_rotated_token_is_kept(tmp_path, dovecot, postfix, user):
    async with signed_in(tmp_path, dovecot, postfix, engine=False) as signed:
        mailbox = await signed.connect(user)
        before = await signed.tokens(mailbox)
        signed.world.move(hours=2)
        signed.provider.after_grant = asyncio.Event()
        waiting = asyncio.create_task(signed.house.tokens.ready(mailbox, Direction.IMAP))
        await signed.provider.granted.wait()
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        signed.provider.after_grant.set()
        now = await until(lambda: signed.tokens(mailbox), lambda one: one.access_token != before.access_token)
        assert now.refresh_token != before.refresh_token
        assert now.previous_refresh_token == before.refresh_token


async def test_where_the_newest_refresh_token_is_unknown_the_one_before_is_tried(tmp_path, dovecot, postfix, user):
    async with signed_in(tmp_path, dovecot, postfix, engine=False) as signed:
        good = signed.credential(user)
        mailbox = await signed.connect(user, good)
        lost = replace(good.tokens, refresh_token="never-written", previous_refresh_token=good.tokens.refresh_token)
        await signed.store.set_credential(mailbox.id, replace(good, tokens=lost))
        signed.world.move(hours=2)
        renewed = await signed.house.tokens.ready(mailbox, Direction.IMAP)
        assert signed.provider.asked["refresh_token"] == 2
        assert renewed.tokens.refresh_token in signed.provider.refresh_tokens


async def test_a_process_killed_before_the_answer_is_written_does_not_lose_the_mailbox(
    tmp_path, dovecot, postfix, user
):
    async with signed_in(tmp_path, dovecot, postfix, engine=False, forgiving=True) as signed:
        mailbox = await signed.connect(user)
        before = await signed.tokens(mailbox)
        signed.provider.after_grant = asyncio.Event()
        settings = {"POSTROOM_DATA": str(tmp_path / "data"), "POSTROOM_ALLOW_PRIVATE_HOSTS": "true"}
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.flows.renewing", mailbox.id, env=os.environ | settings
        )
        await asyncio.wait_for(signed.provider.granted.wait(), 90)
        process.kill()
        await process.wait()
        assert await signed.tokens(mailbox) == before
        signed.provider.after_grant = None
        signed.world.move(hours=2)
        renewed = await signed.house.tokens.ready(mailbox, Direction.IMAP)
        assert renewed.access_token != before.access_token
        assert (await signed.tokens(mailbox)).previous_refresh_token == before.refresh_token


def recorded():
    """What token endpoints answered in the corpus, with what it means."""
    for name in ("imap", "smtp"):
        for line in (CORPUS / f"{name}-dev.jsonl").read_text().splitlines():
            one = json.loads(line)
            if one["stage"] == "oauth" and ("AADSTS" in one["raw"] or '"error"' in one["raw"]):
                yield pytest.param(one, id=one["id"])


@pytest.mark.parametrize("one", [*recorded()])
async def test_a_recorded_answer_of_a_token_endpoint_ends_in_the_right_state(tmp_path, dovecot, postfix, user, one):
    direction = Direction(one["direction"])
    async with signed_in(tmp_path, dovecot, postfix, engine=False) as signed:
        mailbox = await signed.connect(user)
        signed.world.move(hours=2)
        signed.provider.always = ("400 Bad Request", one["raw"])
        recover = Recover(signed.store, signed.world)
        for _ in range(2):
            with pytest.raises(Failure) as failed:
                await signed.house.tokens.ready(mailbox, direction)
            seen = await recover.failed(mailbox, direction, failed.value)
        assert seen.diagnosis.code in (one["code"], *one["alt"])
        client = await signed.store.oauth_client(signed.client.id)
        if one["code"] == "server_misconfigured":
            assert (seen.state, client.trouble.code) == (State.FALTERING, "server_misconfigured")
            return
        assert client.trouble is None
        if one["retry"] == "backoff":
            assert seen.state is State.FALTERING
        else:
            assert seen.state in (State.NEEDS_REAUTH, State.NEEDS_ATTENTION)
            if one["code"] in ("token_expired", "invalid_credentials"):
                assert seen.state is State.NEEDS_REAUTH


async def test_a_token_endpoint_that_is_down_costs_nothing_while_the_token_works(tmp_path, dovecot, postfix, user):
    async with signed_in(tmp_path, dovecot, postfix, engine=False) as signed:
        mailbox = await signed.connect(user)
        before = await signed.tokens(mailbox)
        signed.world.move(minutes=58)
        signed.provider.always = ("503 Service Unavailable", '{"error": "temporarily_unavailable"}')
        for _ in range(3):
            given = await signed.house.tokens.ready(mailbox, Direction.IMAP)
            assert given.access_token == before.access_token
        assert signed.provider.asked["refresh_token"] == 1  # it rests between vain tries
        signed.world.move(minutes=3)
        with pytest.raises(Failure) as failed:
            await signed.house.tokens.ready(mailbox, Direction.SMTP)
        assert failed.value.evidence.direction is Direction.SMTP
        assert failed.value.evidence.status == "503"
        signed.provider.always = None
        given = await signed.house.tokens.ready(mailbox, Direction.SMTP)
        assert given.access_token != before.access_token


async def test_a_refused_token_is_replaced_once_before_anybody_judges(tmp_path, dovecot, postfix, user):
    async with signed_in(tmp_path, dovecot, postfix) as signed:
        good = signed.credential(user)
        mailbox = await signed.connect(user, good)
        forged = dovecot.token(user.name, forged=True)
        old = replace(good.tokens, access_token=forged, given_at=signed.world.now().replace(year=2020))
        await signed.store.set_credential(mailbox.id, replace(good, tokens=old))
        delivery = await send(signed, mailbox)
        await until(lambda: signed.store.delivery(delivery.id), lambda one: one.state == "sent")
        assert signed.provider.asked["refresh_token"] == 1
        assert await signed.events("delivery.held", "mailbox.needs_reauth") == []


async def test_a_revoked_grant_needs_a_person_and_a_new_sign_in_sends_what_was_held(tmp_path, dovecot, postfix, user):
    async with signed_in(tmp_path, dovecot, postfix) as signed:
        mailbox = await signed.connect(user)
        await signed.receives(user, mailbox, "Before")
        signed.provider.revoke()
        signed.world.move(hours=2)
        await dovecot.kick(user.name)
        delivery = await send(signed, mailbox)
        for direction in Direction:
            seen = await until(
                lambda one=direction: health(signed, mailbox, one), lambda one: one.state is State.NEEDS_REAUTH, 30
            )
            assert seen.diagnosis.code == "token_expired"
        assert (await signed.store.delivery(delivery.id)).state == "held"
        await signed.house.connect.reauthenticate(mailbox.id, signed.credential(user))
        await until(lambda: signed.store.delivery(delivery.id), lambda one: one.state == "sent")
        await signed.receives(user, mailbox, "After")


async def test_a_wrong_client_secret_is_told_once_and_all_recover_when_it_is_mended(tmp_path, dovecot, postfix):
    async with signed_in(tmp_path, dovecot, postfix) as signed:
        users = [dovecot.add_user() for _ in range(3)]
        mailboxes = [await signed.connect(one) for one in users]
        for one, mailbox in zip(users, mailboxes, strict=True):
            await signed.receives(one, mailbox, "Before")
        signed.provider.client_secret = "another one, made at the provider"
        signed.world.move(hours=2)
        for one in users:
            await dovecot.kick(one.name)
        for mailbox in mailboxes:
            seen = await until(lambda one=mailbox: health(signed, one), lambda one: ours(one.diagnosis), 30)
            assert seen.state is State.FALTERING
        signed.world.move(minutes=15)
        for mailbox in mailboxes:
            await until(lambda one=mailbox: health(signed, one), lambda one: one.state is State.DEGRADED)
        told = await signed.events("mailbox.degraded", "mailbox.needs_reauth", "mailbox.needs_attention")
        assert told == []
        (event,) = await signed.events("oauth_client.needs_attention")
        assert (event.data["id"], event.data["mailboxes"]) == (signed.client.id, 3)
        client = await signed.store.oauth_client(signed.client.id)
        assert client.trouble.code == "server_misconfigured"
        await signed.house.clients.change(replace(client, secret=signed.provider.client_secret))
        for mailbox in mailboxes:
            await until(lambda one=mailbox: health(signed, one), lambda one: one.state is State.CONNECTED, 30)
        assert (await signed.store.oauth_client(signed.client.id)).trouble is None
