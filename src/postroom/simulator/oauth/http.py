"""HTTP/1.1 as far as the authorization server needs it: one request, one answer, closed. It knows no OAuth.

Not a web framework's: a fault must be able to say nothing, to cut an answer off, to carry out what it never answers.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import httptools

from postroom.simulator.connection import Connection

LARGEST = 64 * 1024
"""Bytes of a request with its body."""


class BadRequest(Exception):
    """What came is no HTTP request, or too large a one."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request; header names are in small letters. `query` and `form` hold the first value of each name."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str] = field(repr=False)
    form: Mapping[str, str] = field(repr=False)

    @property
    def bearer(self) -> str:
        """The access token that is shown (RFC 6750 2.1)."""
        scheme, _, token = self.headers.get("authorization", "").partition(" ")
        return token.strip() if scheme.lower() == "bearer" else ""

    @property
    def client(self) -> tuple[str, str]:
        """Identifier and secret of the client that asks, from the header or the form (RFC 6749 2.3.1)."""
        scheme, _, pair = self.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "basic":
            try:
                name, _, secret = base64.b64decode(pair).decode().partition(":")
            except (binascii.Error, UnicodeDecodeError):
                return "", ""
            return unquote(name), unquote(secret)
        return self.form.get("client_id", ""), self.form.get("client_secret", "")


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer with its body."""

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)

    def written(self) -> bytes:
        """As it goes over the wire; the connection ends with it."""
        try:
            phrase = HTTPStatus(self.status).phrase
        except ValueError:
            phrase = "Unknown"
        headers = {
            "Content-Length": str(len(self.body)),
            "Connection": "close",
            "Cache-Control": "no-store",
            **self.headers,
        }
        lines = [f"HTTP/1.1 {self.status} {phrase}", *(f"{name}: {value}" for name, value in headers.items())]
        return "\r\n".join([*lines, "", ""]).encode("latin-1", "replace") + self.body


def json_answer(fields: Mapping[str, Any], status: int = 200) -> Answer:
    return Answer(json.dumps(fields).encode(), status, {"Content-Type": "application/json"})


def html_answer(page: str, status: int = 200) -> Answer:
    headers = {
        "Content-Type": "text/html; charset=utf-8",
        "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
        "Referrer-Policy": "no-referrer",
    }
    return Answer(page.encode(), status, headers)


def redirect(address: str) -> Answer:
    """To another page; also after a form (RFC 9110 15.4.4)."""
    return Answer(b"", 303, {"Location": address})


async def read_request(connection: Connection) -> Request:
    """Raises BadRequest, ConnectionEnded."""
    seen = _Seen()
    parser = httptools.HttpRequestParser(seen)
    taken = 0
    while not seen.complete:
        data = await connection.read_some()
        taken += len(data)
        if taken > LARGEST:
            raise BadRequest("the request is too large")
        try:
            parser.feed_data(data)
        except httptools.HttpParserError as error:  # also an upgrade to another protocol
            raise BadRequest(str(error)) from error
    parts = urlsplit(seen.url.decode("latin-1"))
    return Request(
        method=parser.get_method().decode("ascii"),
        path=parts.path,
        query=_fields(parts.query),
        headers=seen.headers,
        form=_fields(seen.body.decode("utf-8", "replace")),
    )


class _Seen:
    """What the parser has found; it calls these by their names."""

    def __init__(self) -> None:
        self.url = b""
        self.headers: dict[str, str] = {}
        self.body = bytearray()
        self.complete = False

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        self.complete = True


def _fields(encoded: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in parse_qsl(encoded, keep_blank_values=True):
        found.setdefault(name, value)
    return found
