"""Mailboxes over HTTP: connecting, showing, changing, mending."""

import json

import pytest

from tests.web.conftest import NEW_MAILBOX, fields_of, problem_of
from tests.web.fake_flows import WRONG_PASSWORD


def with_password(password, **others):
    return {**NEW_MAILBOX, "auth": {"kind": "password", "password": password}, **others}


async def test_a_connected_mailbox_is_shown_as_the_contract_says(client, mailbox):
    shown = (await client.get(f"/v1/mailboxes/{mailbox['id']}")).json()
    assert shown == mailbox
    assert shown["imap"] == {
        "host": "imap.example.com",
        "port": 993,
        "security": "tls",
        "username": "support@example.com",
    }
    assert shown["auth"] == {"kind": "password"}
    assert shown["hold_hours"] == 72
    assert shown["folders"] == ["INBOX"]
    assert shown["unconfirmed"] == "ask"
    assert shown["created_at"] == "2026-07-01T09:30:00Z"
    assert shown["receiving"] == {
        "state": "connected",
        "since": "2026-07-01T09:30:00Z",
        "diagnosis": None,
        "next_probe_at": None,
        "heard_at": "2026-07-01T09:30:00Z",
        "flapping": False,
    }
    assert shown["sync_days"] == 30
    assert shown["sync"] == [
        {
            "name": "INBOX",
            "total": 12,
            "done": 3,
            "per_minute": 60,
            "seconds_left": 9,
            "synced_at": "2026-07-01T09:30:00Z",
            "since": "2026-07-01T09:30:00Z",
            "skipped": 9,
            "quarantined": 1,
            "gone": 0,
            "reconciled_at": "2026-07-01T09:30:00Z",
            "server_count": 40,
            "ledger_count": 40,
            "healed": 2,
        }
    ]
    assert (shown["held"], shown["oldest_held_expires_at"]) == (0, None)


async def test_no_answer_ever_shows_the_password(client, house):
    created = await client.post("/v1/mailboxes", json=with_password("hunter2-hunter2"))
    answers = [created, await client.get("/v1/mailboxes"), await client.get(created.headers["Location"])]
    refused = await client.post("/v1/mailboxes", json=with_password("hunter2\nhunter2", address="b@example.com"))
    assert refused.status_code == 422
    assert all("hunter2" not in answer.text for answer in [*answers, refused])
    assert house.connect.credentials[created.json()["id"]].password == "hunter2-hunter2"


async def test_settings_that_are_not_given_are_looked_up(client, house, mailbox):
    assert house.discovery.asked == ["support@example.com"]
    assert house.connect.probed[0].smtp.host == "smtp.example.com"


async def test_settings_that_are_given_are_not_looked_up(client, house):
    given = with_password(
        "right",
        imap={"host": "mail.example.org", "security": "starttls"},
        smtp={"host": "mail.example.org", "port": 2525, "security": "none", "username": "anna"},
    )
    shown = (await client.post("/v1/mailboxes", json=given)).json()
    assert house.discovery.asked == []
    assert shown["imap"] == {
        "host": "mail.example.org",
        "port": 143,
        "security": "starttls",
        "username": "support@example.com",
    }
    assert shown["smtp"]["port"] == 2525
    assert shown["smtp"]["username"] == "anna"


async def test_an_address_whose_settings_nobody_knows_is_told_which_field_to_fill(client):
    answer = await client.post("/v1/mailboxes", json={**NEW_MAILBOX, "address": "anna@nowhere.example"})
    errors = fields_of(problem_of(answer, 422, "invalid"))
    assert list(errors) == ["imap"]
    assert "host" in errors["imap"]


async def test_a_refused_sign_in_is_answered_with_its_diagnosis_and_every_step(client, house):
    problem = problem_of(await client.post("/v1/mailboxes", json=with_password(WRONG_PASSWORD)), 422, "not-connected")
    assert problem["diagnosis"]["code"] == "imap.invalid_credentials"
    assert problem["diagnosis"]["steps"]
    assert problem["detail"] == f"{problem['diagnosis']['message'].rstrip('.')}. Nothing was saved."
    failed = problem["report"]["imap"]["steps"][-1]
    assert failed["name"] == "sign_in"
    assert failed["outcome"] == "failed"
    assert failed["milliseconds"] == 9.9
    assert problem["report"]["smtp"]["diagnosis"]["code"] == "smtp.invalid_credentials"
    assert house.store.views == {}


async def test_an_address_is_connected_once_and_the_second_time_is_not_probed(client, house, mailbox):
    problem = problem_of(await client.post("/v1/mailboxes", json=NEW_MAILBOX), 409, "address-taken")
    assert "connected already" in problem["detail"]
    assert len(house.connect.probed) == 1


async def test_an_international_domain_is_taken_and_kept_as_it_is_looked_up(client):
    shown = (await client.post("/v1/mailboxes", json={**NEW_MAILBOX, "address": "info@Bücher.example"})).json()
    assert shown["address"] == "info@xn--bcher-kva.example"
    assert shown["imap"]["host"] == "imap.xn--bcher-kva.example"


