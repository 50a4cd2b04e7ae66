"""The judgement of failures: evidence in, diagnosis out. It connects to nothing and stores nothing."""

from __future__ import annotations

from postroom.core.diagnosis.catalogue import CatalogueEntry, catalogue
from postroom.core.diagnosis.evidence import Evidence, Failure, Stage, TlsFacts, Unanswered
from postroom.core.diagnosis.judge import diagnose, holding, settled
from postroom.core.diagnosis.read import EvidenceError, from_json, read
from postroom.core.diagnosis.verdict import Action, Diagnosis

__all__ = [
    "Action",
    "CatalogueEntry",
    "Diagnosis",
    "Evidence",
    "EvidenceError",
    "Failure",
    "Stage",
    "TlsFacts",
    "Unanswered",
    "catalogue",
    "diagnose",
    "from_json",
    "holding",
    "read",
    "settled",
]
