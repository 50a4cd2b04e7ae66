"""Makes text of bytes whose charset is declared, wrongly declared, or not at all. It knows nothing of messages."""

from __future__ import annotations

import codecs
import re

import chardet
from chardet import EncodingEra

# What senders call a charset and what they mean by it: the superset that WHATWG's Encoding Standard (4.2) names.
_SUPERSETS = {
    "iso8859-1": "cp1252",
    "iso8859-9": "cp1254",
    "iso8859-11": "cp874",
    "tis-620": "cp874",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "euc_kr": "cp949",
    "shift_jis": "cp932",
    "big5": "big5hkscs",
    "iso2022_jp": "iso2022_jp_3",
}
_ALIASES = {"ks_c_5601-1987": "cp949", "x-sjis": "cp932", "x-gbk": "gb18030", "x-big5": "big5hkscs", "utf8mb4": "utf-8"}
# Codecs of Python that are no charset of mail: slow, or a way to smuggle text past whoever looks at the bytes.
_REFUSED = frozenset({"punycode", "idna", "unicode_escape", "raw_unicode_escape", "undefined", "mbcs", "oem"})
_LATIN = frozenset({"cp1252", "iso8859-15", "ascii", "utf-8"})
_SEVEN_BIT = re.compile(r"iso2022|hz|utf-7|utf-16|utf-32")
_HIGH = re.compile(rb"[\x80-\xff]")
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")
_SAMPLE = 8192


def clean(text: str) -> str:
    """Without NULs and lone surrogates, which neither PostgreSQL nor UTF-8 can hold."""
    return text if text.isascii() and "\0" not in text else _UNSTORABLE.sub("", text)


def codec_of(declared: str | None) -> str | None:
    """The codec for a charset name as found in a message (RFC 2231 language suffix cut off), None if there is none."""
    if not declared:
        return None
    name = declared.partition("*")[0].strip(" \t\"'").lower()[:40]
    try:
        codec = codecs.lookup(_ALIASES.get(name, name)).name
    except (LookupError, ValueError):
        return None
    return None if codec.replace("-", "_") in _REFUSED else _SUPERSETS.get(codec, codec)


def decode(data: bytes, declared: str | None = None) -> str:
    """Text of `data`: UTF-8 where it is, else as declared, else as detected, else Windows-1252. Never raises.

    UTF-8 comes first because its bytes hardly ever are valid by chance, and because senders mislabel it most. A few
    bytes may be: then a declared charset that is not a Latin one is believed first.
    """
    codec = codec_of(declared)
    if codec and _SEVEN_BIT.match(codec):
        return clean(_strict(data, codec) or _mostly(data, codec) or data.decode("cp1252", "replace"))
    if data.isascii():
        if b"\x1b" in data and (b"\x1b$" in data or b"\x1b(" in data):
            return clean(_strict(data, "iso2022_jp_3") or data.decode("ascii"))
        return clean(data.decode("ascii"))
    first, second = ("utf-8", codec) if codec in _LATIN or codec is None or len(data) >= 16 else (codec, "utf-8")
    for attempt in (_strict, _mostly):
        for name in (first, second):
            if name and (text := attempt(data, name)) is not None:
                return clean(text)
    return clean(data.decode(_detected(data), "replace"))


def _strict(data: bytes, codec: str) -> str | None:
    try:
        return data.decode(codec)
    except (LookupError, ValueError):
        return None


def _mostly(data: bytes, codec: str) -> str | None:
    """Text with a few broken characters, as after a cut in the middle of one; None where it is more than a few."""
    try:
        text = data.decode(codec, "replace")
    except (LookupError, ValueError):
        return None
    broken = text.count("\ufffd")
    return text if broken * 20 <= len(text) - len(text.encode("ascii", "ignore")) else None


def _detected(data: bytes) -> str:
    high = _HIGH.search(data)
    start = high.start() if high else 0
    found = chardet.detect(
        data[start : start + _SAMPLE],
        encoding_era=EncodingEra.MODERN_WEB,
        prefer_superset=True,
        exclude_encodings=["cp1258"],  # Vietnamese: wins on short Western quotation marks
    )
    return codec_of(found["encoding"]) or "cp1252"
