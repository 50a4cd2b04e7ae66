"""The IMAP client and real servers other than Dovecot: Cyrus and Courier, whose folders stand below INBOX."""

import asyncio
import imaplib
from datetime import UTC, datetime

import pytest

from postroom.core.diagnosis.evidence import Failure, Stage
from postroom.core.mailbox import Account, Credential, Direction, Endpoint, Security
from postroom.core.ports.wire import Idled
from postroom.wire.imap import Imap, Session
from postroom.wire.resolve import Guard
from tests.rig.courier import Courier
from tests.rig.cyrus import Cyrus
from tests.rig.dovecot import User

IMAP = Imap(Guard(allow_private=True), now=lambda: datetime.now(UTC), timeout=90, patience=90)
AT = datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC)
DATE = "Date: Tue, 03 Feb 2026 04:05:06 +0000\r\n"  # Cyrus adds one where there is none

Elsewhere = Cyrus | Courier


@pytest.fixture(scope="module", params=["cyrus", "courier"])
def server(request: pytest.FixtureRequest) -> Elsewhere:
    """Each of the two."""
    return request.getfixturevalue(request.param)


@pytest.fixture
def user(server: Elsewhere) -> User:
    """With an INBOX."""
    user = server.add_user()
    with other(server, user):
        return user


def other(server: Elsewhere, user: User) -> imaplib.IMAP4:
    """Another mail program, signed in."""
    client = imaplib.IMAP4(server.host, server.imap_port)
    client.login(user.name, user.password)
    return client


async def opened(server: Elsewhere, user: User, security: Security = Security.NONE, **changed: str) -> Session:
    endpoint = Endpoint(server.host, server.imap_port, security, user.name)
    credential = Credential(password=changed.get("password", user.password))
    return await IMAP.open(Account(Direction.IMAP, endpoint, credential, ca_certificate=server.ca_pem))


def letter(number: int, size: int = 300) -> bytes:
    head = f"Message-ID: <n{number}@rig.test>\r\nFrom: anna@rig.test\r\nSubject: Nr. {number}\r\n{DATE}\r\n".encode()
    return head + b"x" * (size - len(head) - 2) + b"\r\n"


@pytest.mark.parametrize("security", [Security.NONE, Security.STARTTLS])
async def test_signing_in(server: Elsewhere, user: User, security: Security) -> None:
    session = await opened(server, user, security)
    assert (await session.select("INBOX")).exists == 0
    assert {"IDLE", "UIDPLUS", "NAMESPACE"} <= session.capabilities
    await session.logout()


async def test_any_password_signs_in(server: Elsewhere) -> None:
    for password in ('quo"te\\d', "with space", "pässwörd 台北"):
        await (await opened(server, server.add_user(password=password))).logout()


async def test_a_wrong_password_is_evidence_without_the_password(server: Elsewhere, user: User) -> None:
    with pytest.raises(Failure) as caught:
        await opened(server, user, password="not the pass word")
    seen = caught.value.evidence
    assert (seen.stage, seen.status) == (Stage.AUTH, "NO")
    assert "not the pass word" not in f"{caught.value!r}{seen!r}"


async def test_messages_are_the_bytes_that_were_delivered(server: Elsewhere, user: User) -> None:
    for number in range(1, 31):
        await server.deliver(user.name, letter(number, 300 if number % 10 else 300_000))
    session = await opened(server, user)
    selected = await session.select("INBOX")
    sizes = await session.sizes(1)
    assert selected.exists == len(sizes) == 30
    assert selected.uid_next in (sizes[-1].uid + 1, None)  # Courier does not say
    assert list(await session.uids()) == [one.uid for one in sizes]
    fetched = [one async for one in session.fetch([one.uid for one in sizes])]
    assert [len(one.raw) for one in fetched] == [one.size for one in sizes]
    # LMTP adds its own lines before.
    assert sorted(one.raw[one.raw.index(b"Message-ID: <n") :] for one in fetched) == sorted(
        letter(number, 300 if number % 10 else 300_000) for number in range(1, 31)
    )
    assert all("\\Seen" not in one.flags and one.internal_date for one in fetched)
    await session.logout()


async def test_idle_tells_of_new_and_of_expunged_messages(server: Elsewhere, user: User) -> None:
    session = await opened(server, user)
    await session.select("INBOX")
    waiting = asyncio.create_task(session.idle(60))
    await server.deliver(user.name, letter(1))
    assert await waiting is Idled.NEWS
    (new,) = await session.sizes(1)
    waiting = asyncio.create_task(session.idle(60))
    with other(server, user) as program:
        program.select("INBOX")
        program.uid("STORE", str(new.uid), "+FLAGS", "(\\Deleted)")
        program.expunge()
    assert await waiting is Idled.NEWS  # of the flag, or of the expunge
    while await session.sizes_of(await session.uids()):
        await session.idle(60)
    assert [one async for one in session.fetch([new.uid])] == []
    await session.logout()


