"""Turns a host name into addresses that may be connected to. It connects to none of them."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import idna

_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")
# Lookups block a thread each; a pool of their own keeps a dead name server from starving everything else.
_LOOKUPS: Final = ThreadPoolExecutor(max_workers=32, thread_name_prefix="lookup")


class PrivateHost(Exception):
    """The host is on a private network and this installation does not connect to those."""


class PlaintextRefused(Exception):
    """Mail servers are not spoken to in plain text unless they are named."""


class Guard:
    """What may be connected to: public addresses only, unless `allow_private`. Mail servers in plain text: those hosts
    that are named in `plaintext`; None lets all be, for whoever has no operator to name them."""

    def __init__(self, *, allow_private: bool = False, plaintext: Collection[str] | None = None) -> None:
        """Raises ValueError for a name in `plaintext` that is no host."""
        self.allow_private = allow_private
        self._plaintext = None if plaintext is None else frozenset(ascii_host(host) for host in plaintext)

    def check_plaintext(self, host: str) -> None:
        """Raises PlaintextRefused."""
        if self._plaintext is not None and ascii_host(host) not in self._plaintext:
            raise PlaintextRefused(f"{host} is not among the hosts of POSTROOM_PLAINTEXT_HOSTS")

    def check(self, host: str, address: str) -> None:
        """Raises PrivateHost for private, loopback, link-local, shared (RFC 6598), unspecified and multicast
        addresses, also where they are wrapped in an IPv6 address (mapped, 6to4, Teredo, NAT64)."""
        if self.allow_private:
            return
        if not is_public(address):
            raise PrivateHost(
                f"{host} is {address}, on a private network; set POSTROOM_ALLOW_PRIVATE_HOSTS to allow it"
            )


def is_public(address: str) -> bool:
    """Whether an IP address is one of the public Internet. False for what is no IP address."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    return all(one.is_global and not one.is_multicast for one in _unwrapped(ip))


IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address


def _unwrapped(ip: IPAddress) -> list[IPAddress]:
    if isinstance(ip, ipaddress.IPv4Address):
        return [ip]
    if ip.ipv4_mapped:
        return [ip.ipv4_mapped]
    if ip.sixtofour:
        return [ip, ip.sixtofour]
    if ip.teredo:
        return [ip, *ip.teredo]
    if ip in _NAT64:
        return [ip, ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)]
    return [ip]


def ascii_host(host: str) -> str:
    """The host as DNS and TLS want it (RFC 5891). Raises ValueError for what can be no host name."""
    host = host.strip().rstrip(".")
    if not host:
        raise ValueError("the host name is empty")
    if host.isascii():
        if any(character.isspace() or character in "/@\\\0" for character in host):
            raise ValueError(f"{host!r} is not a host name")
        return host.lower()
    return idna.encode(host, uts46=True).decode("ascii")


async def resolve(host: str, port: int, guard: Guard) -> list[str]:
    """The addresses of `host` that the guard lets through, in the order to try them (RFC 6724).

    Raises OSError (gaierror) where the lookup fails, ValueError for what is no host name or port, PrivateHost where
    no address may be connected to. The caller bounds the time.
    """
    name = ascii_host(host)
    if not 0 < port < 65536:
        raise ValueError(f"{port} is not a port; ports are 1 to 65535")
    found = await asyncio.get_running_loop().run_in_executor(_LOOKUPS, _look_up, name, port)
    refused: PrivateHost | None = None
    allowed: list[str] = []
    for address in dict.fromkeys(found):
        try:
            guard.check(host, address)
        except PrivateHost as error:
            refused = error
        else:
            allowed.append(address)
    if not allowed:
        raise refused or OSError(f"{host} has no address")
    return allowed


def _look_up(name: str, port: int) -> list[str]:
    return [str(entry[4][0]) for entry in socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)]
