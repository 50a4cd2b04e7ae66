"""Mail that is broken, huge or hostile: it arrives or is set apart with its bytes and a reason, and blocks nothing."""

import hashlib

import pytest

from tests.walks.letters import arrived, as_served, letter
from tests.walks.postroom import Postroom

pytestmark = pytest.mark.asyncio(loop_scope="session")

HEAD = b"From: anna@customer.test\r\nTo: team@rig.test\r\nSubject: Odd\r\nMessage-ID: <%s@customer.test>\r\n"
BINARY = bytes(range(1, 256)) * 400


def typed(name, kind, body):
    return HEAD % name + b"MIME-Version: 1.0\r\nContent-Type: " + kind + b"\r\n\r\n" + body


def nested(depth):
    """A multipart within a multipart, and so on."""
    opening = b"".join(
        b'Content-Type: multipart/mixed; boundary="b%d"\r\n\r\n--b%d\r\n' % (level, level) for level in range(depth)
    )
    closing = b"".join(b"\r\n--b%d--\r\n" % level for level in reversed(range(depth)))
    body = opening + b"Content-Type: text/plain\r\n\r\nDeep down.\r\n" + closing
    return HEAD % b"nested" + b"MIME-Version: 1.0\r\n" + body


def forwarded(depth):
    """A message within a message, and so on."""
    return HEAD % b"forwarded" + b"Content-Type: message/rfc822\r\n\r\nSubject: Fwd\r\n" * depth + b"\r\nDeep down.\r\n"


BAD = {
    "empty": b"",
    "blank lines": b"\r\n\r\n\r\n",
    "no headers": b"\r\nThere is no header at all, only this line.\r\n",
    "only headers": HEAD % b"headers",
    "a lone line": b"x",
    "an unknown charset": typed(b"charset", b"text/plain; charset=x-no-such-charset", "Grüße".encode() + b"\r\n"),
    "a wrong charset": typed(b"ascii", b"text/plain; charset=us-ascii", "Grüße \u2603".encode() + b"\r\n"),
    "broken utf-8": typed(b"utf8", b"text/plain; charset=utf-8", b"Gr\xfc\xdfe \xff\xfe\xc3\x28\r\n"),
    "a broken encoded word": typed(b"word", b"text/plain", b"x\r\n").replace(b"Odd", b"=?utf-8?B?%%%?= =?x?Q?=ZZ?="),
    "bytes in the header": typed(b"bytes", b"text/plain", b"x\r\n").replace(b"Odd", b"Gr\xfc\xdfe \xf0\x9f"),
    "200 parts within each other": nested(200),
    "200 messages within each other": forwarded(200),
    "5,000 parts": typed(b"parts", b'multipart/mixed; boundary="p"', b"--p\r\n\r\nx\r\n" * 5000 + b"--p--\r\n"),
    "binary garbage": BINARY,
    "binary garbage behind a header": typed(b"binary", b"application/octet-stream", BINARY),
    "NULs": typed(b"nuls", b"text/plain", b"a\0b\0\0c\r\n").replace(b"Odd", b"O\0dd"),
    "a header line of 1 MB": typed(b"long", b"text/plain", b"x\r\n").replace(b"Odd", b"O" * 1_000_000 + b"dd"),
    "100,000 header fields": b"".join(b"X-Field-%d: x\r\n" % n for n in range(100_000))
    + HEAD % b"fields"
    + b"\r\nx\r\n",
    "bare line feeds": letter("bare").replace(b"\r\n", b"\n"),
    "bare carriage returns": letter("returns").replace(b"\r\n", b"\r"),
    "broken base 64": typed(b"base64", b"text/plain\r\nContent-Transfer-Encoding: base64", b"%%% not base 64 ===\r\n"),
    "no closing boundary": typed(b"open", b'multipart/mixed; boundary="o"', b"--o\r\n\r\nOpen end"),
    "lone surrogates": typed(b"half", b"text/plain; charset=utf-8", b"\xed\xa0\x80 half a pair\r\n"),
    "a date of nobody's calendar": letter("date").replace(b"Mon, 06 Jul 2026 09:30:00", b"Xxx, 99 Zzz 99999 99:99:99"),
    "an address list of 20,000": letter("many").replace(b"team@rig.test", b",\r\n ".join([b"a@b.test"] * 20_000)),
    "a Message-ID of 10,000 characters": letter("i" * 10_000),
    "a file name that climbs": typed(b"name", b'application/pdf; name="../../../etc/passwd"', b"JVBERi0=\r\n").replace(
        b"\r\n\r\n", b'\r\nContent-Disposition: attachment; filename="../../../etc/passwd"\r\n\r\n', 1
    ),
}