@pytest.mark.parametrize(
    ("changes", "field", "words"),
    [
        ({"address": "support"}, "address", "no @"),
        ({"address": "a b@example.com"}, "address", "before the @"),
        ({"address": "a@-.com"}, "address", "no domain name"),
        ({"address": None}, "address", "text"),
        ({"address": 7}, "address", "text"),
        ({"adress": "x"}, "adress", "no field of this name"),
        ({"auth": {"kind": "password"}}, "auth.password", "missing"),
        ({"auth": {"kind": "magic", "password": "x"}}, "auth", "password, oauth"),
        ({"auth": {"password": ""}}, "auth.password", "at least 1"),
        ({"auth": "secret"}, "auth", "object"),
        ({"hold_hours": "72"}, "hold_hours", "whole number"),
        ({"hold_hours": 0}, "hold_hours", "1 or more"),
        ({"hold_hours": 721}, "hold_hours", "720 or less"),
        ({"folders": []}, "folders", "at least 1"),
        ({"folders": "INBOX"}, "folders", "list"),
        ({"folders": ["INBOX", ""]}, "folders[1]", "at least 1"),
        ({"unconfirmed": "maybe"}, "unconfirmed", "resend, ask"),
        ({"imap": {"port": 993}}, "imap.host", "missing"),
        ({"imap": {"host": "h.example", "port": 70000}}, "imap.port", "65535 or less"),
        ({"imap": {"host": "h.example", "port": True}}, "imap.port", "whole number"),
        ({"imap": {"host": "h.example", "security": "ssl"}}, "imap.security", "tls, starttls, none"),
        ({"imap": {"host": "imap://h.example"}}, "imap.host", "alone"),
        ({"imap": {"host": "h.example:993"}}, "imap.host", "`port`"),
        ({"smtp": {"host": "h.example", "user": "x"}}, "smtp.user", "no field of this name"),
        ({"name": "Support\r\nBcc: x@example.com"}, "name", "one line"),
        ({"ca_certificate": "MIIB"}, "ca_certificate", "PEM"),
        ({"reference": "a\u0000b"}, "reference", "one line"),
    ],
)
async def test_what_is_wrong_is_named_by_its_field_with_the_mend(client, house, changes, field, words):
    answer = await client.post("/v1/mailboxes", json={**NEW_MAILBOX, **changes})
    problem = problem_of(answer, 422, "invalid")
    assert list(fields_of(problem)) == [field]
    assert words in fields_of(problem)[field]
    assert "pydantic" not in answer.text
    assert house.store.views == {}


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"reference": "a\ud800b"}, "reference"),
        ({"address": "\ud800@example.com"}, "address"),
        ({"auth": {"password": "\udfff"}}, "auth.password"),
        ({"imap": {"host": "\ud800.example"}}, "imap.host"),
        ({"ca_certificate": "\ud800"}, "ca_certificate"),
    ],
)
async def test_half_a_surrogate_pair_is_no_text(client, changes, field):
    body = json.dumps({**NEW_MAILBOX, **changes}).encode()
    answer = await client.post("/v1/mailboxes", content=body, headers={"Content-Type": "application/json"})
    assert "surrogate" in fields_of(problem_of(answer, 422, "invalid"))[field]


async def test_several_wrong_fields_are_all_named(client):
    answer = await client.post("/v1/mailboxes", json={"address": "x", "auth": {}, "hold_hours": 0})
    assert set(fields_of(problem_of(answer, 422, "invalid"))) == {"address", "auth.password", "hold_hours"}


async def test_a_change_keeps_what_it_does_not_name(client, mailbox):
    changed = (
        await client.patch(
            f"/v1/mailboxes/{mailbox['id']}",
            json={"name": "Help", "imap": {"port": 143, "security": "starttls"}, "reference": "team-7"},
        )
    ).json()
    assert changed["name"] == "Help"
    assert changed["imap"] == {**mailbox["imap"], "port": 143, "security": "starttls"}
    assert changed["reference"] == "team-7"
    assert changed["smtp"] == mailbox["smtp"]
    cleared = (await client.patch(f"/v1/mailboxes/{mailbox['id']}", json={"reference": None})).json()
    assert cleared["reference"] is None
    assert cleared["name"] == "Help"


async def test_the_address_of_a_mailbox_cannot_be_changed(client, mailbox):
    answer = await client.patch(f"/v1/mailboxes/{mailbox['id']}", json={"address": "other@example.com"})
    assert "address" in fields_of(problem_of(answer, 422, "invalid"))


async def test_a_new_password_is_taken_when_it_works_and_refused_with_a_diagnosis_when_not(client, house, mailbox):
    path = f"/v1/mailboxes/{mailbox['id']}/reauthenticate"
    refused = await client.post(path, json={"auth": {"password": WRONG_PASSWORD}})
    assert problem_of(refused, 422, "not-connected")["diagnosis"]["code"] == "imap.invalid_credentials"
    assert house.connect.credentials[mailbox["id"]].password == "right"
    taken = await client.post(path, json={"auth": {"password": "new"}})
    assert taken.json()["receiving"]["state"] == "connected"
    assert house.connect.credentials[mailbox["id"]].password == "new"


