"""Makes the bytes of an outgoing message (RFC 5322, MIME). It decides nothing about sending."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email.utils import format_datetime

from postroom.core.compose import fields
from postroom.core.compose.content import content
from postroom.core.compose.draft import BadDraft, Draft, File
from postroom.core.compose.recipient import all_checked, ascii_domain, checked, envelope
from postroom.core.compose.reply import Recipients, reply_recipients, reply_subject
from postroom.core.message import Address, Parsed
from postroom.core.parse import parse, parse_plain
from postroom.core.parse.headers import CAP

__all__ = [
    "BadDraft",
    "Composed",
    "Draft",
    "File",
    "Recipients",
    "compose",
    "reply_recipients",
    "reply_subject",
]

LONGEST_SUBJECT = 2000
"""Characters; as many as parse keeps."""
LONGEST_HEADER = 2000
MOST_HEADERS = 50
MOST_REFERENCES = 21
"""The first, which began the conversation, and the last 20: long lists are cut off by servers."""

_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_BLANKS = re.compile(r"[ \t]+")
_IDENTIFIER = re.compile(r"[!-;=?-~]{1,900}")
_OURS = re.compile(r"[Xx]-[A-Za-z0-9_-]{1,70}")


@dataclass(frozen=True, slots=True)
class Composed:
    """A message ready to be sent. `parsed` is what we keep, with Bcc, which is not in `raw`.

    `envelope_recipients` are To, Cc and Bcc, each once; `needs_utf8` where an address needs SMTPUTF8 (RFC 6531).
    """

    raw: bytes = field(repr=False)
    parsed: Parsed
    envelope_recipients: tuple[str, ...]
    needs_utf8: bool


def compose(
    draft: Draft,
    *,
    sender: Address,
    message_id: str,
    date: datetime,
    in_reply_to: str | None = None,
    references: Sequence[str] = (),
) -> Composed:
    """The same arguments give the same bytes. Identifiers are without angle brackets; `date` is aware.

    A message needs a recipient and one of subject, text, HTML, attachment. `references` are those of the message that
    is answered; it is appended to them itself. Raises BadDraft naming the field.
    """
    if not (draft.text.strip() or draft.html.strip() or draft.subject.strip() or draft.attachments):
        raise BadDraft("text", "the message is empty: write a subject or a text, or attach a file")
    left, _, right = message_id.rpartition("@")
    message_id = f"{left}@{ascii_domain(right) or right}"  # of a mailbox with an international domain
    if not _IDENTIFIER.fullmatch(message_id):
        raise BadDraft("message_id", "a Message-ID holds visible ASCII characters only, no < or >")
    author = checked(sender, "sender")
    to, cc, bcc = (all_checked(getattr(draft, name), name) for name in ("to", "cc", "bcc"))
    recipients = envelope((to, cc, bcc))
    header = [fields.addresses("From", [author])]
    reply_to = all_checked(draft.reply_to, "reply_to")
    lists = (("To", to), ("Cc", cc), ("Reply-To", reply_to))
    header += [fields.addresses(name, given) for name, given in lists if given]
    header += [
        fields.text("Subject", _one_line("subject", draft.subject, LONGEST_SUBJECT)),
        f"Date: {format_datetime(date.astimezone(UTC))}\r\n".encode(),
        fields.identifiers("Message-ID", [message_id]),
        *_thread(in_reply_to, references),
        *(_automatic(answers=in_reply_to is not None) if draft.automatic else ()),
        *_extra(draft.headers),
    ]
    section = b"".join(header)
    raw = section + content(draft, message_id)
    return Composed(
        raw,
        replace(parse_plain(section, draft.text) if _reads_back(draft, section) else parse(raw), bcc=bcc),
        recipients,
        any(not one.isascii() for one in (author.email, *recipients, *(one.email for one in reply_to))),
    )


def _reads_back(draft: Draft, section: bytes) -> bool:
    """Whether whoever reads the message finds the very text: nothing beside it, nothing that means another charset, and
    a header that is read whole."""
    alone = not (draft.html or draft.attachments)
    return alone and "\x1b" not in draft.text and len(section) < CAP - 1000


def _automatic(*, answers: bool) -> list[bytes]:
    """RFC 3834 5. Exchange (MS-OXCMAIL 2.2.3.2.14) is asked for no automatic answers either; bounces stay welcome.

    The envelope keeps our address: submission servers refuse the empty one, and what cannot be delivered is to be told.
    """
    return [
        fields.text("Auto-Submitted", "auto-replied" if answers else "auto-generated"),
        fields.text("X-Auto-Response-Suppress", "DR, RN, NRN, OOF, AutoReply"),
    ]


def _thread(in_reply_to: str | None, references: Sequence[str]) -> list[bytes]:
    """RFC 5322 3.6.4. Identifiers that strangers made and no header can hold are left out."""
    for one in (in_reply_to or "", *references):
        if _CONTROL.search(one):
            raise BadDraft("in_reply_to", "a Message-ID holds a line break or another control character")
    answered = (in_reply_to or "").strip().removeprefix("<").removesuffix(">")
    parent = [answered] if _IDENTIFIER.fullmatch(answered) else []
    chain = list(dict.fromkeys([one for one in references if _IDENTIFIER.fullmatch(one) and one not in parent]))
    chain += parent
    chain = chain[:1] + chain[1:][-(MOST_REFERENCES - 1) :]
    written = [fields.identifiers("In-Reply-To", parent)] if parent else []
    return [*written, fields.identifiers("References", chain)] if chain else written


def _extra(given: Sequence[tuple[str, str]]) -> list[bytes]:
    if len(given) > MOST_HEADERS:
        raise BadDraft("headers", f"there are more than {MOST_HEADERS} headers of your own")
    for name, _ in given:
        if not _OURS.fullmatch(name):
            raise BadDraft("headers", "a header of your own begins with X- and holds letters, digits, - and _ only")
    return [fields.text(name, _one_line("headers", value, LONGEST_HEADER)) for name, value in given]


def _one_line(name: str, value: str, longest: int) -> str:
    if _CONTROL.search(value):
        raise BadDraft(name, f"the {name} field holds a line break or another control character: remove it")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise BadDraft(name, f"the {name} field holds half of a character (a lone surrogate): remove it") from None
    if len(value) > longest:
        raise BadDraft(name, f"the {name} field is longer than {longest} characters: shorten it")
    return _BLANKS.sub(" ", value).strip(" ")
