"""Turns a recorded failure {direction, stage, raw} into the fault that makes a client meet it. It does not judge it.

Records come from logs: a server's own lines, a session's transcript, or a client library's exception around them.
The words are kept; what is added is only the wire form without which a client could not read them.
"""

from __future__ import annotations

import json
import re
from http import HTTPStatus
from typing import TypedDict

from postroom.simulator.fault import Behaviour, Fault, FieldError, Service

_SMTP_STAGE = {"data": "dot", "send": "mail", "logout": "quit"}
_SMTP_CODE = {"greeting": 554, "ehlo": 502, "starttls": 454, "auth": 535, "mail": 550, "rcpt": 550, "dot": 554}
_UNPLAYABLE = {"dns": "a name lookup never reaches a mail server; connect to a name under .invalid"}
_TLS_WORDS: tuple[tuple[str, Behaviour], ...] = (
    (r"not yet valid", Behaviour.NOT_YET_VALID),
    (r"expired", Behaviour.EXPIRED),
    (r"host ?name|altname|wrong host|does(n't| not) match|no name matching|for ?name", Behaviour.WRONG_HOST),
    (r"self[-_ ]signed", Behaviour.SELF_SIGNED),
    (
        r"issuer|unable to find valid certification path|unable to verify|verif(y|ication) failed|unknown[_ ]ca"
        r"|not trusted|untrusted|certificate[_ ]unknown|unable_to_get|trust anchor",
        Behaviour.UNKNOWN_CA,
    ),
    (r"wrong version number|plaintext|unknown protocol|not an ssl|ssl record|first record", Behaviour.PLAIN),
    (r"time(d)?[- ]?out", Behaviour.HANG),
    (r"handshake[_ ]failure|protocol|cipher|common algorithm", Behaviour.HANDSHAKE_FAILURE),
)
_CONNECT_WORDS: tuple[tuple[str, Behaviour], ...] = (
    (r"refused", Behaviour.REFUSE),
    (r"time(d)?[- ]?out|did not properly respond|after \d+ ?ms", Behaviour.HANG),
    (r"reset|abort|10054|104\b", Behaviour.RESET),
)
_PHRASES = "|".join(re.escape(one.phrase) for one in HTTPStatus if one >= 400)
_HTTP_STATUS = re.compile(
    rf"\b([45]\d\d) (?:{_PHRASES})\b|\bHTTP(?:/[\d.]+)?(?: Error)? ([45]\d\d)\b|\bHTTPError ([45]\d\d)\b"
    r"|\bstatus(?: code)?[:= ]+([45]\d\d)\b|^([45]\d\d)[: -]",
    re.IGNORECASE,
)
_UNREACHED = r"network error|could(n't| not) connect|connection error|unreachable"
_LOST = r"\beof\b|connection (was )?(lost|closed|reset|aborted|timed out)|unexpected(ly)? (end|closed)|response: -1"
_TRANSCRIPT_LINE = re.compile(r"^\s*(?:S:|<==?|<-|Server:)\s*['\"]?\s*(.*?)(?:\\r\\n)?['\"]?\s*$")
_TAGGED = re.compile(r"^[A-Za-z0-9.]{1,12} (OK|NO|BAD)\b", re.IGNORECASE)


class RecordFacts(TypedDict, total=False):
    """What a record may know beside its raw text, and whom and how often it shall strike."""

    status: str | None
    response_code: str | None
    smtp_code: int | None
    enhanced: str | None
    account: str | None
    times: int | None


def fault_from_record(
    direction: str,
    stage: str,
    raw: str,
    *,
    status: str | None = None,
    response_code: str | None = None,
    smtp_code: int | None = None,
    enhanced: str | None = None,
    account: str | None = None,
    times: int | None = None,
) -> Fault:
    """The fault that plays a record; the other facts are what the record knows beside `raw`.

    `stage` is the stage of the evidence: `data` is played after the final dot, where servers judge content, and `send`
    (somewhere in MAIL, RCPT, DATA) at MAIL. `account` counts only where somebody has signed in, `times` not for a
    refused connection. `oauth` is played at the token endpoint, whatever the direction. Raises FieldError for `dns`,
    which no server says.
    """
    try:
        protocol = Service(direction)
    except ValueError:
        raise FieldError("direction", f"must be one of {', '.join(Service)}") from None
    if stage in _UNPLAYABLE:
        raise FieldError("stage", f"{stage} cannot be played here: {_UNPLAYABLE[stage]}")
    if stage == "oauth":
        return _at_token_endpoint(raw, status or (str(smtp_code) if smtp_code else None), account, times)
    if stage in ("connect", "tls"):
        behaviour = _by_words(_TLS_WORDS if stage == "tls" else _CONNECT_WORDS, raw) or Behaviour.CLOSE
        counted = None if behaviour is Behaviour.REFUSE else times
        return Fault(protocol=protocol, stage=stage, behaviour=behaviour, times=counted)
    answered = bool(status or smtp_code or enhanced)
    if stage == "starttls" and not answered and (tls := _by_words(_TLS_WORDS, raw)):
        return Fault(protocol=protocol, stage="tls", behaviour=tls, times=times)
    if protocol is Service.SMTP:
        stage = _SMTP_STAGE.get(stage, stage)
    who = account if stage not in ("greeting", "ehlo", "capability", "starttls") else None
    if not answered and re.search(_LOST, raw, re.IGNORECASE):
        return Fault(protocol=protocol, stage=stage, behaviour=Behaviour.CLOSE, account=who, times=times)
    answer = (
        _smtp_answer(raw, smtp_code or _code(raw, stage, enhanced))
        if protocol is Service.SMTP
        else _imap_answer(raw, stage, status, response_code)
    )
    return Fault(protocol=protocol, stage=stage, answer=answer, account=who, times=times)


