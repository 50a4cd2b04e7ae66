"""Which conversation a message belongs to."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom.core.conversation import Party, ids_of, place, place_by_thread, place_by_topic
from postroom.core.message import Address, Conversation, Flow
from postroom.core.parse import parse
from postroom.core.subject import is_reply, topic


def message(message_id="own@x", in_reply_to="", references=()):
    lines = [
        "From: a@x",
        f"Message-ID: <{message_id}>",
        *([f"In-Reply-To: <{in_reply_to}>"] if in_reply_to else []),
        *(["References: " + " ".join(f"<{one}>" for one in references)] if references else []),
    ]
    return parse("\r\n".join([*lines, "", "x"]).encode())


def test_the_message_that_is_answered_counts_before_all_others():
    assert place(message(in_reply_to="p@x", references=("q@x",)), {"p@x": "cnv_1", "q@x": "cnv_2"}) == "cnv_1"


def test_of_the_references_the_last_known_counts():
    found = message(in_reply_to="unknown@x", references=("first@x", "second@x", "third@x"))
    assert place(found, {"first@x": "cnv_1", "second@x": "cnv_2"}) == "cnv_2"


def test_a_message_that_names_nobody_we_know_begins_a_conversation():
    assert place(message(), {"p@x": "cnv_1"}) is None
    assert place(message(in_reply_to="p@x"), {}) is None


def test_a_message_that_names_itself_is_not_its_own_parent():
    assert place(message("own@x", "own@x", ("own@x",)), {"own@x": "cnv_1"}) is None


def test_the_letters_of_an_identifier_count():
    assert place(message(in_reply_to="ABC@x"), {"abc@x": "cnv_1"}) is None


IDS = st.sampled_from([f"{letter}@x" for letter in "abcdefgh"])


@given(st.none() | IDS, st.lists(IDS, max_size=8), st.dictionaries(IDS, st.sampled_from(["cnv_1", "cnv_2"])))
def test_only_what_ids_of_names_is_asked_for(parent, references, known):
    found = message("own@x", parent or "", references)
    named = ids_of(found)
    assert len(named) == len(set(named))
    assert place(found, known) == place(found, {key: value for key, value in known.items() if key in named})
    assert (place(found, known) is None) == (not set(named) & set(known))


@pytest.mark.parametrize(
    ("subject", "wanted"),
    [
        ("Where is my parcel?", "where is my parcel?"),
        ("RE: AW: Re[2]:  Where is\tmy PARCEL?", "where is my parcel?"),
        ("[EXTERNAL] Re: Where is my parcel?", "where is my parcel?"),
        ("回复：Where is my parcel?", "where is my parcel?"),
        ("Re: Hello", None),
        ("", None),
        ("Re: " * 500, None),
    ],
)
def test_a_topic_is_the_subject_without_what_answers_add(subject, wanted):
    assert topic(subject) == wanted


@given(st.text(max_size=300))
def test_the_topic_of_an_answer_is_that_of_what_it_answers(subject):
    assert topic(f"Re: {subject}") == topic(f"AW: {subject}")
    assert is_reply(f"Re: {subject}")


NOON = datetime(2026, 7, 6, 12, tzinfo=UTC)
OURS = frozenset({"help@x"})


def conversation(name, *people, at=NOON):
    everybody = tuple(Address(one) for one in ("help@x", *people))
    return Conversation(name, "mbx_1", "The printer", at, at, 1, everybody)


def party(flow=Flow.INBOUND, sender="ann@x", to="help@x"):
    found = parse(f"From: {sender}\r\nTo: {to}\r\nSubject: Re: The printer\r\n\r\nx".encode())
    return Party(found, flow, OURS)


def test_a_thread_joins_only_people_who_take_part_already():
    there = [conversation("cnv_ann", "ann@x"), conversation("cnv_ben", "ben@x", at=NOON + timedelta(hours=1))]
    assert place_by_thread(party(), there) == "cnv_ann"
    assert place_by_thread(party(sender="Carl <carl@x>"), there) is None


def test_what_we_sent_belongs_where_all_its_recipients_take_part():
    there = [conversation("cnv_ann", "ann@x"), conversation("cnv_both", "ann@x", "Ben@x", at=NOON - timedelta(days=1))]
    sent = {"flow": Flow.OUTBOUND, "sender": "help@x"}
    assert place_by_thread(party(**sent, to="ANN@x"), there) == "cnv_ann"
    assert place_by_thread(party(**sent, to="ann@x, ben@x"), there) == "cnv_both"
    assert place_by_thread(party(**sent, to="ann@x, carl@x"), there) is None
    assert place_by_topic(party(**sent, to="ann@x"), NOON, there) == "cnv_ann"
    assert place_by_topic(party(**sent, to="ann@x"), NOON + timedelta(days=40), there) is None


def test_that_we_take_part_in_every_conversation_places_nothing():
    there = [conversation("cnv_ann", "ann@x")]
    assert place_by_topic(party(sender="help@x"), NOON, there) is None
    assert place_by_thread(party(Flow.OUTBOUND, "help@x", "help@x"), there) is None
