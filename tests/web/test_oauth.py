"""OAuth over HTTP: clients, guides, sign-ins, and the page on which a person ends up."""

from postroom.core.diagnosis import Evidence, Stage, diagnose
from postroom.core.mailbox import Direction
from postroom.flows.sign_in import SignInFailed, Why
from tests.web.conftest import NEW_MAILBOX, fields_of, problem_of

CLIENT = {"provider": "microsoft", "client_id": "app-1", "secret": "the secret value", "tenant": "contoso.com"}


async def made(client):
    answer = await client.post("/v1/oauth/clients", json=CLIENT)
    assert answer.status_code == 201, answer.text
    return answer.json()


async def test_a_client_is_entered_shown_without_its_secret_changed_and_removed(client, house):
    new = await made(client)
    assert new["scopes"][-1] == "https://outlook.office.com/SMTP.Send"
    shown = (await client.get(f"/v1/oauth/clients/{new['id']}")).json()
    assert shown == new
    change = {"secret": "a newer one", "secret_expires_at": "2027-01-31T00:00:00Z"}
    changed = (await client.patch(f"/v1/oauth/clients/{new['id']}", json=change)).json()
    assert changed["secret_expires_at"] == "2027-01-31T00:00:00Z"
    assert house.store.clients_by_id[new["id"]].secret == "a newer one"
    listed = (await client.get("/v1/oauth/clients")).text
    assert "newer one" not in listed
    assert "secret value" not in listed
    assert (await client.delete(f"/v1/oauth/clients/{new['id']}")).status_code == 204
    problem_of(await client.delete(f"/v1/oauth/clients/{new['id']}"), 404, "not-found")


async def test_the_guides_show_the_exact_redirect_address_and_scopes(client, house):
    guides = {one["provider"]: one for one in (await client.get("/v1/oauth/providers")).json()["items"]}
    assert {"google", "microsoft", "issuer"} <= guides.keys()
    for guide in guides.values():
        assert guide["redirect"] == house.authorize.redirect
        assert any(guide["redirect"] in step for step in guide["steps"])
    assert guides["microsoft"]["device"]
    assert not guides["google"]["device"]
    assert any("IMAP.AccessAsUser.All" in step for step in guides["microsoft"]["steps"])


async def test_a_sign_in_is_begun_and_looked_at(client):
    refused = await client.post("/v1/oauth/authorizations", json={"address": "anna@gmail.com"})
    problem_of(refused, 409, "no-oauth-client")
    await made(client)
    begun = await client.post("/v1/oauth/authorizations", json={"address": "anna@gmail.com"})
    assert begun.status_code == 201
    assert begun.json()["url"].startswith("https://accounts.example.com/")
    looked = (await client.get(f"/v1/oauth/authorizations/{begun.json()['id']}")).json()
    assert (looked["progress"], looked["address"]) == ("pending", "anna@gmail.com")
    both = {"address": "a@b.test", "mailbox_id": "mbx_0123456789abc"}
    for wrong in ({}, both):
        problem_of(await client.post("/v1/oauth/authorizations", json=wrong), 422, "invalid")


async def test_a_mailbox_is_connected_by_tokens_that_a_builder_has(client, house):
    new = await made(client)
    auth = {"kind": "oauth", "client": new["id"], "refresh_token": "1//refresh"}
    answer = await client.post("/v1/mailboxes", json={**NEW_MAILBOX, "auth": auth})
    assert answer.status_code == 201, answer.text
    assert "1//refresh" not in answer.text
    (credential,) = house.connect.credentials.values()
    assert (credential.client, credential.tokens.refresh_token) == (new["id"], "1//refresh")


async def test_what_is_missing_for_a_kind_of_sign_in_is_said(client):
    cases = [
        ({"kind": "oauth"}, {"auth.client", "auth.refresh_token"}),
        ({"kind": "oauth", "client": "oac_0123456789abc", "password": "x"}, {"auth.refresh_token", "auth.password"}),
        ({"kind": "oauth", "authorization": "x"}, {"auth.authorization"}),
        ({"kind": "client_credentials"}, {"auth.client"}),
        ({"kind": "service_account", "client": "oac_0123456789abc", "refresh_token": "x"}, {"auth.refresh_token"}),
        ({}, {"auth.password"}),
    ]
    for auth, fields in cases:
        problem = problem_of(await client.post("/v1/mailboxes", json={**NEW_MAILBOX, "auth": auth}), 422, "invalid")
        assert set(fields_of(problem)) == fields
    unknown = {"kind": "client_credentials", "client": "oac_0123456789abc"}
    problem = problem_of(await client.post("/v1/mailboxes", json={**NEW_MAILBOX, "auth": unknown}), 422, "invalid")
    assert "no such OAuth client" in fields_of(problem)["auth.client"]


async def test_whoever_comes_back_sees_that_the_mailbox_is_connected(stranger, house):
    mailbox = house.connect.keep("anna@example.com", "x")
    house.authorize.answers["good"] = house.store.views[mailbox.id]
    page = await stranger.get("/oauth/callback", params={"state": "good", "code": "c"})
    assert page.status_code == 200
    assert "anna@example.com is connected" in page.text
    assert page.headers["cache-control"] == "no-store"


async def test_whoever_comes_back_in_vain_sees_why_and_what_to_do(stranger, house):
    evidence = Evidence(
        Direction.IMAP, Stage.OAUTH, raw='{"error":"x","error_description":"AADSTS90094: <b>admin</b>"}'
    )
    diagnosis = diagnose(evidence)
    house.authorize.answers["bad"] = SignInFailed(Why.REFUSED, diagnosis.reason, diagnosis=diagnosis)
    page = await stranger.get("/oauth/callback", params={"state": "bad", "error": "access_denied"})
    assert page.status_code == 400
    assert "grants admin consent" in page.text
    assert "<b>admin" not in page.text
    forged = await stranger.get("/oauth/callback")
    assert forged.status_code == 400
    assert "not begun here" in forged.text
