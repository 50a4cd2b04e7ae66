"""The IMAP client and a real Dovecot: everything a session can do, compared with the standard library's imaplib."""

import asyncio
import imaplib
import re
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import pytest

from postroom.core.diagnosis.evidence import Failure, Stage
from postroom.core.mailbox import Account, Credential, Direction, Endpoint, Security
from postroom.core.ports.wire import Idled, Step
from postroom.wire.imap import Imap, Session
from postroom.wire.resolve import Guard
from tests.rig.certificates import Certificates
from tests.rig.dovecot import Dovecot, User
from tests.rig.maildir import letters
from tests.rig.proxy import Proxy

IMAP = Imap(Guard(allow_private=True), now=lambda: datetime.now(UTC))


def account_of(
    dovecot: Dovecot, user: User, security: Security = Security.NONE, port: int | None = None, **changed: str
) -> Account:
    usual = dovecot.imaps_port if security is Security.TLS else dovecot.imap_port
    return Account(
        Direction.IMAP,
        Endpoint(dovecot.host, port or usual, security, user.name),
        Credential(password=changed.get("password", user.password)),
        ca_certificate=changed.get("ca", dovecot.ca_pem),
    )


async def opened(dovecot: Dovecot, user: User, security: Security = Security.NONE) -> Session:
    return await IMAP.open(account_of(dovecot, user, security))


def told_by_imaplib(dovecot: Dovecot, user: User) -> dict[int, tuple[bytes, str, frozenset[str]]]:
    """UID -> raw message, INTERNALDATE, flags, as another client sees them."""
    with imaplib.IMAP4(dovecot.host, dovecot.imap_port) as other:
        other.login(user.name, user.password)
        other.select("INBOX", readonly=True)
        _, answer = other.uid("FETCH", "1:*", "(UID FLAGS INTERNALDATE BODY.PEEK[])")
        told = {}
        for head, raw in (part for part in answer if isinstance(part, tuple)):
            uid, flags = re.search(rb"UID (\d+)", head), re.search(rb"FLAGS \(([^)]*)\)", head)
            date = re.search(rb'INTERNALDATE "([^"]+)"', head)
            told[int(uid[1])] = (raw, date[1].decode(), frozenset(flags[1].decode().split()))
        return told


@pytest.mark.parametrize("security", list(Security))
async def test_every_step_goes_well_with_every_security(dovecot: Dovecot, user: User, security: Security) -> None:
    steps: list[Step] = []
    session = await IMAP.open(account_of(dovecot, user, security), steps.append)
    selected = await session.select("INBOX")
    await session.logout()
    names = [step.name for step in steps]
    middle = {
        "tls": ["tls", "greeting"],
        "starttls": ["greeting", "starttls", "tls", "capabilities"],
        "none": ["greeting"],
    }
    assert names == ["resolve", "connect", *middle[security], "sign_in", "select"]
    assert all(step.ok for step in steps)
    assert "IDLE" in session.capabilities
    assert selected.exists == 0
    assert session.closed


async def test_messages_are_the_same_bytes_that_another_client_sees(dovecot: Dovecot, user: User) -> None:
    odd = [
        b"Subject: plain\r\n\r\nhello\r\n",
        b"",
        b"no header at all",
        b"Subject: \xff\xfe 8 bit\r\n\r\n" + bytes(range(1, 256)) + b"\r\n",
        b'Subject: "quotes" \\ (and) {5}\r\n\r\n)\r\np4 OK done\r\n',
        b"X: " + b"y" * 100_000 + b"\r\n\r\n" + b"z" * 300_000 + b"\r\n",
    ]
    for raw in odd:
        dovecot.drop(user.name, raw, flags="FS")
    dovecot.fill(user.name, letters(50))
    told = told_by_imaplib(dovecot, user)
    session = await opened(dovecot, user)
    selected = await session.select("INBOX")
    sizes = await session.sizes(1)
    fetched = [one async for one in session.fetch([one.uid for one in sizes])]
    assert selected.exists == len(told) == len(fetched)
    assert [(one.uid, one.size) for one in sizes] == [(uid, len(raw)) for uid, (raw, _, _) in sorted(told.items())]
    for one in fetched:
        raw, date, flags = told[one.uid]
        assert one.raw == raw
        assert one.internal_date == datetime.strptime(date, "%d-%b-%Y %H:%M:%S %z")
        assert one.flags - {"\\Recent"} == flags - {"\\Recent"}
    assert {"\\Flagged", "\\Seen"} <= fetched[0].flags
    await session.logout()


async def test_fetching_leaves_messages_unread(dovecot: Dovecot, user: User) -> None:
    dovecot.fill(user.name, letters(3))
    session = await opened(dovecot, user)
    await session.select("INBOX", read_only=False)
    assert len([one async for one in session.fetch([1, 2, 3])]) == 3
    await session.logout()
    assert all("\\Seen" not in flags for _, _, flags in told_by_imaplib(dovecot, user).values())


