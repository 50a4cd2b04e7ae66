"""Webhook calls, against a real HTTP server on loopback."""

import asyncio
import socket
from datetime import UTC, datetime, timedelta, timezone

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from postroom.wire.resolve import Guard, PrivateHost
from postroom.wire.webhook import Webhooks
from tests.wire.http_server import Request, Response, http_server

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
BODY = '{"type":"delivery.sent","timestamp":"2026-11-23T08:00:00Z","data":{"subject":"Grüße"}}'.encode()


async def ok(_: Request) -> Response:
    return Response()


async def post(url: str, *, secret: str = SECRET, at: datetime | None = None, allow_private=True, **options):
    webhooks = Webhooks(Guard(allow_private=allow_private), **options)
    try:
        return await webhooks.post(url, secret, "evt_1", at or datetime.now(UTC), BODY)
    finally:
        await webhooks.close()


@pytest.mark.parametrize("zone", [UTC, timezone(timedelta(hours=5, minutes=30))])
async def test_a_receiver_can_verify_the_call(zone):
    async with http_server(ok) as server:
        result = await post(f"http://127.0.0.1:{server.port}/hook?a=b", at=datetime.now(zone))
    assert result.ok
    assert result.error is None
    (request,) = server.requests
    assert (request.method, request.target, request.body) == ("POST", "/hook?a=b", BODY)
    assert request.headers["content-type"] == "application/json"
    assert request.headers["host"] == f"127.0.0.1:{server.port}"
    assert request.headers["webhook-id"] == "evt_1"
    assert Webhook(SECRET).verify(request.body, request.headers)["type"] == "delivery.sent"
    with pytest.raises(WebhookVerificationError):
        Webhook("whsec_b3RoZXI=").verify(request.body, request.headers)


@pytest.mark.parametrize(
    ("status", "good", "words"),
    [
        ("204 No Content", True, None),
        ("202 Accepted", True, None),
        ("500 Internal Server Error", False, "answered 500 Internal Server Error"),
        ("410 Gone", False, "answered 410 Gone"),
    ],
)
async def test_only_2xx_is_a_success(status, good, words):
    async def handler(_: Request) -> Response:
        return Response(status, b"" if "204" in status else b"private words of the receiver")

    async with http_server(handler) as server:
        result = await post(f"http://127.0.0.1:{server.port}/")
    assert (result.status, result.ok, result.error) == (int(status[:3]), good, words)


@pytest.mark.parametrize("status", ["301 Moved Permanently", "302 Found", "307 Temporary Redirect"])
async def test_redirects_are_not_followed(status):
    async with http_server(ok) as other:

        async def handler(_: Request) -> Response:
            return Response(status, headers={"Location": f"http://127.0.0.1:{other.port}/"})

        async with http_server(handler) as server:
            result = await post(f"http://127.0.0.1:{server.port}/")
    assert not result.ok
    assert result.status == int(status[:3])
    assert "redirect" in (result.error or "")
    assert other.requests == []


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "0.0.0.0", "[::1]", "[::ffff:127.0.0.1]", "2130706433", "127.1"]
)
async def test_private_addresses_are_refused_however_they_are_written(host):
    async with http_server(ok) as server:
        result = await post(f"http://{host}:{server.port}/", allow_private=False)
    assert result.status is None
    assert result.error
    assert server.requests == []


class OnlyTheFirst(Guard):
    """Lets one address through that nobody listens on."""

    def check(self, host: str, address: str) -> None:
        if address != "127.0.0.2":
            raise PrivateHost(f"{address} is not to be connected to")


