"""Arranges an OpenAPI description for the reference page. It renders nothing."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]
_METHODS = ("get", "post", "patch", "put", "delete")
_EXAMPLE_DEPTH = 6


@dataclass(frozen=True, slots=True)
class Field:
    """A parameter, or a field of a body or an answer."""

    name: str
    kind: str
    required: bool
    description: str
    fields: tuple[Field, ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer of an operation."""

    status: str
    description: str
    fields: tuple[Field, ...] = ()
    is_problem: bool = False


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path."""

    id: str
    method: str
    path: str
    summary: str
    description: str
    parameters: tuple[Field, ...]
    body: tuple[Field, ...]
    answers: tuple[Answer, ...]
    example: str


@dataclass(frozen=True, slots=True)
class Group:
    """The operations of one tag."""

    name: str
    description: str
    operations: tuple[Operation, ...]


@dataclass(frozen=True, slots=True)
class Reference:
    """The whole description."""

    description: str
    groups: tuple[Group, ...]


def outline(document: Json, base: str) -> Reference:
    """The description in the order of its tags, with examples for the server at `base`."""
    schemas = document["components"]["schemas"]
    operations = [
        (operation["tags"][0], _operation(base, method, path, operation, schemas))
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if method in _METHODS
    ]
    groups = tuple(
        Group(tag["name"], tag["description"], tuple(one for name, one in operations if name == tag["name"]))
        for tag in document["tags"]
    )
    return Reference(document["info"]["description"], groups)


def _operation(base: str, method: str, path: str, operation: Json, schemas: Json) -> Operation:
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
    parameters = tuple(
        Field(
            one["name"],
            f"{_kind(one['schema'], schemas)}, {one['in']}",
            one.get("required", False),
            one.get("description") or one["schema"].get("description", ""),
        )
        for one in operation.get("parameters", ())
    )
    return Operation(
        id=operation["operationId"],
        method=method.upper(),
        path=path,
        summary=operation.get("summary", ""),
        description=operation.get("description", ""),
        parameters=parameters,
        body=_fields(body, schemas) if body else (),
        answers=tuple(_answer(status, one, schemas) for status, one in operation["responses"].items()),
        example=_curl(method.upper(), base + path, _example(body, schemas) if body else None),
    )


def _answer(status: str, answer: Json, schemas: Json) -> Answer:
    content = answer.get("content", {})
    schema = content.get("application/json", {}).get("schema")
    is_problem = "application/problem+json" in content
    return Answer(status, answer["description"], _fields(schema, schemas) if schema else (), is_problem)


def _resolved(schema: Json, schemas: Json) -> Json:
    """The schema itself, of a reference or of something that may be null."""
    if "$ref" in schema:
        return _resolved(schemas[schema["$ref"].rpartition("/")[2]], schemas)
    real = [one for one in schema.get("anyOf", ()) if one.get("type") != "null"]
    if real:
        return _resolved(real[0], schemas)
    return schema


def _fields(schema: Json, schemas: Json, within: tuple[str, ...] = ()) -> tuple[Field, ...]:
    found = _resolved(schema, schemas)
    if found.get("type") == "array":
        return _fields(found["items"], schemas, within)
    title = found.get("title", "")
    if title in within:  # a schema that holds itself is shown once
        return ()
    required = found.get("required", ())
    return tuple(
        Field(
            name,
            _kind(one, schemas),
            name in required,
            one.get("description") or _resolved(one, schemas).get("description", ""),
            _fields(one, schemas, (*within, title)),
        )
        for name, one in found.get("properties", {}).items()
    )


def _kind(schema: Json, schemas: Json) -> str:
    """The type in a few words, such as `list of text` or `tls, starttls or none`."""
    found = _resolved(schema, schemas)
    nullable = any(one.get("type") == "null" for one in schema.get("anyOf", ()))
    tail = " or null" if nullable else ""
    if "enum" in found:
        return " | ".join(str(one) for one in found["enum"]) + tail
    if "const" in found:
        return str(found["const"]) + tail
    words = {"string": "text", "integer": "whole number", "number": "number", "boolean": "true | false"}
    kind = found.get("type")
    if kind == "array":
        return f"list of {_kind(found['items'], schemas)}{tail}"
    if kind == "string" and found.get("format") == "date-time":
        return "time" + tail
    return words.get(str(kind), "object") + tail


def _example(schema: Json, schemas: Json, depth: int = 0) -> object:
    """A body that shows what is needed and what most people give: required fields, and those that have an example."""
    found = _resolved(schema, schemas)
    for given in (schema, found):
        if given.get("examples"):
            return given["examples"][0]
    if "enum" in found:
        return found["enum"][0]
    if "const" in found:
        return found["const"]
    if found.get("type") == "array":
        return [_example(found["items"], schemas, depth + 1)]
    if "properties" in found and depth < _EXAMPLE_DEPTH:
        return {
            name: _example(one, schemas, depth + 1) for name, one in found["properties"].items() if _shown(name, found)
        }
    return {"string": "…", "integer": found.get("minimum", 1), "boolean": True}.get(str(found.get("type")), {})


def _shown(name: str, schema: Json) -> bool:
    required = schema.get("required", [])
    return name in required or (not required and len(schema["properties"]) <= len(("url", "types", "enabled")))


def _curl(method: str, url: str, body: object) -> str:
    lines = [f"curl {url}" if method == "GET" else f"curl -X {method} {url}"]
    if "/v1/" in url:
        lines.append('-H "Authorization: Bearer $POSTROOM_KEY"')
    if body is not None:
        lines.append('-H "Content-Type: application/json"')
        lines.append("-d '" + json.dumps(body, ensure_ascii=False) + "'")
    return " \\\n  ".join(lines)