async def test_only_new_messages_are_sized(dovecot: Dovecot, user: User) -> None:
    dovecot.fill(user.name, letters(5))
    session = await opened(dovecot, user)
    selected = await session.select("INBOX")
    assert [one.uid for one in await session.sizes(4)] == [4, 5]
    assert await session.sizes(selected.uid_next) == []
    await session.logout()


async def test_uids_that_are_gone_are_just_missing(dovecot: Dovecot, user: User) -> None:
    dovecot.fill(user.name, letters(4))
    session = await opened(dovecot, user)
    await session.select("INBOX")
    await dovecot.doveadm("expunge", "-u", user.name, "mailbox", "INBOX", "uid", "2:3")
    assert [one.uid async for one in session.fetch([1, 2, 3, 4, 900])] == [1, 4]
    await session.logout()


@pytest.mark.parametrize("security", [Security.NONE, Security.TLS])
async def test_new_mail_ends_idle(dovecot: Dovecot, user: User, security: Security) -> None:
    session = await opened(dovecot, user, security)
    await session.select("INBOX")
    waiting = asyncio.create_task(session.idle(60))
    await asyncio.sleep(0.1)
    await dovecot.deliver(user.name, b"Subject: new\r\n\r\nhello\r\n")
    assert await asyncio.wait_for(waiting, 90) is Idled.NEWS
    (new,) = await session.sizes(1)
    (message,) = [one async for one in session.fetch([new.uid])]
    assert message.raw.endswith(b"Subject: new\r\n\r\nhello\r\n")
    assert await session.idle(0.1) is Idled.RENEW
    await session.logout()


async def test_noop_tells_new_mail(dovecot: Dovecot, user: User) -> None:
    session = await opened(dovecot, user)
    await session.select("INBOX")
    assert await session.noop() is Idled.RENEW
    await dovecot.deliver(user.name, b"Subject: new\r\n\r\n")
    assert await session.noop() is Idled.NEWS
    await session.logout()


@pytest.mark.parametrize("size", [300, 2_000_000])
async def test_what_was_appended_is_found_by_its_message_id(dovecot: Dovecot, user: User, size: int) -> None:
    session = await opened(dovecot, user, Security.TLS)
    sent = await session.sent_folder()
    raw = (
        b"Message-ID: <0a1b@example.test>\r\nSubject: s\r\n\r\n"
        + b"x" * 60
        + b"\r\n"
        + (b"y" * 60 + b"\r\n") * (size // 62)
    )
    await session.append(sent, raw, ["\\Seen"], datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC))
    (uid,) = await session.find(sent, "0a1b@example.test")
    (copy,) = [one async for one in session.fetch([uid])]
    assert (copy.raw, "\\Seen" in copy.flags) == (raw, True)
    assert copy.internal_date == datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC)
    assert await session.find(sent, "a1b@example.test") == []
    assert await session.find(sent, "other@example.test") == []
    await session.logout()


async def test_a_folder_in_any_script_is_made_and_used(dovecot: Dovecot, user: User) -> None:
    session = await opened(dovecot, user)
    for folder in ("Entwürfe & mehr", "台北", 'quo"te\\d', "😀", "NIL", "Ablage.2026.März"):
        await session.create(folder)
        await session.create(folder)
        await session.append(folder, b"Message-ID: <x@y>\r\n\r\n", [], datetime.now(UTC))
        assert (await session.select(folder)).exists == 1
    await session.append("Noch nie gesehen", b"Message-ID: <x@y>\r\n\r\n", [], datetime.now(UTC))
    assert await session.find("Noch nie gesehen", "x@y") == [1]
    await session.logout()


async def test_a_missing_folder_is_evidence(dovecot: Dovecot, user: User) -> None:
    session = await opened(dovecot, user)
    with pytest.raises(Failure) as caught:
        await session.select("Nowhere")
    seen = caught.value.evidence
    assert (seen.stage, seen.status, seen.response_code, seen.folder) == (Stage.SELECT, "NO", None, "Nowhere")
    assert "Mailbox doesn't exist: Nowhere" in seen.raw


async def test_a_wrong_password_is_evidence_without_the_password(dovecot: Dovecot, user: User) -> None:
    for security in Security:
        with pytest.raises(Failure) as caught:
            await IMAP.open(account_of(dovecot, user, security, password="not the pass word"))
        seen = caught.value.evidence
        assert (seen.stage, seen.status, seen.response_code) == (Stage.AUTH, "NO", "AUTHENTICATIONFAILED")
        assert (seen.mechanism, seen.username, seen.security) == ("PLAIN", user.name, security)
        assert "not the pass word" not in f"{caught.value!r}{seen!r}"


