"""New mailboxes by OAuth on real servers: by a connect link, and from the terminal with a browser beside it."""

import asyncio
import html
import json
import re
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import httpx2
import pytest

from tests.rig.openid import CLIENT_ID, CLIENT_SECRET, OpenIdProvider
from tests.walks.letters import arrived, letter
from tests.walks.postroom import PROGRAM

pytestmark = pytest.mark.asyncio(loop_scope="session")


def public(postroom):
    """Where browsers reach it: by the port that it took."""
    return f"http://localhost:{urlsplit(postroom.url).port}"


@asynccontextmanager
async def provider_for(postroom, dovecot, user):
    """A provider with our client registered there and here."""
    async with OpenIdProvider(dovecot.issuer, person=user.address) as provider:
        provider.redirects = {f"{public(postroom)}/oauth/callback"}
        given = {"provider": "issuer", "issuer": provider.url, "client_id": CLIENT_ID, "secret": CLIENT_SECRET}
        client = await postroom.post("/oauth/clients", {**given, "scopes": ["openid", "email", "mail"]}, status=201)
        yield provider, client["id"]


def servers(dovecot, postfix):
    return {
        "imap_host": "localhost",
        "imap_port": str(dovecot.imap_port),
        "imap_security": "none",
        "smtp_host": "localhost",
        "smtp_port": str(postfix.submission_port),
        "smtp_security": "none",
    }


async def test_a_new_mailbox_is_connected_by_a_link_at_a_provider_of_ones_own(standing, dovecot, postfix, user):
    async with (
        provider_for(standing, dovecot, user) as (provider, client),
        httpx2.AsyncClient(timeout=60, trust_env=False) as browser,
    ):
        link = await standing.post("/connect-links", {"client": client, "reference": "crm-7"}, status=201)
        page = await browser.get(link["url"])
        form = re.search(r'name="form" value="([^"]+)"', page.text)[1]
        typed = {"form": form, "address": user.address, **servers(dovecot, postfix)}
        onward = await browser.post(link["url"], data={**typed, "do": "sign_in"})
        away = html.unescape(re.search(r'content="0; url=([^"]+)"', onward.text)[1])
        landed = await browser.get(provider.visit(away))
        assert f"{user.address} is connected" in landed.text
        assert (await browser.get(link["url"])).status_code == 410
    used = await standing.get(f"/connect-links/{link['id']}")
    mailbox = await standing.mailbox(used["mailbox_id"])
    assert (used["state"], mailbox["auth"]["kind"], mailbox["reference"]) == ("used", "oauth", "crm-7")
    await dovecot.deliver(user.name, letter("by-link"))
    await arrived(standing, mailbox, 1)
    sent = await standing.send(mailbox["id"])
    await standing.delivery_in(sent["id"], "sent", 60)


async def test_a_mailbox_is_added_from_the_terminal_with_a_browser_beside_it(standing, dovecot, postfix, user):
    async with provider_for(standing, dovecot, user) as (provider, client):
        where = servers(dovecot, postfix)
        ends = [f"--imap=localhost:{where['imap_port']}", f"--smtp=localhost:{where['smtp_port']}"]
        process = await asyncio.create_subprocess_exec(
            *(*PROGRAM, "mailbox", "add", user.address, "--oauth", "--client", client, *ends, "--json"),
            *("--imap-security=none", "--smtp-security=none", f"--alias=Sales <sales-{user.address}>"),
            env=standing.environment | {"POSTROOM_PUBLIC_URL": public(standing)},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        said = b""
        while b"/authorize?" not in said:
            line = await asyncio.wait_for(process.stderr.readline(), 60)
            assert line, said
            said += line
        away = re.search(rb"(http\S+/authorize\?\S+)", said)[1].decode()
        async with httpx2.AsyncClient(timeout=60, trust_env=False) as browser:
            landed = await browser.get(provider.visit(away))
            assert f"{user.address} is connected" in landed.text
        out, err = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0, err.decode()
    shown = json.loads(out)
    assert (shown["address"], shown["auth_kind"]) == (user.address, "oauth")
    assert [(one["address"], one["name"]) for one in shown["aliases"]] == [(f"sales-{user.address}", "Sales")]


async def test_where_no_server_runs_the_address_is_copied_from_the_browser(tmp_path, dovecot, postfix, user, standing):
    async with OpenIdProvider(dovecot.issuer, person=user.address) as provider:
        environment = standing.environment | {
            "POSTROOM_DATA": str(tmp_path),
            "POSTROOM_PORT": "8025",
            "POSTROOM_OAUTH_ISSUER": provider.url,
            "POSTROOM_OAUTH_ISSUER_CLIENT_ID": CLIENT_ID,
            "POSTROOM_OAUTH_ISSUER_CLIENT_SECRET": CLIENT_SECRET,
            "POSTROOM_OAUTH_ISSUER_SCOPES": "openid email mail",
        }
        where = servers(dovecot, postfix)
        ends = [f"--imap=localhost:{where['imap_port']}", f"--smtp=localhost:{where['smtp_port']}"]
        listing = await asyncio.create_subprocess_exec(
            *(*PROGRAM, "oauth", "list", "--json"), env=environment, stdout=asyncio.subprocess.PIPE
        )
        (client,) = json.loads((await listing.communicate())[0])["items"]
        process = await asyncio.create_subprocess_exec(
            *(*PROGRAM, "mailbox", "add", user.address, "--oauth", "--client", client["id"], *ends, "--json"),
            *("--imap-security=none", "--smtp-security=none"),
            env=environment,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        said = b""
        while b"Copy its whole address" not in said:
            line = await asyncio.wait_for(process.stderr.readline(), 60)
            assert line, said
            said += line
        back = provider.visit(re.search(rb"(http\S+/authorize\?\S+)", said)[1].decode())
        out, err = await asyncio.wait_for(process.communicate(f"{back}\n".encode()), 60)
    assert process.returncode == 0, err.decode()
    assert json.loads(out)["address"] == user.address
    for secret in (CLIENT_SECRET, *provider.access_tokens, *provider.refresh_tokens):
        assert secret.encode() not in out + err + said


async def test_where_the_port_is_not_known_nobody_is_told_a_wrong_address(standing):
    assert standing.environment["POSTROOM_PORT"] == "0"
    for command in (["oauth", "guide", "google"], ["mailbox", "link"]):
        assert "Set POSTROOM_PUBLIC_URL, or a port" in await standing.command(*command, code=2)
    told = await standing.command("oauth", "guide", "google", POSTROOM_PUBLIC_URL="https://desk.example.com")
    assert "https://desk.example.com/oauth/callback" in told
    guides = (await standing.get("/oauth/providers"))["items"]
    assert {one["redirect"] for one in guides} == {f"{public(standing)}/oauth/callback"}
