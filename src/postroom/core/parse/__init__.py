"""Makes a Parsed of a message's raw bytes, whatever they are. It changes no bytes and makes no HTML safe (html)."""

from __future__ import annotations

from postroom.core.message import Address, Attachment, Parsed, Unreadable
from postroom.core.parse import addresses, headers, parts
from postroom.core.parse.automatic import is_automatic, sign_of, why_no_answer
from postroom.core.parse.body import Body, collect, collect_plain
from postroom.core.parse.filename import safe_filename
from postroom.core.parse.html import safe_html, text_of_html
from postroom.core.parse.parts import Part, TooMuch
from postroom.core.parse.quoted import new_part

__all__ = [
    "attachment",
    "new_part",
    "parse",
    "parse_plain",
    "safe_filename",
    "safe_html",
    "text_of_html",
    "why_automatic",
    "why_no_answer",
]

LONGEST_SUBJECT = 2000
"""Characters. RFC 5322 has no limit for a folded field; what people read has."""
_STRANGE = 0.1  # the share of control characters beyond which bytes without a header are no message


def parse(raw: bytes) -> Parsed:
    """What the message says, with the faults that were repaired.

    Raises Unreadable where there is nothing to show: no bytes, or bytes that are no message. Time and memory are
    bounded for any input (`headers.CAP`, `parts.MOST_PARTS`, `parts.DEEPEST`, `body.LONGEST_TEXT`).
    """
    raw = _as_message(raw)
    section, body_at = headers.split(raw)
    faults: list[str] = []
    if len(section) > headers.CAP:
        faults.append(f"the header is longer than {headers.CAP // 1024} KB; the rest of it was not read")
    found = headers.read(headers.shorten(section))
    if not found:
        if _is_binary(raw):
            raise Unreadable("this is not an email message: it has no header and is not text")
        faults.append("the message has no header")
    root, body = _body(section, raw, body_at, faults)
    return _parsed(found, root.content_type, body, faults)


def parse_plain(section: bytes, text: str) -> Parsed:
    """The same for a message whose one part is plain text, as it is known to those who composed it: a header section
    shorter than `headers.CAP`, and text without NULs or lone surrogates."""
    body = collect_plain(text)
    return _parsed(headers.read(section), "text/plain", body, [])


def _parsed(found: headers.Headers, content_type: str, body: Body, faults: list[str]) -> Parsed:
    date = addresses.date(found.first("date"))
    if date is None and found.has("date"):
        faults.append("the date cannot be read")
    from_ = addresses.addresses(found.first("from"))
    if not from_ and found:
        faults.append("the sender is missing or cannot be read")
    sender = from_[0] if from_ else next(iter(addresses.addresses(found.first("sender"))), None)
    in_reply_to = addresses.message_ids(found.first("in-reply-to"))
    return Parsed(
        message_id=addresses.message_id(found.first("message-id")),
        subject=headers.unquoted(found.first("subject") or "")[:LONGEST_SUBJECT],
        sender=sender,
        to=_all(found, "to"),
        cc=_all(found, "cc"),
        bcc=_all(found, "bcc"),
        reply_to=_all(found, "reply-to"),
        date=date,
        in_reply_to=in_reply_to[0] if in_reply_to else None,
        references=addresses.message_ids(" ".join(found.all("references"))),
        text=body.text,
        html=body.html,
        attachments=tuple(described for described, _ in body.attachments),
        automatic=is_automatic(found, sender, content_type),
        faults=tuple(dict.fromkeys([*faults, *body.faults])),
    )


def why_automatic(raw: bytes, sender: Address | None) -> str | None:
    """By what one sees that a program wrote a message, for people; None where somebody may have."""
    section, _ = headers.split(raw)
    found = headers.read(headers.shorten(section))
    content_type = (found.first("content-type") or "").partition(";")[0].strip().lower()
    return sign_of(found, sender, content_type)


def attachment(raw: bytes, number: int) -> tuple[Attachment, bytes]:
    """One attachment with its bytes, by its number in `Parsed.attachments`. Raises LookupError where there is none."""
    raw = _as_message(raw)
    section, body_at = headers.split(raw)
    _, body = _body(section, raw, body_at, [])
    if not 0 <= number < len(body.attachments):
        raise LookupError(f"the message has no attachment {number}")
    described, part = body.attachments[number]
    return described, part.content


def _body(section: bytes, raw: bytes, body_at: int, faults: list[str]) -> tuple[Part, Body]:
    try:
        root, repaired = parts.read(section, raw[body_at:] if len(section) > headers.CAP else b"", raw)
    except TooMuch as reason:
        # People still get it: the whole message, to be saved and opened elsewhere.
        faults.append(str(reason))
        root = Part("message/rfc822", raw, is_message=True)
        return root, collect(root)
    faults.extend(repaired)
    return root, collect(root)


def _as_message(raw: bytes) -> bytes:
    """Without what mail stores put before the first field: an mbox `From ` line, blank lines."""
    trimmed = raw.lstrip() if raw[:1] in b" \t\r\n" else raw
    if not trimmed or not trimmed.strip(b"\0 \t\r\n"):
        raise Unreadable("the message is empty")
    if trimmed.startswith((b"From ", b">From ")):
        line, _, rest = trimmed.partition(b"\n")
        trimmed = rest if b":" in rest[: headers.CAP] and len(line) < LONGEST_SUBJECT else trimmed
    if b"\r" in trimmed and b"\n" not in trimmed:
        trimmed = trimmed.replace(b"\r", b"\n")
    return trimmed


def _is_binary(raw: bytes) -> bool:
    sample = raw[: headers.CAP]
    return len(sample.translate(None, _TEXT)) > len(sample) * _STRANGE


_TEXT = bytes(one for one in range(256) if one >= 0x20 or one in b"\t\n\r\x0c\x1b")


def _all(found: headers.Headers, name: str) -> tuple[Address, ...]:
    """Of every field of that name: RFC 5322 3.6 allows one, some programs write more."""
    values = found.all(name)
    return addresses.addresses(", ".join(values)) if values else ()