def _at_token_endpoint(raw: str, status: str | None, account: str | None, times: int | None) -> Fault:
    """As a token endpoint answers (RFC 6749 5.2): the body is the JSON that the text holds, else all of it; the status
    is the text's own, or that of the error."""
    answered = status is not None or "{" in raw or _HTTP_STATUS.search(raw) is not None
    behaviour, answer = None, None
    if not answered and re.search(rf"{_UNREACHED}|{_LOST}", raw, re.IGNORECASE):
        behaviour = Behaviour.CLOSE
    else:
        body = _json_in(raw) or raw
        answer = f"HTTP {_http_status(raw, body, status)}\n{body}"
    return Fault(
        protocol=Service.OAUTH, stage="token", answer=answer, behaviour=behaviour, account=account, times=times
    )


def _json_in(raw: str) -> str:
    start = raw.find("{")
    while start >= 0:
        try:
            _, end = json.JSONDecoder().raw_decode(raw, start)
        except ValueError:
            start = raw.find("{", start + 1)
            continue
        return raw[start:end]
    return ""


def _http_status(raw: str, body: str, status: str | None) -> int:
    if status is not None and re.fullmatch(r"[45]\d\d", status):
        return int(status)
    if match := _HTTP_STATUS.search(raw):
        return int(next(group for group in match.groups() if group))
    return 401 if "invalid_client" in body else 400


def _by_words(words: tuple[tuple[str, Behaviour], ...], raw: str) -> Behaviour | None:
    return next((behaviour for pattern, behaviour in words if re.search(pattern, raw, re.IGNORECASE)), None)


def _lines(raw: str) -> list[str]:
    lines = [line.strip() for line in raw.splitlines() if line.strip()]
    said = [match[1] for line in lines if (match := _TRANSCRIPT_LINE.match(line))]
    return [line for line in said if line] or lines or ["(no text)"]


def _code(raw: str, stage: str, enhanced: str | None) -> int:
    """The reply code: the text's own, or what goes with the stage, passing where RFC 3463 says that it passes."""
    if own := re.match(r"\s*([45]\d\d)[ ,-]", raw):
        return int(own[1])
    if enhanced is not None and enhanced.startswith("4"):
        return 454 if stage in ("auth", "starttls") else 451
    return _SMTP_CODE.get(stage, 554)


def _smtp_answer(raw: str, code: int) -> str:
    lines = _lines(raw)
    if all(re.match(r"[2-5]\d\d([ -]|$)", line) for line in lines) and len({line[:3] for line in lines}) == 1:
        code, lines = int(lines[0][:3]), [line[4:] for line in lines]
    elif match := re.match(rf"{code}[ ,-]+", lines[0]):
        lines = [lines[0][match.end() :], *lines[1:]]
    last = len(lines) - 1
    return "\n".join(f"{code}{' ' if number == last else '-'}{line}" for number, line in enumerate(lines))


def _imap_answer(raw: str, stage: str, status: str | None, response_code: str | None) -> str:
    lines = _lines(raw)
    spoken = [line for line in lines if line.startswith(("* ", "+ ")) or _TAGGED.match(line)]
    if spoken and len(spoken) == len(lines) and stage != "greeting":
        return _spoken_answer(spoken, status)
    text = " ".join(lines).lstrip("\\")
    if stage == "greeting" and text.startswith("* "):
        return text
    said = re.match(r"(?:\* )?(OK|NO|BAD|BYE) ", text)
    if said is not None and status in (None, said[1]):
        status, text = said[1], text[said.end() :]
    if response_code and f"[{response_code}" not in text:
        text = f"[{response_code}] {text}"
    if stage == "greeting" or status == "BYE":
        return f"* {status or 'BYE'} {text}"
    return f"{{tag}} {status or 'NO'} {text}"


def _spoken_answer(spoken: list[str], status: str | None) -> str:
    """Lines as the server spoke them, to the first tagged one: what follows answered another command."""
    answer: list[str] = []
    for line in spoken:
        if _TAGGED.match(line):
            return "\n".join([*answer, re.sub(r"^\S+", "{tag}", line)])
        answer.append(line)
    ended = answer[-1].upper().startswith("* BYE")
    return "\n".join(answer if ended else [*answer, f"{{tag}} {status or 'OK'} done"])
