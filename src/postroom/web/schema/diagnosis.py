"""Diagnoses as JSON: one that was made, and an entry of the catalogue. It judges nothing."""

from __future__ import annotations

from pydantic import Field

from postroom.core import diagnosis as core
from postroom.core.diagnosis.verdict import Action
from postroom.web.schema.base import ListOf, Output


class Diagnosis(Output):
    """What is wrong with a mailbox or a delivery, and what to do about it."""

    code: str = Field(examples=["imap.invalid_credentials"], description="Begins with `imap.` or `smtp.`.")
    message: str = Field(description="What people read first.")
    reason: str = Field(description="What happened, in plain words.")
    steps: list[str] = Field(description="What to do, in order.")
    action: Action = Field(description="What Postroom does about it.")
    matched: str = Field(description="The rule that recognised it.")
    raw: str = Field(description="The server's own words.")
    retry_after: int | None = Field(description="Seconds to wait, where the provider's rule is known.")

    @classmethod
    def of(cls, diagnosis: core.Diagnosis | None) -> Diagnosis | None:
        return cls.model_validate(diagnosis.as_dict()) if diagnosis else None


class CatalogueEntry(Output):
    """A diagnosis that Postroom can make, with what is true of it in general."""

    code: str = Field(examples=["smtp.app_password_required"])
    message: str
    reason: str
    steps: list[str]
    actions: list[Action] = Field(description="What Postroom may do about it, depending on the server's words.")

    @classmethod
    def of(cls, entry: core.CatalogueEntry) -> CatalogueEntry:
        return cls(
            code=entry.code,
            message=entry.message,
            reason=entry.reason,
            steps=list(entry.steps),
            actions=list(entry.actions),
        )


class Catalogue(ListOf[CatalogueEntry]):
    """All diagnoses that there are."""
