"""OAuth as data: requests that are written, answers that are read, who signed in, when a token is renewed."""

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from postroom.core.mailbox import Tokens
from postroom.core.oauth import assertion, identity, lifetime, response
from postroom.core.oauth.authority import AUTHORITIES, Endpoints
from postroom.core.oauth.client import OAuthClient, guide_of
from postroom.core.oauth.request import (
    authorization_url,
    challenge,
    client_credentials_request,
    code_request,
    device_request,
    metadata_requests,
    refresh_request,
)
from postroom.core.provider import PROVIDERS

NOW = datetime(2026, 7, 1, 9, 30, tzinfo=UTC)
GOOGLE = OAuthClient("oac_1", "google", "client-1", NOW, secret="s3cret value")


def test_the_challenge_is_that_of_rfc_7636():
    assert challenge("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk") == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


@pytest.mark.parametrize("authority", AUTHORITIES, ids=lambda one: one.key)
def test_what_is_known_of_a_provider_is_whole(authority):
    endpoints = authority.endpoints_of()
    assert all(one.startswith("https://") for one in (endpoints.authorization, endpoints.token, authority.console))
    assert "{" not in endpoints.token
    assert {"endpoints", "scopes"} <= authority.sources.keys()
    assert set(authority.serves) <= {one.key for one in PROVIDERS}
    guide = guide_of(authority.key, "https://x.example/oauth/callback")
    assert any("https://x.example/oauth/callback" in step for step in guide.steps)
    assert not any("{" in step for step in (*guide.steps, *guide.app_steps))


def test_google_is_asked_for_a_refresh_token_every_time():
    url = authorization_url(GOOGLE, redirect="https://x/cb", state="st", verifier="v" * 43, nonce="n", hint="a@b.test")
    query = {name: one[0] for name, one in parse_qs(urlsplit(url).query).items()}
    assert (query["access_type"], query["prompt"]) == ("offline", "consent")
    assert (query["state"], query["nonce"], query["login_hint"]) == ("st", "n", "a@b.test")
    assert query["scope"] == "openid email https://mail.google.com/"


def test_no_request_shows_a_secret():
    requests = [
        code_request(GOOGLE, code="the code", redirect="https://x/cb", verifier="the verifier"),
        refresh_request(GOOGLE, "the refresh token"),
        client_credentials_request(replace(GOOGLE, told_endpoints=Endpoints("", "https://t/", basic=True))),
    ]
    for one in requests:
        assert "the " not in repr(one)
        assert "s3cret" not in repr(one)
        assert one.secrets


def test_google_has_no_device_code_for_mail():
    with pytest.raises(ValueError, match="sign in with a web browser"):
        device_request(GOOGLE)


def test_metadata_is_looked_for_where_both_specifications_put_it():
    first, second = metadata_requests("https://id.example.com/realms/team")
    assert first.url == "https://id.example.com/realms/team/.well-known/openid-configuration"
    assert second.url == "https://id.example.com/.well-known/oauth-authorization-server/realms/team"
    for wrong in ("id.example.com", "https://x/?a=b", "", "file:///etc/passwd"):
        with pytest.raises(ValueError, match="an issuer is an address"):
            metadata_requests(wrong)


@pytest.mark.parametrize("body", ["", "<html>", "[]", "{}", '{"access_token": 1}', "[" * 10_000, "null"])
def test_an_answer_that_is_no_token_is_unreadable(body):
    with pytest.raises(response.Unreadable):
        response.grant_of(body, NOW)


@pytest.mark.parametrize(
    ("given", "seconds"), [(3600, 3600), ("3599", 3599), (None, None), ("soon", None), (-1, None), (1e300, None)]
)
def test_a_tokens_end_is_read_however_it_is_written(given, seconds):
    tokens = response.grant_of(json.dumps({"access_token": "x", "expires_in": given}), NOW).tokens
    assert tokens.expires_at == (None if seconds is None else NOW + timedelta(seconds=seconds))


