"""The SASL mechanisms of both protocols (RFC 4422) as dialogues of bytes. It sends nothing and judges no refusal."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Final, Protocol

from postroom.core.mailbox import Account, AuthKind


class Mechanism(Protocol):
    """One dialogue. `initial` is what we say first, None where the server does; `answer` replies to each challenge.

    `farewell` answers a challenge when all is said: it is the server's error (RFC 7628 3.2.3), and the server ends the
    dialogue after it. None where the mechanism knows no such challenge.
    """

    name: str
    initial: bytes | None
    farewell: bytes | None

    def answer(self, challenge: bytes) -> bytes | None:
        """None: there is nothing more to say."""
        ...


class _ClientFirst:
    """We say one thing: with the command, or, to a server that ignores an initial response or knows none, when asked,
    in whatever words."""

    name: str
    farewell: bytes | None = None

    def __init__(self, initial: bytes) -> None:
        self.initial: bytes | None = initial
        self._left: bytes | None = initial

    def answer(self, challenge: bytes) -> bytes | None:
        left, self._left = self._left, None
        return left


class Plain(_ClientFirst):
    """PLAIN (RFC 4616), in UTF-8."""

    name = "PLAIN"

    def __init__(self, account: Account) -> None:
        super().__init__(_bytes(f"\0{account.endpoint.username}\0{account.credential.password}"))


class Login:
    """The obsolete LOGIN: user name, then password. Prompts are not read, for servers word them as they like."""

    name = "LOGIN"
    initial: bytes | None = None
    farewell: bytes | None = None

    def __init__(self, account: Account) -> None:
        self._answers = [_bytes(account.credential.password), _bytes(account.endpoint.username)]

    def answer(self, challenge: bytes) -> bytes | None:
        return self._answers.pop() if self._answers else None


class _Bearer(_ClientFirst):
    """With a token. A challenge with words in it is the server's error, also where our words went with the command."""

    def answer(self, challenge: bytes) -> bytes | None:
        return None if challenge.strip() else super().answer(challenge)


class XOAuth2(_Bearer):
    """XOAUTH2 (developers.google.com/gmail/imap/xoauth2-protocol), which Microsoft and others speak too."""

    name = "XOAUTH2"
    farewell: bytes | None = b""

    def __init__(self, account: Account) -> None:
        token = account.credential.access_token
        super().__init__(_bytes(f"user={account.endpoint.username}\1auth=Bearer {token}\1\1"))


class OAuthBearer(_Bearer):
    """OAUTHBEARER (RFC 7628 3.1), with the GS2 header's own escapes (RFC 5801 4)."""

    name = "OAUTHBEARER"
    farewell: bytes | None = b"\1"

    def __init__(self, account: Account) -> None:
        endpoint = account.endpoint
        user = endpoint.username.replace("=", "=3D").replace(",", "=2C")
        token = account.credential.access_token
        super().__init__(_bytes(f"n,a={user},\1host={endpoint.host}\1port={endpoint.port}\1auth=Bearer {token}\1\1"))


# XOAUTH2 first: more servers have been met with it, and those that offer both take it.
_TOKEN: Final[tuple[Callable[[Account], Mechanism], ...]] = (XOAuth2, OAuthBearer)
_PASSWORD: Final[tuple[Callable[[Account], Mechanism], ...]] = (Plain, Login)
_NAMES: Final = {True: (XOAuth2.name, OAuthBearer.name), False: (Plain.name, Login.name)}


def names_for(kind: AuthKind) -> tuple[str, ...]:
    """What a credential of this kind can be shown with, best first."""
    return _NAMES[kind.by_token]


def mechanisms_for(account: Account, offered: Collection[str]) -> Sequence[Mechanism]:
    """Those that the server offers and the credential serves, best first."""
    known = [make(account) for make in (_TOKEN if account.credential.kind.by_token else _PASSWORD)]
    return [mechanism for mechanism in known if mechanism.name in offered]


def unsendable(account: Account) -> str | None:
    """Why no mechanism can carry this user name or secret; None where each can."""
    username, credential = account.endpoint.username, account.credential
    if "\0" in username or "\0" in credential.password:
        return "ValueError: a user name or password cannot contain NUL"
    if credential.kind.by_token and any(mark in username + credential.access_token for mark in "\1\r\n"):
        return "ValueError: a user name or token cannot contain control characters"
    if credential.kind.by_token and not credential.access_token:
        return "NoToken: no access token has been obtained for this mailbox"
    return None


def _bytes(words: str) -> bytes:
    return words.encode("utf-8", "replace")
