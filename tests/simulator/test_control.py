"""The control API over real HTTP. What the commands do is tested where they are."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2
import pytest

from postroom.simulator import Simulator

from .conftest import ANNA, BEN, PASSWORD
from .dialogue import Dialogue, imap, smtp, submit


@asynccontextmanager
async def control(simulator: Simulator) -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{simulator.control_port}") as client:
        yield client


async def test_an_account_is_made_used_changed_and_deleted(simulator):
    account = {"address": "new@example.org", "password": "one", "folders": ["Sent", "Lists"], "saves_sent": True}
    async with control(simulator) as http:
        assert (await http.post("/accounts", json=account)).status_code == 201
        assert set(simulator.accounts.get("new@example.org").folders) == {"INBOX", "Sent", "Lists"}
        async with Dialogue.to(simulator.imap_port) as client:
            await client.line()
            assert (await client.ask("LOGIN new@example.org one"))[-1].startswith("t OK")
            changed = await http.patch("/accounts/new@example.org", json={"password": "two"})
            assert changed.status_code == 200
            assert (await client.rest()).startswith(b"* BYE")
        assert simulator.accounts.get("new@example.org").saves_sent
        assert (await http.delete("/accounts/new@example.org")).status_code == 204
        assert (await http.delete("/accounts/new@example.org")).status_code == 404


async def test_sessions_outlive_a_new_password_where_that_is_wanted(simulator):
    async with control(simulator) as http, imap(simulator) as client:
        await http.patch(f"/accounts/{ANNA}", json={"password": "two", "drop_sessions": False})
        assert (await client.ask("NOOP"))[-1].startswith("t OK")


async def test_mail_is_delivered_raw_or_composed_and_can_be_read_back(simulator):
    async with control(simulator) as http:
        raw = "From: x@y.example\nSubject: raw\nMessage-ID: <raw@y>\n\nbody\n"
        first = (await http.post(f"/accounts/{ANNA}/deliver", json={"raw": raw})).json()
        second = (
            await http.post(
                f"/accounts/{ANNA}/deliver",
                json={"from": "c@example.net", "subject": "Größe", "text": "Hallo", "in_reply_to": "<raw@y>"},
            )
        ).json()
        assert (first["uid"], second["uid"]) == (1, 2)
        listed = (await http.get(f"/accounts/{ANNA}/folders/INBOX")).json()
        assert [message["message_id"] for message in listed["messages"]] == ["<raw@y>", second["message_id"]]
        content = (await http.get(f"/accounts/{ANNA}/folders/INBOX/messages/1")).content
        assert content == raw.replace("\n", "\r\n").encode()
        composed = (await http.get(f"/accounts/{ANNA}/folders/INBOX/messages/2")).text
        assert "In-Reply-To: <raw@y>" in composed
        assert (await http.post(f"/accounts/{ANNA}/folders/INBOX/renumber")).json()["uid_next"] == 3


async def test_the_outbox_counts_by_message_id(simulator):
    async with smtp(simulator) as client:
        for _ in range(2):
            await submit(client, BEN, "out@example.net", message_id="<twice@x>")
    async with control(simulator) as http:
        outbox = (await http.get("/outbox")).json()
        assert outbox["counts"] == {"<twice@x>": 2}
        assert outbox["items"][0]["to"] == [BEN, "out@example.net"]
        assert outbox["items"][0]["remote"] == ["out@example.net"]
        assert (await http.get("/outbox/2")).content == simulator.outbox[1].raw
        assert (await http.get("/outbox/3")).json()["field"] == "number"


async def test_faults_are_added_counted_and_cleared(simulator):
    async with control(simulator) as http:
        made = (
            await http.post("/faults", json={"protocol": "imap", "stage": "noop", "answer": "{tag} NO busy"})
        ).json()
        async with imap(simulator) as client:
            assert await client.ask("NOOP") == ["t NO busy\r\n"]
            state = (await http.get("/state")).json()
            assert [(fault["id"], fault["fired"]) for fault in state["faults"]] == [(made["id"], 1)]
            assert (await http.delete(f"/faults/{made['id']}")).json() == {"cleared": 1}
            assert await client.ask("NOOP") == ["t OK Done\r\n"]
        record = {"id": "x", "direction": "smtp", "stage": "mail", "raw": "550 5.7.60 Not allowed", "provider": "y"}
        played = (await http.post("/faults/replay", json=record)).json()
        assert (played["stage"], played["answer"]) == ("mail", "550 5.7.60 Not allowed")
        assert (await http.delete("/faults")).json() == {"cleared": 1}


async def test_outage_and_kick_are_commanded(simulator):
    async with control(simulator) as http:
        async with imap(simulator) as client:
            assert (await http.post("/kick", json={"address": ANNA})).json() == {"kicked": 1}
            assert (await client.rest()).startswith(b"* BYE")
        down = await http.post("/outage", json={"protocol": "imap"})
        assert down.json() == {"listening": {"imap": False, "smtp": True, "oauth": True}}
        up = await http.post("/outage", json={"protocol": "imap", "up": True})
        assert up.json() == {"listening": {"imap": True, "smtp": True, "oauth": True}}
        async with imap(simulator):
            pass


async def test_the_state_shows_no_secret_and_no_message_text(simulator):
    simulator.change_account(ANNA, access_token="bearer-secret")
    simulator.deliver(ANNA, b"Subject: x\r\n\r\nprivate words")
    async with control(simulator) as http, imap(simulator):
        answer = (await http.get("/state")).text
        assert PASSWORD not in answer
        assert "bearer-secret" not in answer
        assert "private words" not in answer
        assert [session["account"] for session in (await http.get("/state")).json()["sessions"]] == [ANNA]
        assert (await http.get("/ca.pem")).text == simulator.ca_pem
    assert PASSWORD not in repr(simulator.accounts.get(ANNA))
    assert "bearer-secret" not in repr(simulator.accounts.get(ANNA))


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "field"),
    [
        ("POST", "/accounts", {"address": "nobody", "password": "x"}, 422, "address"),
        ("POST", "/accounts", {"address": ANNA, "password": "x"}, 422, "address"),
        ("POST", "/accounts", {"address": "a@b"}, 422, "password"),
        ("POST", "/accounts", {"address": "a@b", "password": "x", "quota": -1}, 422, "quota"),
        ("PATCH", "/accounts/no@one", {"idle": False}, 404, "address"),
        ("PATCH", f"/accounts/{ANNA}", {"passwort": "x"}, 422, "passwort"),
        ("POST", "/accounts/no@one/deliver", {}, 404, "address"),
        ("POST", f"/accounts/{ANNA}/deliver", {"subject": "a\nb"}, 422, "subject"),
        ("GET", f"/accounts/{ANNA}/folders/None", None, 404, "folder"),
        ("GET", f"/accounts/{ANNA}/folders/INBOX/messages/7", None, 404, "uid"),
        ("POST", "/faults", {"protocol": "pop3", "stage": "auth", "answer": "x"}, 422, "protocol"),
        ("POST", "/faults", {"protocol": "imap", "stage": "dot", "answer": "x"}, 422, "stage"),
        ("POST", "/faults", {"protocol": "imap", "stage": "auth", "anwser": "x"}, 422, "anwser"),
        ("POST", "/faults", {"protocol": "imap", "stage": "auth", "behaviour": "explode"}, 422, "behaviour"),
        ("POST", "/faults/replay", {"direction": "imap", "stage": "dns", "raw": "x"}, 422, "stage"),
        ("POST", "/faults/replay", {"direction": "fax", "stage": "auth", "raw": "x"}, 422, "direction"),
        ("DELETE", "/faults/fault-99", None, 404, "id"),
        ("POST", "/outage", {"protocol": "imap", "seconds": -1}, 422, "seconds"),
        ("POST", "/kick", {"address": "no@one"}, 404, "address"),
    ],
)
async def test_an_error_names_the_field(simulator, method, path, body, status, field):
    async with control(simulator) as http:
        answer = await http.request(method, path, json=body)
    assert (answer.status_code, answer.json()["field"]) == (status, field)
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_web_page_cannot_reach_it_by_a_name_of_its_own(simulator):
    async with control(simulator) as http:
        assert (await http.get("/state", headers={"Host": "attacker.example"})).status_code == 400
