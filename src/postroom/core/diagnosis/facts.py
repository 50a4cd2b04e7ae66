"""Reads the bare facts out of evidence: codes, numbers, lower-case words. It draws no conclusion from them."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass

from postroom.core.diagnosis.evidence import Evidence, Stage
from postroom.core.diagnosis.guides import canonical_provider, provider_from_words
from postroom.core.diagnosis.phrase import terms_of
from postroom.core.diagnosis.wrapped import (
    dotnet_reply,
    named_status,
    plain,
    spelt_out,
    unescaped,
    without_advice,
    without_frames,
    without_noise,
)
from postroom.core.mailbox import Direction

MATCHED_CHARACTERS = 8_192
"""Only so much of a pasted text is looked at: the first and the last half of it."""

_ENHANCED = re.compile(r"(?<![\w.:/\-])#?([245]\.\d{1,3}\.\d{1,3})(?!\d|\.\d)", re.ASCII)
_REPLY = re.compile(r"(?<![\w.:/=@%+\-])\(?([45]\d\d)(?=[ ,\-:|\"'”]|$)", re.ASCII | re.MULTILINE)
_REPLY_AND_ENHANCED = re.compile(r"\b([245]\d\d)\W{1,4}(?:b\W)?\W{0,4}([245]\.\d{1,3}\.\d{1,3})(?!\d)", re.ASCII)
_NOT_A_REPLY = re.compile(
    r"\b(?:port|line|https?|http/[\d.]+|http error|errno|status|status code|after|in|timeout|size|pid|uid|id"
    r"|job|task|limit|limit of)[\s:=#]*$",
    re.ASCII,
)
_TAGGED = re.compile(r"(?:^|[\s'\"(:])([A-Za-z0-9.*+]{1,24}) (OK|NO|BAD|BYE|PREAUTH)(?=[ \['\"]|$)", re.MULTILINE)
_BARE = re.compile(r"(?:^|[\s'\"])(NO|BAD|BYE)(?= |$)", re.MULTILINE)
_STATUS = re.compile(r"^\s*(?:[A-Za-z0-9.*+]{1,12} )?(?:NO|BAD|BYE) (?=\S)", re.MULTILINE)
"""Read as a status, not as a word: "NO Mailbox …" does not say that there is no mailbox."""
_BRACKETED = re.compile(r"\[([A-Z][A-Z0-9\-]{2,30})(?: [^\]]*)?\]")
_TEXT_CODE = re.compile(r"(?:textCode|serverResponseCode|responseCode)\W{1,4}([A-Z][A-Z0-9\-]{2,30})")
_AADSTS = re.compile(
    r"(?:aadsts\s?|error_codes\W{1,6}|error\?code=|errorno\W{1,4}|error code\W{1,3})(\d{5,8})", re.ASCII
)
_BASE64_JSON = re.compile(r"\beyJ[A-Za-z0-9+/_\-]{8,1200}={0,2}")
_MECHANISM_LISTS = (
    "auth=xoauth2",
    "auth=oauthbearer",
    "plain xoauth2",
    "login xoauth2",
    "xoauth2 plain",
    "xoauth2 login",
)
_NOT_CODES = frozenset(
    {"CAPABILITY", "SSL", "X509", "INFO", "ERROR", "WARNING", "WARN", "DEBUG", "IMAP", "SMTP", "MAIL", "AUTH"}
)
_CODES = frozenset(
    {
        "ALERT", "ALREADYEXISTS", "AUTHENTICATIONFAILED", "AUTHORIZATIONFAILED", "BADCHARSET", "CANNOT", "CLIENTBUG",
        "CLOSED", "CONTACTADMIN", "CORRUPTION", "EXPIRED", "EXPUNGEISSUED", "HASCHILDREN", "INUSE", "LIMIT",
        "NONEXISTENT", "NOPERM", "OVERQUOTA", "PARSE", "PRIVACYREQUIRED", "READ-ONLY", "READ-WRITE", "REFERRAL",
        "SERVERBUG", "TEMPFAIL", "THROTTLED", "TOOBIG", "TRYCREATE", "UNAVAILABLE", "UNKNOWN-CTE", "WEBALERT",
    }
)  # fmt: skip
"""Response codes (RFC 9051, RFC 5530; Gmail, Yahoo, WildDuck): rows ask for them as codes, not as words."""
_SOFT_BREAK = "=\n"
"""Of a quoted bounce (RFC 2045 section 6.7): the word goes on after it."""
_QUOTES = str.maketrans({"“": '"', "”": '"', "‘": "'", "’": "'", "‐": "-", "‑": "-", "–": "-", "\u00a0": " "})


@dataclass(frozen=True, slots=True)
class Facts:
    """What rules are matched against. `silent`: there are no words at all; `oauth`: a token was shown.

    `reply_class` is the first digit of the reply, or of the enhanced code where a client dropped the reply.
    """

    direction: Direction
    stage: Stage
    provider: str
    text: str
    terms: frozenset[str]
    reply: int | None
    reply_class: int | None
    enhanced: str | None
    status: str | None
    response_codes: frozenset[str]
    aadsts: frozenset[int]
    tls_fault: str | None
    oauth: bool
    silent: bool


def facts_of(evidence: Evidence) -> Facts:
    """The facts of some evidence; what its fields do not say is read from `raw`. Never raises."""
    raw = without_frames(plain(shortened(evidence.raw)))
    challenge = evidence.challenge or decoded_challenge(raw) or ""
    sending = evidence.direction is Direction.SMTP
    said = raw if sending else _BRACKETED.sub(_without_code, _STATUS.sub(" ", raw))
    dotnet, server = dotnet_reply(raw) if sending else (None, "")
    said = (server or said).replace(_SOFT_BREAK, "")
    words = f"{said}\n{shortened(evidence.exception or '')}\n{challenge}\n{unescaped(said)}"
    lowered = words.translate(_QUOTES).lower().split()
    text = " ".join("@" if _is_address(word) else word for word in lowered)
    text = without_advice(without_noise(text, evidence.direction))
    enhanced = enhanced_code(evidence.enhanced or "") or (enhanced_code(raw) if sending else None)
    reply = evidence.smtp_code
    if reply is None and sending and evidence.stage is not Stage.OAUTH:
        reply = dotnet or reply_code(raw, enhanced)
    provider = canonical_provider(evidence.provider)
    return Facts(
        direction=evidence.direction,
        stage=evidence.stage,
        provider=provider
        if provider != "generic"
        else provider_from_words(" ".join(lowered), (evidence.host or "").lower()),
        text=text,
        terms=terms_of(text),
        reply=reply,
        reply_class=reply // 100 if reply else int(enhanced[0]) if enhanced else None,
        enhanced=enhanced,
        status=(evidence.status or "").upper() or (None if sending else imap_status(raw)),
        response_codes=frozenset() if sending else response_codes(evidence.response_code, raw),
        aadsts=frozenset(int(number) for number in _AADSTS.findall(text)),
        tls_fault=evidence.tls.fault if evidence.tls else None,
        oauth=_token_shown(evidence, text, challenge),
        silent=not text,
    )


def _is_address(word: str) -> bool:
    """Whether a word is a mail address: what stands in it says nothing about the failure."""
    return "@" in word and len(word) < 320 and not any(sign in word for sign in '"{}=')


def shortened(raw: str) -> str:
    """The text, without its middle where it is longer than what rules look at."""
    if len(raw) <= MATCHED_CHARACTERS:
        return raw
    half = MATCHED_CHARACTERS // 2
    return f"{raw[:half]}\n{raw[-half:]}"


def enhanced_code(raw: str) -> str | None:
    """The first RFC 3463 code in the text; IP addresses and version numbers are not taken for one."""
    found = _ENHANCED.search(raw)
    return found.group(1) if found else None


def reply_code(raw: str, enhanced: str | None = None) -> int | None:
    """The RFC 5321 reply code in the text: no port, HTTP code, line number or size that looks like one.

    Where an enhanced code is known, a number of its class that stands right before it wins.
    """
    for pair in _REPLY_AND_ENHANCED.finditer(raw) if enhanced else ():
        if pair.group(2) == enhanced:
            return int(pair.group(1))
    for found in _REPLY.finditer(raw):
        before = raw[max(0, found.start() - 24) : found.start()].lower()
        if _NOT_A_REPLY.search(before) or (enhanced and found.group(1)[0] != enhanced[0]):
            continue
        return int(found.group(1))
    return spelt_out(raw)


def imap_status(raw: str) -> str | None:
    """The last tagged status in a dialogue; without one the last untagged or bare NO, BAD or BYE."""
    untagged: str | None = None
    tagged: str | None = None
    last = 0
    for found in _TAGGED.finditer(raw):
        if found.group(1) == "*":
            untagged = found.group(2) if found.group(2) != "OK" else untagged
        elif found.group(1) != "+" and not (
            found.group(2) == "OK" and found.group(1).isalpha() and len(found.group(1)) > 2
        ):
            tagged = found.group(2)
            last = found.start(2)
    if tagged == "OK" and not raw.rstrip().endswith(raw[last:].split("\n")[0].rstrip()):
        tagged = None  # an earlier command was completed; that says nothing about the one that failed
    if tagged or untagged:
        return tagged or untagged
    bare = _BARE.search(raw)
    return bare.group(1) if bare else named_status(raw)


def response_codes(given: str | None, raw: str) -> frozenset[str]:
    """RFC 5530 response codes: the one that is known, and those in brackets in the text, without arguments."""
    found = {code for code in _BRACKETED.findall(raw) if code not in _NOT_CODES}
    found.update(_TEXT_CODE.findall(raw))
    if given:
        found.add(given.strip("[]").upper().split(" ")[0])
    return frozenset(found)


def _without_code(found: re.Match[str]) -> str:
    return " " if found.group(1) in _CODES else found.group(0)


def decoded_challenge(raw: str) -> str | None:
    """The JSON error inside a base64 XOAUTH2 or OAUTHBEARER challenge in the text (RFC 7628 section 3.2.2)."""
    for found in _BASE64_JSON.finditer(raw):
        encoded = found.group(0).rstrip("=")
        try:
            decoded = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
        except (binascii.Error, ValueError):
            continue
        text = decoded.decode("utf-8", "replace")
        if '"status"' in text or '"error"' in text:
            return text
    return None


def _token_shown(evidence: Evidence, text: str, challenge: str) -> bool:
    if evidence.mechanism:
        return evidence.mechanism.upper() in ("XOAUTH2", "OAUTHBEARER")
    if challenge:
        return True
    named = "xoauth2" in text or "oauthbearer" in text or '"schemes":"bearer' in text
    return named and not any(listing in text for listing in _MECHANISM_LISTS)
