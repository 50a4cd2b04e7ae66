"""The server goes away, the line is cut, a folder is not what it was: nothing is lost, nothing comes twice."""

import asyncio
import shutil

import pytest

from tests.rig.dovecot import Dovecot
from tests.rig.sink import Sink
from tests.walks.letters import arrived, letter, many, names, numbered
from tests.walks.postroom import settings_for

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def changed(standing, mailbox, what):
    return await standing.post(f"/mailboxes/{mailbox['id']}/{what}", status=200)


async def announced(standing, mailbox, messages):
    """The types of the mailbox's events from the beginning to the last of so many messages."""
    kinds = []
    query = {"after": 0, "mailbox_id": mailbox["id"]}
    async with asyncio.timeout(20), standing.api.stream("GET", "/v1/events", params=query) as stream:
        async for line in stream.aiter_lines():
            if line.startswith("event: "):
                kinds.append(line.removeprefix("event: "))
            if kinds.count("message.received") == messages:
                break
    return kinds


async def test_mail_of_an_outage_is_there_after_it_and_nobody_was_asked_to_do_anything(standing_on, certificates):
    async with Dovecot(certificates) as dovecot:
        user = dovecot.add_user()
        async with Sink(users={user.name: user.password}) as sink:
            mailbox = await standing_on.connect(settings_for(user, dovecot.imap_port, sink.port))
            dovecot.drop(user.name, letter("before"))
            await arrived(standing_on, mailbox, 1)
            await dovecot.stop()
            broken = await standing_on.mailbox_in(mailbox["id"], receiving="degraded")
            assert broken["receiving"]["diagnosis"]["code"] == "imap.server_connection"
            assert broken["receiving"]["next_probe_at"]
            assert broken["sending"]["state"] == "connected"
            for number in range(1, 4):
                dovecot.drop(user.name, letter(f"during-{number}"))
            await dovecot.start()
            mended = await standing_on.mailbox_in(mailbox["id"], receiving="connected", seconds=90)
            assert mended["receiving"]["diagnosis"] is None
            await arrived(standing_on, mailbox, 4)
            dovecot.drop(user.name, letter("zafter"))
            found = await arrived(standing_on, mailbox, 5)
            assert names(found) == ["before", *numbered("during", 3), "zafter"]
            kinds = await announced(standing_on, mailbox, 5)
            assert (await standing_on.api.delete(f"/v1/mailboxes/{mailbox['id']}")).status_code == 204
            assert set(kinds) == {"mailbox.connected", "message.received"}
            assert kinds.count("mailbox.connected") == 2  # one for each direction, when it was connected


async def test_a_server_that_refuses_connections_is_found_again(standing, dovecot, user, sink, proxy):
    front = await proxy(dovecot.imap_port)
    sink.users = {user.name: user.password}
    mailbox = await standing.connect(settings_for(user, front.port, sink.port))
    await front.refuse()
    await standing.mailbox_in(mailbox["id"], receiving="degraded")
    dovecot.drop(user.name, letter("meanwhile"))
    await front.heal()
    assert names(await arrived(standing, mailbox, 1)) == ["meanwhile"]


async def test_a_line_cut_within_a_fetch_brings_every_message_once(standing, dovecot, user, sink, proxy):
    front = await proxy(dovecot.imap_port)
    sink.users = {user.name: user.password}
    mailbox = await standing.connect(settings_for(user, front.port, sink.port))
    expected = []
    # Within the sign-in, the sizes, the first message, a later one, and just before the last is complete.
    for number, cut in enumerate((400, 1_500, 5_000, 90_000, 390_000)):
        await changed(standing, mailbox, "pause")
        await standing.until(_value(lambda: front.connections), lambda open_: open_ == 0)
        dovecot.fill(user.name, many(f"cut-{number}", 20, size=20_000))
        expected += numbered(f"cut-{number}", 20)
        front.cut_after(cut, "to_client")
        opened = front.opened
        await changed(standing, mailbox, "resume")
        found = await arrived(standing, mailbox, len(expected))
        assert names(found) == sorted(expected)
        assert front.opened >= opened + 2, f"the line was not cut after {cut} bytes"
        await standing.mailbox_in(mailbox["id"], receiving="connected")


async def test_a_line_cut_while_idling_misses_nothing(standing, dovecot, user, sink, proxy):
    front = await proxy(dovecot.imap_port)
    sink.users = {user.name: user.password}
    mailbox = await standing.connect(settings_for(user, front.port, sink.port))
    for number in range(1, 4):
        front.cut()
        dovecot.drop(user.name, letter(f"idle-{number}"))
        await arrived(standing, mailbox, number)
        await standing.mailbox_in(mailbox["id"], receiving="connected")
    assert names(await standing.messages(mailbox["id"])) == numbered("idle", 3)


async def test_a_changed_uidvalidity_brings_nothing_twice_and_loses_nothing(standing_on, settings, dovecot, user):
    dovecot.fill(user.name, many("old", 120))
    mailbox = await standing_on.connect(settings)
    await arrived(standing_on, mailbox, 120)
    await changed(standing_on, mailbox, "pause")
    before = await dovecot.doveadm("mailbox", "status", "-u", user.name, "uidvalidity", "INBOX")
    # As a restored backup does: the messages are there, their numbers are not.
    inbox = dovecot.maildir(user.name).folder()
    for index in inbox.glob("dovecot*"):
        index.unlink()
    await dovecot.doveadm("mailbox", "update", "-u", user.name, "--uid-validity", "1999999999", "INBOX")
    assert await dovecot.doveadm("mailbox", "status", "-u", user.name, "uidvalidity", "INBOX") != before
    dovecot.drop(user.name, letter("new"))
    await changed(standing_on, mailbox, "resume")
    found = await arrived(standing_on, mailbox, 121)
    assert names(found) == sorted([*numbered("old", 120), "new"])
    await dovecot.deliver(user.name, letter("newer"))
    found = await arrived(standing_on, mailbox, 122)
    assert names(found) == sorted([*numbered("old", 120), "new", "newer"])


