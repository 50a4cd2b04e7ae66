"""Builds the MIME body of an outgoing message: text, HTML with its pictures, attachments. It writes no addresses."""

from __future__ import annotations

import base64
import binascii
import hashlib
import html
import re
from email.message import EmailMessage, MIMEPart
from email.policy import SMTP
from urllib.parse import unquote

from postroom.core.compose.draft import BadDraft, Draft, File
from postroom.core.parse import safe_filename, text_of_html

POLICY = SMTP.clone(cte_type="7bit")
"""7-bit, quoted-printable or base64: a server on the way need not know 8BITMIME (RFC 6152)."""

_TYPE = re.compile(r"([A-Za-z0-9!#$&^_.+-]{1,60})/([A-Za-z0-9!#$&^_.+-]{1,60})")
_CHARSET = re.compile(r";\s*charset\s*=\s*\"?([A-Za-z0-9_.:-]{1,40})\"?\s*$", re.IGNORECASE)
_CONTENT_ID = re.compile(r"[!-;=?-~]{1,200}")
SHORT = 78
"""Characters of a line (RFC 5322 2.1.1); EmailMessage encodes longer ones."""
PLAIN = b'Content-Type: text/plain; charset="utf-8"\r\nContent-Transfer-Encoding: %s\r\nMIME-Version: 1.0\r\n\r\n'
_SHOWN = re.compile(r"(?:src|background|href)\s*=\s*[\"']?\s*cid:([^\"'\s>]{1,400})", re.IGNORECASE)
_UNKNOWN = "application/octet-stream"


def content(draft: Draft, seed: str) -> bytes:
    """Content fields, a blank line and the body. The boundaries are made of `seed`: the same draft, the same bytes.

    HTML alone gets a text beside it, for those who read text. Raises BadDraft.
    """
    _check_text("text", draft.text)
    _check_text("html", draft.html)
    if not (draft.html or draft.attachments):
        return _text_alone(draft.text)
    message = EmailMessage(policy=POLICY)
    pictures = _pictures(draft)
    text = draft.text or (text_of_html(draft.html) if draft.html else "")
    message.set_content(_ended(text))
    if draft.html:
        message.add_alternative(_ended(draft.html), subtype="html")
        *_, rich = message.iter_parts()
        for one in pictures:
            _add(rich, one, related=True)
    for one in draft.attachments:
        if one not in pictures:
            _add(message, one, related=False)
    _set_boundaries(message, seed)
    return message.as_bytes(policy=POLICY)


def _text_alone(text: str) -> bytes:
    """Most messages are so, and EmailMessage takes its time for them. As it is where it is ASCII in short lines, else
    in whichever encoding is shorter: quoted-printable for European languages, base 64 for most others (RFC 2045 6)."""
    text = _ended(text.replace("\r\n", "\n").replace("\r", "\n"))
    if _is_plain(text):
        return PLAIN % b"7bit" + text.replace("\n", "\r\n").encode("ascii")
    written = text.encode()
    quoted = binascii.b2a_qp(written, istext=True)
    if len(quoted) <= len(written) * 4 // 3:
        return PLAIN % b"quoted-printable" + quoted.replace(b"\n", b"\r\n")
    encoded = base64.encodebytes(written.replace(b"\n", b"\r\n"))
    return PLAIN % b"base64" + encoded.replace(b"\n", b"\r\n")


def _is_plain(text: str) -> bool:
    """Whether it goes as it is: ASCII, in short lines."""
    if not text.isascii():
        return False
    lines = text.splitlines()  # more of them than line feeds: other characters end lines too
    return len(lines) == text.count("\n") and max(map(len, lines)) <= SHORT


def _pictures(draft: Draft) -> list[File]:
    """The attachments that the HTML shows by `cid:` (RFC 2392). One that it does not show would be seen by nobody: it
    is an ordinary attachment."""
    named = [one.content_id for one in draft.attachments if one.content_id]
    if not all(_CONTENT_ID.fullmatch(one) for one in named):
        raise BadDraft("attachments", "a content_id may hold visible ASCII characters only, no < or >")
    twice = next((one for one in named if named.count(one) > 1), None)
    if twice is not None:
        raise BadDraft("attachments", f"two attachments have the content_id “{twice[:80]}”: give each its own")
    shown = {unquote(html.unescape(one)) for one in _SHOWN.findall(draft.html)}
    missing = next((one for one in sorted(shown) if one not in named), None)
    if missing is not None:
        raise BadDraft(
            "html",
            f"the HTML shows the image cid:{missing[:80]}, but no attachment has this content_id: attach it, or take "
            "the image out",
        )
    return [one for one in draft.attachments if one.content_id in shown]


def _add(message: MIMEPart, file: File, *, related: bool) -> None:
    maintype, subtype, charset = _type(file)
    name = safe_filename(file.filename, f"{maintype}/{subtype}")
    params = {"charset": charset} if charset else {}
    if not related:
        message.add_attachment(file.content, maintype, subtype, filename=name, params=params)
        return
    message.add_related(
        file.content,
        maintype,
        subtype,
        filename=name,
        disposition="inline",
        cid=f"<{file.content_id}>",
        params=params,
    )


def _type(file: File) -> tuple[str, str, str | None]:
    """Main type, subtype, charset. What MIME forbids in base64 (RFC 2046 5.1, 5.2.1) goes as bytes of any kind."""
    if any(ord(one) < 0x20 or ord(one) == 0x7F for one in file.filename + file.content_type):
        raise BadDraft("attachments", "a file name or content type holds a line break or another control character")
    value, _, _ = file.content_type.partition(";")
    found = _TYPE.fullmatch(value.strip().lower() or _UNKNOWN)
    if not found:
        raise BadDraft("attachments", "a content type is not one: write for example application/pdf")
    if found[1] in ("multipart", "message"):
        return "application", "octet-stream", None
    charset = _CHARSET.search(file.content_type)
    return found[1], found[2], charset[1] if charset else None


def _set_boundaries(message: EmailMessage, seed: str) -> None:
    for number, part in enumerate(message.walk()):
        if part.is_multipart():
            digest = hashlib.sha256(f"{seed} {number}".encode()).hexdigest()[:32]
            part.set_boundary(f"=_{digest}")


def _check_text(field: str, value: str) -> None:
    if "\0" in value:
        raise BadDraft(field, f"the {field} holds a NUL character: remove it")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise BadDraft(field, f"the {field} holds half of a character (a lone surrogate): remove it") from None


def _ended(text: str) -> str:
    return text if text.endswith("\n") else f"{text}\n"
