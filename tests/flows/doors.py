"""Servers of one test's own, by what they do, and probers over the real protocols. It has no test in it."""

from contextlib import asynccontextmanager
from datetime import UTC, datetime

from postroom.core.mailbox import Credential, Direction, Endpoint, Security
from postroom.flows.probe import SECONDS, Connection, Prober
from postroom.wire.imap import Imap
from postroom.wire.resolve import Guard
from postroom.wire.smtp import Smtp, Timeouts
from tests.wire.peer import PASSWORD, served

ADDRESS = "support@example.test"
IN_TIME = 45.0
"""Seconds for both directions together: 15, and one for a busy machine."""
CAPABILITIES = b"IMAP4rev1 AUTH=PLAIN SASL-IR UIDPLUS"
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def protocols(*, seconds=SECONDS, allow_private=True):
    guard = Guard(allow_private=allow_private)
    return (
        Imap(guard, now=lambda: NOW, client_id={}, timeout=seconds),
        Smtp(guard, now=lambda: NOW, name="client.test", timeouts=Timeouts(step=seconds)),
    )


def prober(*, seconds=SECONDS, allow_private=True):
    return Prober(*protocols(seconds=seconds, allow_private=allow_private), seconds=seconds)


def connection(imap_port=1, smtp_port=1, *, username=ADDRESS, security=Security.NONE, host="localhost", ca=None):
    return Connection(
        ADDRESS,
        "",
        Endpoint(host, imap_port, security, username),
        Endpoint(host, smtp_port, security, username),
        Credential(password=PASSWORD),
        ca,
    )


async def probed(direction, story, context=None, **settings):
    """The probe of one direction of a server that plays `story`."""
    async with served(story, context) as port:
        made = connection(port, port, **settings)
        look = prober()
        return await (look.receiving(made) if direction is Direction.IMAP else look.sending(made))


# Stories


async def silent(peer):
    await peer.gone()


def says(*lines):
    """Says so at once, and then nothing."""

    async def story(peer):
        await peer.say(*lines)
        await peer.gone()

    return story


def imap(*then, capabilities=CAPABILITIES):
    """An IMAP server up to the sign-in; `then` are (beginning of a command, answers with {tag}); an empty answer is
    silence. Commands that are not foreseen are answered with OK."""

    async def story(peer):
        await peer.say(b"* OK [CAPABILITY " + capabilities + b"] ready")
        tag = await peer.command(b"AUTHENTICATE PLAIN ", b"LOGIN ")
        await peer.say(tag + b" OK [CAPABILITY " + capabilities + b"] signed in")
        while line := await peer.line():
            tag, _, words = line.partition(b" ")
            answers = next((lines for beginning, *lines in then if words.startswith(beginning)), [b"{tag} OK done"])
            if not answers:
                await peer.gone()
                return
            await peer.say(*(one.replace(b"{tag}", tag) for one in answers))

    return story


SELECTED = (
    b"* 3 EXISTS",
    b"* OK [UIDVALIDITY 42] fine",
    b"* OK [UIDNEXT 100] next",
    b"{tag} OK [READ-ONLY] done",
)


def smtp(keywords=(b"AUTH PLAIN",), **answers):
    """An SMTP server; `answers` by the command's first word, in small letters. An empty one is silence."""
    usual = {"auth": b"235 2.7.0 ok", "quit": b"221 bye", "starttls": b"454 4.7.0 no"}

    async def story(peer):
        await peer.say(b"220 mx.example.test ESMTP")
        while line := await peer.line():
            word = line.split(b" ")[0].decode(errors="replace").lower()
            if word == "ehlo" and "ehlo" not in answers:
                offered = [b"mx.example.test", *keywords]
                await peer.say(*(b"250-" + one for one in offered[:-1]), b"250 " + offered[-1])
                continue
            answer = {**usual, **answers}.get(word, b"250 2.0.0 ok")
            if not answer:
                await peer.gone()
                return
            await peer.say(answer)

    return story


@asynccontextmanager
async def both(imap_story, smtp_story, **settings):
    """A connection to two servers."""
    async with served(imap_story) as receiving, served(smtp_story) as sending:
        yield connection(receiving, sending, **settings)
