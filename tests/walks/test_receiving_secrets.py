"""What a run leaves behind: no password, no key and no text of a message where they do not belong."""

from base64 import b64encode

from tests.rig.clients import until
from tests.walks.letters import arrived, letter
from tests.walks.postroom import Postroom

TEXT = "The-text-of-this-message-is-nobody-elses-business"


async def test_logs_and_database_hold_no_secrets(tmp_path, settings, dovecot, user):
    postroom = Postroom(tmp_path)
    await postroom.start()
    spoken = await _life_of_a_mailbox(postroom, settings, dovecot, user)
    await postroom.stop()
    spoken += (await postroom.process.stdout.read()).decode()
    log = postroom.log.read_text() + spoken
    assert "mailbox" in log  # the log was written, at the most talkative level
    secrets = {
        "the password": user.password,
        "the wrong password": "a-wrong-password",
        "the password as it is sent": b64encode(f"\0{user.name}\0{user.password}".encode()).decode(),
        "the API key": postroom.key,
        "the text of a message": TEXT,
        "the subject of a message": "A-subject-of-nobody-else",
    }
    for what, secret in secrets.items():
        assert secret not in log, f"{what} is in the log"
    files = [file for file in (tmp_path / "data").iterdir() if file.name.startswith("postroom.db")]
    assert files
    database = b"".join(file.read_bytes() for file in files)
    assert TEXT.encode() in database  # the mail is kept there
    for what in ("the password", "the wrong password", "the password as it is sent", "the API key"):
        assert secrets[what].encode() not in database, f"{what} is in the database"
    for file in (tmp_path / "data").iterdir():
        assert file.stat().st_mode & 0o077 == 0 or file.name != "secret.key"


async def _life_of_a_mailbox(postroom, settings, dovecot, user):
    """Connect, receive, break, fail to mend, mend, send: whatever may tempt somebody to log too much."""
    wrong = {"kind": "password", "password": "a-wrong-password"}
    await postroom.connect(settings | {"auth": wrong}, status=422)
    mailbox = await postroom.connect(settings)
    await dovecot.deliver(user.name, letter("one", TEXT, subject="A-subject-of-nobody-else"))
    dovecot.drop(user.name, b"\x01\x02" * 500 + TEXT.encode() + b"\x03" * 500)
    await arrived(postroom, mailbox, 2)
    await postroom.send(mailbox["id"], text=TEXT, subject="A-subject-of-nobody-else")
    dovecot.set_password(user.name, "another")
    await dovecot.kick(user.name)
    await postroom.mailbox_in(mailbox["id"], receiving="needs_reauth")
    await postroom.post(f"/mailboxes/{mailbox['id']}/reauthenticate", {"auth": wrong}, status=422)
    dovecot.set_password(user.name, user.password)
    await postroom.post(
        f"/mailboxes/{mailbox['id']}/reauthenticate",
        {"auth": {"kind": "password", "password": user.password}},
        status=200,
    )
    await postroom.mailbox_in(mailbox["id"], receiving="connected")
    await postroom.post(f"/mailboxes/{mailbox['id']}/check", status=200)
    await until(lambda: "health" in postroom.log.read_text())
    return await postroom.command("mailbox", "list", "--json")
