"""The form of a problem for the reference. Problems are made in web.problem, not here."""

from __future__ import annotations

from pydantic import ConfigDict, Field

from postroom.web.schema.base import Output
from postroom.web.schema.diagnosis import Diagnosis
from postroom.web.schema.report import Report


class FieldError(Output):
    """What is wrong with one field and how to mend it."""

    field: str = Field(examples=["imap.port"])
    message: str = Field(examples=["This must be 65535 or less."])


class Problem(Output):
    """An error (RFC 9457). What does not apply is left out."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=False)

    type: str = Field(examples=["/docs#problem-invalid"], description="What kind of problem; a page that explains it.")
    title: str
    status: int
    detail: str = Field(description="What is wrong this time and how to mend it.")
    instance: str = Field("", description="The path of the request.")
    errors: list[FieldError] = Field(default_factory=list, description="Where fields of the request are wrong.")
    diagnosis: Diagnosis | None = Field(None, description="Where a mailbox could not be connected.")
    report: Report | None = Field(None, description="Where a mailbox could not be connected: every step.")
