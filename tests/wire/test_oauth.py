"""Asking authorization servers: failures become evidence, secrets stay out of it, and some are not asked at all."""

import asyncio

import pytest

from postroom.core.diagnosis import Action, Failure, Stage, diagnose
from postroom.core.mailbox import Direction
from postroom.core.oauth.request import OAuthRequest
from postroom.wire.oauth import OAuth
from postroom.wire.resolve import Guard
from tests.wire.http_server import Response, http_server

SECRET = "the secret of the client"
FORM = {"grant_type": "refresh_token", "refresh_token": "1//the refresh token", "client_secret": SECRET}


async def ask(handler, *, form=FORM, seconds=2.0, path="/token"):
    async with http_server(handler) as server:
        wire = OAuth(Guard(allow_private=True), seconds=seconds)
        try:
            request = OAuthRequest(f"http://127.0.0.1:{server.port}{path}", "google", form)
            return await wire.ask(request, Direction.SMTP), server.requests
        finally:
            await wire.close()


def answering(status, body=b"", headers=None):
    async def handler(_):
        return Response(status, body, headers or {})

    return handler


async def test_a_form_is_posted_and_the_answer_given():
    body, (request,) = await ask(answering("200 OK", b'{"access_token": "x"}'))
    assert body == '{"access_token": "x"}'
    assert request.method == "POST"
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"
    assert b"refresh_token=1%2F%2Fthe+refresh+token" in request.body


async def test_a_refusal_is_evidence_with_the_servers_words_and_without_ours():
    said = b'{"error": "invalid_grant", "error_description": "AADSTS50173: 1//the refresh token of the secret is gone"}'
    with pytest.raises(Failure) as failed:
        await ask(answering("400 Bad Request", said))
    evidence = failed.value.evidence
    assert (evidence.direction, evidence.stage, evidence.status) == (Direction.SMTP, Stage.OAUTH, "400")
    assert evidence.raw.startswith('HTTP 400 Bad Request: {"error": "invalid_grant"')
    assert "1//the refresh token" not in evidence.raw
    assert diagnose(evidence).code == "token_expired"


@pytest.mark.parametrize(
    ("status", "body"),
    [
        ("503 Service Unavailable", b"<html>busy</html>"),
        ("502 Bad Gateway", b""),
        ("500 Internal Server Error", b'{"error": "internal_failure"}'),
        ("429 Too Many Requests", b'{"error": "rate_limit_exceeded"}'),
    ],
)
async def test_a_service_in_trouble_is_tried_again(status, body):
    with pytest.raises(Failure) as failed:
        await ask(answering(status, body))
    assert diagnose(failed.value.evidence).action is Action.RETRY


async def test_a_redirect_is_not_followed():
    with pytest.raises(Failure, match="302"):
        await ask(answering("302 Found", b"", {"Location": "http://127.0.0.1:1/elsewhere"}))


async def test_a_server_that_says_nothing_is_left():
    async def silent(_):
        await asyncio.sleep(30)

    with pytest.raises(Failure, match=r"no answer for 0\.2 seconds") as failed:
        await ask(silent, seconds=0.2)
    assert diagnose(failed.value.evidence).action is Action.RETRY


async def test_an_answer_without_end_is_left():
    with pytest.raises(Failure, match="larger than 1 MB"):
        await ask(answering("200 OK", b"x" * (1024 * 1024 + 1)))


async def test_nobody_is_asked_on_a_private_network_or_without_tls_unless_that_is_allowed():
    wire = OAuth(Guard())
    with pytest.raises(Failure, match="private network"):
        await wire.ask(OAuthRequest("https://127.0.0.1:1/token", form=FORM))
    with pytest.raises(Failure, match="https://"):
        await wire.ask(OAuthRequest("http://login.example.com/token", form=FORM))
    await wire.close()


async def test_a_refused_connection_and_an_unknown_name_are_passing():
    wire = OAuth(Guard(allow_private=True))
    for url in ("http://127.0.0.1:1/token", "https://no-such-host.invalid/token"):
        with pytest.raises(Failure) as failed:
            await wire.ask(OAuthRequest(url, form=FORM))
        assert diagnose(failed.value.evidence).action is Action.RETRY
    await wire.close()


async def test_a_certificate_that_is_not_trusted_is_told(certificates, tmp_path):
    async with http_server(answering("200 OK", b"{}"), certificates.good().server_context(tmp_path)) as server:
        wire = OAuth(Guard(allow_private=True))
        with pytest.raises(Failure) as failed:
            await wire.ask(OAuthRequest(f"https://localhost:{server.port}/token", form=FORM))
        assert failed.value.evidence.tls.fault in ("unknown_ca", "self_signed")
        assert diagnose(failed.value.evidence).code == "tls_certificate"
        await wire.close()
