"""The command line beside a running server: mailboxes, deliveries, keys; what it prints, and its exit codes."""

import json
import re

import pytest

from tests.walks.outgoing import line, send_many, settled
from tests.walks.postroom import Postroom


@pytest.fixture
async def offices(tmp_path, dovecot):
    """Postroom with one mailbox that sends."""
    async with Postroom(tmp_path) as postroom, line(postroom, dovecot) as to:
        yield postroom, to


async def printed(postroom, *arguments, code=0):
    return json.loads(await postroom.command(*arguments, "--json", code=code))


async def test_what_the_server_knows_the_command_line_shows_and_changes(offices):
    postroom, to = offices
    address = to.user.address
    (listed,) = (await printed(postroom, "mailbox", "list"))["items"]
    assert (listed["id"], listed["address"]) == (to.id, address)
    assert (listed["receiving"]["state"], listed["sending"]["state"], listed["held"]) == ("connected", "connected", 0)
    for name in (to.id, address):
        assert (await printed(postroom, "mailbox", "show", name))["id"] == to.id
    assert to.user.password not in await postroom.command("mailbox", "show", address)
    assert address in await postroom.command("mailbox", "list", COLUMNS="200")

    (sent,) = await settled(postroom, await send_many(postroom, to.id, ["sent"]))
    await postroom.command("mailbox", "pause", address)
    kept, dropped = await send_many(postroom, to.id, ["kept", "dropped"])
    listed = await printed(postroom, "outbox", "list", "--mailbox", address)
    assert [(one["id"], one["state"]) for one in listed["items"]] == [
        (dropped["id"], "held"),
        (kept["id"], "held"),
        (sent["id"], "sent"),
    ]
    held = await printed(postroom, "outbox", "list", "--state", "held", "--limit", "1")
    assert [one["id"] for one in held["items"]] == [dropped["id"]]
    shown = await printed(postroom, "outbox", "show", sent["id"])
    assert shown["delivery"]["state"] == "sent"
    (attempt,) = shown["attempts"]
    assert attempt["outcome"] == "accepted by the server"
    text = await postroom.command("outbox", "show", sent["id"])
    assert sent["id"] in text
    assert "customer@elsewhere.test: accepted" in text

    assert "cancelled" in await postroom.command("outbox", "cancel", dropped["id"])
    refusal = await postroom.command("outbox", "cancel", sent["id"], code=1)
    assert re.search("sent.*cannot be cancelled", refusal)
    assert "cannot be sent again" in await postroom.command("outbox", "retry", sent["id"], code=1)
    await postroom.command("mailbox", "resume", address)
    await postroom.delivery_in(kept["id"], "sent")  # the server beside it noticed
    assert [one.message_id for one in to.sink.accepted] == [f"<{one['message_id']}>" for one in (sent, kept)]

    to.sink.answer("RCPT", "550 5.1.1 No such user", times=1)
    (failed,) = await settled(postroom, await send_many(postroom, to.id, ["again"]), state="failed")
    assert "queued" in await postroom.command("outbox", "retry", failed["id"])
    await postroom.delivery_in(failed["id"], "sent")

    report = await printed(postroom, "mailbox", "check", address)
    assert report["smtp"]["steps"]
    to.sink.answer("AUTH", "535 5.7.8 Authentication failed")
    report = await printed(postroom, "mailbox", "check", address, code=1)
    assert report["smtp"]["diagnosis"]["code"] == "smtp.invalid_credentials"
    to.sink.heal()
    # Only looked at: the next look clears it.
    await printed(postroom, "mailbox", "check", address)
    await postroom.mailbox_in(to.id, sending="connected")


async def test_what_is_not_there_is_said_in_a_sentence_with_exit_code_1_and_bad_usage_with_2(offices):
    postroom, _ = offices
    for arguments, words in (
        (("mailbox", "show", "nobody@rig.test"), "no mailbox nobody@rig.test is connected"),
        (("outbox", "show", "dlv_nothing"), "there is no delivery dlv_nothing"),
        (("outbox", "retry", "dlv_nothing"), "there is no delivery"),
        (("outbox", "cancel", "dlv_nothing"), "there is no delivery"),
        (("outbox", "list", "--mailbox", "nobody@rig.test"), "no mailbox nobody@rig.test"),
        (("key", "revoke", "key_nothing"), "there is no valid key"),
    ):
        said = await postroom.command(*arguments, code=1)
        assert words in said
        assert "Traceback" not in said
    for arguments in (("outbox", "list", "--state", "gone"), ("outbox", "show"), ("nonsense",), ("key", "create")):
        assert "Traceback" not in await postroom.command(*arguments, code=2)
    said = await postroom.command("mailbox", "list", code=1, POSTROOM_DATABASE="sqlite:////nowhere/at/all.db")
    assert "/nowhere/at/all.db" in said
    assert "Traceback" not in said


async def test_a_key_opens_the_interface_until_it_is_revoked(offices):
    postroom, _ = offices
    made = await printed(postroom, "key", "create", "crm")
    assert made["name"] == "crm"
    token = (await postroom.command("key", "create", "alone")).strip()
    assert re.fullmatch(r"pr_[\w-]+", token)

    async def answer(bearer):
        return (await postroom.api.get("/v1/mailboxes", headers={"Authorization": f"Bearer {bearer}"})).status_code

    assert (await answer(made["token"]), await answer(token), await answer(token + "x")) == (200, 200, 401)
    listed = await printed(postroom, "key", "list")
    assert [one["name"] for one in listed["items"]] == ["tests", "crm", "alone"]
    assert made["token"] not in json.dumps(listed)
    await postroom.command("key", "revoke", made["id"])
    assert await postroom.until(lambda: answer(made["token"]), lambda status: status == 401, 40) == 401
    assert await answer(token) == 200
    assert "no valid key" in await postroom.command("key", "revoke", made["id"], code=1)
    (revoked,) = [one for one in (await printed(postroom, "key", "list"))["items"] if one["id"] == made["id"]]
    assert revoked["revoked_at"]
