"""Signing in: the mechanism that the credential and the server have in common, and its dialogue. It tries one, once."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections import deque
from collections.abc import Sequence
from typing import Final, Protocol

from postroom.core.diagnosis.evidence import Stage
from postroom.core.mailbox import Account, AuthKind, Credential
from postroom.wire.imap.dialogue import Dialogue
from postroom.wire.imap.grammar import Continuation, Status
from postroom.wire.imap.names import quotable, quoted

MOST_CHALLENGES: Final = 10


class Mechanism(Protocol):
    """A SASL mechanism (RFC 4422): what the client says, in order, and how it takes the server's error challenge."""

    name: str
    server_first: bool
    """The server asks before anything is said: no initial response (RFC 4959)."""
    last_word: bytes
    """Said to a challenge that comes when all is said: it ends the dialogue, and the server says NO."""

    def responses(self, username: str, credential: Credential) -> tuple[bytes, ...]: ...


class Plain:
    """PLAIN (RFC 4616), in UTF-8."""

    name = "PLAIN"
    server_first = False
    last_word = b"*"

    def responses(self, username: str, credential: Credential) -> tuple[bytes, ...]:
        return (f"\0{username}\0{credential.password}".encode(),)


class Login:
    """The obsolete LOGIN, for servers that offer neither PLAIN nor the LOGIN command. Prompts have no fixed words."""

    name = "LOGIN"
    server_first = True
    last_word = b"*"

    def responses(self, username: str, credential: Credential) -> tuple[bytes, ...]:
        return username.encode(), credential.password.encode()


_MECHANISMS: Final[dict[AuthKind, tuple[Mechanism, ...]]] = {AuthKind.PASSWORD: (Plain(), Login())}
"""For each kind of credential what it can sign in with, best first. XOAUTH2 and OAUTHBEARER find their place here."""


async def sign_in(dialogue: Dialogue, account: Account) -> None:
    """AUTHENTICATE PLAIN where the server offers it, else LOGIN in the form that it takes. Raises Failure, stage auth;
    the evidence has the server's error challenge decoded (RFC 7628 3.2.2)."""
    dialogue.begin(Stage.AUTH)
    stream, username, credential = dialogue.stream, account.endpoint.username, account.credential
    if "\0" in username or "\0" in credential.password:
        raise stream.failure(exception="ValueError: a user name or password cannot contain NUL")
    offered = dialogue.capabilities
    ours = [one for one in _MECHANISMS[credential.kind] if f"AUTH={one.name}" in offered]
    command = credential.kind is AuthKind.PASSWORD and "LOGINDISABLED" not in offered
    if command and not any(isinstance(one, Plain) for one in ours):
        stream.mechanism = "LOGIN"
        await _login(dialogue, username.encode(), credential.password.encode())
    elif ours:
        stream.mechanism = ours[0].name
        await _authenticate(dialogue, ours[0], ours[0].responses(username, credential))
    else:
        capabilities = "* CAPABILITY " + " ".join(sorted(offered))
        raise stream.failure(
            capabilities, exception="NotOffered: LOGIN is disabled and no mechanism of ours is offered"
        )


async def _login(dialogue: Dialogue, username: bytes, password: bytes) -> None:
    if quotable(username) and quotable(password):
        dialogue.stream.hide(quoted(password)[1:-1].decode())
        tag: str | Status = await dialogue.send(b"LOGIN %s %s" % (quoted(username), quoted(password)), secret=True)
    else:
        tag = await dialogue.send_literals((b"LOGIN ", username, b" ", password, b""), secret=True)
    dialogue.accepted(await dialogue.result(tag) if isinstance(tag, str) else tag)


async def _authenticate(dialogue: Dialogue, mechanism: Mechanism, responses: Sequence[bytes]) -> None:
    left = deque(b64encode(response) for response in responses)
    for response in left:
        dialogue.stream.hide(response.decode())
    command = b"AUTHENTICATE " + mechanism.name.encode()
    at_once = "SASL-IR" in dialogue.capabilities and not mechanism.server_first
    tag = await dialogue.send(command + (b" " + left.popleft() if at_once else b""), secret=at_once)
    left.append(mechanism.last_word)
    challenge: str | None = None
    for _ in range(MOST_CHALLENGES):
        answer = await dialogue.continuation(tag)
        if isinstance(answer, Status):
            if answer.word != "OK":
                raise dialogue.refusal(answer, challenge)
            return
        if len(left) <= 1:  # all is said, so this is no prompt but the server's error
            challenge = _decoded(answer) or challenge
        await dialogue.stream.write((left.popleft() if left else b"*") + b"\r\n", secret=True)
    raise dialogue.nonsense("the server asks again and again while signing in")


def _decoded(continuation: Continuation) -> str | None:
    try:
        return b64decode(continuation.text, validate=True).decode(errors="replace") or None
    except ValueError:
        return None
