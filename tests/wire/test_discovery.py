"""Finding settings, against a DNS server and an HTTP server on loopback."""

import asyncio
import contextlib
import gzip
from contextlib import asynccontextmanager

import dns.asyncresolver
import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from postroom.core.candidates import Candidate
from postroom.core.discovered import Discovered
from postroom.core.mailbox import Endpoint, Security
from postroom.wire.discovery import Discovery, autoconfig
from postroom.wire.stream import Guard
from tests.wire.http_server import Request, Response, http_server
from tests.wire.network import ADDRESS, FILE, SRV, network


async def found(zone=None, hosts=None, address: str = ADDRESS, seconds: float = 5) -> list[Candidate]:
    async with network(zone, hosts, seconds) as (discovery, _):
        return list((await discovery.discover(address)).candidates)


def ways(candidates: list[Candidate]) -> list[tuple[str, str, str]]:
    return [
        (
            one.source,
            f"{one.imap.host}:{one.imap.port}/{one.imap.security}",
            f"{one.smtp.host}:{one.smtp.port}/{one.smtp.security}",
        )
        for one in candidates
    ]


async def test_an_address_of_a_known_provider_is_answered_without_asking_anyone():
    async with network() as (discovery, server):
        candidates = list((await discovery.discover("someone@gmail.com")).candidates)
    assert candidates[0].provider == "gmail"
    assert candidates[0].source == "provider"
    assert candidates[0].imap == Endpoint("imap.gmail.com", 993, Security.TLS, "someone@gmail.com")
    assert server.asked == []


async def test_srv_records_are_taken_by_priority_and_tls_first():
    (candidate,) = await found(SRV)
    assert candidate.source == "srv"
    assert candidate.imap == Endpoint("first.shop.example", 9993, Security.TLS, ADDRESS)
    assert candidate.smtp == Endpoint("out.shop.example", 587, Security.STARTTLS, ADDRESS)


async def test_srv_for_one_direction_alone_finds_nothing():
    assert await found({key: value for key, value in SRV.items() if "imap" in key[0]}) == []


@pytest.mark.parametrize("target", [".", "a\\032b.shop.example.", "\\195\\188.shop.example."])
async def test_srv_targets_that_are_no_hosts_are_left_out(target):
    zone = {**SRV, ("_submission._tcp.shop.example.", "SRV"): [f"0 1 587 {target}"]}
    assert await found(zone) == []


async def test_the_mx_of_a_known_provider_tells_its_settings():
    zone = {("shop.example.", "MX"): ["20 backup.example.", "10 shop-example.mail.protection.outlook.com."]}
    candidates = await found(zone)
    assert {one.source for one in candidates} == {"mx"}
    assert candidates[0].provider == "microsoft365"
    assert candidates[0].imap.host == "outlook.office365.com"
    assert candidates[0].imap.username == ADDRESS


async def test_guesses_are_only_those_whose_names_exist():
    zone = {("imap.shop.example.", "A"): ["192.0.2.1"], ("smtp.shop.example.", "AAAA"): ["2001:db8::1"]}
    assert ways(await found(zone)) == [
        ("guess", "imap.shop.example:993/tls", "smtp.shop.example:465/tls"),
        ("guess", "imap.shop.example:993/tls", "smtp.shop.example:587/starttls"),
        ("guess", "imap.shop.example:143/starttls", "smtp.shop.example:587/starttls"),
    ]


@asynccontextmanager
async def web(*, body: bytes = FILE, **answer):
    async def handler(_: Request) -> Response:
        return Response(body=body, **answer)

    async with http_server(handler) as server:
        yield server


async def test_the_settings_file_of_the_domain_is_asked_for_and_read():
    async with web() as server:
        candidates = await found(hosts={"autoconfig.shop.example": server.port})
    (request,) = server.requests
    assert request.target == "/mail/config-v1.1.xml?emailaddress=ann.lee%40shop.example"
    assert request.headers["host"] == "autoconfig.shop.example"
    assert ways(candidates) == [
        ("autoconfig", "in.shop.example:143/starttls", "out.shop.example:465/tls"),
        ("autoconfig", "oauth.shop.example:993/tls", "out.shop.example:465/tls"),
    ]
    assert candidates[0].imap.username == "ann.lee"
    assert candidates[0].smtp.username == ADDRESS


async def test_the_well_known_place_serves_where_the_other_is_broken():
    async with web() as good, web(body=b"<html>not here") as bad:
        candidates = await found(hosts={"autoconfig.shop.example": bad.port, "shop.example": good.port})
    assert good.requests[0].target == "/.well-known/autoconfig/mail/config-v1.1.xml"
    assert [one.source for one in candidates] == ["autoconfig", "autoconfig"]


async def test_the_well_known_place_serves_where_the_other_is_silent():
    async def silent(_: Request) -> Response:
        await asyncio.Event().wait()
        return Response()

    async with web() as good, http_server(silent) as bad:
        candidates = await found(hosts={"autoconfig.shop.example": bad.port, "shop.example": good.port}, seconds=1)
    assert [one.source for one in candidates] == ["autoconfig", "autoconfig"]


@pytest.mark.parametrize(
    "answer",
    [
        {"status": "404 Not Found"},
        {"status": "500 Oops"},
        {"body": b"x" * 70_000},
        {"body": FILE + b" " * 70_000},
        {"body": b""},
        {"body": gzip.compress(FILE), "headers": {"Content-Encoding": "gzip"}},
    ],
)
async def test_what_is_no_settings_file_finds_nothing(answer):
    async with web(**answer) as server:
        assert await found(hosts={"autoconfig.shop.example": server.port, "shop.example": server.port}) == []
    assert len(server.requests) == 2


