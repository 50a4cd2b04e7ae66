"""Reads a server's reply out of the forms that client libraries give it. Plain replies are read in `facts`."""

from __future__ import annotations

import html
import re
from urllib.parse import unquote, unquote_plus

from postroom.core.mailbox import Direction

_LETTRE = re.compile(r"severity: (Transient|Permanent)NegativeCompletion,\s+category: (\w+),\s+detail: (\w+)")
_CATEGORIES = ("Syntax", "Information", "Connections", "Unspecified3", "Unspecified4", "MailSystem")
_DETAILS = ("Zero", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine")
_RESPONSE_WAS = "server response was:"
_DOTNET = {
    "service not available": 421,
    "mailbox busy": 450,
    "error in processing": 451,
    "insufficient system storage": 452,
    "client does not have permission": 454,
    "syntax error, command unrecognized": 500,
    "syntax error in command or parameters": 501,
    "command not implemented": 502,
    "bad sequence of commands": 503,
    "requires a secure connection": 530,
    "mailbox unavailable": 550,
    "user not local": 551,
    "exceeded storage allocation": 552,
    "mailbox name not allowed": 553,
    "transaction failed": 554,
}
"""The sentences of .NET's SmtpStatusCode: SmtpClient prints one before the server's words, and drops the code."""


_NOISE = {
    Direction.IMAP: (
        ("too many login failures", "login failed"),
        ("command error: ", ""),
        ("no response: code:", "code:"),
        ("bad response: code:", "code:"),
        ("the imap server replied to the ", ""),
        ("imap command '", "command '"),
        ("imap error: ", ""),
        ("select failed: ", ""),
        ("examine failed: ", ""),
        ("with user [", "["),
    ),
    Direction.SMTP: (
        ("delivery temporarily suspended:", ""),
        ("smtp error from remote mail server", ""),
        ("smtp error from remote mailer", ""),
        ("check your credentials or email service configuration", ""),
        ("check your smtp credentials and server settings", ""),
    ),
}
"""What wrappers say after or around any refusal: PHP's c-client, which gives up after three and ends with it; Postfix'
queue, Exim's bounces, mail libraries. imaplib, Rust's imap, MailKit, mbsync, Roundcube, IMAPClient and imapsync put
such words before what an IMAP server said."""
_HOST = re.compile(r"\bimap\.(?=[a-z0-9])")
_FRAMES = re.compile(r"^\s*(?:\S+\s*\|\s*)?at [^\n]{0,200}\([^\n]{0,200}\)[^\n]{0,40}$", re.MULTILINE)
_COLOUR = re.compile(r"\x1b\[[0-9;]{0,12}[A-Za-z]|\ufeff")
_ENTITY = re.compile(r"&(?:#x?[0-9A-Fa-f]{2,6}|amp|lt|gt|quot|apos|nbsp);|<br ?/?>")
_LINKED = re.compile(r"\b[A-Za-z]{2,20}\+[a-z]{2,20}\b|=[A-Za-z]{2,20}\+[A-Za-z]{2,20}\b|=[45]\d\d\+")
_PERCENT = re.compile(r"%[0-9A-Fa-f]{2}")
_HYPHEN_AT_END = re.compile(r"(?<=[a-z])-\n[ \t>]{0,12}(?=[a-z])", re.IGNORECASE)
_SCREENS = (79, 80, 100, 120, 132)
_WORD = re.compile(r"[^\W\d_]{3,}")
_NARROWEST_SCREEN = 40
_ADVICE = re.compile(
    r"\b(?:please |you should )?(?:check|double-check|verify|make sure|ensure|review)\b[^.!?:;(){}\[\]\"<>]{0,60}"
    r"\b(?:user ?names?|passwords?|credentials?|login|settings|configuration)\b[^.!?:;,(){}\[\]\"<>]{0,60}[.!]?"
    r"|\bif (?:the|this) (?:problem|error|issue) (?:persists|continues)[^.!?:;]{0,80}[.!]?"
)
_HEADING = re.compile(
    r"all recipients were rejected: |the following recipients failed: |\bsmtprecipientsrefused: "
    r"|please check the message recipient \S{0,100} and try again|be delivered to one or more recipients"
    r"|delivery to the following recipients? failed permanently: |code: 'eenvelope', command: '(?:mail from|rcpt to)'"
    r"|(?:javax\.mail\.|jakarta\.mail\.|mailkit\.security\.)?authentication(?:failed)?exception: (?!failed to connect)"
    r"|\bcan ?not authenticate to imap server: |\bcannot login, user or password wrong: "
    r"|\blogin to server \S{1,100} with username \S{1,100} failed\. "
    r"|\blogin failed for \S{1,100} (?:against \S{1,100} )?from [^ ]{1,100} "
)
_STATUS_NAMES = (
    ("noresponseerror", "NO"),
    ("badresponseerror", "BAD"),
    ("byeresponseerror", "BYE"),
    ("'no' response", "NO"),
    ("'bad' response", "BAD"),
    ("no response: code:", "NO"),
    ("bad response: code:", "BAD"),
    ("(no(no {", "NO"),
    ("(bad(bad {", "BAD"),
    ('but "no" received', "NO"),
    ('but "bad" received', "BAD"),
    ("type: 'no'", "NO"),
    ("type: 'bad'", "BAD"),
    ("commandfailedexception", "NO"),
    ("badcommandexception", "BAD"),
)
"""How Ruby, MailKit, Rust, imap_tools, node-imap and Java Mail name the status of an IMAP answer."""


def plain(raw: str) -> str:
    """The text as it was before something on its way coloured, wrapped or escaped it (terminal, HTML, URL)."""
    if "\x1b" in raw or "\ufeff" in raw:
        raw = _COLOUR.sub("", raw)
    if " " not in raw.strip():
        raw = unquote_plus(raw) if _LINKED.search(raw) else unquote(raw)
    elif "%" in raw and len(_PERCENT.findall(raw)) > 2:
        raw = unquote(raw)
    if _ENTITY.search(raw):
        raw = html.unescape(raw.replace("<br>", " ").replace("<br/>", " ").replace("<br />", " "))
    return _HYPHEN_AT_END.sub("-", _unbroken(raw)) if "\n" in raw else raw


def _unbroken(raw: str) -> str:
    """A text that a console broke inside words: every line but the last is exactly as long as the screen is wide."""
    lines = raw.split("\n")
    width = len(lines[0])
    if width < _NARROWEST_SCREEN or len(lines[-1]) > width or (len(lines) < 3 and width not in _SCREENS):
        return raw
    return "".join(lines) if all(len(line) == width for line in lines[:-1]) else raw


def without_advice(text: str) -> str:
    """A lower-case text without a client's heading over any failure, and without what it advises its user to check.

    "All recipients were rejected" stands before a blocked address of ours too, and "please check your password" follows
    a lost connection. Where the text says nothing else, it stays as it is.
    """
    for added in (_ADVICE, _HEADING):
        rest = added.sub(" ", text)
        if rest != text and len(_WORD.findall(rest)) > 1:
            text = rest
    return text


def without_noise(text: str, direction: Direction) -> str:
    """A lower-case text without the words that a program adds to whatever the server said."""
    for said, meant in _NOISE[direction]:
        text = text.replace(said, meant)
    return _HOST.sub("", text) if direction is Direction.IMAP else text


def without_frames(raw: str) -> str:
    """The text without a program's stack (`at f (file:1)`): names of functions say nothing about the failure."""
    if " at " not in raw and "\tat " not in raw:
        return raw
    rest = _FRAMES.sub("", raw)
    return rest if rest.strip() else raw


def named_status(raw: str) -> str | None:
    """The status of an IMAP answer where a client library gives its name in its own way."""
    lowered = raw.lower()
    return next((status for name, status in _STATUS_NAMES if name in lowered), None)


def spelt_out(raw: str) -> int | None:
    """The reply code as the Rust library lettre prints it, a word for each digit."""
    found = _LETTRE.search(raw)
    if found is None or found.group(2) not in _CATEGORIES or found.group(3) not in _DETAILS:
        return None
    first = 4 if found.group(1) == "Transient" else 5
    return first * 100 + _CATEGORIES.index(found.group(2)) * 10 + _DETAILS.index(found.group(3))


def dotnet_reply(raw: str) -> tuple[int | None, str]:
    """The reply code that .NET's sentence stands for, and the server's own words behind it; None and "" without."""
    sentence, marker, words = raw.partition(_RESPONSE_WAS)
    if not marker:
        return None, ""
    lowered = sentence.lower()
    return next((code for said, code in _DOTNET.items() if said in lowered), None), words.strip()


_ESCAPED_BYTES = re.compile(r"(?:\\x[0-9a-f]{2}){4,}", re.IGNORECASE)
_ESCAPED_LETTERS = re.compile(r"(?:\\u[0-9a-f]{4}){2,}", re.IGNORECASE)
_HIGH_LETTERS = re.compile(r"[\u0080-\u00ff]{6,}")
_CHINESE = "gb18030"


def unescaped(raw: str) -> str:
    """What Chinese servers said where a client printed their bytes: as \\xNN, as \\uNNNN, or read as Latin-1."""
    parts = [_decoded(bytes.fromhex(found.replace("\\x", "").replace("\\X", ""))) for found in _bytes_in(raw)]
    parts += [_letters(found) for found in _ESCAPED_LETTERS.findall(raw)]
    parts += [_decoded(found.encode("latin-1")) for found in _HIGH_LETTERS.findall(raw)]
    return " ".join(part for part in parts if part)


def _bytes_in(raw: str) -> list[str]:
    return _ESCAPED_BYTES.findall(raw) if "\\x" in raw or "\\X" in raw else []


def _decoded(said: bytes) -> str:
    for charset in ("utf-8", _CHINESE):
        try:
            return said.decode(charset)
        except UnicodeDecodeError:
            continue
    return ""


def _letters(escaped: str) -> str:
    return "".join(chr(int(each, 16)) for each in re.findall(r"[0-9a-fA-F]{4}", escaped))
