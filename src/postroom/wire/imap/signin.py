"""Signing in: the mechanism that the credential and the server have in common, and its dialogue. It tries one, once."""

from __future__ import annotations

from base64 import b64decode, b64encode
from typing import Final, Protocol

from postroom.core.diagnosis.evidence import Stage
from postroom.core.mailbox import Account, AuthKind, Credential
from postroom.wire.imap.dialogue import Dialogue
from postroom.wire.imap.grammar import Continuation, Status
from postroom.wire.imap.names import quotable, quoted

MOST_CHALLENGES: Final = 10


class Mechanism(Protocol):
    """A SASL mechanism (RFC 4422): what the client says first, and how it takes the server's error challenge."""

    name: str
    last_word: bytes
    """Said to a challenge that comes after the first response: it ends the dialogue, and the server says NO."""

    def first(self) -> bytes: ...


class Plain:
    """PLAIN (RFC 4616), in UTF-8."""

    name = "PLAIN"
    last_word = b"*"

    def __init__(self, username: str, credential: Credential) -> None:
        self._response = f"\0{username}\0{credential.password}".encode()

    def first(self) -> bytes:
        return self._response


_MECHANISMS: Final[dict[AuthKind, tuple[type[Plain], ...]]] = {AuthKind.PASSWORD: (Plain,)}
"""For each kind of credential what it can sign in with, best first. XOAUTH2 and OAUTHBEARER find their place here."""


async def sign_in(dialogue: Dialogue, account: Account) -> None:
    """AUTHENTICATE where the server offers a mechanism we have, else LOGIN. Raises Failure, stage auth; the evidence
    has the server's error challenge decoded (RFC 7628 3.2.2)."""
    dialogue.begin(Stage.AUTH)
    stream, username, credential = dialogue.stream, account.endpoint.username, account.credential
    if "\0" in username or "\0" in credential.password:
        raise stream.failure(exception="ValueError: a user name or password cannot contain NUL")
    offered = dialogue.capabilities
    for make in _MECHANISMS[credential.kind]:
        if f"AUTH={make.name}" in offered:
            mechanism = make(username, credential)
            stream.mechanism = mechanism.name
            await _authenticate(dialogue, mechanism)
            return
    if credential.kind is not AuthKind.PASSWORD or "LOGINDISABLED" in offered:
        capabilities = "* CAPABILITY " + " ".join(sorted(offered))
        raise stream.failure(
            capabilities, exception="NotOffered: LOGIN is disabled and no mechanism of ours is offered"
        )
    stream.mechanism = "LOGIN"
    await _login(dialogue, username.encode(), credential.password.encode())


async def _login(dialogue: Dialogue, username: bytes, password: bytes) -> None:
    if quotable(username) and quotable(password):
        dialogue.stream.hide(quoted(password)[1:-1].decode())
        tag: str | Status = await dialogue.send(b"LOGIN %s %s" % (quoted(username), quoted(password)), secret=True)
    else:
        tag = await dialogue.send_literals((b"LOGIN ", username, b" ", password, b""), secret=True)
    dialogue.accepted(await dialogue.result(tag) if isinstance(tag, str) else tag)


async def _authenticate(dialogue: Dialogue, mechanism: Mechanism) -> None:
    first = b64encode(mechanism.first())
    dialogue.stream.hide(first.decode())
    command = b"AUTHENTICATE " + mechanism.name.encode()
    at_once = "SASL-IR" in dialogue.capabilities
    tag = await dialogue.send(command + (b" " + first if at_once else b""), secret=at_once)
    answers = [mechanism.last_word] if at_once else [mechanism.last_word, first]
    challenge: str | None = None
    for _ in range(MOST_CHALLENGES):
        answer = await dialogue.continuation(tag)
        if isinstance(answer, Status):
            if answer.word != "OK":
                raise dialogue.refusal(answer, challenge)
            return
        if first not in answers:  # before that it is only the prompt for it
            challenge = _decoded(answer) or challenge
        await dialogue.stream.write((answers.pop() if answers else b"*") + b"\r\n", secret=True)
    raise dialogue.nonsense("the server asks again and again while signing in")


def _decoded(continuation: Continuation) -> str | None:
    try:
        return b64decode(continuation.text, validate=True).decode(errors="replace") or None
    except ValueError:
        return None
