"""A network of one test's own for discovery: a name server and web servers on loopback. It has no test in it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import dns.asyncresolver
import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset
import httpx2

from postroom.wire.discovery import Discovery
from postroom.wire.stream import Guard

ADDRESS = "ann.lee@shop.example"
FILE = b"""<?xml version="1.0" encoding="UTF-8"?>
<clientConfig version="1.1">
  <emailProvider id="shop.example">
    <domain>shop.example</domain>
    <incomingServer type="pop3">
      <hostname>pop.shop.example</hostname><port>995</port><socketType>SSL</socketType>
    </incomingServer>
    <incomingServer type="imap">
      <hostname>oauth.shop.example</hostname><port>993</port><socketType>SSL</socketType>
      <username>%EMAILADDRESS%</username><authentication>OAuth2</authentication>
    </incomingServer>
    <incomingServer type="imap">
      <hostname>in.%EMAILDOMAIN%</hostname><port>143</port><socketType>STARTTLS</socketType>
      <username>%EMAILLOCALPART%</username><authentication>OAuth2</authentication>
      <authentication>password-cleartext</authentication>
    </incomingServer>
    <outgoingServer type="smtp">
      <hostname>out.shop.example</hostname><port>465</port><socketType>SSL</socketType>
      <username>%EMAILADDRESS%</username><authentication>password-cleartext</authentication>
    </outgoingServer>
  </emailProvider>
</clientConfig>"""
SRV = {
    ("_imaps._tcp.shop.example.", "SRV"): ["10 1 993 second.shop.example.", "0 5 9993 first.shop.example."],
    ("_imap._tcp.shop.example.", "SRV"): ["0 1 143 other.shop.example."],
    ("_submissions._tcp.shop.example.", "SRV"): ["0 0 0 ."],
    ("_submission._tcp.shop.example.", "SRV"): ["0 1 587 Out.shop.example."],
}


class FakeDns(asyncio.DatagramProtocol):
    """Answers from a zone: {("name.", "TYPE"): ["rdata", …]}. A value of None: no answer at all, "fail": SERVFAIL."""

    def __init__(self, zone: dict) -> None:
        self.zone = zone
        self.asked: list[tuple[str, str]] = []

    def connection_made(self, transport) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, sender) -> None:
        query = dns.message.from_wire(data)
        question = query.question[0]
        key = (question.name.to_text().lower(), dns.rdatatype.to_text(question.rdtype))
        self.asked.append(key)
        answer = dns.message.make_response(query)
        answer.flags |= dns.flags.RA
        found = self.zone.get(key, [])
        if found is None:
            return
        if found == "fail":
            answer.set_rcode(dns.rcode.SERVFAIL)
        elif found:
            answer.answer.append(dns.rrset.from_text(question.name, 60, "IN", key[1], *found))
        elif not any(name == key[0] for name, _ in self.zone):
            answer.set_rcode(dns.rcode.NXDOMAIN)
        self.transport.sendto(answer.to_wire(), sender)


class ToLoopback(httpx2.AsyncBaseTransport):
    """The Web, as far as there is one: host name to port on loopback. Other hosts cannot be connected to."""

    def __init__(self, hosts: dict[str, int]) -> None:
        self.hosts = hosts
        self.inner = httpx2.AsyncHTTPTransport()

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        port = self.hosts.get(request.url.host)
        if port is None:
            raise httpx2.ConnectError("nobody there")
        url = request.url.copy_with(scheme="http", host="127.0.0.1", port=port)
        return await self.inner.handle_async_request(
            httpx2.Request(request.method, url, headers=request.headers, stream=request.stream)
        )


@asynccontextmanager
async def network(zone=None, hosts=None, seconds: float = 5) -> AsyncIterator[tuple[Discovery, FakeDns]]:
    loop = asyncio.get_running_loop()
    transport, server = await loop.create_datagram_endpoint(lambda: FakeDns(zone or {}), ("127.0.0.1", 0))
    resolver = dns.asyncresolver.Resolver(configure=False)
    resolver.nameservers = ["127.0.0.1"]
    resolver.port = transport.get_extra_info("sockname")[1]
    discovery = Discovery(Guard(), seconds=seconds, resolver=resolver, transport=ToLoopback(hosts or {}))
    try:
        yield discovery, server
    finally:
        await discovery.close()
        transport.close()
