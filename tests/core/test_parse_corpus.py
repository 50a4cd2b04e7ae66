"""Real-life-like messages with what people should see of them. It does not try hostile bytes: test_parse_hostile."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from postroom.core.parse import attachment, parse

CORPUS = Path(__file__).parent.parent / "corpus" / "messages"
MESSAGES = sorted(CORPUS.glob("*.eml"))
LISTS = {"to", "cc", "bcc", "reply_to"}


def test_every_message_of_the_corpus_has_its_expectation():
    assert len(MESSAGES) >= 25
    assert [one.stem for one in MESSAGES] == sorted(one.stem for one in CORPUS.glob("*.json"))


def seen(parsed, key):
    if key == "sender":
        return parsed.sender.as_dict() if parsed.sender else None
    if key in LISTS:
        return [one.as_dict() for one in getattr(parsed, key)]
    if key == "attachments":
        return [
            {name: value for name, value in one.as_dict().items() if name != "number"} for one in parsed.attachments
        ]
    if key == "attachment_names":
        return [one.filename for one in parsed.attachments]
    if key == "date":
        return parsed.date.isoformat() if parsed.date else None
    value = getattr(parsed, key)
    return list(value) if isinstance(value, tuple) else value


@pytest.mark.parametrize("path", MESSAGES, ids=lambda path: path.stem)
def test_a_message_is_read_as_people_expect(path):
    parsed = parse(path.read_bytes())
    expected = json.loads(path.with_suffix(".json").read_text("utf-8"))
    wants = {key: expected.pop(key, []) for key in ("text_has", "html_has", "text_lacks")}
    assert {key: seen(parsed, key) for key in expected} == expected
    assert [one for one in wants["text_has"] if one not in parsed.text] == []
    assert [one for one in wants["html_has"] if one not in parsed.html] == []
    assert [one for one in wants["text_lacks"] if one in parsed.text] == []


@pytest.mark.parametrize("path", MESSAGES, ids=lambda path: path.stem)
def test_every_attachment_is_read_as_it_was_described(path):
    raw = path.read_bytes()
    for described in parse(raw).attachments:
        again, content = attachment(raw, described.number)
        assert (again.number, again.filename, again.size) == (described.number, described.filename, len(content))


def test_a_signature_and_an_attached_message_keep_their_bytes():
    raw = (CORPUS / "forwarded-as-attachment.eml").read_bytes()
    _, content = attachment(raw, 0)
    assert content in raw
    assert parse(content).subject == "The original question"


def test_an_attachment_that_is_not_there_is_a_lookup_error():
    with pytest.raises(LookupError, match="no attachment 1"):
        attachment((CORPUS / "forwarded-as-attachment.eml").read_bytes(), 1)