async def test_a_name_that_changes_its_address_is_connected_to_where_it_was_checked(monkeypatch):
    answers = ["127.0.0.2", "127.0.0.1", "127.0.0.1"]

    def look_up(name: str, port: int, *_, **__):
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (answers.pop(0), port))]

    async with http_server(ok) as server:
        monkeypatch.setattr(socket, "getaddrinfo", look_up)
        webhooks = Webhooks(OnlyTheFirst())
        result = await webhooks.post(f"http://rebind.test:{server.port}/", SECRET, "evt_1", datetime.now(UTC), BODY)
        await webhooks.close()
    assert server.requests == []
    assert result.status is None
    assert answers == ["127.0.0.1", "127.0.0.1"]  # looked up once


async def test_the_certificate_is_checked_against_the_name_though_the_address_is_pinned(certificates, tmp_path):
    async with http_server(ok, certificates.good().server_context(tmp_path)) as server:
        trusting = certificates.client_context()
        good = await post(f"https://localhost:{server.port}/", context=trusting)
    assert good.ok
    assert server.requests[0].headers["host"] == f"localhost:{server.port}"
    for bad in (certificates.wrong_host(), certificates.untrusted(), certificates.expired()):
        async with http_server(ok, bad.server_context(tmp_path)) as server:
            result = await post(f"https://localhost:{server.port}/", context=certificates.client_context())
        assert result.status is None
        assert "CERTIFICATE_VERIFY_FAILED" in (result.error or "")
        assert server.requests == []


async def test_a_receiver_that_does_not_answer_is_given_up():
    async def handler(_: Request) -> Response:
        await asyncio.Event().wait()
        return Response()

    async with http_server(handler) as server:
        result = await post(f"http://127.0.0.1:{server.port}/", seconds=0.4)
    assert (result.status, result.error) == (None, "no answer within 0.4 seconds")


async def test_an_endless_answer_does_not_keep_us():
    async def handler(_: Request) -> Response:
        return Response(headers={"X-Long": "x"}, body=b"x" * 30_000_000)

    async with http_server(handler) as server:
        assert (await post(f"http://127.0.0.1:{server.port}/")).ok


@pytest.mark.parametrize(
    "url",
    ["", "nonsense", "ftp://example.org/", "http://", "http://a b/", "http://[::1/", "http://x:99999/", "http://%00/"],
)
async def test_what_is_no_url_is_a_result_too(url):
    result = await post(url)
    assert result.status is None
    assert result.error


async def test_nobody_listening_is_a_result_too(unused_port):
    result = await post(f"http://127.0.0.1:{unused_port}/")
    assert result.status is None
    assert "refused" in (result.error or "").lower() or "connect" in (result.error or "").lower()


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_*", "whsec_é"])
async def test_a_bad_secret_is_a_result_that_does_not_show_it(secret):
    async with http_server(ok) as server:
        result = await post(f"http://127.0.0.1:{server.port}/", secret=secret)
    assert result.status is None
    assert "secret" in (result.error or "")
    assert server.requests == []


@pytest.fixture
def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


async def test_a_connection_is_kept_for_the_next_call_to_the_same_name_and_for_no_other():
    opened, calls = [], []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        opened.append(writer)
        while head := await _head(reader):
            calls.append(head)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nthank")

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    webhooks = Webhooks(Guard(allow_private=True))
    for host in ("127.0.0.1", "127.0.0.1", "localhost", "localhost", "127.0.0.1"):
        assert (await webhooks.post(f"http://{host}:{port}/", SECRET, "evt_1", datetime.now(UTC), BODY)).ok
    assert (len(calls), len(opened)) == (5, 2)
    for writer in opened:  # the receiver closes what is idle: the next call makes another
        writer.close()
        await writer.wait_closed()
    await asyncio.sleep(0)
    again = [await webhooks.post(f"http://127.0.0.1:{port}/", SECRET, "evt_1", datetime.now(UTC), BODY) for _ in "12"]
    assert again[1].ok
    await webhooks.close()
    server.close()


async def _head(reader: asyncio.StreamReader) -> bytes:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
        size = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        await reader.readexactly(size)
    except (asyncio.IncompleteReadError, ConnectionError):
        return b""
    return head
