"""The report of a probe as JSON. It probes nothing."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from pydantic import Field

from postroom.core.ports import wire
from postroom.core.warning import Caution
from postroom.flows import probe
from postroom.web.schema.base import Output
from postroom.web.schema.diagnosis import Diagnosis
from postroom.web.schema.mailbox import Endpoint, Warned


class Step(Output):
    """One step of a connection."""

    name: str = Field(
        description="resolve, connect, tls, greeting, capabilities, starttls, sign_in or select; for a shared mailbox "
        "also rights and sender.",
        examples=["sign_in"],
    )
    outcome: Literal["ok", "failed"]
    detail: str = Field(description="What came back, in a line.")
    milliseconds: float

    @classmethod
    def of(cls, step: wire.Step) -> Step:
        outcome: Literal["ok", "failed"] = "ok" if step.ok else "failed"
        return cls(name=step.name, outcome=outcome, detail=step.detail, milliseconds=round(step.milliseconds, 1))


class Tried(Output):
    """A way that was tried beside the one that is told of."""

    endpoint: Endpoint | None
    ok: bool
    code: str | None = Field(description="What its failure was judged to be.")
    message: str | None
    reason: str | None

    @classmethod
    def of(cls, other: probe.Probe) -> Tried:
        why = other.diagnosis
        return cls(
            endpoint=Endpoint.of(other.endpoint) if other.endpoint else None,
            ok=other.ok,
            code=why.name if why else None,
            message=why.message if why else None,
            reason=why.reason if why else None,
        )


class Probe(Output):
    """A try of one direction."""

    ok: bool
    endpoint: Endpoint | None = Field(
        description="Where. Of settings that were found, the first that leads to the sign-in; where none does, the one "
        "whose failure tells most."
    )
    also_tried: list[Tried] = Field(description="Other settings that were found and tried, in order.")
    steps: list[Step] = Field(description="In order, up to the one that failed.")
    diagnosis: Diagnosis | None

    @classmethod
    def of(cls, probe: probe.Probe) -> Probe:
        steps = [Step.of(step) for step in probe.steps]
        return cls(
            ok=probe.ok,
            endpoint=Endpoint.of(probe.endpoint) if probe.endpoint else None,
            also_tried=[Tried.of(one) for one in probe.others],
            steps=steps,
            diagnosis=Diagnosis.of(probe.diagnosis),
        )


class Report(Output):
    """A try of both directions."""

    ok: bool
    diagnosis: Diagnosis | None = Field(description="Of the direction that failed; of receiving where both did.")
    imap: Probe
    smtp: Probe
    warnings: list[Warned] = Field(description="How the mailbox may disappoint though every step went well.")

    @classmethod
    def of(cls, report: probe.Report, warnings: Iterable[Caution] = ()) -> Report:
        return cls(
            ok=report.ok,
            diagnosis=Diagnosis.of(report.diagnosis),
            imap=Probe.of(report.imap),
            smtp=Probe.of(report.smtp),
            warnings=[Warned.of(one) for one in warnings],
        )
