"""Our OAuth clients: entered, clients that act alone, and what ends soon and is told ahead."""

import json
from dataclasses import replace
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from postroom.core.mailbox import AuthKind, Credential, Direction
from postroom.core.oauth.authority import Endpoints
from postroom.core.oauth.client import ClientKind, OAuthClient
from postroom.core.oauth.request import JWT_GRANT
from postroom.flows.clients import BadClient
from postroom.flows.sign_in import SignInFailed, Wanted
from postroom.flows.wishes import Wishes
from postroom.registrations import registrations
from postroom.settings import BadSettings, Settings
from tests.flows.signed_in import client_at, signed_in
from tests.rig.openid import CLIENT_ID, CLIENT_SECRET


def entered(world, **given):
    return OAuthClient("", **{"provider": "issuer", "client_id": CLIENT_ID, "created_at": world.now(), **given})


def pem():
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()


async def test_an_issuers_metadata_is_looked_up_when_its_client_is_entered(tmp_path, dovecot, postfix):
    async with signed_in(tmp_path, dovecot, postfix, engine=False) as signed:
        url = signed.provider.url
        made = await signed.house.clients.add(entered(signed.world, issuer=url, secret=CLIENT_SECRET))
        assert made.endpoints().token == f"{url}/token"
        assert made.endpoints().device == f"{url}/device"
        assert not made.endpoints().basic
        assert await signed.store.oauth_client(made.id) == made


@pytest.mark.parametrize(
    ("given", "field", "words"),
    [
        ({"provider": "nobody"}, "provider", "not known"),
        ({"provider": "google"}, "secret", "wants a client secret"),
        ({"issuer": ""}, "issuer", "missing"),
        ({"issuer": "ftp://x"}, "issuer", "https://"),
        ({"issuer": "http://127.0.0.1:1"}, "issuer", "no metadata"),
        ({"provider": "google", "kind": ClientKind.SERVICE_ACCOUNT, "secret": "x"}, "secret", "PEM"),
        ({"kind": ClientKind.SERVICE_ACCOUNT, "secret": "x"}, "kind", "Google"),
    ],
)
async def test_a_client_that_cannot_be_used_is_refused_with_the_mend(tmp_path, dovecot, postfix, given, field, words):
    async with signed_in(tmp_path, dovecot, postfix, engine=False) as signed:
        with pytest.raises(BadClient, match=words) as bad:
            await signed.house.clients.add(entered(signed.world, **given))
        assert bad.value.field == field


async def test_a_client_may_open_mailboxes_in_its_own_name(tmp_path, dovecot, postfix, user):
    async with signed_in(tmp_path, dovecot, postfix, person=user.address) as signed:
        mailbox = await signed.connect(user, Credential(AuthKind.CLIENT_CREDENTIALS, client=signed.client.id))
        assert mailbox.auth_kind is AuthKind.CLIENT_CREDENTIALS
        await signed.receives(user, mailbox, "Hello")
        signed.world.move(hours=2)
        await signed.house.tokens.ready(mailbox, Direction.SMTP)
        assert signed.provider.asked["client_credentials"] >= 2
        assert signed.provider.forms[-1]["scope"] == "openid email mail"


def test_microsofts_own_token_is_asked_of_the_mailboxs_directory():
    client = OAuthClient("oac_1", "microsoft", "app", None, tenant="contoso.com")
    assert client.endpoints("fabrikam.com").token.startswith("https://login.microsoftonline.com/fabrikam.com/")
    assert client.app_scopes == ("https://outlook.office365.com/.default",)


async def test_a_service_account_asks_for_the_mailbox_with_a_signed_assertion(tmp_path, dovecot, postfix, user):
    async with signed_in(tmp_path, dovecot, postfix, person=user.address, engine=False) as signed:
        endpoints = Endpoints("", f"{signed.provider.url}/token")
        account = replace(
            client_at(signed.world, signed.provider, pem()),
            provider="google",
            kind=ClientKind.SERVICE_ACCOUNT,
            client_id="mail@project.iam.gserviceaccount.com",
            key_id="k1",
            told_endpoints=endpoints,
            scopes=(),
        )
        await signed.store.add_oauth_client(account)
        signed.provider.always = ("200 OK", json.dumps({**signed.provider.give(user.address), "refresh_token": ""}))
        await signed.connect(user, Credential(AuthKind.SERVICE_ACCOUNT, client=account.id))
        form = signed.provider.forms[-1]
        assert form["grant_type"] == JWT_GRANT
        assert len(form["assertion"].split(".")) == 3


async def test_a_client_of_the_settings_is_entered_once_and_its_new_secret_takes_effect(tmp_path, dovecot, postfix):
    async with signed_in(tmp_path, dovecot, postfix, engine=False) as signed:
        given = {"plaintext_hosts": "", "oauth_issuer": signed.provider.url, "oauth_issuer_client_id": "another"}
        named = Settings(**given, oauth_issuer_client_secret="old", oauth_issuer_scopes="openid mail")
        for _ in range(2):
            await signed.house.clients.keep(registrations(named))
        entered = [one for one in await signed.store.oauth_clients() if one.client_id == "another"]
        assert [(one.secret, one.scopes, one.endpoints().token) for one in entered] == [
            ("old", ("openid", "mail"), f"{signed.provider.url}/token")
        ]
        changed = Settings(**given, oauth_issuer_client_secret="new")
        await signed.house.clients.keep(registrations(changed))
        (again,) = [one for one in await signed.store.oauth_clients() if one.client_id == "another"]
        assert (again.id, again.secret, again.scopes) == (entered[0].id, "new", ())


