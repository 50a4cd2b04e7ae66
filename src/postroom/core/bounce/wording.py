"""Reads reports that have no part for machines: qmail, Exim, Exchange, GMX, Yahoo and whoever writes like them.

It does not find the message that they are about.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from postroom.core.bounce.reported import Action, Reported
from postroom.core.message import Parsed
from postroom.core.parse import text_of_html
from postroom.core.parse.addresses import addresses
from postroom.core.parse.headers import Headers

LONGEST_NOTICE = 20_000
MOST_RECIPIENTS = 100
LONGEST_WORDS = 1000
NEXT_LINES = 12
"""Lines below an address in which its reason stands."""

_DAEMON = re.compile(
    r"mailer.?daemon|mail.?daemon|postmaster|mail delivery (sub)?system|system administrator|mdaemon|"
    r"microsoft exchange|microsoft outlook|maildelivery|mail.?deliver|bounce|noreply.*mailer|mailsystem",
    re.IGNORECASE,
)
_FAILED = re.compile(
    r"undeliver|not (?:be )?deliver|(?:un|not )able to deliver|could ?n[o']t be (?:delivered|reached|sent)|"
    r"couldn.t be delivered|delivery (?:to the following recipients? )?(?:has )?"
    r"(?:status notification \(failure\)|failed|failure|error|problem)|"
    r"failure notice|returned mail|returning message|did not reach|failed recipient|"
    r"permanent (?:fatal )?errors?|address(?:es)?(?:\(es\))? failed|not reached|rejected your message|"
    r"message (?:was )?not delivered|had (?:permanent )?fatal errors|"
    r"nicht zugestellt|unzustellbar|zustellung (?:ist )?fehlgeschlagen|nicht zustellbar|zustellfehler|"
    r"nicht (?:erreicht|übermittelt)|"
    r"non remis|n.a pas (?:pu )?être (?:remis|distribu|délivr|livr)|échec de (?:la )?(?:remise|distribution|livraison)|"
    r"non distribu|non délivr|"
    r"no se (?:ha podido|pudo) entregar|no entregado|non recapitabile|mancato recapito|nie można dostarczyć",
    re.IGNORECASE,
)
_DELAYED = re.compile(
    r"\(delay\)|has not (?:yet )?been delivered|not yet been delivered|still (?:being )?(?:retried|trying|queued)|"
    r"will (?:be|keep|continue) (?:retr|try)|delivery (?:is )?delayed|delayed \d+ hours?|warning: could not send|"
    r"this is (?:only )?a warning|you do not need to resend|"
    r"verzögert|wird weiter(?:hin)? versucht|weitere zustellversuche|retardée?|différée?|nouvelle tentative",
    re.IGNORECASE,
)
_GIVEN_UP = re.compile(
    r"given up|giving up|permanent(?:ly)? (?:fatal )?(?:error|fail)|endgültig|définiti", re.IGNORECASE
)
_COPY = re.compile(
    r"^[-\s>*_=]*(?:below this line is a copy of the message|this is a copy of (?:the|your) message|"
    r"(?:the )?(?:header of the )?(?:original|returned|undelivered) message(?: headers?)?(?: is following| follows)?|"
    r"(?:unsent|transcript of) message|message header follows|original message headers?|original mail|"
    r"ursprüngliche (?:nachricht|e-mail|nachrichtenkopf\w*)(?:enköpfe|kopfzeilen)?|"
    r"der header der ursprünglichen nachricht folgt|kopie der nachricht|"
    r"message d'origine|en-?têtes? (?:du|de) message d.origine|copie du message)\W{0,40}$",
    re.IGNORECASE | re.MULTILINE,
)
_HEADER_LINES = re.compile(
    r"^(?:return-path|received):\s.*\n(?:[ \t].*\n|[A-Za-z-]+:.*\n)+", re.IGNORECASE | re.MULTILINE
)
_ADDRESS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,250}[A-Za-z0-9])?")
_ALONE = re.compile(
    r"^[ \t>*•-]*(?:(?:recipient(?: address)?|to|address|empfänger(?:adresse)?|destinataire|adresse)\s*:\s*)?"
    r"[\"'(\[]?(?:[^<>\n@]{0,80}<)?(?:mailto:)?(?P<address>[^\s<>()\"';,@]{1,64}@[^\s<>()\"',;:]{1,255})>?"
    r"(?:\s*\(<?(?:mailto:)?[^)\n]*\))?[\])\"'.]?\s*(?:on \d[^\n]*|[:;,]?\s*\.{0,3}(?P<rest>[^\n]*))$",
    re.IGNORECASE,
)
_INLINE = re.compile(
    r"(?:your message to|deliver(?:ing|ed)?(?: (?:your|this|the) (?:message|mail|e-?mail))? to|message to|nachricht an|"
    r"e-?mail an|message à|courriel à|destiné à|rcpt to:?|recipient:?|reach)\s*(?:the following recipients?:?)?\s*"
    r"[<\"'“„«\[(]*\s*(?:mailto:)?(?P<address>" + _ADDRESS.pattern + ")",
    re.IGNORECASE,
)
_CODED = re.compile(
    r"(?<![\d.])[45]\d\d[ :-]|(?<![\d.])#?[45]\.\d{1,3}\.\d{1,3}(?![\d.])|\b[45]\d\d\b.{0,40}\b[45]\.\d\.\d"
)
_FIELD = re.compile(r"^[>\s]*(?:message-id|from|sender|reply-to|cc|subject|references)\s*:", re.IGNORECASE)
_STATUS = re.compile(r"(?<![\d.])#?([45]\.\d{1,3}\.\d{1,3})(?![\d.])")
_REPLY = re.compile(r"(?<![\d.])([45])\d\d(?=[ :-])")


def looks_like_a_bounce(parsed: Parsed, found: Headers | None = None) -> bool:
    """Whether a mail system says so itself: an answer of a person, or of somebody's responder, quotes bounces too."""
    if found is not None and found.has("x-failed-recipients"):
        return True
    sender = parsed.sender
    by_system = sender is not None and bool(
        _DAEMON.search(sender.email.partition("@")[0]) or _DAEMON.search(sender.name)
    )
    return by_system and bool(_FAILED.search(parsed.subject) or _DELAYED.search(parsed.subject) or _says(_text(parsed)))


