"""The form of the connect page: read, checked, and given back filled, without the password. It connects nothing."""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from postroom.core.connect_link import ConnectLink
from postroom.core.mailbox import Direction, Endpoint, Security
from postroom.flows.guest import Typed
from postroom.web.schema import fields
from postroom.web.schema.connection import DEFAULT_PORTS

_LONGEST = 1000
_NAMES = frozenset(
    {
        *("do", "form", "address", "password", "person"),
        *("imap_host", "imap_port", "imap_security", "imap_username"),
        *("smtp_host", "smtp_port", "smtp_security", "smtp_username"),
    }
)


@dataclass(frozen=True, slots=True)
class Filled:
    """What stands in the form. `do` is `look`, `sign_in` or `password`; `errors` are words by field, `""` for the
    whole. `person` is who signs in to a shared mailbox."""

    do: str = "look"
    form: str = field(default="", repr=False)
    address: str = ""
    password: str = field(default="", repr=False)
    person: str = ""
    imap_host: str = ""
    imap_port: str = ""
    imap_security: str = "tls"
    imap_username: str = ""
    smtp_host: str = ""
    smtp_port: str = ""
    smtp_security: str = "tls"
    smtp_username: str = ""
    errors: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, pairs: Iterable[tuple[str, str]]) -> Filled:
        """Of a form's names and values; others than ours, and what is far too long, are left out."""
        given = {name: value for name, value in pairs if name in _NAMES and len(value) <= _LONGEST}
        return cls(**given, errors={})

    def bears(self, link: ConnectLink) -> bool:
        """Whether it is from this link's page."""
        return hmac.compare_digest(self.form.encode(), link.form_token.encode())

    @property
    def settings_given(self) -> bool:
        """Whether the folded part is to be open."""
        given = self.person, self.imap_host, self.smtp_host, self.imap_username, self.smtp_username
        return any(given) or any(name.startswith(("imap_", "smtp_")) for name in self.errors)

    def checked(self, link: ConnectLink) -> Filled:
        """With what is wrong in `errors`. Of a mailbox that is connected again only the password counts."""
        errors: dict[str, str] = {}
        address = link.address
        if link.mailbox_id is None:
            try:
                address = fields.address(fields.whole(self.address))
            except ValueError as why:
                errors["address"] = str(why) if self.address.strip() else "Type the address of the mailbox."
        if self.do == "password":
            if not self.password:
                errors["password"] = "Type the password."  # noqa: S105 - words
            elif any(mark in self.password for mark in "\x00\r\n"):
                errors["password"] = "A password has no line break: was more copied than it?"  # noqa: S105 - words
        if self.do != "look" and link.mailbox_id is None:
            for direction in Direction:
                errors |= self._wrong(direction)
        servers = {} if link.mailbox_id is None else {"imap_host": "", "smtp_host": ""}
        return replace(self, address=address, person=self.person.strip(), errors=errors, **servers)

    def typed(self) -> Typed:
        """For the try; checked before."""
        return Typed(
            self.address,
            self.password,
            self.imap_username.strip() or self.person,
            self._endpoint(Direction.IMAP),
            self._endpoint(Direction.SMTP),
        )

    def _given(self, direction: Direction) -> tuple[str, str, str, str]:
        if direction is Direction.IMAP:
            return self.imap_host.strip(), self.imap_port.strip(), self.imap_security, self.imap_username.strip()
        return self.smtp_host.strip(), self.smtp_port.strip(), self.smtp_security, self.smtp_username.strip()

    def _wrong(self, direction: Direction) -> dict[str, str]:
        host, port, security, _ = self._given(direction)
        errors = {}
        if host:
            try:
                fields.host(fields.whole(host))
            except ValueError as why:
                errors[f"{direction}_host"] = str(why)
        if port and not (port.isascii() and port.isdecimal() and 0 < int(port) < 65536):
            errors[f"{direction}_port"] = "A port is a number from 1 to 65535."
        if port and not host:
            errors[f"{direction}_host"] = "Name the server that has this port."
        if security not in [str(one) for one in Security]:
            errors[f"{direction}_security"] = "Choose one of them."
        return errors

    def _endpoint(self, direction: Direction) -> Endpoint | None:
        host, port, security, username = self._given(direction)
        if not host:
            return None
        chosen = Security(security)
        number = int(port) if port else DEFAULT_PORTS[direction, chosen]
        return Endpoint(fields.host(host), number, chosen, username or self.person or self.address)
