"""Checks the addresses of an outgoing message. It does not ask whether anybody is there: the server does."""

from __future__ import annotations

import re
from collections.abc import Iterable

import idna

from postroom.core.compose.draft import BadDraft
from postroom.core.message import Address

MOST = 500
"""Recipients of one message; most providers take fewer (Google Workspace 100 over SMTP) and say so themselves."""
LONGEST_ADDRESS = 254  # RFC 5321 4.5.3.1.3, without the angle brackets
LONGEST_LOCAL = 64  # RFC 5321 4.5.3.1.1, in octets
LONGEST_DOMAIN = 253

# RFC 5321 4.1.2 and RFC 6531 3.3; dots may stand anywhere because Japanese carriers gave out such addresses. Angle
# brackets, which a quoted name might hold, are left out: servers disagree about where such an address ends.
_LOCAL = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.\-\u00a1-\U0010ffff]+|\"(?:[ !#-;=?-\[\]-~]|\\[ -;=?-~])*\"")
_LABEL = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?")
_LITERAL = re.compile(r"\[(?:[0-9.]{7,15}|IPv6:[0-9A-Fa-f:.]{2,45})\]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_SPACES = re.compile(r"\s")
_SURROGATES = re.compile(r"[\ud800-\udfff]")


def checked(address: Address, field: str) -> Address:
    """The address as it can be sent to, its domain in ASCII (RFC 5890). Raises BadDraft."""
    if _CONTROL.search(address.email) or _CONTROL.search(address.name):
        raise BadDraft(field, "an address holds a line break or another control character: remove it")
    if _SURROGATES.search(address.email) or _SURROGATES.search(address.name):
        raise BadDraft(field, "an address holds half of a character (a lone surrogate): remove it")
    email = address.email.strip()
    local, at, domain = email.rpartition("@")
    if not at or not local or not domain:
        raise BadDraft(field, f"{_shown(email)} is not an email address: it needs a name, an @ and a domain")
    if not _LOCAL.fullmatch(local) or (_SPACES.search(local) and local[0] != '"'):
        raise BadDraft(field, f"{_shown(email)} is not an email address: look at what stands before the @")
    known_as = ascii_domain(domain)
    if known_as is None:
        raise BadDraft(field, f"{_shown(email)} is not an email address: there is no such domain name")
    if len(local.encode()) > LONGEST_LOCAL or len(f"{local}@{known_as}".encode()) > LONGEST_ADDRESS:
        raise BadDraft(field, f"{_shown(email)} is too long for an email address")
    return Address(f"{local}@{known_as}", " ".join(address.name.split(" ")).strip())


def all_checked(given: Iterable[Address], field: str) -> tuple[Address, ...]:
    """Each address once, as `checked`."""
    found: dict[str, Address] = {}
    for address in given:
        one = checked(address, field)
        found.setdefault(one.email.lower(), one)
    return tuple(found.values())


def envelope(lists: Iterable[Iterable[Address]]) -> tuple[str, ...]:
    """Whom the message goes to (RFC 5321 RCPT TO), each once. Raises BadDraft where nobody is left or they are many."""
    found: dict[str, str] = {}
    for given in lists:
        for address in given:
            found.setdefault(address.email.lower(), address.email)
    if not found:
        raise BadDraft("to", "there is no recipient: add at least one address")
    if len(found) > MOST:
        raise BadDraft(
            "to", f"there are {len(found)} recipients; a message takes at most {MOST}: send several messages"
        )
    return tuple(found.values())


def ascii_domain(domain: str) -> str | None:
    """The domain as DNS knows it (RFC 5890), in lower case; None where it cannot be one."""
    if _LITERAL.fullmatch(domain):
        return domain
    if not domain.isascii():
        try:
            domain = idna.encode(domain, uts46=True).decode("ascii")
        except (idna.IDNAError, UnicodeError):
            return None
    domain = domain.lower()
    labels = domain.split(".")
    return domain if len(domain) <= LONGEST_DOMAIN and all(_LABEL.fullmatch(one) for one in labels) else None


def _shown(email: str) -> str:
    return f"“{email[:80]}…”" if len(email) > 80 else f"“{email}”"
