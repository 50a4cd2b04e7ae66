"""Reads the settings file that a mail domain publishes for clients (config-v1.1.xml). It fetches nothing.

The format: https://www.bucksch.org/1/projects/thunderbird/autoconfiguration/config-file-format.html
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from xml.parsers import expat

from postroom.core.candidates import Candidate
from postroom.core.mailbox import Endpoint, Security
from postroom.core.provider import GENERIC
from postroom.wire.resolve import ascii_host

EACH = 2
"""Servers of either direction that are combined; files that list more repeat themselves for other protocols."""
_DEPTH = 12
_SECURITY = {"SSL": Security.TLS, "STARTTLS": Security.STARTTLS}
_TYPES = {"incomingServer": "imap", "outgoingServer": "smtp"}
_UNFIT = re.compile(r"[\x00-\x20\x7f%]")


class NotAutoconfig(Exception):
    """The document is no settings file that we can use; the text says why."""


def urls(address: str, domain: str) -> list[tuple[str, dict[str, str]]]:
    """Where a domain may publish the file, most specific first, with the query to send. HTTPS only: who can change
    the file gets the password."""
    return [
        (f"https://autoconfig.{domain}/mail/config-v1.1.xml", {"emailaddress": address}),
        (f"https://{domain}/.well-known/autoconfig/mail/config-v1.1.xml", {}),
    ]


def candidates(document: bytes, address: str) -> list[Candidate]:
    """The ways that the file names, in its own order; those that take a password first. Servers without TLS are left
    out, and so is what is no host, port or user name. Raises NotAutoconfig."""
    servers = _servers(document)
    imap = _endpoints([one for one in servers if one.type == "imap"], address)
    smtp = _endpoints([one for one in servers if one.type == "smtp"], address)
    return [Candidate(receive, send, GENERIC.key, "autoconfig") for receive in imap[:EACH] for send in smtp[:EACH]]


@dataclass(slots=True)
class _Server:
    type: str
    fields: dict[str, str] = field(default_factory=dict)
    authentication: list[str] = field(default_factory=list)

    @property
    def takes_password(self) -> bool:
        return not self.authentication or any(
            one.lower().startswith(("password", "plain")) for one in self.authentication
        )


class _Reader:
    """What expat calls."""

    def __init__(self) -> None:
        self.servers: list[_Server] = []
        self._path: list[str] = []
        self._text = ""
        self._server: _Server | None = None

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self._path.append(name)
        if len(self._path) > _DEPTH:
            raise NotAutoconfig("it is nested too deep")
        if self._path == ["clientConfig", "emailProvider", name] and attributes.get("type") == _TYPES.get(name):
            self._server = _Server(attributes["type"]) if "type" in attributes else None
        self._text = ""

    def text(self, data: str) -> None:
        self._text += data

    def end(self, name: str) -> None:
        self._path.pop()
        words, self._text = self._text.strip(), ""
        if self._server is None:
            return
        if len(self._path) == 2:
            self.servers.append(self._server)
            self._server = None
        elif len(self._path) == 3 and name == "authentication":
            self._server.authentication.append(words)
        elif len(self._path) == 3:
            self._server.fields.setdefault(name, words)

    def doctype(self, *_: object) -> None:
        raise NotAutoconfig("it declares a document type, which could declare entities")


def _servers(document: bytes) -> list[_Server]:
    reader = _Reader()
    parser = expat.ParserCreate()
    parser.StartElementHandler = reader.start
    parser.CharacterDataHandler = reader.text
    parser.EndElementHandler = reader.end
    parser.StartDoctypeDeclHandler = reader.doctype
    try:
        parser.Parse(document, True)
    except (expat.ExpatError, ValueError, LookupError) as error:
        raise NotAutoconfig(f"it is no XML: {error}") from error
    return reader.servers


def _endpoints(servers: Sequence[_Server], address: str) -> list[Endpoint]:
    found = (_endpoint(one, address) for one in sorted(servers, key=lambda one: not one.takes_password))
    return list(dict.fromkeys(one for one in found if one is not None))


def _endpoint(server: _Server, address: str) -> Endpoint | None:
    security = _SECURITY.get(server.fields.get("socketType", "").upper())
    port = server.fields.get("port", "")
    username = _filled(server.fields.get("username", ""), address) or address
    if security is None or not (port.isascii() and port.isdigit() and 0 < int(port[:6]) < 65536):
        return None
    try:
        host = ascii_host(_filled(server.fields.get("hostname", ""), address))
    except ValueError:
        return None
    if _UNFIT.search(host) or _UNFIT.search(username) or len(username) > 320:
        return None
    return Endpoint(host, int(port), security, username)


def _filled(template: str, address: str) -> str:
    local, _, domain = address.rpartition("@")
    values = {"%EMAILADDRESS%": address, "%EMAILLOCALPART%": local, "%EMAILDOMAIN%": domain}
    return re.sub("|".join(values), lambda found: values[found.group()], template)
