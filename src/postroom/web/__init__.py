"""HTTP: the JSON interface under /v1 and the pages. It decides nothing about mail: flows do."""

from __future__ import annotations

from postroom.web.app import build, build_operations
from postroom.web.services import Services

__all__ = ["Services", "build", "build_operations"]
