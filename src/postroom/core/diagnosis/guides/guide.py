"""What differs from provider to provider in the steps for people: menus, switches, limits. It decides nothing.

Each guide names its source. A server's own answer wins over what stands here: these are steps, not rules.
"""

from __future__ import annotations

from dataclasses import dataclass

from postroom.core.diagnosis.text import mark as _


@dataclass(frozen=True, slots=True, kw_only=True)
class Guide:
    """The sentences of one provider; an empty one falls back to the generic guide's."""

    name: str
    source: str = ""
    app_password: str = ""
    imap_on: str = ""
    smtp_on: str = ""
    sending_limit: str = ""
    wait: int | None = None  # seconds until a sending limit clears, where the rule is known
    connections: str = ""
    unlock: str = ""
    shared: str = ""
    hosts: str = ""


GENERIC = Guide(
    name=_("your mailbox provider"),
    app_password=_(
        "Sign in to the provider's web page, open the security settings of the account and make an application "
        "password (also called app password); if there is no such entry, ask the provider how mail programs sign "
        "in."
    ),
    imap_on=_("Sign in to the provider's web page and switch on IMAP in the mail settings of the account."),
    smtp_on=_(
        "Ask the provider, or the administrator of the mail server, to allow sending over SMTP for this mailbox."
    ),
    sending_limit=_("Wait until the provider's limit clears, or ask the provider for a higher one."),
    connections=_("Close other mail programs that use this mailbox, or ask the provider to allow more connections."),
    unlock=_(
        "Sign in to the mailbox on the provider's web page and follow what it asks; it says there if it is blocked."
    ),
    shared=_("Ask the administrator for full access to this mailbox, and for the right to send as its address."),
    hosts=_("Compare server name, port and security with the provider's page on mail program settings."),
)
