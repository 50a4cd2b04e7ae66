"""Any bytes and any evidence give a diagnosis, never an exception, and quickly."""

from __future__ import annotations

from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom.core.diagnosis import Action, Evidence, EvidenceError, Stage, TlsFacts, diagnose, from_json, holding, read
from postroom.core.diagnosis.codes import MESSAGES
from postroom.core.diagnosis.rules import RULES
from postroom.core.mailbox import Direction

SNIPPETS = st.sampled_from(
    [rule.example for rule in RULES if rule.example]
    + ["…", "{host}", "[", "a1 NO ", "eyJ" * 9, "5.7.8", "\x00", "٥٣٥ "]
)
WORDS = st.one_of(st.text(max_size=60), SNIPPETS)
TEXTS = st.one_of(
    st.binary(max_size=300).map(lambda raw: raw.decode("utf-8", "replace")), st.lists(WORDS, max_size=6).map("\n".join)
)
MAYBE = st.none() | WORDS
TLS = st.builds(
    TlsFacts,
    fault=st.none()
    | st.sampled_from(
        ["expired", "not_yet_valid", "wrong_host", "self_signed", "unknown_ca", "plain_port", "protocol", "other", "?"]
    ),
    names=st.lists(WORDS, max_size=3).map(tuple),
    issuer=MAYBE,
    not_before=st.none() | st.datetimes(),
    not_after=st.none() | st.datetimes(),
    detail=MAYBE,
)
EVIDENCE = st.builds(
    Evidence,
    direction=st.sampled_from(Direction),
    stage=st.sampled_from(Stage),
    raw=TEXTS,
    provider=st.none() | st.text(max_size=8) | st.sampled_from(["gmail", "yahoo", "163"]),
    status=MAYBE,
    response_code=MAYBE,
    smtp_code=st.none() | st.integers(),
    enhanced=MAYBE,
    exception=MAYBE,
    host=MAYBE,
    port=st.none() | st.integers(),
    mechanism=MAYBE,
    challenge=MAYBE,
    folder=MAYBE,
    recipient=MAYBE,
    tls=st.none() | TLS,
)


@given(EVIDENCE, st.none() | st.integers(0, 10**6))
def test_any_evidence_gives_a_diagnosis(evidence: Evidence, held: int | None) -> None:
    diagnosis = holding(diagnose(evidence), held=held)
    assert diagnosis.message == MESSAGES[diagnosis.name]
    assert diagnosis.reason
    assert diagnosis.steps
    assert all(step.strip() for step in diagnosis.steps)
    if diagnosis.action in (Action.FAIL_MESSAGE, Action.DEFER_MESSAGE):
        assert (
            evidence.stage in {Stage.MAIL, Stage.RCPT, Stage.DATA, Stage.SEND, Stage.APPEND}
            or diagnosis.direction is Direction.IMAP
        )


@given(st.sampled_from(Direction), TEXTS)
def test_any_pasted_text_can_be_read(direction: Direction, raw: str) -> None:
    assert diagnose(read(direction, raw)).message


@given(
    st.dictionaries(
        st.sampled_from(["direction", "stage", "raw", "smtp_code", "status"]), st.none() | st.integers() | WORDS
    )
)
def test_any_json_object_is_evidence_or_an_evidence_error(value: dict[str, object]) -> None:
    try:
        evidence = from_json(value)
    except EvidenceError:
        return
    assert diagnose(evidence).message


@pytest.mark.parametrize(
    "raw", ["a" * 10**6, "aaa " * 10**5, "535 5.7.8 too many … connections " * 10**4, "eyJ" * 10**5, "[A" * 10**5]
)
def test_a_huge_text_is_judged_in_bounded_time(raw: str) -> None:
    started = process_time()
    diagnose(read("smtp", raw))
    diagnose(read("imap", raw))
    assert process_time() - started < 0.5
