"""What should be known of a mailbox that works: how it may disappoint all the same. It is no diagnosis."""

from __future__ import annotations

import re
from dataclasses import dataclass

from postroom.core.diagnosis.text import filled
from postroom.core.diagnosis.text import mark as _
from postroom.core.mailbox import Direction, Endpoint, Security, signs_in_as_another

INBOX_OF_ANOTHER = _(
    "Receiving signs in as {username}, so the INBOX that is read is most likely that person's own and not the one of "
    "{address}. {how}"
)
HOW = _("See with a test message that mail to {address} arrives; if not, ask the provider for the user name to use.")
HOW_MICROSOFT = _("At Microsoft 365 the user name for a shared mailbox is {shared}.")
SEND_AS_UNPROVEN = _(
    "Sending signs in as {username}. That {username} may send as {address} is proved by a message only: some servers, "
    "Exchange among them, check it last."
)
UNPROTECTED = _(
    "{direction} is not encrypted: whoever is on the way to {host} can read the password and all mail. Set the "
    "security to TLS or STARTTLS."
)
_SHARED = re.compile(r"[\\/*]")


@dataclass(frozen=True, slots=True)
class Caution:
    """One warning. `code` is for programs, `message` for people."""

    code: str
    message: str


def cautions(address: str, imap: Endpoint, smtp: Endpoint, provider: str = "generic") -> tuple[Caution, ...]:
    """The warnings that follow from the settings alone."""
    found = []
    if signs_in_as_another(address, imap.username) and not _names_shared(address, imap.username):
        how = HOW_MICROSOFT if provider == "microsoft365" else HOW
        values = {"username": imap.username, "address": address, "shared": f"{imap.username}\\{_local(address)}"}
        said = filled(INBOX_OF_ANOTHER, values | {"how": filled(how, values)})
        found.append(Caution("inbox_may_be_personal", said))
    if signs_in_as_another(address, smtp.username):
        said = filled(SEND_AS_UNPROVEN, {"username": smtp.username, "address": address})
        found.append(Caution("send_as_unproven", said))
    for direction, end in ((Direction.IMAP, imap), (Direction.SMTP, smtp)):
        if end.security is Security.NONE:
            values = {"direction": direction.word.capitalize(), "host": end.host}
            found.append(Caution("unprotected", filled(UNPROTECTED, values)))
    return tuple(found)


def _names_shared(address: str, username: str) -> bool:
    """Whether the user name says whose mailbox is meant: person@domain\\shared, user*master and the like."""
    parts = [part.casefold() for part in _SHARED.split(username)]
    return len(parts) > 1 and (address.casefold() in parts or _local(address).casefold() in parts)


def _local(address: str) -> str:
    return address.rpartition("@")[0]
