"""Words of a sign-in under way: what is wanted, what was begun, why one failed. It signs nobody in (authorize)."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from postroom.core.diagnosis import Diagnosis
from postroom.core.oauth.authorization import Authorization, Flow
from postroom.flows.probe import Report
from postroom.flows.wishes import Wishes


class Why(StrEnum):
    """Why a sign-in did not come to its end."""

    UNKNOWN = "unknown"
    USED = "used"
    LATE = "late"
    DECLINED = "declined"
    REFUSED = "refused"
    ANOTHER = "another"
    INCOMPLETE = "incomplete"
    TAKEN = "taken"
    NOT_CONNECTED = "not_connected"


class SignInFailed(Exception):
    """A sign-in did not come to its end; the text says why and what to do. `diagnosis` where a server said something,
    `report` where the mailbox was tried, `authorization` where it is known which sign-in it was."""

    def __init__(
        self,
        why: Why,
        words: str,
        *,
        authorization: Authorization | None = None,
        diagnosis: Diagnosis | None = None,
        report: Report | None = None,
    ) -> None:
        super().__init__(words)
        self.why = why
        self.authorization = authorization
        self.diagnosis = diagnosis
        self.report = report


class NoClient(Exception):
    """There is no OAuth client to sign this address in with. The text says how to enter one; `provider` is the key of
    the authority that it is for, None where nobody is known."""

    def __init__(self, words: str, provider_key: str | None = None) -> None:
        super().__init__(words)
        self.provider = provider_key


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be signed in to. With `mailbox_id` a connected mailbox again, whose address it then is.

    `client` chooses among our OAuth clients (else the one of the address's provider). `username` is the person who
    signs in where that is not the mailbox itself: somebody with access to a shared mailbox. `connect` False keeps the
    tokens for whoever makes the mailbox of them within the hour.
    """

    address: str = ""
    mailbox_id: str | None = None
    client: str | None = None
    username: str = ""
    flow: Flow = Flow.CODE
    wishes: Wishes = field(default_factory=Wishes)


@dataclass(frozen=True, slots=True)
class Begun:
    """A sign-in to be carried out: open `url`; with a device code, enter `authorization.user_code` there."""

    authorization: Authorization
    url: str
