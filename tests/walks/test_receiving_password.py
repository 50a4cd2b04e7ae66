"""The password is changed at the server: tried twice, then left alone until somebody signs in again."""

import re

import pytest
import pytest_asyncio

from tests.rig.clients import until
from tests.walks.letters import arrived, letter, names
from tests.walks.postroom import Postroom, settings_for

pytestmark = pytest.mark.asyncio(loop_scope="module")

REFUSED = "Incorrect credentials; Please connect your mailbox again with the right credentials and try again"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def postroom(tmp_path_factory):
    """One that takes its time before it confirms a refusal, so that a test can come between."""
    async with Postroom(tmp_path_factory.mktemp("postroom"), confirm_seconds=2) as running:
        yield running


def log_ins(dovecot, user):
    """Log-ins of this user over IMAP that Dovecot's log has: how many it took, how many it refused."""
    lines = [line for line in dovecot.log.read_text().splitlines() if f"user=<{user.name}>" in line]
    taken = sum("imap-login: Info: Login:" in line for line in lines)
    refused = sum(int(found[1]) for line in lines if (found := re.search(r"auth failed, (\d+) attempts", line)))
    return taken, refused


async def reauthenticate(postroom, mailbox, password, status):
    auth = {"kind": "password", "password": password}
    return await postroom.post(f"/mailboxes/{mailbox['id']}/reauthenticate", {"auth": auth}, status=status)


async def test_a_changed_password_is_tried_twice_and_never_again_until_a_person_signs_in(
    postroom, dovecot, postfix, user, certificates, proxy
):
    front = await proxy(dovecot.imap_port)
    body = settings_for(user, front.port, postfix.smtps_port, ca_pem=certificates.ca_pem)
    body["smtp"]["security"] = "tls"
    mailbox = await postroom.connect(body)
    await dovecot.deliver(user.name, letter("before"))
    await arrived(postroom, mailbox, 1)
    assert log_ins(dovecot, user) == (2, 0)  # the try when it was connected, and the watch

    async with postroom.events() as next_event:
        dovecot.set_password(user.name, "another password")
        await dovecot.kick(user.name)
        dovecot.drop(user.name, letter("between-1"))
        broken = await postroom.mailbox_in(mailbox["id"], receiving="needs_reauth")
        event = await next_event("mailbox.needs_reauth")
    assert event["data"]["id"] == mailbox["id"]
    diagnosis = broken["receiving"]["diagnosis"]
    assert event["data"]["diagnosis"] == diagnosis
    assert (diagnosis["code"], diagnosis["message"]) == ("imap.invalid_credentials", REFUSED)
    assert broken["receiving"]["next_probe_at"] is None
    await until(lambda: log_ins(dovecot, user)[1] >= 2)

    wrong = await reauthenticate(postroom, mailbox, "not that one either", 422)
    assert wrong["diagnosis"]["code"] == "imap.invalid_credentials"
    assert (await postroom.mailbox(mailbox["id"]))["receiving"]["state"] == "needs_reauth"
    # Postroom is started again, its engine goes round, mail of others comes in: still nobody tries.
    await postroom.stop()
    await postroom.start()
    other = dovecot.add_user()
    another = body | {"address": other.address, "auth": {"kind": "password", "password": other.password}}
    another["imap"] = body["imap"] | {"username": other.name, "port": dovecot.imap_port}
    another["smtp"] = body["smtp"] | {"username": other.name}
    dovecot.drop(other.name, letter("other"))
    await arrived(postroom, await postroom.connect(another), 1)
    await until(lambda: log_ins(dovecot, user)[1] >= 3)
    assert log_ins(dovecot, user) == (2, 3), "two tries by Postroom itself, one by the person with a wrong password"
    opened = front.opened

    dovecot.drop(user.name, letter("between-2"))
    mended = await reauthenticate(postroom, mailbox, "another password", 200)
    assert mended["receiving"]["state"] in ("connecting", "connected")
    await postroom.mailbox_in(mailbox["id"], receiving="connected", sending="connected")
    assert names(await arrived(postroom, mailbox, 3)) == ["before", "between-1", "between-2"]
    assert front.opened == opened + 2
    assert log_ins(dovecot, user) == (4, 3)


async def test_a_password_that_works_again_at_the_second_try_bothers_nobody(postroom, settings, dovecot, user):
    mailbox = await postroom.connect(settings)
    async with postroom.events() as next_event:
        await until(lambda: log_ins(dovecot, user)[0] == 2)
        dovecot.set_password(user.name, "for a moment only")
        await dovecot.kick(user.name)
        await until(lambda: log_ins(dovecot, user)[1] == 1)
        dovecot.set_password(user.name, user.password)
        await postroom.mailbox_in(mailbox["id"], receiving="connected")
        dovecot.drop(user.name, letter("after"))
        event = await next_event("message.received")
    assert event["data"]["message_id"] == "after@customer.test"
    assert log_ins(dovecot, user) == (3, 1)
