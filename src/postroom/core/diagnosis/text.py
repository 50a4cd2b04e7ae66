"""Text for people with placeholders, marked for gettext. It does not translate."""

from __future__ import annotations

from collections.abc import Mapping


def mark(text: str) -> str:
    """Marks a text for gettext's extraction (imported as `_`); the text itself stays English here."""
    return text


class _Known(dict[str, str]):
    def __missing__(self, key: str) -> str:
        return ""


def filled(template: str, values: Mapping[str, str], *, keep: bool = False) -> str:
    """The template with its placeholders filled in; what is not known becomes nothing, and no value is a template.

    Runs of blanks become one, unless `keep`.
    """
    text = template.format_map(_Known(values))
    return text if keep else " ".join(text.split())
