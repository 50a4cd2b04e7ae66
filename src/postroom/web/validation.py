"""Turns what pydantic found in a request into words for the person who sent it. It validates nothing itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from postroom.web.problem import BAD_REQUEST, INVALID, NOT_FOUND, FieldError, Problem
from postroom.web.schema.connection import AUTH_SHAPES

_MESSAGES = {
    "missing": "This is missing, and needed.",
    "extra_forbidden": "Postroom knows no field of this name here. Compare its spelling with /docs, or leave it out.",
    "string_type": "This must be text, in quotes.",
    "string_unicode": "This holds half of a Unicode surrogate pair, which is no text.",
    "int_type": "This must be a whole number, without quotes.",
    "int_parsing": "This must be a whole number.",
    "int_parsing_size": "This number is too large.",
    "int_from_float": "This must be a whole number.",
    "bool_type": "This must be true or false, without quotes.",
    "list_type": "This must be a list.",
    "dict_type": "This must be an object.",
    "model_type": "This must be an object.",
    "model_attributes_type": "This must be an object.",
    "greater_than_equal": "This must be {ge} or more.",
    "less_than_equal": "This must be {le} or less.",
    "enum": "This must be one of: {expected}.",
    "literal_error": "This must be one of: {expected}.",
    "string_too_short": "This must have at least {min_length} characters.",
    "string_too_long": "This must have at most {max_length} characters.",
    "too_short": "This must have at least {min_length} entries.",
    "too_long": "This must have at most {max_length} entries.",
}
_MOST = 50
"""Errors shown at once: a body full of them is not read to the end."""


def problem_of(errors: Sequence[Mapping[str, Any]]) -> Problem:
    """The problem that validation errors are: 404 for what cannot be an identifier, 400 for no JSON, else 422."""
    for error in errors:
        if error["loc"][0] == "path":
            return Problem(NOT_FOUND, f"There is no such thing: this cannot be its {error['loc'][-1]}.")
        if error["type"] == "json_invalid":
            place = f" at character {error['loc'][-1]}" if len(error["loc"]) > 1 else ""
            return Problem(BAD_REQUEST, f"The body is not JSON{place}: {error['ctx']['error']}.")
    found = [FieldError(_path(error["loc"]), _message(error)) for error in errors[:_MOST]]
    if len(found) == 1:
        return Problem(INVALID, f"{found[0].field}: {found[0].message}", errors=found)
    names = ", ".join(dict.fromkeys(one.field for one in found))
    return Problem(INVALID, f"These are wrong: {names}.", errors=found)


def _path(location: Sequence[str | int]) -> str:
    """`("body", "to", 0, "email")` as `to[0].email`; the body as a whole is `body`."""
    path = ""
    for part in location[1:] or location:
        if part in AUTH_SHAPES:
            continue
        if isinstance(part, int):
            path += f"[{part}]"
        else:
            path += f".{part}" if path else part
    return path


def _message(error: Mapping[str, Any]) -> str:
    context = dict(error.get("ctx") or {})
    if error["type"] == "value_error":  # raised by our own validators, whose words are meant for people
        return str(context["error"])
    if isinstance(expected := context.get("expected"), str):
        context["expected"] = expected.replace("'", "").replace(" or ", ", ")
    template = _MESSAGES.get(error["type"])
    return template.format_map(context) if template else f"{error['msg']}."