async def test_a_folder_made_anew_while_it_is_watched_is_read_anew(standing, settings, dovecot, user):
    dovecot.fill(user.name, many("old", 5), "Returns")
    mailbox = await standing.connect(settings | {"folders": ["Returns"]})
    await arrived(standing, mailbox, 5)
    kept = dovecot.folder / "kept" / user.name
    shutil.copytree(dovecot.maildir(user.name).folder("Returns") / "cur", kept)
    await dovecot.doveadm("mailbox", "delete", "-u", user.name, "Returns")
    dovecot.fill(user.name, [*(file.read_bytes() for file in sorted(kept.iterdir())), letter("new")], "Returns")
    await dovecot.kick(user.name)
    await changed(standing, mailbox, "check")
    found = await arrived(standing, mailbox, 6, seconds=90)
    assert names(found) == sorted([*numbered("old", 5), "new"])


async def test_a_folder_that_is_removed_is_told_and_mends_when_it_is_back(standing, settings, dovecot, user):
    dovecot.fill(user.name, many("old", 2), "Returns")
    mailbox = await standing.connect(settings | {"folders": ["Returns"]})
    await arrived(standing, mailbox, 2)
    async with standing.events() as next_event:
        await dovecot.doveadm("mailbox", "delete", "-u", user.name, "Returns")
        broken = await standing.mailbox_in(mailbox["id"], receiving="needs_attention", seconds=90)
        event = await next_event("mailbox.needs_attention")
    assert event["data"]["direction"] == "receiving"
    diagnosis = broken["receiving"]["diagnosis"]
    assert diagnosis == event["data"]["diagnosis"]
    assert diagnosis["code"] == "imap.folder_error"
    assert "Returns" in diagnosis["reason"] + str(diagnosis["steps"])
    assert broken["sending"]["state"] == "connected"
    dovecot.fill(user.name, many("back", 2), "Returns")
    report = await changed(standing, mailbox, "check")
    assert report["ok"]
    await standing.mailbox_in(mailbox["id"], receiving="connected")
    assert names(await arrived(standing, mailbox, 4)) == sorted(numbered("old", 2) + numbered("back", 2))


async def test_a_paused_mailbox_is_left_alone_until_it_is_resumed(standing, dovecot, user, sink, proxy):
    front = await proxy(dovecot.imap_port)
    sink.users = {user.name: user.password}
    mailbox = await standing.connect(settings_for(user, front.port, sink.port))
    await standing.until(_value(lambda: front.connections), lambda open_: open_ == 1)
    paused = await changed(standing, mailbox, "pause")
    assert (paused["receiving"]["state"], paused["sending"]["state"]) == ("paused", "paused")
    await standing.until(_value(lambda: front.connections), lambda open_: open_ == 0)
    opened = front.opened
    dovecot.drop(user.name, letter("paused"))
    other = dovecot.add_user()  # whose mail shows that the engine has gone round meanwhile
    sink.users[other.name] = other.password
    dovecot.drop(other.name, letter("other"))
    await arrived(standing, await standing.connect(settings_for(other, dovecot.imap_port, sink.port)), 1)
    assert await standing.messages(mailbox["id"]) == []
    assert front.opened == opened
    await changed(standing, mailbox, "resume")
    assert names(await arrived(standing, mailbox, 1)) == ["paused"]
    await standing.mailbox_in(mailbox["id"], receiving="connected", sending="connected")


async def test_a_removed_mailbox_is_watched_no_more_and_leaves_nothing(standing, dovecot, user, sink, proxy):
    front = await proxy(dovecot.imap_port)
    sink.users = {user.name: user.password}
    dovecot.fill(user.name, many("old", 2))
    mailbox = await standing.connect(settings_for(user, front.port, sink.port))
    messages = await arrived(standing, mailbox, 2)
    assert (await standing.api.delete(f"/v1/mailboxes/{mailbox['id']}")).status_code == 204
    for path in (f"/mailboxes/{mailbox['id']}", f"/messages/{messages[0]['id']}"):
        assert (await standing.api.get(f"/v1{path}")).status_code == 404
    await standing.until(_value(lambda: front.connections), lambda open_: open_ == 0)
    # The same address may be connected again, and is read from its beginning.
    again = await standing.connect(settings_for(user, front.port, sink.port))
    assert again["id"] != mailbox["id"]
    assert names(await arrived(standing, again, 2)) == numbered("old", 2)


async def test_a_mailbox_removed_in_the_middle_of_its_first_reading_stops(standing, dovecot, user, sink, proxy):
    front = await proxy(dovecot.imap_port)
    sink.users = {user.name: user.password}
    dovecot.fill(user.name, many("old", 300, size=20_000))
    mailbox = await standing.connect(settings_for(user, front.port, sink.port))
    await standing.until(lambda: standing.mailbox(mailbox["id"]), lambda one: one["sync"] != [])
    assert (await standing.api.delete(f"/v1/mailboxes/{mailbox['id']}")).status_code == 204
    await standing.until(_value(lambda: front.connections), lambda open_: open_ == 0)
    assert '"level": "error"' not in standing.log.read_text()


def _value(look):
    async def looked():
        return look()

    return looked