async def test_an_issuer_that_does_not_answer_at_start_is_looked_up_later(tmp_path, dovecot, postfix):
    async with signed_in(tmp_path, dovecot, postfix, engine=False) as signed:
        named = Settings(oauth_issuer=signed.provider.url, oauth_issuer_client_id="another")
        wanted = registrations(named)
        await signed.house.clients.keep([replace(wanted[0], issuer="http://127.0.0.1:1")])
        assert len(await signed.store.oauth_clients()) == 1
        signed.house.clients._wanted = list(wanted)  # the same issuer, which answers now
        await signed.house.clients.tick()
        assert [one.client_id for one in await signed.store.oauth_clients()] == [CLIENT_ID, "another"]


def test_the_settings_name_a_client_for_each_provider():
    google = {"oauth_google_client_id": "g", "oauth_google_client_secret": "s"}
    microsoft = {"oauth_microsoft_client_id": "m", "oauth_microsoft_client_secret": "s"}
    named = Settings(**google, **microsoft, oauth_microsoft_tenant="t", oauth_microsoft_secret_expires="2027-06-30")
    first, second = registrations(named)
    assert (first.provider, first.client_id, first.secret) == ("google", "g", "s")
    assert (second.tenant, str(second.secret_expires_at)) == ("t", "2027-06-30 00:00:00+00:00")
    assert registrations(named) == (first, second)  # the same in every process
    for half in ({"oauth_google_client_id": "g"}, {"oauth_issuer": "https://id.example.com"}):
        with pytest.raises(BadSettings, match="given together"):
            registrations(Settings(**half))


async def test_trouble_of_a_client_without_mailboxes_stands_in_its_status(tmp_path, dovecot, postfix, user):
    async with signed_in(tmp_path, dovecot, postfix, engine=False, person=user.address) as signed:
        imap, smtp = signed.endpoints(user)
        wanted = Wanted(user.address, client=signed.client.id, wishes=Wishes(imap=imap, smtp=smtp))
        signed.provider.client_secret = "another one, made at the provider"

        async def signs_in():
            begun = await signed.house.authorize.begin(wanted)
            back = parse_qs(urlsplit(signed.provider.visit(begun.url)).query)
            return await signed.house.authorize.finish(back["state"][0], code=back["code"][0])

        with pytest.raises(SignInFailed):
            await signs_in()
        client = await signed.store.oauth_client(signed.client.id)
        assert (client.trouble.code, client.trouble.matched) == ("server_misconfigured", "oauth.client")
        assert await signed.events("oauth_client.needs_attention") == []
        await signed.house.clients.change(replace(client, secret=signed.provider.client_secret))
        assert (await signed.store.oauth_client(signed.client.id)).trouble is None
        view = await signs_in()
        # With a mailbox it is told as well, once, whoever meets it.
        signed.provider.client_secret = "yet another"
        for _ in range(2):
            with pytest.raises(SignInFailed):
                await signs_in_again(signed, view.mailbox.id)
        (event,) = await signed.events("oauth_client.needs_attention")
        assert (event.mailbox_id, event.data["mailboxes"]) == (view.mailbox.id, 1)


async def signs_in_again(signed, mailbox_id):
    begun = await signed.house.authorize.begin(Wanted(mailbox_id=mailbox_id))
    back = parse_qs(urlsplit(signed.provider.visit(begun.url)).query)
    return await signed.house.authorize.finish(back["state"][0], code=back["code"][0])


async def test_the_end_of_a_secret_is_told_when_there_is_a_mailbox_that_it_concerns(tmp_path, dovecot, postfix, user):
    async with signed_in(tmp_path, dovecot, postfix, engine=False) as signed:
        ends = signed.world.now() + timedelta(days=5)
        await signed.store.update_oauth_client(replace(signed.client, secret_expires_at=ends))
        await signed.house.clients.tick()
        assert await signed.events("oauth_client.secret_ending") == []
        await signed.connect(user)
        await signed.house.clients.tick()
        assert len(await signed.events("oauth_client.secret_ending")) == 1


async def test_the_end_of_a_secret_is_told_once_ahead(tmp_path, dovecot, postfix, user):
    async with signed_in(tmp_path, dovecot, postfix, engine=False) as signed:
        await signed.connect(user)
        ends = signed.world.now() + timedelta(days=30)
        await signed.store.update_oauth_client(replace(signed.client, secret_expires_at=ends))
        await signed.house.clients.tick()
        assert await signed.events("oauth_client.secret_ending") == []
        signed.world.move(days=17)
        for _ in range(3):
            await signed.house.clients.tick()
        (event,) = await signed.events("oauth_client.secret_ending")
        assert (event.data["id"], event.data["mailboxes"]) == (signed.client.id, 1)


async def test_googles_seven_days_in_testing_are_told_two_days_ahead(tmp_path, dovecot, postfix, user):
    async with signed_in(tmp_path, dovecot, postfix, engine=False) as signed:
        signed.provider.refresh_expires_in = 7 * 24 * 3600
        mailbox = await signed.connect(user)
        await signed.house.clients.tick()
        assert await signed.events("mailbox.sign_in_ending") == []
        signed.world.move(days=5, hours=1)
        for _ in range(3):
            await signed.house.clients.tick()
        (event,) = await signed.events("mailbox.sign_in_ending")
        assert (event.data["id"], event.data["because"]) == (mailbox.id, "given_for_a_time")
