"""The connect page and the links that lead to it, over fakes: what is shown, what is refused, what is never shown."""

import re
from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import pytest

from postroom.core.diagnosis import Evidence, Stage, diagnose
from postroom.core.mailbox import Direction
from postroom.flows.sign_in import SignInFailed, Why
from tests.web.conftest import fields_of, problem_of

CLIENT = {
    "provider": "issuer",
    "client_id": "app-1",
    "secret": "s",
    "issuer": "https://id.example.com",
    "name": "Example ID",
}
BACK = "https://desk.example.com/done?tab=mail"


async def made(api, status=201, **fields):
    answer = await api.post("/v1/connect-links", json=fields)
    assert answer.status_code == status, answer.text
    return answer.json()


def path_of(link):
    return urlsplit(link["url"]).path


async def form_of(stranger, link, **fields):
    """What a browser posts that fills in the page's form."""
    page = await stranger.get(path_of(link))
    token = re.search(r'name="form" value="([^"]+)"', page.text).group(1)
    return await stranger.post(path_of(link), data={"form": token, **fields})


async def test_a_link_is_made_shown_listed_and_revoked(client, stranger):
    link = await made(client, address="support@example.com", brand="Example Desk", return_url=BACK, expires_in=3600)
    assert (link["state"], link["expires_at"]) == ("open", "2026-07-01T10:30:00Z")
    assert (await client.get(f"/v1/connect-links/{link['id']}")).json() == link
    assert [one["id"] for one in (await client.get("/v1/connect-links")).json()["items"]] == [link["id"]]
    revoked = await client.post(f"/v1/connect-links/{link['id']}/revoke")
    assert revoked.json()["state"] == "revoked"
    problem_of(await client.post(f"/v1/connect-links/{link['id']}/revoke"), 409, "not-possible")
    page = await stranger.get(path_of(link))
    assert page.status_code == 410
    assert "withdrawn" in page.text
    assert "status=revoked" in page.text


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"return_url": "http://desk.example.com/"}, "return_url"),
        ({"return_url": "http://127.0.0.1/"}, "return_url"),  # private hosts are not allowed here
        ({"return_url": "javascript:alert(1)"}, "return_url"),
        ({"expires_in": 7 * 24 * 3600 + 1}, "expires_in"),
        ({"client": "oac_0123456789abc"}, "client"),
        ({"address": "no address"}, "address"),
        ({"address": "a@example.com", "mailbox_id": "mbx_0123456789abc"}, "address"),
    ],
)
async def test_what_is_wrong_with_a_link_is_named(client, fields, wrong):
    assert set(fields_of(problem_of(await client.post("/v1/connect-links", json=fields), 422, "invalid"))) == {wrong}


async def test_a_link_that_is_forged_in_any_part_opens_nothing(client, stranger, house):
    link = await made(client, brand="Example Desk", return_url=BACK)
    path = path_of(link)
    other = path_of(await made(client))
    for forged in (
        path[:-1],
        path[:-2] + "AA",
        path.partition(".")[0],
        path.partition(".")[0] + "." + other.partition(".")[2],
    ):
        page = await stranger.get(forged)
        assert page.status_code == 404
        assert "This link is not right" in page.text
        assert "desk.example.com" not in page.text
    (first, _) = house.store.links_by_id.values()
    house.store.links_by_id[first.id] = replace(first, return_url="https://evil.example.com/")
    assert (await stranger.get(path)).status_code == 404  # what it may do is signed


async def test_a_late_link_says_so_and_leads_back(client, stranger, house):
    link = await made(client, return_url=BACK, return_state="s-1", brand="Example Desk")
    house.world.advance(hours=24, seconds=1)
    page = await stranger.get(path_of(link))
    assert page.status_code == 410
    assert "too old" in page.text
    address = re.search(r'href="(https://desk[^"]+)"', page.text).group(1).replace("&amp;", "&")
    assert parse_qs(urlsplit(address).query) == {"tab": ["mail"], "status": ["expired"], "state": ["s-1"]}


async def test_a_mailbox_is_connected_step_by_step_and_the_link_serves_once(client, stranger, house):
    link = await made(client, brand="Example Desk", return_url=BACK, reference="crm-7", return_state="s-1")
    looked = await form_of(stranger, link, do="look", address="support@example.com")
    assert "Password" in looked.text
    done = await form_of(stranger, link, do="password", address="support@example.com", password="right one")
    assert "support@example.com is connected" in done.text
    assert done.text.count('class="ok"') == 4
    assert "right one" not in done.text
    (view,) = house.store.views.values()
    assert (view.mailbox.reference, view.mailbox.address) == ("crm-7", "support@example.com")
    address = re.search(r'class="button" href="([^"]+)"', done.text).group(1).replace("&amp;", "&")
    told = {"status": ["connected"], "mailbox_id": [view.mailbox.id], "reference": ["crm-7"], "state": ["s-1"]}
    assert parse_qs(urlsplit(address).query) == {"tab": ["mail"], **told}
    again = await stranger.get(path_of(link))
    assert again.status_code == 410
    assert "was used" in again.text
    shown = (await client.get(f"/v1/connect-links/{link['id']}")).json()
    assert (shown["state"], shown["mailbox_id"]) == ("used", view.mailbox.id)
    assert [one.event.data["id"] for one in house.store.log if one.event.type == "connect_link.used"] == [link["id"]]


