"""Figures for Prometheus: requests, deliveries, mailboxes. It raises no alarms."""

from __future__ import annotations

from datetime import datetime, timedelta

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from postroom.core.delivery import State as DeliveryState
from postroom.core.health import State as HealthState
from postroom.core.mailbox import Direction
from postroom.core.ports.store import Store
from postroom.core.ports.world import World

CONTENT_TYPE = CONTENT_TYPE_LATEST
COUNTED = timedelta(seconds=10)
"""How old counts may be: several scrapers must not each make the database count."""


class Metrics:
    """The figures of one application, in a registry of their own."""

    def __init__(self, store: Store, world: World, version: str) -> None:
        self._store = store
        self._world = world
        self._counted_at: datetime | None = None
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "postroom_http_requests", "Requests answered.", ["method", "route", "status"], registry=self._registry
        )
        self._seconds = Histogram(
            "postroom_http_request_seconds",
            "Time until an answer began, in seconds.",
            ["method", "route"],
            registry=self._registry,
        )
        self._deliveries = Gauge("postroom_deliveries", "Deliveries by state.", ["state"], registry=self._registry)
        self._directions = Gauge(
            "postroom_mailboxes",
            "Mailboxes by direction and its state.",
            ["direction", "state"],
            registry=self._registry,
        )
        self._store_up = Gauge("postroom_store_up", "Whether the database serves: 1 or 0.", registry=self._registry)
        Gauge("postroom_info", "The version that runs.", ["version"], registry=self._registry).labels(version).set(1)

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """`route` is a path template, not a path: its values must be few."""
        self._requests.labels(method, route, status).inc()
        self._seconds.labels(method, route).observe(seconds)

    async def count(self) -> None:
        """Brings the figures that are counted in the store up to date. Raises StoreUnavailable."""
        now = self._world.now()
        if self._counted_at is not None and now - self._counted_at < COUNTED:
            return
        counts = await self._store.counts()
        for state in DeliveryState:
            self._deliveries.labels(state.value).set(counts.deliveries.get(state, 0))
        for direction in Direction:
            shown: dict[str, int] = {}
            for health in HealthState:
                shown[health.public] = shown.get(health.public, 0) + counts.directions.get((direction, health), 0)
            for name, number in shown.items():
                self._directions.labels(direction.word, name).set(number)
        self._counted_at = now

    def store_serves(self, serves: bool) -> None:
        self._store_up.set(1 if serves else 0)

    def text(self) -> bytes:
        """The exposition format of Prometheus."""
        return generate_latest(self._registry)
