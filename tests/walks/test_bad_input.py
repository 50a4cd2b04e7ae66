"""Whatever is posted as a message: it is accepted, or refused with a problem that names the field; nothing between."""

import json
import string

import httpx2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.walks.outgoing import line
from tests.walks.postroom import attachment

pytestmark = pytest.mark.asyncio(loop_scope="session")

GOOD = {"to": ["a@x.test"], "subject": "An answer", "text": "It is here."}

LIST = {
    "a recipient without a domain": ({"to": ["anna"]}, "to[0]"),
    "1,001 recipients": ({"to": [f"a{number}@x.test" for number in range(1001)]}, "to"),
    "1,001 recipients over three fields": (
        {name: [f"{name}{number}@x.test" for number in range(334)] for name in ("to", "cc", "bcc")},
        "to",
    ),
    "a NUL in the subject": ({"subject": "An\0swer"}, "subject"),
    "a line break in the subject": ({"subject": "An answer\r\nBcc: eve@x.test"}, "subject"),
    "an attachment over the limit": ({"attachments": [attachment(bytes(36 * 1024 * 1024))]}, "attachments"),
    "an attachment that is no base 64": (
        {"attachments": [{"filename": "a", "content": "%%%"}]},
        "attachments[0].content",
    ),
    "a reply to a conversation that is gone": ({"conversation_id": "cnv_" + "0" * 37}, "conversation_id"),
    "half a character": ({"subject": "\ud800"}, "subject"),
    "a NUL in an address": ({"to": ["a\0@x.test"]}, "to[0]"),
    "a NUL in the text": ({"text": "a\0b"}, "text"),
    "a header of another's": ({"headers": {"Bcc": "eve@x.test"}}, "headers"),
    "a header with a line break": ({"headers": {"X-A": "b\r\nBcc: eve@x.test"}}, "headers"),
    "a time that has no zone": ({"send_at": "2030-01-01T00:00:00"}, "send_at"),
    "a time that is none": ({"send_at": "soon"}, "send_at"),
    "no recipient": ({"to": []}, "to"),
    "a field that does not exist": ({"txt": "It is here."}, "txt"),
}


async def test_what_cannot_be_sent_is_refused_by_the_name_of_its_field_and_nothing_is_queued(standing_on, dovecot):
    async with line(standing_on, dovecot) as to:
        for name, (changes, field) in LIST.items():
            content = json.dumps({"mailbox_id": to.id} | GOOD | changes)
            answer = await standing_on.api.post(
                "/v1/messages", content=content, headers={"Content-Type": "application/json"}
            )
            assert answer.status_code in (404, 413, 422), (name, answer.status_code, answer.text[:300])
            problem = answer.json()
            if answer.status_code == 422:
                assert problem["errors"][0]["field"].startswith(field), (name, problem)
                assert problem["errors"][0]["message"], name
            assert "eve@" not in problem["detail"]
        assert await standing_on.everything("/deliveries", mailbox_id=to.id) == []


text = (
    st.text(max_size=60)
    | st.text(string.printable, max_size=60)
    | st.sampled_from(
        ["\0", "\r\n", "a\r\nBcc: e@x.test", "\ud800", "=?utf-8?q?=00?=", "<>", "@", "\u2028", "x" * 3000]
    )
)
address = (
    text
    | st.builds("{}@{}".format, text, text)
    | st.just("a@x.test")
    | st.builds(lambda email, name: {"email": email, "name": name}, text | st.just("a@x.test"), text)
)
junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=6,
)
body = st.fixed_dictionaries(
    {"to": st.lists(address, max_size=4) | junk},
    optional={
        "cc": st.lists(address, max_size=3) | junk,
        "bcc": st.lists(address, max_size=3),
        "subject": text | junk,
        "text": text | junk,
        "html": text,
        "attachments": st.lists(
            st.fixed_dictionaries(
                {"filename": text, "content": st.sampled_from(["", "AA==", "A", "é"]) | junk},
                optional={"content_type": text, "content_id": text},
            ),
            max_size=2,
        ),
        "headers": st.dictionaries(text | st.builds("X-{}".format, text), text, max_size=3) | junk,
        "in_reply_to": text | junk,
        "conversation_id": text | junk,
        "send_at": text | st.datetimes().map(str) | junk,
    },
)


async def test_no_body_makes_a_fault_and_only_what_is_answered_with_202_is_queued(standing, dovecot):
    async with line(standing, dovecot) as to:
        await standing.post(f"/mailboxes/{to.id}/pause", status=200)
        headers = {"Authorization": f"Bearer {standing.key}", "Content-Type": "application/json"}
        accepted = []

        with httpx2.Client(base_url=standing.url, headers=headers, trust_env=False, timeout=30) as api:

            @settings(max_examples=120, deadline=None, database=None, suppress_health_check=list(HealthCheck))
            @given(body)
            def post(made):
                answer = api.post("/v1/messages", content=json.dumps({"mailbox_id": to.id} | made))
                if answer.status_code == 202:
                    accepted.append(answer.json()["id"])
                    return
                problem = answer.json()
                assert answer.status_code in (400, 404, 409, 413, 422), (answer.status_code, made)
                assert problem["status"] == answer.status_code
                if answer.status_code == 422:
                    assert all(one["field"] and one["message"] for one in problem["errors"]), problem
                    assert problem["errors"], problem

            post()
        shown = await standing.everything("/deliveries", mailbox_id=to.id)
        assert sorted(one["id"] for one in shown) == sorted(accepted)
        await standing.post(f"/mailboxes/{to.id}/resume", status=200)
        for one in accepted:  # and each of them can be sent, whatever is in it
            await standing.delivery_in(one, "sent", 60)
        assert len(to.sink.accepted) == len(accepted)
