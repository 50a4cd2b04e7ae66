"""Everything that the web room is given. It builds none of it: serve does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from starlette.types import Scope

from postroom.core.ports.store import Store
from postroom.core.ports.wire import DiscoveryWire
from postroom.core.ports.world import World
from postroom.flows.accept import Accept
from postroom.flows.announce import Announce
from postroom.flows.authorize import Authorize
from postroom.flows.clients import Clients
from postroom.flows.connect import Connect
from postroom.flows.connect_links import ConnectLinks
from postroom.flows.guest import Guest


@dataclass(frozen=True, slots=True)
class Services:
    """What answers are made from. `engine_ready` gives None while the engine runs, else why it does not."""

    world: World
    store: Store
    connect: Connect
    accept: Accept
    announce: Announce
    discovery: DiscoveryWire
    clients: Clients
    authorize: Authorize
    links: ConnectLinks
    guest: Guest
    version: str
    engine_ready: Callable[[], str | None]


async def services_of(request: Request) -> Services:
    """The services of the application that serves this request."""
    services = request.app.state.services
    if not isinstance(services, Services):
        raise TypeError("the application was not made by postroom.web.build")
    return services


# Dependencies are coroutines though they wait for nothing: others are each run in a thread.
Injected = Annotated[Services, Depends(services_of)]


def person_in(scope: Scope) -> str:
    """Who sends this request, as stories of deliveries name them: the name of the API key."""
    return f"key {scope.get('state', {}).get('key_name', '')}".strip()


async def person_of(request: Request) -> str:
    """The same, for routes."""
    return person_in(request.scope)


By = Annotated[str, Depends(person_of)]
