"""Signing in with a token at real servers, with both mechanisms and on both protocols; and how a refusal is read."""

import json
from dataclasses import replace

import pytest

from postroom.core.diagnosis import Failure, Stage, diagnose
from postroom.core.mailbox import Account, AuthKind, Credential, Direction, Endpoint, Security, Tokens
from postroom.wire.imap import Imap
from postroom.wire.resolve import Guard
from postroom.wire.sasl import OAuthBearer, XOAuth2
from postroom.wire.smtp import Smtp
from postroom.world import RealWorld
from tests.rig.dovecot import Dovecot
from tests.rig.postfix import Postfix

GUARD = Guard(allow_private=True)


def account(direction, server, port, user, token):
    endpoint = Endpoint(server.host, port, Security.NONE, user.address)
    return Account(direction, endpoint, Credential(AuthKind.OAUTH, tokens=Tokens(access_token=token)))


async def signed_in(account):
    """Opens and leaves a session; the mechanism by which it was signed in."""
    said = []
    if account.direction is Direction.IMAP:
        session = await Imap(GUARD, now=RealWorld().now).open(account, said.append)
        await session.logout()
    else:
        session = await Smtp(GUARD, now=RealWorld().now).open(account, said.append)
        await session.quit()
    return next(step.detail for step in said if step.name == "sign_in").split(" ")[0]


@pytest.mark.parametrize(
    ("offered", "used"),
    [(("xoauth2", "oauthbearer"), "XOAUTH2"), (("oauthbearer",), "OAUTHBEARER"), (("plain", "xoauth2"), "XOAUTH2")],
)
async def test_what_server_and_token_have_in_common_is_used_on_both_protocols(certificates, offered, used):
    async with Dovecot(certificates, mechanisms=offered) as dovecot, Postfix(certificates, dovecot) as postfix:
        user = dovecot.add_user()
        token = dovecot.token(user.name)
        for direction, server, port in (
            (Direction.IMAP, dovecot, dovecot.imap_port),
            (Direction.SMTP, postfix, postfix.submission_port),
        ):
            assert await signed_in(account(direction, server, port, user, token)) == used


@pytest.mark.parametrize("offered", [("xoauth2",), ("oauthbearer",)])
async def test_a_refused_token_ends_the_dialogue_well_and_its_challenge_is_read(certificates, offered):
    async with Dovecot(certificates, mechanisms=offered) as dovecot, Postfix(certificates, dovecot) as postfix:
        user = dovecot.add_user()
        token = dovecot.token(user.name, expires_in=-60)
        for direction, server, port in (
            (Direction.IMAP, dovecot, dovecot.imap_port),
            (Direction.SMTP, postfix, postfix.submission_port),
        ):
            with pytest.raises(Failure) as failed:
                await signed_in(account(direction, server, port, user, token))
            evidence = failed.value.evidence
            assert evidence.stage is Stage.AUTH
            assert json.loads(evidence.challenge)["status"] in ("401", "invalid_token")
            assert token not in str(evidence)
            assert diagnose(evidence).code == "token_expired"


async def test_a_server_without_a_mechanism_for_tokens_says_so_before_anything_is_shown(certificates):
    async with Dovecot(certificates, mechanisms=("plain",)) as dovecot:
        user = dovecot.add_user()
        given = account(Direction.IMAP, dovecot, dovecot.imap_port, user, dovecot.token(user.name))
        with pytest.raises(Failure) as failed:
            await signed_in(given)
        assert "AUTH=XOAUTH2 or AUTH=OAUTHBEARER" in failed.value.evidence.exception
        assert diagnose(failed.value.evidence).code == "server_misconfigured"
        without = replace(given, credential=Credential(AuthKind.OAUTH))
        with pytest.raises(Failure, match="no access token"):
            await signed_in(without)


async def test_a_token_of_two_kilobytes_is_taken(dovecot, postfix, user):
    token = dovecot.token(user.name, more={"padding": "x" * 1500})
    for direction, server, port in (
        (Direction.IMAP, dovecot, dovecot.imap_port),
        (Direction.SMTP, postfix, postfix.submission_port),
    ):
        assert await signed_in(account(direction, server, port, user, token)) == "XOAUTH2"


def test_what_is_said_is_what_the_specifications_show():
    endpoint = Endpoint("mail.example.com", 993, Security.TLS, "us=er,x@example.com")
    given = Account(Direction.IMAP, endpoint, Credential(AuthKind.OAUTH, tokens=Tokens(access_token="abc")))
    assert XOAuth2(given).initial == b"user=us=er,x@example.com\x01auth=Bearer abc\x01\x01"
    bearer = OAuthBearer(given)
    assert bearer.initial == (
        b"n,a=us=3Der=2Cx@example.com,\x01host=mail.example.com\x01port=993\x01auth=Bearer abc\x01\x01"
    )
    assert bearer.answer(b'{"status":"401"}') is None
    assert bearer.farewell == b"\x01"
