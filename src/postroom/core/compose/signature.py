"""Puts a mailbox's signature below a message, above what it quotes. It changes nothing else."""

from __future__ import annotations

import html
import re
from dataclasses import replace

from postroom.core.compose.draft import Draft
from postroom.core.mailbox import Signature
from postroom.core.parse import text_of_html

_QUOTED = re.compile(r"(?:\n[^\n>]{0,200}:[ \t]*\n+)?(?:\n?>[^\n]*)(?:\n(?:>[^\n]*|[ \t]*))*\Z")
_QUOTED_HTML = re.compile(r"<div[^>]{0,200}class=[\"']?gmail_quote|<blockquote\b|</body\s*>", re.IGNORECASE)


def signed(draft: Draft, signature: Signature | None) -> Draft:
    """The draft as it goes out. Text gets the delimiter of RFC 3676 4.3, which mail programs know and fold away."""
    if signature is None or not draft.signature:
        return draft
    text = signature.text or (text_of_html(signature.html) if signature.html else "")
    rich = signature.html or html.escape(signature.text).replace("\n", "<br>\n")
    return replace(
        draft,
        text=_below(draft.text, text.strip("\n")) if draft.text.strip() or not draft.html.strip() else draft.text,
        html=_below_html(draft.html, rich) if draft.html.strip() else draft.html,
    )


def _below(text: str, signature: str) -> str:
    if not signature:
        return text
    text = text.replace("\r\n", "\n")
    quoted = _QUOTED.search(text)
    written, rest = (text[: quoted.start()], text[quoted.start() :]) if quoted else (text, "")
    return f"{written.rstrip()}\n\n-- \n{signature}\n" + (f"\n{rest.strip()}\n" if rest.strip() else "")


def _below_html(rich: str, signature: str) -> str:
    if not signature:
        return rich
    end = _QUOTED_HTML.search(rich)
    at = end.start() if end else len(rich)
    return f"{rich[:at]}<br>\n<div>{signature}</div>\n{rich[at:]}"
