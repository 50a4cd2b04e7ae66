"""What is told of each lookup, and why nothing was found, against a DNS server and an HTTP server on loopback."""

import asyncio

import httpx2
import pytest

from postroom.core.discovered import Outcome
from tests.wire.http_server import Response, http_server
from tests.wire.network import ADDRESS, FILE, SRV, network


async def looked_up(zone=None, hosts=None, seconds=5):
    async with network(zone, hosts, seconds) as (discovery, _):
        return await discovery.discover(ADDRESS)


def outcomes(found, source):
    return [(one.asked, str(one.outcome)) for one in found.lookups if one.source == source]


async def test_every_lookup_is_told_with_what_came_of_it_and_how_long_it_took():
    async def file(request):
        there = request.target.startswith("/mail/")
        return Response(body=FILE) if there else Response("404 Not Found")

    async with http_server(file) as server:
        found = await looked_up(SRV, {"autoconfig.shop.example": server.port})
    assert [one.source for one in found.lookups] == ["provider"] + ["autoconfig"] * 2 + ["srv"] * 4 + ["mx"] + [
        "guess"
    ] * 4
    assert outcomes(found, "provider") == [("shop.example", "nothing")]
    assert outcomes(found, "autoconfig") == [
        ("https://autoconfig.shop.example/mail/config-v1.1.xml", "found"),
        ("https://shop.example/.well-known/autoconfig/mail/config-v1.1.xml", "nothing"),
    ]
    assert ("_imaps._tcp.shop.example SRV", "found") in outcomes(found, "srv")
    assert all(one.milliseconds > 0 for one in found.lookups if one.source != "provider")


async def test_a_misspelt_domain_is_told():
    found = await looked_up({("other.example.", "MX"): ["10 mx.other.example."]})
    assert found.candidates == ()
    assert outcomes(found, "mx") == [("shop.example MX", "absent")]
    assert found.why_nothing(ADDRESS).startswith("There is no domain shop.example.")


@pytest.mark.parametrize("answer", [None, "fail"], ids=["silent", "failing"])
async def test_name_servers_that_give_no_answer_are_told_apart_from_a_misspelt_domain(answer):
    class All(dict):
        def get(self, key, default=None):
            return answer

    found = await looked_up(All(some="zone"), seconds=1)
    assert found.why_nothing(ADDRESS).startswith("No name could be looked up: _imaps._tcp.shop.example SRV (")
    assert {str(one.outcome) for one in found.lookups if one.source in ("srv", "mx", "guess")} == {"failed"}


async def test_a_domain_that_exists_and_names_no_servers_is_told():
    found = await looked_up({("shop.example.", "MX"): ["10 mx.elsewhere.example."]})
    assert found.why_nothing(ADDRESS).startswith("The domain shop.example exists, but nothing names")
    mx = next(one for one in found.lookups if one.source == "mx")
    assert (mx.outcome, mx.detail) == (Outcome.NOTHING, "mx.elsewhere.example: no known provider")


class TlsToLoopback(httpx2.AsyncBaseTransport):
    """Every HTTPS host at one port on loopback, its certificate checked."""

    def __init__(self, port):
        self.port, self.inner = port, httpx2.AsyncHTTPTransport()

    async def handle_async_request(self, request):
        url = request.url.copy_with(host="127.0.0.1", port=self.port)
        return await self.inner.handle_async_request(httpx2.Request(request.method, url, headers=request.headers))


async def test_a_settings_file_behind_a_broken_certificate_is_told(certificates, tmp_path):
    context = certificates.good().server_context(tmp_path)  # of an authority that nobody trusts here
    web = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0, ssl=context)
    port = web.sockets[0].getsockname()[1]
    async with network({("shop.example.", "MX"): ["10 mx.elsewhere.example."]}) as (discovery, _):
        discovery._client = httpx2.AsyncClient(transport=TlsToLoopback(port))
        found = await discovery.discover(ADDRESS)
    web.close()
    assert [outcome for _, outcome in outcomes(found, "autoconfig")] == ["failed", "failed"]
    assert "the certificate was refused: " in found.why_nothing(ADDRESS)
    assert "not everything could be asked" in found.why_nothing(ADDRESS)
