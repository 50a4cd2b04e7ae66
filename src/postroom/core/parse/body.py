"""Chooses a message's text, its HTML and its attachments from the MIME tree. It decodes no transfer encoding."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from html import escape

from postroom.core.message import Attachment
from postroom.core.parse.charset import decode
from postroom.core.parse.filename import safe_filename
from postroom.core.parse.html import text_of_html
from postroom.core.parse.parts import Part

LONGEST_TEXT = 1_000_000
"""Characters of text, and as many of HTML, that are kept for reading; the raw message keeps all."""
LONGEST_CONTENT_ID = 998

_BODY_TYPES = frozenset({"text/plain", "text/html", "text/enriched", "text/richtext", "text/markdown"})
_FOR_OTHER_SCREENS = frozenset({"text/x-amp-html", "text/watch-html"})  # further forms of a text that is there already
_META_CHARSET = re.compile(rb"<meta[^>]{0,200}charset\s*=\s*[\"']?([A-Za-z0-9_:.-]{2,40})", re.IGNORECASE)
_CLOSED = {
    "application/ms-tnef": "the attachment winmail.dat is Outlook's own format and is not opened",
    "application/pgp-encrypted": "the text is encrypted with PGP; a mail program that holds the key can open it",
    "application/pkcs7-mime": "the text is sealed with S/MIME; a mail program that holds the key can open it",
    "application/x-pkcs7-mime": "the text is sealed with S/MIME; a mail program that holds the key can open it",
}
_SHORTENED = f"the text is longer than {LONGEST_TEXT} characters; the rest is only in the original message"


@dataclass(slots=True)
class Body:
    """What people see of a message. An attachment stands with the part that it describes."""

    text: str = ""
    html: str = ""
    attachments: list[tuple[Attachment, Part]] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Stretch:
    """A stretch of the message in one or both forms; either may be empty."""

    plain: str = ""
    html: str = ""


def collect(root: Part) -> Body:
    """Text, HTML and attachments in the order of the parts; the numbers of attachments depend on nothing else."""
    collector = _Collector()
    found = collector.walk(root, "")
    body = collector.body
    plain = found.plain or (text_of_html(found.html) if found.html else "")
    body.text = collector.shortened(plain.strip("\r\n"))
    body.html = collector.shortened(found.html)
    body.attachments = [(_placed(one, body.html), part) for one, part in body.attachments]
    return body


def collect_plain(text: str) -> Body:
    """The same of one part of plain text that is decoded already."""
    collector = _Collector()
    collector.body.text = collector.shortened(text.replace("\r\n", "\n").replace("\r", "\n").strip("\n"))
    return collector.body


def _placed(one: Attachment, html: str) -> Attachment:
    """Some programs mark pictures of the text as attachments; that the text shows them tells."""
    shown = one.content_id is not None and not one.inline and f"cid:{one.content_id}" in html
    return replace(one, inline=True) if shown else one


class _Collector:
    def __init__(self) -> None:
        self.body = Body()
        self._room = 4 * LONGEST_TEXT  # bytes of text parts that are still decoded, all together
        self._has_text = False

    def walk(self, part: Part, parent: str) -> _Stretch:
        if not part.is_multipart:
            return self._leaf(part, parent)
        stretches = [self.walk(child, part.content_type) for child in part.children]
        if part.content_type == "multipart/alternative":  # RFC 2046 5.1.4: the last is the richest
            return _Stretch(_last(one.plain for one in stretches), _last(one.html for one in stretches))
        return _joined([one for one in stretches if one.plain or one.html])

    def _leaf(self, part: Part, parent: str) -> _Stretch:
        if part.content_type in _FOR_OTHER_SCREENS and parent == "multipart/alternative":
            return _Stretch()
        named = bool(part.filename) and (part.disposition is not None or self._has_text)
        if part.content_type not in _BODY_TYPES or part.disposition == "attachment" or named:
            self._attach(part, parent)
            return _Stretch()
        self._has_text = True
        text = self._text(part)
        return _Stretch(html=text) if part.content_type == "text/html" else _Stretch(plain=text)

    def _text(self, part: Part) -> str:
        content = part.content[: self._room]
        if len(content) < len(part.content):
            self._note(_SHORTENED)
        self._room -= len(content)
        charset = part.charset
        if charset is None and part.content_type == "text/html" and (declared := _META_CHARSET.search(content[:4096])):
            charset = declared[1].decode("ascii")
        return decode(content, charset).replace("\r\n", "\n")

    def _attach(self, part: Part, parent: str) -> None:
        number = len(self.body.attachments)
        content_id = (
            decode(part.content_id.encode("utf-8", "replace"))[:LONGEST_CONTENT_ID] if part.content_id else None
        )
        inline = part.disposition != "attachment" and (
            (parent == "multipart/related" and content_id is not None)
            or (part.disposition == "inline" and part.content_type.startswith("image/"))
        )
        name = safe_filename(part.filename, part.content_type, number)
        described = Attachment(number, name, part.content_type, len(part.content), content_id, inline)
        self.body.attachments.append((described, part))
        if fault := _CLOSED.get(part.content_type):
            self._note(fault)

    def shortened(self, text: str) -> str:
        if len(text) > LONGEST_TEXT:
            self._note(_SHORTENED)
        return text[:LONGEST_TEXT]

    def _note(self, fault: str) -> None:
        if fault not in self.body.faults:
            self.body.faults.append(fault)


def _last(texts: Iterable[str]) -> str:
    return next((one for one in reversed(list(texts)) if one), "")


def _joined(stretches: list[_Stretch]) -> _Stretch:
    """Both forms whole: a stretch that lacks one gets it from the other, so that nothing is lost in either."""
    if len(stretches) <= 1:
        return stretches[0] if stretches else _Stretch()
    plain = "\n".join(one.plain or text_of_html(one.html) for one in stretches)
    if not any(one.html for one in stretches):
        return _Stretch(plain)
    return _Stretch(plain, "\n".join(one.html or _as_html(one.plain) for one in stretches))


def _as_html(plain: str) -> str:
    return f'<pre style="white-space: pre-wrap">{escape(plain)}</pre>'
