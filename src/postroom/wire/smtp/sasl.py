"""The SASL mechanisms of a sign-in (RFC 4954, 4616) as dialogues of bytes. It sends nothing and judges no refusal."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from postroom.core.mailbox import AuthKind, Credential


class Mechanism(Protocol):
    """One dialogue. `initial` goes with the AUTH command where there is one; `answer` replies to each challenge."""

    name: str
    initial: bytes | None

    def answer(self, challenge: bytes) -> bytes | None:
        """None: there is nothing more to say. The challenge is then the server's error, answered with an empty line."""
        ...


class Plain:
    """RFC 4616. A server that ignores the initial response asks for it, in whatever words."""

    name = "PLAIN"

    def __init__(self, username: str, credential: Credential) -> None:
        self.initial: bytes | None = f"\0{username}\0{credential.password}".encode("utf-8", "replace")
        self._asked = False

    def answer(self, challenge: bytes) -> bytes | None:
        if self._asked:
            return None
        self._asked = True
        return self.initial


class Login:
    """The obsolete LOGIN: user name, then password. Prompts are not read, for servers word them as they like."""

    name = "LOGIN"
    initial: bytes | None = None

    def __init__(self, username: str, credential: Credential) -> None:
        self._answers = [credential.password.encode("utf-8", "replace"), username.encode("utf-8", "replace")]

    def answer(self, challenge: bytes) -> bytes | None:
        return self._answers.pop() if self._answers else None


MECHANISMS: dict[AuthKind, Sequence[Callable[[str, Credential], Mechanism]]] = {AuthKind.PASSWORD: (Plain, Login)}
"""For each kind of credential what it can sign in with, best first."""

NAMES: dict[AuthKind, tuple[str, ...]] = {AuthKind.PASSWORD: (Plain.name, Login.name)}


def mechanisms_for(username: str, credential: Credential, offered: Sequence[str]) -> list[Mechanism]:
    """Those that the server offers and the credential serves, best first."""
    known = [make(username, credential) for make in MECHANISMS[credential.kind]]
    return [mechanism for mechanism in known if mechanism.name in offered]
