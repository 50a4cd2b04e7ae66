"""The authorization server as clients and people meet it: grants, tokens at the mail servers, and its faults."""

import base64
import json
import re
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx2
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils

from postroom.simulator import Behaviour, Fault, FieldError, Service, Simulator, fault_from_record
from postroom.simulator.oauth.grants import DEVICE_GRANT

from .conftest import ANNA, BEN, PASSWORD
from .dialogue import Dialogue
from .test_replay import RECORDS, facts

BACK = "http://localhost:8025/oauth/callback"
CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"  # RFC 7636 appendix B
VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"


@pytest.fixture
async def web(simulator):
    async with httpx2.AsyncClient(base_url=simulator.issuer, timeout=60, trust_env=False) as client:
        yield client


def asked(**more):
    query = {"response_type": "code", "client_id": "postroom", "redirect_uri": BACK, "state": "s-1", "nonce": "n-1"}
    pkce = {"code_challenge": CHALLENGE, "code_challenge_method": "S256"}
    return {**query, **pkce, "scope": "openid email mail", **more}


async def answered(web, *, address=ANNA, password=PASSWORD, do="allow", **more):
    """The person's answer to the consent page."""
    form = {"request": urlencode(asked(**more)), "address": address, "password": password, "do": do}
    return await web.post("/authorize", data=form)


def sent_back(answer):
    """What stands in the address that the browser goes back to."""
    assert answer.status_code == 303, answer.text
    parts = urlsplit(answer.headers["location"])
    assert f"{parts.scheme}://{parts.netloc}{parts.path}" == BACK
    return {name: values[0] for name, values in parse_qs(parts.query).items()}


async def token(web, **form):
    return await web.post("/token", data={"client_id": "postroom", "client_secret": "secret"} | form)


async def redeemed(web, code, **more):
    given = {"grant_type": "authorization_code", "code": code, "redirect_uri": BACK, "code_verifier": VERIFIER}
    return await token(web, **given | more)


def xoauth2(user, access):
    return base64.b64encode(f"user={user}\x01auth=Bearer {access}\x01\x01".encode()).decode()


async def imap_says(simulator, user, access):
    """How a sign-in by token ends."""
    async with Dialogue.to(simulator.imap_port) as client:
        await client.line()
        await client.send(f"t AUTHENTICATE XOAUTH2 {xoauth2(user, access)}\r\n")
        if (line := await client.line()).startswith("+ "):
            await client.send("\r\n")
            line = await client.line()
        return line


async def smtp_says(simulator, user, access):
    bearer = base64.b64encode(f"n,a={user},\x01auth=Bearer {access}\x01\x01".encode()).decode()
    async with Dialogue.to(simulator.smtp_port) as client:
        await client.smtp_reply()
        await client.reply("EHLO x")
        reply = await client.reply(f"AUTH OAUTHBEARER {bearer}")
        return await client.reply("") if reply.startswith("334") else reply


async def test_a_person_consents_and_the_token_opens_both_protocols(simulator, web):
    metadata = (await web.get("/.well-known/openid-configuration")).json()
    assert metadata["issuer"] == simulator.issuer
    page = await web.get("/authorize", params=asked(login_hint=ANNA))
    assert (page.status_code, f'value="{ANNA}"' in page.text, "<code>mail</code>" in page.text) == (200, True, True)
    back = sent_back(await answered(web))
    assert (back["state"], back["iss"]) == ("s-1", simulator.issuer)
    given = (await redeemed(web, back["code"])).json()
    assert (given["token_type"], given["expires_in"]) == ("Bearer", 3600)
    who = await web.get("/userinfo", headers={"Authorization": f"Bearer {given['access_token']}"})
    assert who.json()["email"] == ANNA
    assert (await imap_says(simulator, ANNA, given["access_token"])).startswith("t OK")
    assert (await smtp_says(simulator, ANNA, given["access_token"])).startswith("235")
    assert "NO [AUTHENTICATIONFAILED]" in await imap_says(simulator, BEN, given["access_token"])
    assert (await redeemed(web, back["code"])).json()["error"] == "invalid_grant"  # a code serves once


