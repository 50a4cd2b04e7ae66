"""The report of a probe as JSON. It probes nothing."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from postroom.core.ports import wire
from postroom.flows import probe
from postroom.web.schema.base import Output
from postroom.web.schema.diagnosis import Diagnosis


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


class Probe(Output):
    """A try of one direction."""

    ok: bool
    steps: list[Step] = Field(description="In order, up to the one that failed.")
    diagnosis: Diagnosis | None

    @classmethod
    def of(cls, probe: probe.Probe) -> Probe:
        steps = [Step.of(step) for step in probe.steps]
        return cls(ok=probe.ok, steps=steps, diagnosis=Diagnosis.of(probe.diagnosis))


class Report(Output):
    """A try of both directions."""

    ok: bool
    diagnosis: Diagnosis | None = Field(description="Of the direction that failed; of receiving where both did.")
    imap: Probe
    smtp: Probe

    @classmethod
    def of(cls, report: probe.Report) -> Report:
        return cls(
            ok=report.ok,
            diagnosis=Diagnosis.of(report.diagnosis),
            imap=Probe.of(report.imap),
            smtp=Probe.of(report.smtp),
        )