async def raw_of(standing, message):
    answer = await standing.api.get(f"/v1/messages/{message['id']}/raw")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "message/rfc822"
    return answer.content


async def test_whatever_a_message_is_made_of_its_bytes_are_kept_and_the_next_one_comes(
    standing_on, settings, dovecot, user
):
    for raw in BAD.values():
        dovecot.drop(user.name, raw)
    dovecot.drop(user.name, letter("last"))
    served = as_served(dovecot.imap_port, user)
    assert len(served) == len(BAD) + 1
    mailbox = await standing_on.connect(settings)
    found = await arrived(standing_on, mailbox, len(served))
    kept = {}
    for message in found:
        raw = await raw_of(standing_on, message)
        kept.setdefault(hashlib.sha256(raw).digest(), []).append(message)
        assert message["size"] == len(raw)
    for (what, sent), raw in zip([*BAD.items(), ("the last", letter("last"))], served, strict=True):
        (message,) = kept.pop(hashlib.sha256(raw).digest())
        shown = await standing_on.get(f"/messages/{message['id']}")
        assert shown == message, what
        # A reason, or something to read: a person is never left with nothing.
        readable = shown["text"] or shown["html"] or shown["attachments"] or shown["subject"]
        assert shown["quarantine"] or readable, what
        assert shown["quarantine"] or sent.strip(), f"{what} was taken for a message"
    assert kept == {}
    by_id = {message["message_id"]: message for message in found}
    assert "Grüße" in by_id["ascii@customer.test"]["text"]
    assert "Deep down." in by_id["nested@customer.test"]["text"] or by_id["nested@customer.test"]["faults"]
    assert [one["filename"] for one in by_id["name@customer.test"]["attachments"]] == ["passwd"]
    assert '"level": "error"' not in standing_on.log.read_text()


async def test_a_message_that_the_server_itself_cannot_read_blocks_nobody(standing, settings, dovecot, user):
    damaged = dovecot.maildir(user.name).drop(letter("b"))
    dovecot.drop(user.name, letter("c"))
    damaged.chmod(0)
    mailbox = await standing.connect(settings)
    a, b = await arrived(standing, mailbox, 2, seconds=90)
    assert "could not give this message" in a["quarantine"]
    assert b["message_id"] == "c@customer.test"
    await standing.mailbox_in(mailbox["id"], receiving="connected")
    dovecot.drop(user.name, letter("d"))
    await arrived(standing, mailbox, 3)


async def test_a_message_of_40_megabytes_arrives_whole_and_blocks_nobody(standing, settings, dovecot, user):
    attachment = b"Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    attachment += (b"A" * 76 + b"\r\n") * (40 * 1024 * 1024 // 78)
    body = b"--p\r\nContent-Type: text/plain\r\n\r\nSee the film.\r\n--p\r\n" + attachment + b"--p--\r\n"
    mailbox = await standing.connect(settings)
    dovecot.drop(user.name, typed(b"film", b'multipart/mixed; boundary="p"', body))
    dovecot.drop(user.name, letter("next"))
    found = await arrived(standing, mailbox, 2, seconds=90)
    film = next(message for message in found if message["message_id"] == "film@customer.test")
    assert film["quarantine"] is None
    assert film["text"].strip() == "See the film."
    (served, _) = as_served(dovecot.imap_port, user)
    assert hashlib.sha256(await raw_of(standing, film)).digest() == hashlib.sha256(served).digest()
    file = await standing.api.get(f"/v1/messages/{film['id']}/attachments/0")
    assert len(file.content) == film["attachments"][0]["size"] == 40 * 1024 * 1024 // 78 * 57


@pytest.mark.asyncio(loop_scope="function")
async def test_a_message_beyond_the_limit_is_passed_over_and_the_next_one_comes(tmp_path, settings, dovecot, user):
    async with Postroom(tmp_path, max_message_bytes=100_000) as standing:
        mailbox = await standing.connect(settings)
        dovecot.drop(user.name, letter("huge", "x" * 200_000))
        dovecot.drop(user.name, letter("small"))
        found = await arrived(standing, mailbox, 1)
        assert [message["message_id"] for message in found] == ["small@customer.test"]
        assert "more than the 100000 that are set as the limit" in standing.log.read_text()
