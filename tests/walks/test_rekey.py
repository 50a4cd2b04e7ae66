"""`postroom db rekey` and `db key-lost` as an operator runs them, killed on the way."""

import asyncio
import json
import os
import sys

from postroom.core.mailbox import Credential
from postroom.store import open_store
from tests.flows.house import running, until
from tests.store.make import World, add_mailbox

MANY = 300


async def postroom(folder, *arguments, code=0, kill=None, **environment):
    """Runs a command on the data in `folder`; `kill` is awaited beside it, and then it is killed."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("POSTROOM_")}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "postroom",
        *arguments,
        env=clean | {"POSTROOM_DATA": str(folder)} | environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    if kill is not None:
        await kill
        process.kill()
    out, err = await asyncio.wait_for(process.communicate(), 90)
    assert kill is not None or process.returncode == code, (out.decode(), err.decode())
    return out.decode(), err.decode()


def keys(folder):
    return [bytes.fromhex(line) for line in (folder / "secret.key").read_text().split()]


def url(folder):
    return f"sqlite:///{folder / 'postroom.db'}"


async def filled(folder, database=""):
    folder.mkdir()
    (folder / "secret.key").touch(mode=0o600)
    (folder / "secret.key").write_text("ab" * 32 + "\n")
    world = World()
    store = await open_store(database or url(folder), secret_key=keys(folder)[0], world=world)
    made = [await add_mailbox(store, world, f"{number}@example.org") for number in range(MANY)]
    await asyncio.gather(*(store.set_credential(one.id, Credential(password=one.address)) for one in made))
    await store.close()
    return made


async def all_open(folder, made, database=""):
    first, *earlier = keys(folder)
    store = await open_store(database or url(folder), secret_key=first, earlier_keys=earlier, world=World())
    for one in made:
        assert (await store.credential(one.id)).password == one.address
    await store.close()


async def test_a_change_of_the_key_that_is_killed_loses_nothing_and_is_gone_on_with(tmp_path, database_url):
    folder = tmp_path / "data"
    made = await filled(folder, database_url)
    on = {"POSTROOM_DATABASE": database_url}
    (old,) = keys(folder)

    async def begun():
        return len(keys(folder)) == 2

    await postroom(folder, "db", "rekey", kill=until(begun, bool, 60), **on)
    assert keys(folder)[1] == old
    await all_open(folder, made, database_url)
    out, _ = await postroom(folder, "db", "rekey", "--json", **on)
    assert json.loads(out)["unreadable"] == []
    (new,) = keys(folder)
    assert new != old
    assert (folder / "secret.key").stat().st_mode & 0o077 == 0
    await all_open(folder, made, database_url)


async def test_the_key_in_the_environment_is_changed_with_the_earlier_beside_it(tmp_path):
    folder = tmp_path / "data"
    await filled(folder)
    (folder / "secret.key").unlink()
    old, new = {"POSTROOM_SECRET_KEY": "ab" * 32}, {"POSTROOM_SECRET_KEY": "cd" * 32}
    _, err = await postroom(folder, "db", "rekey", code=2, **old)
    assert "POSTROOM_SECRET_KEY_OLD" in err
    out, _ = await postroom(folder, "db", "rekey", **new, POSTROOM_SECRET_KEY_OLD="ab" * 32)
    assert f"{MANY} secrets are sealed" in out
    assert "Unset POSTROOM_SECRET_KEY_OLD" in out
    await postroom(folder, "mailbox", "list", **new)
    _, err = await postroom(folder, "mailbox", "list", code=1, **old)
    assert "key-lost" in err


async def test_the_key_is_not_changed_under_a_process_that_works(tmp_path):
    async with running(tmp_path) as house:
        await house.connect()
        folder = tmp_path / "data"
        held = keys(folder)
        _, err = await postroom(folder, "db", "rekey", code=1)
        assert "stop them first" in err
        assert keys(folder) == held


async def test_without_the_key_postroom_says_who_must_sign_in_and_starts_again(tmp_path):
    async with running(tmp_path) as house:
        mailbox = await house.connect()
    folder = tmp_path / "data"
    (folder / "secret.key").unlink()
    _, err = await postroom(folder, "mailbox", "list", code=1)
    assert "postroom db key-lost" in err
    out, _ = await postroom(folder, "db", "key-lost", code=1)
    assert "postroom mailbox reauthenticate team@shop.test" in out
    assert "Nothing was changed." in out
    await postroom(folder, "mailbox", "list", code=1)
    out, _ = await postroom(folder, "db", "key-lost", "--yes")
    assert "Postroom can be started." in out
    shown = json.loads((await postroom(folder, "mailbox", "show", "team@shop.test", "--json"))[0])
    for direction in ("receiving", "sending"):
        assert shown[direction]["state"] == "needs_reauth"
        assert "the key that kept it was lost" in shown[direction]["diagnosis"]["reason"]
    async with running(tmp_path) as house:
        house.simulator.create_account("team@shop.test", "correct horse")
        waiting = await house.send(mailbox)
        assert waiting.state == "held"
        assert len(await house.events("mailbox.needs_reauth")) == 2
