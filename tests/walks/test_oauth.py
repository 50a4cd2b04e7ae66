"""Signing in with OAuth as people do it: through the API and the command line, at real servers and a local provider."""

import asyncio
import json
from urllib.parse import urlsplit

import httpx2
import pytest

from tests.rig.openid import CLIENT_ID, CLIENT_SECRET, OpenIdProvider
from tests.walks.postroom import Postroom

PUBLIC = "https://postroom.example.test"


def mail(user, subject):
    return f"From: c@example.test\r\nTo: {user.address}\r\nSubject: {subject}\r\n\r\nHello.\r\n".encode()


def servers(dovecot, postfix, user):
    ends = {"host": dovecot.host, "security": "none", "username": user.address}
    return {"imap": {**ends, "port": dovecot.imap_port}, "smtp": {**ends, "port": postfix.submission_port}}


@pytest.fixture
async def provider(dovecot, user):
    async with OpenIdProvider(dovecot.issuer, person=user.address) as running:
        running.redirects = {f"{PUBLIC}/oauth/callback"}
        yield running


async def enter_client(postroom, provider):
    given = {"provider": "issuer", "issuer": provider.url, "client_id": CLIENT_ID, "secret": CLIENT_SECRET}
    return await postroom.post("/oauth/clients", {**given, "scopes": ["openid", "email", "mail"]}, status=201)


async def browse(postroom, provider, url):
    """The person's browser: consents at the provider and comes back; the page that it ends on."""
    back = urlsplit(provider.visit(url))
    assert f"{back.scheme}://{back.netloc}{back.path}" == f"{PUBLIC}/oauth/callback"
    async with httpx2.AsyncClient(timeout=60, trust_env=False) as browser:
        return await browser.get(f"{postroom.url}{back.path}?{back.query}")


async def test_the_whole_round_of_a_mailbox_that_signs_in_with_oauth(tmp_path, dovecot, postfix, user, provider):
    async with Postroom(tmp_path, public_url=PUBLIC) as postroom:
        client = await enter_client(postroom, provider)
        wanted = {"address": user.address, "client": client["id"], **servers(dovecot, postfix, user)}
        begun = await postroom.post("/oauth/authorizations", wanted, status=201)
        page = await browse(postroom, provider, begun["url"])
        assert (page.status_code, f"{user.address} is connected" in page.text) == (200, True)
        looked = await postroom.get(f"/oauth/authorizations/{begun['id']}")
        assert looked["progress"] == "connected"
        mailbox_id = looked["mailbox_id"]
        await dovecot.deliver(user.name, mail(user, "Before"))
        await postroom.until(lambda: postroom.messages(mailbox_id), lambda seen: len(seen) == 1)

        # Somebody else signs in: refused, and nothing is changed.
        provider.person = "boss@rig.test"
        again = await postroom.post("/oauth/authorizations", {"mailbox_id": mailbox_id}, status=201)
        page = await browse(postroom, provider, again["url"])
        assert page.status_code == 400
        assert f"You signed in as boss@rig.test, this mailbox is {user.address}" in page.text

        # The grant is gone: held, one link, and out it goes.
        provider.revoke()
        provider.person = user.address
        dead = {"kind": "oauth", "client": client["id"], "refresh_token": "revoked"}
        await postroom.post(f"/mailboxes/{mailbox_id}/reauthenticate", {"auth": dead}, status=422)
        await dovecot.kick(user.name)
        begun = await postroom.post("/oauth/authorizations", {"mailbox_id": mailbox_id}, status=201)
        page = await browse(postroom, provider, begun["url"])
        assert page.status_code == 200, page.text
        sent = await postroom.send(mailbox_id)
        await postroom.until(
            lambda: postroom.get(f"/deliveries/{sent['id']}"), lambda seen: seen["state"] == "sent", 30
        )
        await dovecot.deliver(user.name, mail(user, "After"))
        await postroom.until(lambda: postroom.messages(mailbox_id), lambda seen: len(seen) == 2)

    written = b"".join(one.read_bytes() for one in tmp_path.rglob("*") if one.is_file())
    for secret in (CLIENT_SECRET, *provider.access_tokens, *provider.refresh_tokens):
        assert secret.encode() not in written


async def test_a_mailbox_is_added_with_a_device_code_from_the_terminal(tmp_path, dovecot, postfix, user, provider):
    async with Postroom(tmp_path, public_url=PUBLIC) as postroom:
        client = await enter_client(postroom, provider)

        async def person():
            await provider.device_asked.wait()
            provider.consent_to_devices()

        where = servers(dovecot, postfix, user)
        ends = []
        for one in ("imap", "smtp"):
            ends += [f"--{one}", f"{where[one]['host']}:{where[one]['port']}", f"--{one}-security", "none"]
        entering = asyncio.create_task(person())
        printed = await postroom.command(
            "mailbox", "add", user.address, "--device", "--client", client["id"], *ends, "--json"
        )
        await entering
        shown = json.loads(printed)
        assert (shown["address"], shown["auth_kind"]) == (user.address, "oauth")
        listed = json.loads(await postroom.command("oauth", "list", "--json"))["items"]
        assert [(one["id"], one["mailboxes"]) for one in listed] == [(client["id"], 1)]
        assert CLIENT_SECRET not in json.dumps(listed)
        guide = await postroom.command("oauth", "guide", "google")
        assert f"{PUBLIC}/oauth/callback" in guide
