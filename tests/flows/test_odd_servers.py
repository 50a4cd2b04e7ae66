"""Servers that hang, break off, say half a word or nonsense: nothing is lost, nothing is sent twice."""

import asyncio
from collections import Counter
from contextlib import asynccontextmanager
from functools import partial

import pytest

from postroom.core.mailbox import UnconfirmedPolicy
from postroom.wire.smtp import Smtp, Timeouts
from tests.flows.house import running
from tests.wire.peer import served

BRISK = Timeouts(step=2, reply=0.3, block=2, answer=0.3)


class Odd:
    """Takes messages, and does one odd thing at a stage, `times` often (None: always)."""

    def __init__(self, at="", oddity=None, *, times=1, keywords=()):
        self.at, self.oddity, self.times, self.keywords = at, oddity, times, keywords
        self.taken: list[bytes] = []
        self.signed_in = 0

    async def __call__(self, peer):
        await peer.say(b"220 odd.test ESMTP")
        while line := await peer.line():
            verb = line.split(b" ")[0].upper().decode()
            if verb == "EHLO":
                offered = [b"odd.test", *self.keywords, b"AUTH PLAIN"]
                await peer.say(*(b"250-" + one for one in offered[:-1]), b"250 " + offered[-1])
            elif verb == "AUTH":
                self.signed_in += 1
                await peer.say(b"235 2.7.0 ok")
            elif verb == "QUIT":
                await peer.say(b"221 bye")
                return
            elif await self._strikes(verb):
                await self.oddity(peer)
            elif verb == "DATA":
                await peer.say(b"354 go on")
                try:
                    body = await peer.reader.readuntil(b"\r\n.\r\n")
                except asyncio.IncompleteReadError:
                    return
                if await self._strikes("TAKEN"):
                    self.taken.append(body)
                    await self.oddity(peer)
                elif await self._strikes("DOT"):
                    await self.oddity(peer)
                else:
                    self.taken.append(body)
                    await peer.say(b"250 2.0.0 ok")
            else:
                await peer.say(b"250 2.1.0 ok")

    async def _strikes(self, stage):
        if stage != self.at or self.times == 0:
            return False
        if self.times is not None:
            self.times -= 1
        return True

    def subjects(self):
        return Counter(
            line[9:].decode() for body in self.taken for line in body.split(b"\r\n")[:20] if line[:9] == b"Subject: "
        )


# What they do.


async def hangs(peer):
    await peer.gone()
    raise ConnectionResetError


async def drops(peer):
    peer.writer.transport.abort()
    raise ConnectionResetError


def then_drops(said):
    async def oddity(peer):
        await peer.send(said)
        peer.writer.close()
        raise ConnectionResetError

    return oddity


def says(*lines):
    async def oddity(peer):
        await peer.say(*lines)

    return oddity


def drips(said, pause=0.01):
    async def oddity(peer):
        for byte in said:
            await peer.send(bytes([byte]))
            await asyncio.sleep(pause)

    return oddity


async def drips_for_ever(peer):
    while True:
        await peer.send(b"2")
        await asyncio.sleep(0.05)


ODDITIES = {
    "hangs": hangs,
    "drops": drops,
    "half a line": then_drops(b"250 2.0.0 O"),
    "half a reply": then_drops(b"250-2.0.0 one\r\n250-2.0.0 two\r\n"),
    "nonsense": says(b"\xff\xfeHTTP/1.1 200 OK", b"Content-Type: text/html"),
    "a very long line": then_drops(b"250 " + b"x" * 200_000 + b"\r\n"),
    "very many lines": then_drops(b"250-x\r\n" * 5_000),
    "NULs": then_drops(b"\0" * 600),
    "drips for ever": drips_for_ever,
    "an answer to something else": says(b"354 go on"),
}


@pytest.fixture(autouse=True)
def _brisk(monkeypatch):
    monkeypatch.setattr("postroom.serve.Smtp", partial(Smtp, timeouts=BRISK))


@asynccontextmanager
async def odd(folder, server, *, policy=UnconfirmedPolicy.ASK, database="", context=None):
    async with served(server) as port, running(folder, database) as house:
        yield house, await house.connect(smtp_port=port, unconfirmed=policy)


async def three(house, mailbox):
    return [await house.send(mailbox, f"Answer {number}") for number in range(3)]


async def outcomes(house, delivery):
    return [str(one.outcome.name).lower() for one in await house.store.attempts(delivery.id)]


@pytest.mark.parametrize(
    ("stage", "pipelining"),
    [("MAIL", ()), ("RCPT", (b"PIPELINING",)), ("DATA", ()), ("DATA", (b"PIPELINING",))],
    ids=["MAIL", "RCPT pipelined", "DATA", "DATA pipelined"],
)
async def test_whatever_goes_wrong_before_the_message_it_is_sent_again_once(tmp_path, stage, pipelining):
    """All oddities one after the other, each on its own server, in one house."""
    async with running(tmp_path) as house:
        for number, (name, oddity) in enumerate(ODDITIES.items()):
            if (stage, name) == ("DATA", "an answer to something else"):
                continue  # there it is the answer
            server = Odd(stage, oddity, keywords=pipelining)
            async with served(server) as port:
                address = f"team{number}@shop.test"
                mailbox = await house.connect(address, smtp_port=port, unconfirmed=UnconfirmedPolicy.ASK)
                for one in await three(house, mailbox):
                    await house.sent_in_time(one.id)
                assert set(server.subjects().values()) == {1}, name
                assert len(server.taken) == 3, name
                await house.store.delete_mailbox(mailbox)


