"""What all requests, answers and lists have in common. It holds none of them."""

from __future__ import annotations

from typing import Annotated, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field

T = TypeVar("T")


class Input(BaseModel):
    """A part of a request. A field of another name is an error: a misspelt one would be ignored in silence."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Output(BaseModel):
    """A part of an answer; every field is always there."""

    model_config = ConfigDict(frozen=True, json_schema_serialization_defaults_required=True)


class ListOf(Output, Generic[T]):
    """A part of a list."""

    items: list[T]
    next_cursor: str | None = Field(description="Ask again with this as `cursor` for what follows; null at the end.")


Limit = Annotated[int, Field(ge=1, le=200, description="How many at most.")]
CursorText = Annotated[
    str,
    Field(
        min_length=1,
        max_length=500,
        pattern=r"^[!-~]+$",
        description="`next_cursor` of the answer before; leave it out for the beginning.",
    ),
]


class ListQuery(Input):
    """What every list takes."""

    limit: Limit = 50
    cursor: CursorText | None = None