async def test_the_id_token_is_signed_with_the_key_that_is_published(web):
    given = (await redeemed(web, sent_back(await answered(web))["code"])).json()
    signed, _, signature = given["id_token"].rpartition(".")
    claims = json.loads(unpadded(signed.split(".")[1]))
    assert (claims["email"], claims["nonce"], claims["aud"]) == (ANNA, "n-1", "postroom")
    (key,) = (await web.get("/jwks")).json()["keys"]
    x, y = (int.from_bytes(unpadded(key[name])) for name in ("x", "y"))
    raw = unpadded(signature)
    der = utils.encode_dss_signature(int.from_bytes(raw[:32]), int.from_bytes(raw[32:]))
    public = ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()
    public.verify(der, signed.encode(), ec.ECDSA(hashes.SHA256()))


def unpadded(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


async def test_what_is_not_registered_is_refused_in_the_words_of_providers(simulator, web):
    simulator.change_oauth(redirect_uris=(BACK,), client_secret="another")
    page = await web.get("/authorize", params=asked(redirect_uri="http://localhost:1/elsewhere"))
    assert (page.status_code, "redirect_uri_mismatch" in page.text) == (400, True)
    assert (await web.get("/authorize", params=asked(client_id="x"))).status_code == 401
    back = sent_back(await answered(web))
    refused = await redeemed(web, back["code"])
    assert refused.status_code == 401
    assert refused.json() == {
        "error": "invalid_client",
        "error_description": "The provided client secret is invalid.",
    }
    wrong = await redeemed(web, back["code"], client_secret="another", code_verifier="guessed")
    assert wrong.json()["error_description"] == "Invalid code verifier."
    with pytest.raises(FieldError, match="cannot be changed"):
        simulator.change_oauth(asked={})


async def test_a_person_may_mistype_and_may_decline(web):
    page = await answered(web, password="wrong")
    assert (page.status_code, "do not belong together" in page.text) == (401, True)
    assert sent_back(await answered(web, password="", do="decline"))["error"] == "access_denied"
    assert (await web.post("/authorize", data={"request": "nonsense"})).status_code == 400


async def test_a_renewal_rotates_and_an_old_access_token_is_refused(simulator, web):
    simulator.change_oauth(access_token_seconds=1)
    first = simulator.give_tokens(ANNA)
    second = (await token(web, grant_type="refresh_token", refresh_token=first["refresh_token"])).json()
    assert second["refresh_token"] != first["refresh_token"]
    again = await token(web, grant_type="refresh_token", refresh_token=first["refresh_token"])
    assert again.json() == {"error": "invalid_grant", "error_description": "Token has been expired or revoked."}
    simulator.change_oauth(rotates=False, access_token_seconds=0)
    third = (await token(web, grant_type="refresh_token", refresh_token=second["refresh_token"])).json()
    assert "refresh_token" not in third
    assert "NO [AUTHENTICATIONFAILED]" in await imap_says(simulator, ANNA, third["access_token"])
    assert simulator.state()["oauth"]["asked"] == {"refresh_token": 3}


async def test_access_that_is_taken_back_ends_tokens_and_the_sessions_signed_in_with_them(simulator, web):
    given, other = simulator.give_tokens(ANNA), simulator.give_tokens(BEN)
    async with Dialogue.to(simulator.imap_port) as client:
        await client.line()
        await client.send(f"t AUTHENTICATE XOAUTH2 {xoauth2(ANNA, given['access_token'])}\r\n")
        assert (await client.line()).startswith("t OK")
        assert simulator.revoke(ANNA) == 1
        assert (await client.line()).startswith("* BYE")
    assert "NO" in await imap_says(simulator, ANNA, given["access_token"])
    gone = await token(web, grant_type="refresh_token", refresh_token=given["refresh_token"])
    assert gone.json()["error"] == "invalid_grant"
    assert (await imap_says(simulator, BEN, other["access_token"])).startswith("t OK")
    revoked = {"token": other["refresh_token"], "client_id": "postroom", "client_secret": "secret"}
    assert (await web.post("/revoke", data=revoked)).status_code == 200  # RFC 7009
    assert "NO" in await imap_says(simulator, BEN, other["access_token"])


async def test_a_code_is_entered_for_a_device(web):
    begun = (await web.post("/device", data={"client_id": "postroom", "scope": "mail"})).json()
    poll = {"grant_type": DEVICE_GRANT, "device_code": begun["device_code"]}
    assert (await token(web, **poll)).json()["error"] == "authorization_pending"
    page = await web.get(begun["verification_uri_complete"].removeprefix(str(web.base_url)))
    assert begun["user_code"] in page.text
    entered = {"user_code": begun["user_code"].lower(), "address": ANNA, "password": PASSWORD, "do": "allow"}
    assert (await web.post("/enter", data=entered | {"password": "wrong"})).status_code == 401
    assert "Done" in (await web.post("/enter", data=entered)).text
    assert (await web.post("/enter", data=entered)).status_code == 404
    assert (await token(web, **poll)).json()["access_token"]


async def test_the_client_itself_may_open_any_account(simulator):
    async with httpx2.AsyncClient(base_url=simulator.issuer, auth=("postroom", "secret"), trust_env=False) as basic:
        answer = await basic.post("/token", data={"grant_type": "client_credentials", "scope": "mail"})
    given = answer.json()
    assert "refresh_token" not in given
    for address in (ANNA, BEN):
        assert (await imap_says(simulator, address, given["access_token"])).startswith("t OK")


@pytest.mark.parametrize(
    ("answer", "status", "kind"),
    [
        ('{"error": "invalid_grant"}', 400, "application/json"),
        ("HTTP 503 Service Unavailable\nupstream connect error", 503, "text/plain; charset=utf-8"),
        ("HTTP/1.1 200 OK\n<html>Maintenance</html>", 200, "text/html; charset=utf-8"),
        ("HTTP 200\n", 200, "text/plain; charset=utf-8"),
    ],
)
async def test_the_token_endpoint_answers_on_command(simulator, web, answer, status, kind):
    await simulator.add_fault(Fault(protocol=Service.OAUTH, stage="token", answer=answer, times=1))
    given = simulator.give_tokens(ANNA)
    refused = await token(web, grant_type="refresh_token", refresh_token=given["refresh_token"])
    assert (refused.status_code, refused.headers["content-type"]) == (status, kind)
    assert refused.text == re.sub(r"^HTTP[^\n]*\n", "", answer)
    assert (await token(web, grant_type="refresh_token", refresh_token=given["refresh_token"])).status_code == 200


async def test_a_fault_is_one_accounts_or_one_grants(simulator, web):
    anna, ben = simulator.give_tokens(ANNA), simulator.give_tokens(BEN)
    answer = '{"error": "invalid_grant"}'
    await simulator.add_fault(Fault(protocol=Service.OAUTH, stage="token", answer=answer, account=ANNA))
    for given, status in ((anna, 400), (ben, 200)):
        refused = await token(web, grant_type="refresh_token", refresh_token=given["refresh_token"])
        assert refused.status_code == status
    await simulator.clear_faults()
    fault = Fault(protocol=Service.OAUTH, stage="token", answer=answer, argument="grant_type=refresh_token")
    await simulator.add_fault(fault)
    back = sent_back(await answered(web))
    given = (await redeemed(web, back["code"])).json()
    refused = await token(web, grant_type="refresh_token", refresh_token=given["refresh_token"])
    assert refused.status_code == 400


async def test_a_grant_takes_effect_though_its_answer_is_lost(simulator, web):
    given = simulator.give_tokens(ANNA)
    fault = Fault(protocol=Service.OAUTH, stage="token", behaviour=Behaviour.CLOSE, takes_effect=True, times=1)
    await simulator.add_fault(fault)
    with pytest.raises(httpx2.HTTPError):
        await token(web, grant_type="refresh_token", refresh_token=given["refresh_token"])
    gone = await token(web, grant_type="refresh_token", refresh_token=given["refresh_token"])
    assert gone.json()["error"] == "invalid_grant"


async def test_a_consent_that_is_refused_on_command_goes_back_with_the_browser(simulator, web):
    said = {"error": "access_denied", "error_description": "AADSTS90094: The grant requires admin permission."}
    await simulator.add_fault(Fault(protocol=Service.OAUTH, stage="authorize", answer=json.dumps(said)))
    back = sent_back(await answered(web))
    assert (back["error"], back["error_description"], back["state"]) == (*said.values(), "s-1")
    await simulator.clear_faults()
    await simulator.add_fault(Fault(protocol=Service.OAUTH, stage="authorize", answer="HTTP 403\n<h1>Blocked</h1>"))
    page = await answered(web)
    assert (page.status_code, page.text) == (403, "<h1>Blocked</h1>")


async def test_the_authorization_server_goes_down_alone_and_comes_back(simulator, web):
    await simulator.outage("oauth")
    with pytest.raises(httpx2.ConnectError):
        await web.get("/jwks")
    assert (simulator.listens("oauth"), simulator.listens("imap")) == (False, True)
    await simulator.restore("oauth")
    assert (await web.get("/jwks")).status_code == 200


async def test_what_is_no_request_is_refused_and_ends_nothing(simulator, web):
    async with Dialogue.to(simulator.oauth_port) as client:
        await client.send("EHLO x\r\n\r\n")
        assert "400" in await client.line()
    assert (await web.get("/nowhere")).status_code == 404
    assert (await token(web, grant_type="password")).json()["error"] == "unsupported_grant_type"
    assert (await web.post("/token", content=b"x" * 70_000)).status_code == 400
    assert (await web.get("/userinfo", headers={"Authorization": "Bearer x"})).status_code == 401


async def test_every_record_of_a_token_endpoint_is_met_by_a_client(simulator, web):
    played = 0
    for record in [one for one in RECORDS if one["stage"] == "oauth"]:
        given = simulator.give_tokens(ANNA)
        more = facts(record) | {"times": 1}
        await simulator.replay(record["direction"], "oauth", record["raw"], **more)
        refused = await token(web, grant_type="refresh_token", refresh_token=given["refresh_token"])
        assert refused.status_code >= 400, record["id"]
        assert refused.text in record["raw"], record["id"]
        played += 1
    assert played > 40


@pytest.mark.parametrize(
    ("raw", "status", "body"),
    [
        ('{"error": "invalid_client"}', 401, '{"error": "invalid_client"}'),
        ('resulted in a `503 Service Unavailable` response: {"error": "internal_failure"}', 503, '"internal_failure"}'),
        ("ERROR: HTTP Error 400: Bad Request", 400, "ERROR"),
        ("<HTTPError 401: 'Unauthorized'>", 401, "HTTPError"),
        ("AADSTS50173: The provided grant has expired", 400, "AADSTS50173"),
        ('broken {"error":"invalid_grant"', 400, "broken"),
    ],
)
def test_a_record_is_played_with_the_status_that_it_tells(raw, status, body):
    fault = fault_from_record("imap", "oauth", raw)
    first, _, rest = fault.answer.partition("\n")
    assert (first, body in rest) == (f"HTTP {status}", True)


def test_a_network_that_failed_is_played_as_a_closed_connection():
    fault = fault_from_record("imap", "oauth", "... Authentication failed ... network error ...")
    assert (fault.protocol, fault.behaviour, fault.answer) == (Service.OAUTH, Behaviour.CLOSE, None)


async def test_the_control_api_changes_gives_and_takes_back():
    async with Simulator() as commanded:
        commanded.create_account(ANNA, PASSWORD)
        base = f"http://127.0.0.1:{commanded.control_port}"
        async with httpx2.AsyncClient(base_url=base, timeout=60, trust_env=False) as control:
            changed = await control.patch("/oauth", json={"client_secret": "new", "redirect_uris": [BACK]})
            assert (changed.json()["redirect_uris"], "new" in changed.text) == ([BACK], False)
            given = (await control.post("/oauth/tokens", json={"address": ANNA})).json()
            assert (await imap_says(commanded, ANNA, given["access_token"])).startswith("t OK")
            assert (await control.post("/oauth/expire", json={"address": ANNA})).status_code == 204
            assert "NO" in await imap_says(commanded, ANNA, given["access_token"])
            again = {"grant_type": "refresh_token", "refresh_token": given["refresh_token"]}
            async with httpx2.AsyncClient(base_url=commanded.issuer, timeout=60, trust_env=False) as web:
                given = (await token(web, client_secret="new", **again)).json()
            assert (await imap_says(commanded, ANNA, given["access_token"])).startswith("t OK")
            assert "ended" in (await control.post("/oauth/revoke", json={"address": ANNA})).json()
            assert "NO" in await imap_says(commanded, ANNA, given["access_token"])
            record = {"direction": "smtp", "stage": "oauth", "raw": '{"error": "invalid_grant"}', "account": ANNA}
            standing = (await control.post("/faults/replay", json=record)).json()
            assert (standing["protocol"], standing["stage"]) == ("oauth", "token")
            assert (await control.post("/oauth/tokens", json={"address": "nobody@x.test"})).status_code == 404
            state = (await control.get("/state")).json()
            assert (state["oauth"]["issuer"], state["ports"]["oauth"]) == (commanded.issuer, commanded.oauth_port)