async def test_a_mailbox_is_paused_resumed_checked_and_removed(client, mailbox):
    path = f"/v1/mailboxes/{mailbox['id']}"
    assert (await client.post(f"{path}/pause")).json()["sending"]["state"] == "paused"
    assert (await client.post(f"{path}/resume")).json()["sending"]["state"] == "connecting"
    assert (await client.post(f"{path}/check")).json()["ok"] is True
    removed = await client.delete(path)
    assert (removed.status_code, removed.content) == (204, b"")
    problem_of(await client.get(path), 404, "not-found")


@pytest.mark.parametrize("unknown", ["mbx_zzzzzzzzzzzzz", "mbx_1", "nonsense", "mbx_%00", "🙂"])
@pytest.mark.parametrize(
    ("method", "tail"),
    [("GET", ""), ("PATCH", ""), ("DELETE", ""), ("POST", "/pause"), ("POST", "/resume"), ("POST", "/check")],
)
async def test_a_mailbox_that_is_not_there_is_not_found(client, unknown, method, tail):
    body = {"json": {}} if method == "PATCH" else {}
    problem_of(await client.request(method, f"/v1/mailboxes/{unknown}{tail}", **body), 404, "not-found")


async def test_mailboxes_are_listed_in_pages_that_miss_none_and_can_be_picked_by_reference(client):
    for number in range(5):
        answer = await client.post(
            "/v1/mailboxes", json={**NEW_MAILBOX, "address": f"a{number}@example.com", "reference": f"r{number % 2}"}
        )
        assert answer.status_code == 201
    seen, cursor = [], None
    while True:
        page = (await client.get("/v1/mailboxes", params={"limit": 2} | ({"cursor": cursor} if cursor else {}))).json()
        assert len(page["items"]) <= 2
        seen += [one["address"] for one in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert sorted(seen) == [f"a{number}@example.com" for number in range(5)]
    picked = (await client.get("/v1/mailboxes", params={"reference": "r1"})).json()["items"]
    assert [one["reference"] for one in picked] == ["r1", "r1"]


@pytest.mark.parametrize(("limit", "words"), [("0", "1 or more"), ("201", "200 or less"), ("many", "whole number")])
async def test_a_limit_out_of_range_is_refused(client, limit, words):
    answer = await client.get("/v1/mailboxes", params={"limit": limit})
    assert words in fields_of(problem_of(answer, 422, "invalid"))["limit"]


async def test_a_misspelt_query_parameter_is_not_ignored(client):
    assert "refrence" in fields_of(problem_of(await client.get("/v1/mailboxes?refrence=x"), 422, "invalid"))


async def test_a_probe_that_fails_is_a_report_and_saves_nothing(client, house):
    answer = await client.post("/v1/probe", json=with_password(WRONG_PASSWORD))
    report = answer.json()
    assert answer.status_code == 200
    assert report["ok"] is False
    assert report["diagnosis"]["code"] == "imap.invalid_credentials"
    assert [step["outcome"] for step in report["imap"]["steps"]] == ["ok", "failed"]
    assert house.store.views == {}


async def test_discovery_lists_what_was_found_and_nothing_for_an_unknown_domain(client):
    found = (await client.get("/v1/discover", params={"address": "a@example.com"})).json()
    assert found["items"][0]["imap"]["host"] == "imap.example.com"
    assert found["items"][0]["source"] == "srv"
    unknown = (await client.get("/v1/discover", params={"address": "a@nowhere.example"})).json()
    assert (unknown["items"], unknown["next_cursor"]) == ([], None)
    assert unknown["why_nothing"].startswith("There is no domain nowhere.example.")
    (lookup,) = unknown["lookups"]
    assert (lookup["source"], lookup["asked"], lookup["outcome"]) == ("mx", "nowhere.example MX", "absent")
    assert found["why_nothing"] is None
    assert found["lookups"][0]["milliseconds"] == 3.1


async def test_settings_that_may_disappoint_are_warned_of(client, mailbox):
    endpoint = {"host": "mail.example.org", "username": "anna@example.org"}
    given = with_password("right", address="team@example.org", imap=endpoint, smtp=endpoint | {"security": "none"})
    shown = (await client.post("/v1/probe", json=given)).json()
    assert [one["code"] for one in shown["warnings"]] == ["inbox_may_be_personal", "send_as_unproven", "unprotected"]
    created = (await client.post("/v1/mailboxes", json=given)).json()
    assert [one["code"] for one in created["warnings"]] == ["inbox_may_be_personal", "send_as_unproven", "unprotected"]
    assert "anna@example.org" in created["warnings"][0]["message"]
    assert (await client.get(f"/v1/mailboxes/{created['id']}")).json()["warnings"] == created["warnings"]
    problem_of(await client.get("/v1/discover"), 422, "invalid")