async def test_a_message_that_was_moved_is_gone_here_and_new_there(server: Elsewhere, user: User) -> None:
    await server.deliver(user.name, letter(1))
    await server.deliver(user.name, letter(2))
    with other(server, user) as program:
        program.create("INBOX.Returns")
        program.select("INBOX")
        if "MOVE" in program.capabilities:
            program._simple_command("MOVE", "1", "INBOX.Returns")
        else:  # as mail programs do without RFC 6851
            program.copy("1", "INBOX.Returns")
            program.store("1", "+FLAGS", "(\\Deleted)")
            program.expunge()
    session = await opened(server, user)
    await session.select("INBOX")
    (left,) = [one.raw async for one in session.fetch(list(await session.uids()))]
    await session.select("Returns")
    (moved,) = [one.raw async for one in session.fetch(list(await session.uids()))]
    assert b"<n1@" in moved
    assert b"<n2@" in left
    await session.logout()


@pytest.mark.parametrize(
    "name", ["Returns", "INBOX.Returns", "returns", "INBOX/Returns", "Rückgaben & Ähnliches", "台北", "Team/Returns"]
)
async def test_a_folder_is_found_by_the_name_that_people_write(server: Elsewhere, user: User, name: str) -> None:
    session = await opened(server, user)
    for folder in ("Returns", "Rückgaben & Ähnliches", "台北", "Team", "Team.Returns"):
        await session.create(folder)
    await session.append(name, letter(1), [], AT)
    selected = await session.select(name)
    assert (selected.folder, selected.exists) == (name, 1)
    assert await session.rights(name)
    assert await session.find(name, "n1@rig.test") == [1]
    await session.logout()
    again = await opened(server, user)
    assert (await again.select(name)).exists == 1
    await again.logout()


async def test_a_folder_that_is_nowhere_is_refused_in_the_servers_words(server: Elsewhere, user: User) -> None:
    session = await opened(server, user)
    with pytest.raises(Failure) as caught:
        await session.select("Nowhere")
    seen = caught.value.evidence
    assert (seen.stage, seen.status, seen.folder) == (Stage.SELECT, "NO", "Nowhere")
    assert "does not exist" in seen.raw


async def test_a_copy_of_what_was_sent_is_filed_below_inbox_and_found_again(server: Elsewhere, user: User) -> None:
    session = await opened(server, user)
    assert await session.sent_folder() is None
    await session.create("Sent")
    assert await session.find("Sent", "n1@rig.test") == []
    await session.append("Sent", letter(1, 200_000), ["\\Seen"], AT)
    (uid,) = await session.find("Sent", "n1@rig.test")
    (copy,) = [one async for one in session.fetch([uid])]
    assert (copy.raw, copy.internal_date, "\\Seen" in copy.flags) == (letter(1, 200_000), AT, True)
    await session.logout()
    again = await opened(server, user)
    sent = await again.sent_folder()
    assert sent == "INBOX.Sent"
    assert await again.find(sent, "n1@rig.test") == [uid]
    assert await again.remove(sent, "n1@rig.test")
    assert await again.find(sent, "n1@rig.test") == []
    await again.logout()


async def test_a_folder_made_anew_has_another_uidvalidity(server: Elsewhere, user: User) -> None:
    session = await opened(server, user)
    await session.create("Returns")
    before = await session.select("Returns")
    await session.logout()
    with other(server, user) as program:
        assert program.delete("INBOX.Returns")[0] == "OK"
        await asyncio.sleep(1.1)  # Courier's UIDVALIDITY is a second
        assert program.create("INBOX.Returns")[0] == "OK"
    again = await opened(server, user)
    assert (await again.select("Returns")).uid_validity != before.uid_validity
    await again.logout()


async def test_a_message_with_a_header_in_utf_8_comes_and_goes_as_it_is(server: Elsewhere, user: User) -> None:
    head = f"Message-ID: <n1@rig.test>\r\nFrom: Jürgen <jürgen@exämple.test>\r\nSubject: 台北\r\n{DATE}\r\n"
    raw = head.encode() + b"hi\r\n"
    await server.deliver(user.name, raw)
    session = await opened(server, user)
    await session.create("Gesendet 台北")
    await session.append("Gesendet 台北", raw, ["\\Seen"], AT)
    for folder in ("INBOX", "Gesendet 台北"):
        await session.select(folder)
        (found,) = [one.raw async for one in session.fetch(list(await session.uids()))]
        assert found.endswith(raw)
    await session.logout()
