"""The ledger over HTTP."""

from postroom.core.cursor import Outcome
from postroom.core.ports.store import Entry
from tests.web.conftest import fields_of, problem_of


async def test_the_ledger_shows_runs_and_single_messages_with_their_reasons(client, house, mailbox):
    house.store.entries = [
        Entry("INBOX", 1, 900, Outcome.SKIPPED, 850, None, None, "older than 30 days"),
        Entry("INBOX", 901, 901, Outcome.QUARANTINED, 1, 77, "msg_1", "nested too deep"),
    ]
    path = f"/v1/mailboxes/{mailbox['id']}/ledger"
    first, second = (await client.get(path)).json()["items"]
    assert first == {
        "folder": "INBOX",
        "first_uid": 1,
        "last_uid": 900,
        "outcome": "skipped",
        "messages": 850,
        "size": None,
        "message_id": None,
        "reason": "older than 30 days",
    }
    assert (second["message_id"], second["size"]) == ("msg_1", 77)
    picked = (await client.get(path, params={"outcome": "skipped"})).json()["items"]
    assert picked == [first]
    assert "outcome" in fields_of(problem_of(await client.get(path, params={"outcome": "lost"}), 422, "invalid"))
    problem_of(await client.get("/v1/mailboxes/mbx_0000000000009/ledger"), 404, "not-found")


async def test_how_far_back_is_read_is_set_and_changed_and_null_is_all(client, mailbox):
    path = f"/v1/mailboxes/{mailbox['id']}"
    assert mailbox["sync_days"] == 30
    assert (await client.patch(path, json={"sync_days": 90})).json()["sync_days"] == 90
    assert (await client.patch(path, json={"name": "Help"})).json()["sync_days"] == 90
    assert (await client.patch(path, json={"sync_days": None})).json()["sync_days"] is None
    problem_of(await client.patch(path, json={"sync_days": -1}), 422, "invalid")
