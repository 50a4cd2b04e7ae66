"""Makes a name under which a stranger's attachment can be saved anywhere. It touches no disk."""

from __future__ import annotations

import re
import unicodedata

LONGEST = 150
"""Characters; with four bytes each still short of what file systems take with a path."""

_RESERVED = re.compile(r"^(con|prn|aux|nul|com[0-9]|lpt[0-9])(\.|$)", re.IGNORECASE)  # of Windows
_FORBIDDEN = re.compile(r'[<>:"|?*]')
# Not the mimetypes module: it reads the machine's files, and the answer would depend on where we run.
_EXTENSIONS = {
    "application/ms-tnef": ".dat",
    "application/pdf": ".pdf",
    "application/pgp-encrypted": ".asc",
    "application/pgp-signature": ".asc",
    "application/pkcs7-mime": ".p7m",
    "application/pkcs7-signature": ".p7s",
    "application/x-pkcs7-mime": ".p7m",
    "application/x-pkcs7-signature": ".p7s",
    "application/zip": ".zip",
    "audio/mpeg": ".mp3",
    "image/gif": ".gif",
    "image/heic": ".heic",
    "image/jpeg": ".jpg",
    "image/png": ".png",
    "image/svg+xml": ".svg",
    "image/webp": ".webp",
    "message/delivery-status": ".txt",
    "message/disposition-notification": ".txt",
    "message/rfc822": ".eml",
    "text/calendar": ".ics",
    "text/csv": ".csv",
    "text/html": ".html",
    "text/plain": ".txt",
    "text/rfc822-headers": ".txt",
    "text/vcard": ".vcf",
    "text/x-vcard": ".vcf",
    "video/mp4": ".mp4",
}
_STEMS = {
    "application/ms-tnef": "winmail",
    "application/pgp-encrypted": "version",
    "application/pgp-signature": "signature",
    "application/pkcs7-mime": "smime",
    "application/pkcs7-signature": "smime",
    "application/x-pkcs7-mime": "smime",
    "application/x-pkcs7-signature": "smime",
    "message/delivery-status": "delivery-status",
    "message/rfc822": "message",
    "text/calendar": "invitation",
    "text/rfc822-headers": "headers",
}


def safe_filename(name: str, content_type: str = "application/octet-stream", number: int = 0) -> str:
    """`name` without path, control characters and direction overrides; where nothing is left, one from the type."""
    last = re.split(r"[/\\]", name)[-1]
    kept = "".join(" " if one.isspace() else one for one in last if unicodedata.category(one) not in _INVISIBLE)
    kept = _FORBIDDEN.sub("_", unicodedata.normalize("NFC", " ".join(kept.split()))).strip(". ")
    if not kept:
        stem = _STEMS.get(content_type) or f"attachment-{number + 1}"
        return stem + _EXTENSIONS.get(content_type, ".bin")
    if _RESERVED.match(kept):
        kept = f"_{kept}"
    stem, dot, extension = kept.rpartition(".")
    if len(kept) > LONGEST:
        kept = f"{stem[: LONGEST - 21]}.{extension[:20]}" if dot else kept[:LONGEST]
    return kept


_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})