async def test_redirects_are_followed_over_https_only():
    async with web() as target:
        for scheme, sources in (("https", ["autoconfig", "autoconfig"]), ("http", [])):

            async def handler(_: Request, scheme=scheme) -> Response:
                return Response("302 Found", headers={"Location": f"{scheme}://hosting.example/config"})

            async with http_server(handler) as server:
                hosts = {"autoconfig.shop.example": server.port, "hosting.example": target.port}
                assert [one.source for one in await found(hosts=hosts)] == sources
    assert len(target.requests) == 1


async def test_a_redirect_in_a_circle_ends():
    async def handler(_: Request) -> Response:
        return Response("302 Found", headers={"Location": "https://shop.example/again"})

    async with http_server(handler) as server:
        assert await found(hosts={"shop.example": server.port}) == []
    assert len(server.requests) == 4


async def test_a_settings_file_on_a_private_address_is_not_fetched(monkeypatch):
    discovery = Discovery(Guard(), seconds=2, resolver=dns.asyncresolver.Resolver(configure=False))
    monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: [(2, 1, 6, "", ("127.0.0.1", port))])
    async with web() as server:
        port = server.port
        assert (await discovery.discover(ADDRESS)).candidates == ()
    await discovery.close()
    assert server.requests == []


async def test_what_is_found_in_several_ways_is_ordered_by_trust_and_shown_once():
    zone = {
        **SRV,
        ("_imaps._tcp.shop.example.", "SRV"): ["0 0 993 imap.shop.example."],
        ("_submissions._tcp.shop.example.", "SRV"): ["0 0 465 smtp.shop.example."],
        ("shop.example.", "MX"): ["10 aspmx.l.google.com."],
        ("imap.shop.example.", "A"): ["192.0.2.1"],
        ("smtp.shop.example.", "A"): ["192.0.2.1"],
    }
    async with web() as server:
        candidates = await found(zone, {"autoconfig.shop.example": server.port})
    assert [one.source for one in candidates] == ["autoconfig", "autoconfig", "srv", "mx", "guess", "guess"]
    assert ways(candidates)[2] == ("srv", "imap.shop.example:993/tls", "smtp.shop.example:465/tls")
    assert candidates[3].provider in ("gmail", "google_workspace")
    assert len({(one.imap, one.smtp) for one in candidates}) == len(candidates)


async def test_a_name_server_that_fails_or_is_silent_spoils_nothing_else():
    zone = {
        **SRV,
        ("_imap._tcp.shop.example.", "SRV"): None,
        ("_submissions._tcp.shop.example.", "SRV"): "fail",
        ("shop.example.", "MX"): None,
        ("mail.shop.example.", "A"): ["192.0.2.1"],
        ("mail.shop.example.", "AAAA"): None,
    }
    candidates = await asyncio.wait_for(found(zone, seconds=1), 3)
    assert [one.source for one in candidates] == ["srv", "guess", "guess", "guess"]


LONG = ["a@" + "x" * 64 + ".example", "a@" + "x." * 200 + "example"]
MALFORMED = [
    "",
    "@",
    "nobody",
    "@shop.example",
    "a@",
    "a@b@",
    "a@x/y.example",
    "a@a b.example",
    "a@-.example",
    "a@ü..example",
]


@pytest.mark.parametrize("address", [*MALFORMED, *LONG, "a@localhost", "a@[192.0.2.1]", "a@192.0.2.1"])
async def test_what_is_no_address_finds_nothing_and_asks_nobody(address):
    async with network() as (discovery, server):
        assert await discovery.discover(address) == Discovered()
    assert server.asked == []


async def test_a_domain_with_other_letters_is_asked_for_in_ascii():
    zone = {("imap.xn--bcher-kva.example.", "A"): ["192.0.2.1"], ("smtp.xn--bcher-kva.example.", "A"): ["192.0.2.1"]}
    candidates = await found(zone, address="ann@Bücher.example")
    assert len(candidates) == 3
    assert candidates[0].imap.username == "ann@Bücher.example"


@pytest.mark.parametrize(
    "document",
    [
        b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><clientConfig>&b;</clientConfig>',
        b'<!DOCTYPE x SYSTEM "file:///etc/passwd"><clientConfig/>',
        b"<a>" * 1000,
        b'<?xml version="1.0" encoding="no-such-thing"?><a/>',
        b"\xff\xfe<\0a\0",
        b"<a></b>",
    ],
)
def test_documents_that_are_no_plain_xml_are_refused(document):
    with pytest.raises(autoconfig.NotAutoconfig):
        autoconfig.candidates(document, ADDRESS)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"<port>465", b"<port>99999"),
        (b"<port>465", b"<port>-1"),
        (b"<port>465", "<port>４６５".encode()),
        (b"out.shop.example", b"out shop"),
        (b"out.shop.example", b"user@host"),
        (b"out.shop.example", b""),
        (b"<port>465</port><socketType>SSL", b"<port>465</port><socketType>plain"),
        (b"%EMAILADDRESS%</username><authentication>password", b"%OTHER%</username><authentication>password"),
        (b'type="smtp"', b'type="lmtp"'),
        (b"outgoingServer", b"otherServer"),
    ],
)
def test_servers_that_cannot_be_used_are_left_out(old, new):
    assert old in FILE
    assert autoconfig.candidates(FILE.replace(old, new), ADDRESS) == []


@given(st.binary(max_size=300) | st.lists(st.sampled_from(FILE.split(b"\n"))).map(b"\n".join))
@example(FILE)
def test_any_document_is_read_or_refused(document):
    with contextlib.suppress(autoconfig.NotAutoconfig):  # the one exception that may come out
        assert isinstance(autoconfig.candidates(document, ADDRESS), list)