async def test_a_refused_password_is_explained_and_the_form_kept_without_it(client, stranger):
    link = await made(client)
    page = await form_of(
        stranger, link, do="password", address="support@example.com", password="wrong", imap_host="mail.example.com"
    )
    assert "Not connected" in page.text
    assert "What to do" in page.text
    assert 'value="mail.example.com"' in page.text
    assert 'value="wrong"' not in page.text


async def test_after_five_refused_sign_ins_the_link_rests(client, stranger, house):
    link = await made(client)
    fields = {"do": "password", "address": "support@example.com"}
    for _ in range(5):
        last = await form_of(stranger, link, password="wrong", **fields)
    assert "Please wait 15 minutes" in last.text
    tried = len(house.connect.probed)
    refused = await form_of(stranger, link, password="right", **fields)
    assert "Please wait 15 minutes" in refused.text
    assert len(house.connect.probed) == tried
    house.world.advance(minutes=16)
    assert "is connected" in (await form_of(stranger, link, password="right", **fields)).text


async def test_a_form_from_elsewhere_is_not_taken(client, stranger, house):
    link, other = await made(client), await made(client)
    page = await stranger.get(path_of(other))
    foreign = re.search(r'name="form" value="([^"]+)"', page.text).group(1)
    fields = {"do": "password", "address": "support@example.com", "password": "right"}
    for form in ({}, {"form": ""}, {"form": foreign}):
        assert (await stranger.post(path_of(link), data={**fields, **form})).status_code == 400
    right = re.search(r'name="form" value="([^"]+)"', (await stranger.get(path_of(link))).text).group(1)
    cross = {"Sec-Fetch-Site": "cross-site"}
    assert (await stranger.post(path_of(link), data={**fields, "form": right}, headers=cross)).status_code == 400
    assert house.connect.probed == []


async def test_the_page_keeps_its_address_secret_and_runs_no_script(client, stranger):
    link = await made(client)
    for page in (await stranger.get(path_of(link)), await form_of(stranger, link, do="look", address="a@example.com")):
        assert page.headers["cache-control"] == "no-store"
        assert page.headers["referrer-policy"] == "no-referrer"
        policy = page.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "form-action 'self'" in policy
        assert "<script" not in page.text
        assert "style=" not in page.text


async def test_a_fault_of_our_own_is_logged_without_the_links_address(client, stranger, house, capsys):
    link = await made(client)
    path = path_of(link)

    async def fails(*_):
        raise RuntimeError("secret words")

    house.discovery.discover = fails
    answer = await form_of(stranger, link, do="look", address="a@example.com")
    assert answer.status_code == 500
    assert "Open the link again in some minutes" in answer.text
    logged = capsys.readouterr()
    assert path.rpartition(".")[2] not in logged.out + logged.err
    assert "secret words" not in logged.out + logged.err


async def test_a_broken_database_is_told_on_a_page(client, stranger, house):
    link = await made(client)
    house.store.broken = "the disk is full"
    page = await stranger.get(path_of(link))
    assert page.status_code == 503
    assert "Not now" in page.text


async def test_a_mailbox_is_signed_in_to_again_by_one_call_and_one_link(client, stranger, mailbox, house):
    answer = await client.post(f"/v1/mailboxes/{mailbox['id']}/reauthenticate", json={})
    assert answer.status_code == 202, answer.text
    needed = answer.json()
    assert (needed["how"], needed["link"]["mailbox_id"]) == ("password", mailbox["id"])
    page = await form_of(stranger, needed["link"], do="password", address="other@evil.test", password="newer")
    assert f"{mailbox['address']} is connected" in page.text
    assert house.connect.credentials[mailbox["id"]].password == "newer"
    assert len(house.store.views) == 1


async def test_an_address_that_is_connected_already_is_not_tried(client, stranger, mailbox, house):
    tried = len(house.connect.probed)
    page = await form_of(stranger, await made(client), do="password", address=mailbox["address"], password="right")
    assert page.status_code == 409
    assert "connected already" in page.text
    assert len(house.connect.probed) == tried


