"""Signing in: the mechanism that the credential and the server have in common, and its dialogue. It tries one, once."""

from __future__ import annotations

from base64 import b64decode, b64encode
from typing import Final

from postroom.core.diagnosis.evidence import Stage
from postroom.core.mailbox import Account, AuthKind
from postroom.wire.imap.dialogue import Dialogue
from postroom.wire.imap.grammar import Continuation, Status
from postroom.wire.imap.names import quotable, quoted
from postroom.wire.sasl import Mechanism, Plain, mechanisms_for, names_for, unsendable

MOST_CHALLENGES: Final = 10
CANCEL: Final = b"*"
"""Ends a dialogue in which all is said and the server still asks (RFC 9051 6.2.2): it says BAD."""


async def sign_in(dialogue: Dialogue, account: Account) -> None:
    """AUTHENTICATE with a mechanism that both know; for a password else LOGIN, in the form that the server takes.

    Raises Failure, stage auth; the evidence has the server's error challenge decoded (RFC 7628 3.2.2).
    """
    dialogue.begin(Stage.AUTH)
    stream, credential = dialogue.stream, account.credential
    if (why := unsendable(account)) is not None:
        raise stream.failure(exception=why)
    offered = dialogue.capabilities
    ours = mechanisms_for(account, {one.removeprefix("AUTH=") for one in offered if one.startswith("AUTH=")})
    command = credential.kind is AuthKind.PASSWORD and "LOGINDISABLED" not in offered
    if command and not any(isinstance(one, Plain) for one in ours):
        stream.mechanism = "LOGIN"
        await _login(dialogue, account.endpoint.username.encode(), credential.password.encode())
    elif ours:
        stream.mechanism = ours[0].name
        await _authenticate(dialogue, ours[0])
    else:
        capabilities = "* CAPABILITY " + " ".join(sorted(offered))
        raise stream.failure(capabilities, exception=_not_offered(credential.kind))


def _not_offered(kind: AuthKind) -> str:
    if kind.by_token:
        return f"NotOffered: AUTH={' or AUTH='.join(names_for(kind))}"
    return "NotOffered: LOGIN is disabled and no mechanism of ours is offered"


async def _login(dialogue: Dialogue, username: bytes, password: bytes) -> None:
    if quotable(username) and quotable(password):
        dialogue.stream.hide(quoted(password)[1:-1].decode())
        tag: str | Status = await dialogue.send(b"LOGIN %s %s" % (quoted(username), quoted(password)), secret=True)
    else:
        tag = await dialogue.send_literals((b"LOGIN ", username, b" ", password, b""), secret=True)
    dialogue.accepted(await dialogue.result(tag) if isinstance(tag, str) else tag)


async def _authenticate(dialogue: Dialogue, mechanism: Mechanism) -> None:
    command = b"AUTHENTICATE " + mechanism.name.encode()
    at_once = "SASL-IR" in dialogue.capabilities and mechanism.initial is not None
    if at_once:
        mechanism.answer(b"")  # it is said with the command
        command += b" " + _secret(dialogue, mechanism.initial or b"")
    tag = await dialogue.send(command, secret=at_once)
    challenge: str | None = None
    for _ in range(MOST_CHALLENGES):
        answer = await dialogue.continuation(tag)
        if isinstance(answer, Status):
            if answer.word != "OK":
                raise dialogue.refusal(answer, challenge)
            return
        told = _decoded(answer)
        words = mechanism.answer(told or b"")
        if words is not None:
            line = _secret(dialogue, words)
        else:  # all is said, so this is no prompt but the server's error
            again = challenge is not None
            challenge = told.decode(errors="replace") if told else challenge
            line = CANCEL if mechanism.farewell is None or again else b64encode(mechanism.farewell)
        await dialogue.stream.write(line + b"\r\n", secret=True)
    raise dialogue.nonsense("the server asks again and again while signing in")


def _secret(dialogue: Dialogue, words: bytes) -> bytes:
    encoded = b64encode(words)
    dialogue.stream.hide(encoded.decode())
    return encoded


def _decoded(continuation: Continuation) -> bytes | None:
    try:
        return b64decode(continuation.text, validate=True) or None
    except ValueError:
        return None