def test_a_refresh_keeps_what_the_answer_leaves_out_and_the_token_before():
    old = Tokens("at1", NOW, "rt1", "rt0", NOW + timedelta(days=7), "mail", NOW)
    same = response.renewed(old, Tokens("at2", NOW + timedelta(hours=1), given_at=NOW))
    assert (same.refresh_token, same.previous_refresh_token, same.scope) == ("rt1", "rt0", "mail")
    assert same.refresh_expires_at == old.refresh_expires_at
    rotated = response.renewed(old, Tokens("at2", None, "rt2"))
    assert (rotated.refresh_token, rotated.previous_refresh_token) == ("rt2", "rt1")


def test_metadata_of_another_issuer_is_refused():
    body = json.dumps({"issuer": "https://evil.example", "token_endpoint": "https://evil.example/t"})
    with pytest.raises(response.Unreadable, match=r"not of https://id\.example"):
        response.endpoints_of(body, "https://id.example")


def id_token(**claims):
    usual = {"aud": "client-1", "exp": NOW.timestamp() + 3600, "email": "Anna@Example.com", "nonce": "n"}
    body = base64.urlsafe_b64encode(json.dumps({**usual, **claims}).encode()).rstrip(b"=").decode()
    return f"e30.{body}.signature"


def test_who_signed_in_is_read_from_the_id_token():
    claims = identity.claims_of(id_token(upn="anna@contoso.test"), client_id="client-1", nonce="n", now=NOW)
    assert identity.addresses_of(claims) == ("Anna@Example.com", "anna@contoso.test")


@pytest.mark.parametrize(
    ("token", "words"),
    [
        (id_token(aud="another"), "another client"),
        (id_token(nonce="other"), "another sign-in"),
        (id_token(exp=NOW.timestamp() - 3600), "clock"),
        ("x", "cannot be read"),
        ("a.b.c", "cannot be read"),
        ("e30.W10.x", "no claims"),
    ],
)
def test_an_id_token_that_is_not_for_this_sign_in_is_refused(token, words):
    with pytest.raises(identity.BadIdToken, match=words):
        identity.claims_of(token, client_id="client-1", nonce="n", now=NOW)


def test_a_clock_that_is_off_by_ten_minutes_does_not_matter():
    late = id_token(exp=NOW.timestamp() - 600)
    assert identity.claims_of(late, client_id="client-1", nonce="n", now=NOW)["aud"] == "client-1"


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("Anna@Example.com", "anna@example.COM", True),
        ("anna.b@gmail.com", "annab@googlemail.com", True),
        ("anna.b@example.com", "annab@example.com", False),
        ("anna@example.com", "anna@example.org", False),
    ],
)
def test_addresses_of_one_account_are_the_same(one, other, same):
    assert identity.same(one, other) is same


def test_a_token_is_renewed_ahead_and_a_short_one_late():
    hour = Tokens("x", NOW + timedelta(hours=1), given_at=NOW)
    assert not lifetime.due(hour, NOW + timedelta(minutes=49), 1.0)
    assert lifetime.due(hour, NOW + timedelta(minutes=51), 1.0)
    assert not lifetime.due(hour, NOW + timedelta(minutes=51), 0.0)
    assert lifetime.due(hour, NOW + timedelta(minutes=56), 0.0)
    minute = Tokens("x", NOW + timedelta(minutes=1), given_at=NOW)
    assert not lifetime.due(minute, NOW + timedelta(seconds=40), 1.0)
    assert lifetime.due(minute, NOW + timedelta(seconds=50), 0.0)
    assert not lifetime.due(Tokens("x"), NOW, 1.0)
    assert lifetime.due(Tokens(), NOW, 0.0)


def test_a_service_accounts_assertion_is_signed_and_short_lived():
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    pem = key.private_bytes(*form).decode()
    given = {"key_id": "k1", "issuer": "i", "subject": "a@b.test", "audience": "https://t", "scope": "s", "now": NOW}
    text, _, signature = assertion.signed(pem, **given).rpartition(".")
    padded = signature + "=" * (-len(signature) % 4)
    key.public_key().verify(base64.urlsafe_b64decode(padded), text.encode(), padding.PKCS1v15(), hashes.SHA256())
    claims = json.loads(base64.urlsafe_b64decode(text.split(".")[1] + "=="))
    assert (claims["sub"], claims["exp"] - claims["iat"]) == ("a@b.test", 3600)
    assert claims["iat"] < NOW.timestamp()
    with pytest.raises(ValueError, match="PEM"):
        assertion.signed("no key", **given)
