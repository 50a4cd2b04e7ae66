"""Reads the machine's part of a delivery status notification (RFC 3464, RFC 6533). It does not read people's part."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from postroom.core.bounce.reported import Action, Reported
from postroom.core.parse import headers
from postroom.core.parse.headers import Headers
from postroom.core.parse.parts import Part

STATUS_TYPES = frozenset({"message/delivery-status", "message/global-delivery-status"})
MOST_RECIPIENTS = 1000
LONGEST_WORDS = 2000

_BLANK_LINE = re.compile(rb"\r?\n[ \t]*(?:\r?\n[ \t]*)+")
_XTEXT = re.compile(r"\+([0-9A-F]{2})")
_STATUS = re.compile(r"\b([245]\.\d{1,3}\.\d{1,3})\b")
_TYPE = re.compile(r"\s*[A-Za-z][\w-]*\s*;\s*")
_BY_CLASS = {"2": Action.DELIVERED, "4": Action.DELAYED, "5": Action.FAILED}


def of_report(leaves: Iterable[Part]) -> tuple[Reported, ...] | None:
    """Each recipient of a report once; None where the message has no such part."""
    statuses = [leaf for leaf in leaves if leaf.content_type in STATUS_TYPES]
    if not statuses:
        return None
    found: dict[str, Reported] = {}
    for leaf in statuses:
        for block in blocks(leaf):
            one = _reported(block)
            if one is not None and len(found) < MOST_RECIPIENTS:
                found.setdefault(one.address.lower(), one)
    return tuple(found.values())


def blocks(leaf: Part) -> Iterator[Headers]:
    """The groups of fields: the first about the message, then one for each recipient (RFC 3464 2.1)."""
    for text in _BLANK_LINE.split(leaf.content.strip()):
        if block := headers.read(text):
            yield block


def _reported(block: Headers) -> Reported | None:
    final, original = _address(block.first("final-recipient")), _address(block.first("original-recipient"))
    address = final or original or _address(block.first("x-actual-recipient"))
    if address is None:
        return None
    words = _words(block)
    status = _status(block.first("status") or "", words)
    given = (block.first("action") or "").partition(" ")[0].partition(";")[0].strip().lower()
    action = Action(given) if given in set(Action) else _BY_CLASS.get((status or "5")[0], Action.FAILED)
    return Reported(address, action, status, words, original if original != address else None)


def _address(value: str | None) -> str | None:
    """Of `rfc822; anna@example.com`; some leave the type out, some write angle brackets."""
    if not value:
        return None
    kind, semicolon, rest = value.partition(";")
    address = (rest if semicolon else kind).strip().strip("<>").strip()
    if "@" not in address or len(address) > 320 or any(one.isspace() for one in address):
        return None
    return _XTEXT.sub(lambda code: chr(int(code[1], 16)), address) if "+" in address and _is_xtext(address) else address


def _is_xtext(address: str) -> bool:
    """`anna+2Bshop@…` is xtext (RFC 3461 4) for a plus; `anna+shop@…` is an address with a tag."""
    return all(_XTEXT.match(address, at.start()) for at in re.finditer(r"\+", address))


def _status(value: str, words: str) -> str | None:
    """The code in the server's own words says more than a general one of the reporting server (`5.0.0`)."""
    given = _STATUS.search(value)
    if given is not None and not given[1].endswith(".0.0"):
        return given[1]
    said = _STATUS.search(words)
    if said is not None and (given is None or said[1][0] == given[1][0]):
        return said[1]
    return given[1] if given else None


def _words(block: Headers) -> str:
    value = block.first("diagnostic-code") or block.first("x-diagnostic-code") or block.first("x-notes") or ""
    typed = _TYPE.match(value)
    words = headers.unquoted(value[typed.end() :] if typed else value)
    return words[:LONGEST_WORDS]