async def test_the_button_leads_to_the_provider_and_back_to_the_builder(client, stranger, house):
    oauth = (await client.post("/v1/oauth/clients", json=CLIENT)).json()
    link = await made(client, client=oauth["id"], return_url=BACK, brand="Example Desk")
    looked = await form_of(stranger, link, do="look", address="anna@example.com")
    assert "Sign in with Example ID" in looked.text
    onward = await form_of(stranger, link, do="sign_in", address="anna@example.com")
    assert "https://accounts.example.com/authorize?state=state-0" in onward.text
    mailbox = house.connect.keep("anna@example.com", "x")
    house.authorize.answers["state-0"] = house.store.views[mailbox.id]
    landed = await stranger.get("/oauth/callback", params={"state": "state-0", "code": "c"})
    assert "anna@example.com is connected" in landed.text
    assert "status=connected" in landed.text
    assert (await stranger.get(path_of(link))).status_code == 410


async def test_servers_that_nothing_names_are_asked_for_before_the_sign_in(client, stranger, house):
    oauth = (await client.post("/v1/oauth/clients", json=CLIENT)).json()
    link = await made(client, client=oauth["id"])
    address = "anna@unknown.example"
    looked = await form_of(stranger, link, do="look", address=address)
    assert re.search(r'id="oauth_imap_host" name="imap_host"[^>]* required', looked.text)
    known = await form_of(stranger, link, do="look", address="anna@example.com")
    assert not re.search(r'name="imap_host"[^>]* required', known.text)
    typed = {"imap_host": "mail.example.com", "imap_port": "993x", "smtp_host": "mail.example.com", "smtp_port": "465"}
    wrong = await form_of(stranger, link, do="sign_in", address=address, **typed)
    assert (wrong.status_code, "A port is a number" in wrong.text) == (422, True)
    onward = await form_of(stranger, link, do="sign_in", address=address, **typed | {"imap_port": "993"})
    assert "https://accounts.example.com/authorize?state=state-0" in onward.text
    (authorization,) = house.store.authorizations_by_id.values()
    assert authorization.settings["imap"]["host"] == "mail.example.com"
    # What was typed is there for another try.
    house.authorize.answers["state-0"] = SignInFailed(Why.DECLINED, "You declined.", authorization=authorization)
    page = await stranger.get("/oauth/callback", params={"state": "state-0", "error": "access_denied"})
    for name, value in (typed | {"imap_port": "993", "address": address}).items():
        assert f'name="{name}" value="{value}"' in page.text


async def begun(client, stranger):
    oauth = (await client.post("/v1/oauth/clients", json=CLIENT | {"provider": "microsoft", "issuer": ""})).json()
    link = await made(client, client=oauth["id"], return_url=BACK, brand="Example Desk")
    await form_of(stranger, link, do="sign_in", address="anna@example.com")
    return link


async def test_whoever_signed_in_with_another_account_can_do_it_again(client, stranger, house):
    link = await begun(client, stranger)
    (authorization,) = house.store.authorizations_by_id.values()
    words = "You signed in as boss@example.com, this mailbox is anna@example.com."
    house.authorize.answers["state-0"] = SignInFailed(Why.ANOTHER, words, authorization=authorization)
    page = await stranger.get("/oauth/callback", params={"state": "state-0", "code": "c"})
    assert "You signed in with another account" in page.text
    assert words in page.text
    assert f'action="{link["url"]}"' in page.text
    assert "Sign in again" in page.text
    assert "status=cancelled" in page.text


async def test_where_an_admin_must_consent_there_is_a_text_with_the_exact_address(client, stranger, house):
    await begun(client, stranger)
    (authorization,) = house.store.authorizations_by_id.values()
    seen = Evidence(Direction.IMAP, Stage.OAUTH, raw='{"error":"x","error_description":"AADSTS90094: admin"}')
    failed = SignInFailed(Why.REFUSED, "Consent is missing.", authorization=authorization, diagnosis=diagnose(seen))
    house.authorize.answers["state-0"] = failed
    page = await stranger.get("/oauth/callback", params={"state": "state-0", "error": "access_denied"})
    address = re.search(r'class="url">([^<]+)<', page.text).group(1).replace("&amp;", "&")
    query = parse_qs(urlsplit(address).query)
    assert address.startswith("https://login.microsoftonline.com/organizations/v2.0/adminconsent?")
    assert query["client_id"] == ["app-1"]
    assert query["redirect_uri"] == [house.authorize.redirect]
    consented = await stranger.get("/oauth/callback", params={"admin_consent": "True", "tenant": "t"})
    assert "has given its consent" in consented.text


async def test_a_sign_in_of_a_link_that_was_revoked_meanwhile_connects_nothing(client, stranger, house):
    link = await begun(client, stranger)
    await client.post(f"/v1/connect-links/{link['id']}/revoke")
    mailbox = house.connect.keep("anna@example.com", "x")
    house.authorize.answers["state-0"] = house.store.views[mailbox.id]
    page = await stranger.get("/oauth/callback", params={"state": "state-0", "code": "c"})
    assert page.status_code == 410
    assert "withdrawn" in page.text
