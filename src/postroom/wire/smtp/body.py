"""Makes the bytes of a message fit for DATA: CRLF line ends and doubled dots (RFC 5321 2.3.8, 4.5.2). It sends none."""

from __future__ import annotations

from collections.abc import Iterator

CHUNK = 128 * 1024
"""Bytes that are prepared at a time: a large message must not keep the event loop from others."""

END = b".\r\n"
"""The final dot, after the CRLF that ends the message's last line."""


def chunks(raw: bytes, size: int = CHUNK) -> Iterator[bytes]:
    """The message in order, without the final dot; a last line without CRLF gets one. Lone CR and LF become CRLF:
    servers disagree on whether they end a line, which is how one message is smuggled inside another."""
    if len(raw) <= size and _is_fit(raw):
        yield raw
        return
    start, at_line_start = 0, True
    while start < len(raw):
        end = start + size
        if raw[end - 1 : end + 1] == b"\r\n":
            end += 1
        lines = raw[start:end].replace(b"\r\n", b"\n").replace(b"\r", b"\n").replace(b"\n.", b"\n..")
        if at_line_start and lines.startswith(b"."):
            lines = b"." + lines
        at_line_start = lines.endswith(b"\n")
        start = end
        yield lines.replace(b"\n", b"\r\n")
    if not at_line_start:
        yield b"\r\n"


def _is_fit(raw: bytes) -> bool:
    """Whether it goes as it is; most of what is composed here does."""
    ends = raw.count(b"\n")
    return (
        raw.endswith(b"\r\n")
        and ends == raw.count(b"\r")
        and ends == raw.count(b"\r\n")
        and b"\n." not in raw
        and not raw.startswith(b".")
    )