@pytest.mark.parametrize("password", ['quo"te\\d', "with space", "pässwörd 台北", "5}{5}", "a" * 200])
async def test_any_password_signs_in(dovecot: Dovecot, password: str) -> None:
    await (await opened(dovecot, dovecot.add_user(password=password))).logout()


async def test_a_server_with_nothing_but_the_login_mechanism_is_signed_in_to(certificates: Certificates) -> None:
    async with Dovecot(certificates, mechanisms=["login"]) as bare:
        steps: list[Step] = []
        session = await IMAP.open(account_of(bare, bare.add_user(password="pässwörd")), steps.append)
        assert steps[-1].detail.startswith("LOGIN as ")
        await session.logout()


async def test_a_server_that_forbids_log_in_without_tls_is_not_told_the_password(certificates: Certificates) -> None:
    async with Dovecot(certificates, plaintext=False) as strict:
        user = strict.add_user()
        with pytest.raises(Failure) as caught:
            await opened(strict, user)
        assert caught.value.evidence.stage is Stage.AUTH
        assert caught.value.evidence.exception.startswith("NotOffered: LOGIN")
        assert "LOGINDISABLED" in caught.value.evidence.raw
        await (await opened(strict, user, Security.STARTTLS)).logout()


async def test_a_starttls_certificate_that_is_refused_is_looked_at(certificates: Certificates) -> None:
    async with Dovecot(certificates, certificate=certificates.expired()) as stale:
        user = stale.add_user()
        for security in (Security.STARTTLS, Security.TLS):
            with pytest.raises(Failure) as caught:
                await IMAP.open(account_of(stale, user, security))
            facts = caught.value.evidence.tls
            assert caught.value.evidence.stage is Stage.TLS
            assert facts.fault == "expired"
            assert facts.not_after < datetime.now(UTC)
            assert "localhost" in facts.names


async def test_an_administrators_kick_ends_idle_with_the_servers_words(dovecot: Dovecot, user: User) -> None:
    session = await opened(dovecot, user)
    await session.select("INBOX")
    waiting = asyncio.create_task(session.idle(600))
    await asyncio.sleep(0.2)
    await dovecot.kick(user.name)
    started = time.monotonic()
    with pytest.raises(Failure) as caught:
        await asyncio.wait_for(waiting, 90)
    assert time.monotonic() - started < 60
    assert caught.value.evidence.stage is Stage.IDLE
    assert session.closed


async def test_too_many_connections_are_refused_in_the_servers_words(certificates: Certificates) -> None:
    async with Dovecot(certificates, connections_per_user=1) as narrow:
        user = narrow.add_user()
        first = await opened(narrow, user)
        with pytest.raises(Failure) as caught:
            await opened(narrow, user)
        seen = caught.value.evidence
        assert (seen.status, seen.response_code) == ("NO", "LIMIT")
        assert "Maximum number of connections" in seen.raw
        await first.logout()


async def test_a_network_that_breaks_in_a_message_is_a_failure(
    dovecot: Dovecot, user: User, proxy: Callable[[int], Awaitable[Proxy]]
) -> None:
    dovecot.fill(user.name, letters(20))
    front = await proxy(dovecot.imap_port)
    session = await IMAP.open(account_of(dovecot, user, port=front.port))
    await session.select("INBOX")
    uids = [one.uid for one in await session.sizes(1)]
    front.cut_after(50_000, "to_client")
    arrived: list[int] = []

    async def fetch() -> None:
        async for one in session.fetch(uids):
            arrived.append(one.uid)

    with pytest.raises(Failure) as caught:
        await fetch()
    assert 0 < len(arrived) < 20
    assert caught.value.evidence.exception.startswith("ConnectionLost: ")
    assert session.closed


async def test_a_dead_route_is_noticed_when_patience_is_over(
    dovecot: Dovecot, user: User, proxy: Callable[[int], Awaitable[Proxy]]
) -> None:
    front = await proxy(dovecot.imap_port)
    impatient = Imap(Guard(allow_private=True), now=lambda: datetime.now(UTC), patience=0.3)
    session = await impatient.open(account_of(dovecot, user, port=front.port))
    front.blackhole()
    with pytest.raises(Failure) as caught:
        await session.noop()
    assert caught.value.evidence.exception == "TimeoutError: no answer for 0.3 seconds"


async def test_distance_costs_one_round_trip_not_one_for_each_message(
    dovecot: Dovecot, user: User, proxy: Callable[[int], Awaitable[Proxy]]
) -> None:
    dovecot.fill(user.name, letters(200, size=1000))
    front = await proxy(dovecot.imap_port)
    session = await IMAP.open(account_of(dovecot, user, port=front.port))
    await session.select("INBOX")
    front.delay = 0.05
    started = time.monotonic()
    assert len([one async for one in session.fetch(range(1, 201))]) == 200
    assert time.monotonic() - started < 5  # 200 round trips would take 20 seconds
    session.abort()
