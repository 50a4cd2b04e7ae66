"""One step of a probe, timed and reported with what became of it. It does not do the step."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from postroom.core.diagnosis.evidence import Failure
from postroom.core.ports.wire import OnStep, Step


class StepReport:
    """What a step has to say for itself; `detail` is a line for people."""

    detail = ""


@asynccontextmanager
async def reported(name: str, on_step: OnStep | None) -> AsyncIterator[StepReport]:
    """Tells `on_step` of the step's success, or of its Failure, which passes on."""
    report = StepReport()
    started = time.perf_counter()
    try:
        yield report
    except Failure as failure:
        if on_step is not None:
            said = failure.evidence.raw or failure.evidence.exception or ""
            on_step(Step(name, False, said, _milliseconds_since(started), failure.evidence))
        raise
    if on_step is not None:
        on_step(Step(name, True, report.detail, _milliseconds_since(started)))


def _milliseconds_since(started: float) -> float:
    return (time.perf_counter() - started) * 1000
