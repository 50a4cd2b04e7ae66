"""The connect page as people use it: Chromium, with and without JavaScript, before real servers."""

import asyncio
import contextlib

import pytest

from tests.rig.chromium import Chromium
from tests.rig.openid import CLIENT_ID, CLIENT_SECRET, OpenIdProvider
from tests.rig.ports import free_port
from tests.walks.letters import arrived, letter
from tests.walks.postroom import Postroom


@contextlib.asynccontextmanager
async def reachable(folder):
    """Postroom at an address that is known before it starts, as sign-ins need it."""
    port = free_port()
    async with Postroom(folder, port=port, confirm_seconds=0.2) as postroom:
        yield postroom


async def fill_in(browser, user, dovecot, postfix, password):
    await browser.fill("password", password)
    if "Server" not in await browser.text():
        await browser.click("Other settings")
        await browser.shows("Receiving (IMAP)")
    for kind, port in (("imap", dovecot.imap_port), ("smtp", postfix.submission_port)):
        await browser.fill(f"{kind}_host", "localhost")
        await browser.fill(f"{kind}_port", str(port))
        await browser.choose(f"{kind}_security", "none")


def secrets_of(postroom, *secrets):
    """Which of them stand in the log."""
    words = postroom.log.read_text()
    return [one for one in secrets if one in words]


@pytest.mark.parametrize("javascript", [True, False])
async def test_a_person_connects_a_mailbox_after_a_wrong_password(tmp_path, dovecot, postfix, user, javascript):
    async with reachable(tmp_path) as postroom, Chromium(javascript=javascript) as browser:
        back = f"{postroom.url.replace('127.0.0.1', 'localhost')}/healthz"
        asked = {"address": user.address, "brand": "Example Desk", "return_url": back, "return_state": "s-1"}
        link = await postroom.post("/connect-links", asked, status=201)
        await browser.open(link["url"])
        await browser.shows("Example Desk")
        await browser.click("Continue")
        await browser.shows(f"Connect {user.address}")
        await fill_in(browser, user, dovecot, postfix, "not the password")
        await browser.click("Connect")
        seen = await browser.shows("Not connected")
        assert "Incorrect credentials" in seen
        assert "What to do" in seen
        assert await browser.value("imap_host") == "localhost"
        assert await browser.value("imap_port") == str(dovecot.imap_port)
        assert await browser.value("password") == ""
        assert "not the password" not in await browser.html()
        await browser.fill("password", user.password)
        await browser.click("Connect")
        seen = await browser.shows(f"{user.address} is connected")
        assert "Receiving: signing in" in seen
        assert user.password not in await browser.html()
        await browser.click("Go on to Example Desk")
        await browser.shows('"status":"ok"')
        (mailbox,) = await postroom.everything("/mailboxes")
        assert await browser.url() == f"{back}?status=connected&mailbox_id={mailbox['id']}&state=s-1"
        await dovecot.deliver(user.name, letter("after"))
        await arrived(postroom, mailbox, 1)
        await browser.open(link["url"])
        await browser.shows("This link was used")
        token = link["url"].rpartition("/")[2]
        assert secrets_of(postroom, user.password, "not the password", token, token.partition(".")[2]) == []


async def test_a_broken_mailbox_is_mended_by_a_link_and_what_was_held_goes_out(tmp_path, dovecot, postfix, user):
    async with reachable(tmp_path) as postroom, Chromium(width=390, height=800) as browser:
        mailbox = await postroom.connect(_settings(dovecot, postfix, user))
        await dovecot.deliver(user.name, letter("before"))
        await arrived(postroom, mailbox, 1)
        dovecot.set_password(user.name, "a newer password")
        await dovecot.kick(user.name)
        accepted = await postroom.send(mailbox["id"])
        await postroom.mailbox_in(mailbox["id"], receiving="needs_reauth", sending="needs_reauth")
        delivery = accepted["delivery"]["id"] if "delivery" in accepted else accepted["id"]
        await postroom.delivery_in(delivery, "held")
        needed = await postroom.post(f"/mailboxes/{mailbox['id']}/reauthenticate", {}, status=202)
        await browser.open(needed["link"]["url"])
        await browser.shows(f"Sign in again to {user.address}")
        assert await browser.wide() == 0
        await browser.fill("password", "a newer password")
        await browser.click("Sign in again")
        await browser.shows(f"{user.address} is connected")
        await postroom.delivery_in(delivery, "sent")
        await dovecot.deliver(user.name, letter("after"))
        await arrived(postroom, mailbox, 2)


async def test_a_dead_sign_in_is_mended_at_the_provider_and_another_account_is_refused(
    tmp_path, dovecot, postfix, user
):
    async with (
        reachable(tmp_path) as postroom,
        OpenIdProvider(dovecot.issuer, person=user.address) as provider,
        Chromium() as browser,
    ):
        provider.redirects.add(f"http://localhost:{postroom.url.rpartition(':')[2]}/oauth/callback")
        new = {"provider": "issuer", "issuer": provider.url, "client_id": CLIENT_ID, "secret": CLIENT_SECRET}
        client = await postroom.post("/oauth/clients", {**new, "name": "Rig ID", "scopes": ["openid", "email", "mail"]})
        token = provider.give(user.address)["refresh_token"]
        auth = {"kind": "oauth", "client": client["id"], "refresh_token": token}
        mailbox = await postroom.connect(_settings(dovecot, postfix, user) | {"auth": auth})
        await dovecot.deliver(user.name, letter("before"))
        await arrived(postroom, mailbox, 1)
        link = await postroom.post("/connect-links", {"mailbox_id": mailbox["id"]}, status=201)
        provider.person = "boss@rig.test"
        await browser.open(link["url"])
        await browser.shows("Sign in with Rig ID")
        await browser.click("Sign in with Rig ID")
        seen = await browser.shows("You signed in with another account")
        assert "boss@rig.test" in seen
        provider.declines = {"error": "access_denied"}
        await browser.click("Sign in again")
        await browser.shows("You did not allow the access")
        provider.declines, provider.person = None, user.address
        await browser.click("Sign in again")
        await browser.shows(f"{user.address} is connected")
        used = await postroom.get(f"/connect-links/{link['id']}")
        assert (used["state"], used["mailbox_id"]) == ("used", mailbox["id"])
        await dovecot.deliver(user.name, letter("after"))
        await arrived(postroom, mailbox, 2)


async def test_two_windows_with_one_link_connect_one_mailbox(tmp_path, dovecot, postfix):
    users = [dovecot.add_user() for _ in range(2)]
    async with reachable(tmp_path) as postroom:
        link = await postroom.post("/connect-links", {}, status=201)

        async def connect(user):
            async with Chromium() as browser:
                await browser.open(link["url"])
                await browser.fill("address", user.address)
                await browser.click("Continue")
                await browser.shows("Password")
                await fill_in(browser, user, dovecot, postfix, user.password)
                await browser.click("Connect")
                seen = await browser.settled("is connected", "A try is under way", "This link was used")
                return f"{user.address} is connected" in seen

        assert sorted(await asyncio.gather(*(connect(one) for one in users))) == [False, True]
        assert len(await postroom.everything("/mailboxes")) == 1


def _settings(dovecot, postfix, user):
    return {
        "address": user.address,
        "imap": {"host": "localhost", "port": dovecot.imap_port, "security": "none"},
        "smtp": {"host": "localhost", "port": postfix.submission_port, "security": "none"},
        "auth": {"kind": "password", "password": user.password},
    }