def of_wording(found: Headers, parsed: Parsed) -> tuple[Reported, ...]:
    """The recipients that the notice names, without those of the message that it returns."""
    notice = _notice(_text(parsed))
    action = _action(notice, parsed.subject)
    named = dict(_named(notice, parsed))
    for one in addresses(", ".join(found.all("x-failed-recipients"))):
        known = next((address for address in named if address.lower() == one.email.lower()), None)
        if known is None:
            named[one.email] = _around(notice, one.email)
    listed = {one.email.lower() for one in addresses(", ".join(found.all("x-failed-recipients")))}
    if listed:
        named = {address: words for address, words in named.items() if address.lower() in listed}
    return tuple(
        Reported(address, action, _status(words), words) for address, words in list(named.items())[:MOST_RECIPIENTS]
    )


def _says(text: str) -> bool:
    start = text[:3000]
    return bool(_FAILED.search(start) or _DELAYED.search(start))


def _text(parsed: Parsed) -> str:
    text = parsed.text or (text_of_html(parsed.html) if parsed.html else "")
    return text.replace("\r\n", "\n")[:LONGEST_NOTICE]


def _notice(text: str) -> str:
    """What the mail system wrote, without the message that it returns."""
    cut = _COPY.search(text)
    notice = text[: cut.start()] if cut else text
    return _HEADER_LINES.sub("\n", notice)


def _action(notice: str, subject: str) -> Action:
    says = f"{subject}\n{notice}"
    return Action.DELAYED if _DELAYED.search(says) and not _GIVEN_UP.search(says) else Action.FAILED


def _named(notice: str, parsed: Parsed) -> Iterator[tuple[str, str]]:
    """Addresses that begin an entry of the notice, each with its reason; else those within a sentence."""
    passed_over = {one.email.lower() for one in (*parsed.to, *parsed.cc, *((parsed.sender,) if parsed.sender else ()))}
    lines = notice.split("\n")
    entries: dict[str, tuple[int, str, str]] = {}
    for number, line in enumerate(lines):
        match = _ALONE.match(line.rstrip())
        if match and _is_candidate(match["address"], passed_over) and not _FIELD.match(line):
            address = match["address"].rstrip(".")
            entries.setdefault(address.lower(), (number, address, match["rest"] or ""))
    starts = [number for number, _, _ in entries.values()]
    for number, address, rest in entries.values():
        following = min((one for one in starts if one > number), default=len(lines))
        reason = _reason([rest, *lines[number + 1 : min(following, number + 1 + NEXT_LINES)]])
        yield address, reason if _CODED.search(reason) or len(entries) > 1 else _coded_line(lines) or reason
    given = set(entries)
    if given:
        return
    for match in _INLINE.finditer(notice):
        address = match["address"].rstrip(".")
        if address.lower() not in given and _is_candidate(address, passed_over):
            given.add(address.lower())
            yield address, _around(notice, address)


def _is_candidate(address: str, passed_over: set[str]) -> bool:
    address = address.rstrip(".").lower()
    return bool(_ADDRESS.fullmatch(address)) and address not in passed_over and not _DAEMON.search(address)


def _reason(lines: list[str]) -> str:
    """From the first line that bears a code to the end of its paragraph; without any, the first paragraph."""
    coded = next((number for number, line in enumerate(lines) if _CODED.search(line)), None)
    if coded is None:
        coded = next((number for number, line in enumerate(lines) if line.strip()), len(lines))
    kept: list[str] = []
    for line in lines[coded:]:
        if not line.strip():
            break
        kept.append(line.strip().strip("<>").strip())
    return " ".join(kept)[:LONGEST_WORDS]


def _around(notice: str, address: str) -> str:
    lines = notice.split("\n")
    at = next((number for number, line in enumerate(lines) if address.lower() in line.lower()), 0)
    coded = _coded_line(lines[at:]) or _coded_line(lines)
    return coded or " ".join(notice[:300].split())


def _coded_line(lines: list[str]) -> str:
    for number, line in enumerate(lines):
        if _CODED.search(line):
            return _reason(lines[number:])
    return ""


def _status(words: str) -> str | None:
    found = _STATUS.search(words)
    if found is not None:
        return found[1]
    reply = _REPLY.search(words)
    return f"{reply[1]}.0.0" if reply else None