@pytest.mark.parametrize("stage", ["DOT", "TAKEN"])
async def test_whatever_comes_instead_of_the_last_answer_a_person_decides_and_the_others_go_out(tmp_path, stage):
    async with running(tmp_path) as house:
        for number, (name, oddity) in enumerate(ODDITIES.items()):
            server = Odd(stage, oddity)
            async with served(server) as port:
                address = f"team{number}@shop.test"
                mailbox = await house.connect(address, smtp_port=port, unconfirmed=UnconfirmedPolicy.ASK)
                first, *others = await three(house, mailbox)
                for one in others:
                    await house.sent_in_time(one.id)
                assert (await house.store.delivery(first.id)).state == "unconfirmed", name
                assert await outcomes(house, first) == ["unanswered"], name
                assert server.subjects()["Answer 0"] == (stage == "TAKEN"), name
                await house.house.accept.retry(first.id)
                await house.sent_in_time(first.id)
                assert server.subjects()["Answer 0"] == 1 + (stage == "TAKEN"), name
                await house.store.delete_mailbox(mailbox)


async def test_an_answer_that_comes_a_byte_at_a_time_is_an_answer(tmp_path):
    server = Odd("TAKEN", drips(b"250-2.0.0 slowly\r\n250 2.0.0 ok\r\n"))
    async with odd(tmp_path, server) as (house, mailbox):
        for one in await three(house, mailbox):
            await house.delivery_in(one.id, "sent")
        assert len(server.taken) == 3


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
async def test_words_that_a_database_cannot_keep_do_not_lose_the_answer(tmp_path, request, database):
    """A NUL in a reply: PostgreSQL has no such character."""
    url = request.getfixturevalue("postgresql_url") if database == "postgresql" else ""
    server = Odd("TAKEN", says(b"250 2.0.0 ok \0 queued \xff\xed\xa0\x80"))
    async with odd(tmp_path, server, database=url) as (house, mailbox):
        for one in await three(house, mailbox):
            await house.delivery_in(one.id, "sent")
        server.at, server.oddity, server.times = "RCPT", says(b"550 5.1.1 no \0 such user"), 1
        refused = await house.delivery_in((await house.send(mailbox, "Refused")).id, "failed")
        assert "such user" in refused.recipients[0].reply
        server.at, server.times = "MAIL", 1
        await house.delivery_in((await house.send(mailbox, "Refused")).id, "failed")
        assert set(server.subjects().values()) == {1}


@pytest.mark.parametrize("stage", ["MAIL", "RCPT", "DATA", "DOT"])
@pytest.mark.parametrize("closes", [True, False], ids=["closes", "stays"])
async def test_a_server_that_says_good_bye_in_the_middle_of_a_batch_gets_the_rest_later(tmp_path, stage, closes):
    words = b"421 4.3.2 Service shutting down\r\n"

    async def stays(peer):
        await peer.send(words)

    server = Odd(stage, then_drops(words) if closes else stays)
    async with odd(tmp_path, server) as (house, mailbox):
        deliveries = [await house.send(mailbox, f"Answer {number}") for number in range(6)]
        for one in deliveries:
            await house.sent_in_time(one.id, minutes=10)
        assert server.subjects() == {f"Answer {number}": 1 for number in range(6)}
        for one in deliveries:
            assert "unanswered" not in await outcomes(house, one)


async def test_a_connection_that_closes_while_tls_begins_holds_the_mail_until_it_does_not(tmp_path, certificates):
    times = [3]
    (tmp_path / "tls").mkdir()
    context = certificates.good().server_context(tmp_path / "tls")
    good = Odd()

    async def closing(peer):
        await peer.say(b"220 odd.test ESMTP")
        while line := await peer.line():
            if line.startswith(b"EHLO"):
                await peer.say(b"250-odd.test", b"250 STARTTLS")
            elif line == b"STARTTLS":
                await peer.say(b"220 ready")
                if times[0] > 0 and closing.armed:
                    times[0] -= 1
                    await peer.reader.read(20)  # some of the client's hello
                    peer.writer.transport.abort()
                    return
                await peer.writer.start_tls(context)
                break
            else:
                await peer.say(b"250 ok")
        while line := await peer.line():
            verb = line.split(b" ")[0]
            if verb == b"DATA":
                await peer.say(b"354 go on")
                good.taken.append(await peer.reader.readuntil(b"\r\n.\r\n"))
            answers = {b"EHLO": [b"250-odd.test", b"250 AUTH PLAIN"], b"AUTH": [b"235 ok"], b"QUIT": [b"221 bye"]}
            await peer.say(*answers.get(verb, [b"250 2.0.0 ok"]))

    closing.armed = False
    async with served(closing) as port, running(tmp_path) as house:
        mailbox = await house.connect(smtp_port=port, smtp_security="starttls", ca=certificates.ca_pem)
        closing.armed = True
        deliveries = await three(house, mailbox)
        for one in deliveries:
            await house.sent_in_time(one.id, minutes=10)
        assert times == [0]
        assert [body.split(b"Subject: ")[1][:8] for body in good.taken] == [b"Answer 0", b"Answer 1", b"Answer 2"]
