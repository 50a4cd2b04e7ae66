"""Tells which provider serves an address or a host, from one table. It looks nothing up in the network."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from postroom.core.provider.entry import Provider, Server, Site
from postroom.core.provider.regional import REGIONAL
from postroom.core.provider.worldwide import WORLDWIDE

__all__ = ["GENERIC", "PROVIDERS", "Provider", "Server", "Site", "by_domain", "by_host", "by_key", "by_mx", "of"]

GENERIC = Provider(
    key="generic",
    name="Mail server",
    sources={"idle_seconds": "RFC 2177", "connections": "Courier's MAXPERIP; Dovecot grants 10"},
)
PROVIDERS: tuple[Provider, ...] = (*WORLDWIDE, *REGIONAL, GENERIC)

# Other spellings under which keys come in from outside: what the corpus and other programs write.
_ALIASES = {
    "google": "gmail",
    "googleworkspace": "google_workspace",
    "office365": "microsoft365",
    "exchange_online": "microsoft365",
    "hotmail": "outlook",
    "netease163": "163",
    "126": "163",
    "qq-exmail": "qq",
    "protonbridge": "proton",
    "t_online": "t-online",
    "tonline": "t-online",
    "web.de": "webde",
}
_LOOPBACK = frozenset({"", "localhost", "::1"})


def _suffixes(given: Iterable[Provider], names: Callable[[Provider], tuple[str, ...]]) -> dict[str, Provider]:
    return {suffix: one for one in given for suffix in names(one)}


_KEYS = {one.key: one for one in PROVIDERS}
_DOMAINS = _suffixes(PROVIDERS, lambda one: one.domains)
_MX = _suffixes(PROVIDERS, lambda one: one.mx)
_HOSTS = _suffixes(PROVIDERS, lambda one: one.hosts)


def by_key(key: str) -> Provider:
    """The provider of that key or of another spelling of it; the generic one where it is unknown."""
    return _KEYS.get(key) or _KEYS.get(_ALIASES.get(key.lower(), key.lower()), GENERIC)


def by_domain(domain: str) -> Provider | None:
    """Whose own addresses end so; None for a domain that could be served by anyone."""
    plain = _plain(domain)
    return _DOMAINS.get(plain) or (_KEYS["microsoft365"] if plain.endswith(".onmicrosoft.com") else None)


def by_mx(host: str) -> Provider | None:
    """Who takes mail in under that MX host name; the longest suffix that fits wins."""
    return _longest(_MX, host)


def by_host(imap_host: str) -> Provider | None:
    """Who serves connections to that host. Google and Microsoft serve two kinds of customers there: ask `of`."""
    return _longest(_HOSTS, imap_host)


def of(address: str, imap_host: str) -> Provider:
    """Who serves a mailbox with these settings, typed by hand or found. The host counts more than the address.

    On this machine the host says nothing (Proton's bridge, a proxy that signs in by OAuth): then the address counts.
    """
    owner = by_domain(address.rpartition("@")[2])
    host = _plain(imap_host)
    if host in _LOOPBACK or host.startswith("127."):
        return owner or GENERIC
    found = by_host(host)
    if found is None:
        return GENERIC
    if found.key == "gmail" and owner is not found:
        return _KEYS["google_workspace"]
    if found.key == "microsoft365" and owner is not None and owner.key == "outlook":
        return owner
    return found


def _plain(host: str) -> str:
    return host.strip().rstrip(".").lower()


def _longest(table: dict[str, Provider], host: str) -> Provider | None:
    labels = _plain(host).split(".")
    for start in range(len(labels)):
        if found := table.get(".".join(labels[start:])):
            return found
    return None
