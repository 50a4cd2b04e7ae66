"""The application over fakes in memory, and a client that holds a key."""

import json
from dataclasses import dataclass

import httpx2
import pytest
from fastapi import FastAPI

from postroom.core import apikey
from postroom.flows.connect_links import ConnectLinks
from postroom.flows.guest import Guest
from postroom.web import Services, build
from tests.web import fake_flows, fakes

TOKEN = apikey.token("c2VjcmV0LWZvci10ZXN0cw")
AUTHORIZATION = {"Authorization": f"Bearer {TOKEN}"}
NEW_MAILBOX = {"address": "support@example.com", "name": "Support", "auth": {"kind": "password", "password": "right"}}


@dataclass
class House:
    """The application with everything behind it."""

    world: fakes.World
    store: fakes.Store
    connect: fake_flows.Connect
    accept: fake_flows.Accept
    announce: fake_flows.Announce
    discovery: fake_flows.Discovery
    clients: fake_flows.Clients
    authorize: fake_flows.Authorize
    links: ConnectLinks
    guest: Guest
    app: FastAPI
    trouble: str | None = None


@pytest.fixture
def house() -> House:
    return new_house()


def new_house() -> House:
    world, store = fakes.World(), fakes.Store()
    store.keys_by_digest[apikey.digest(TOKEN)] = fakes.key(world)
    connect, accept, announce = (
        fake_flows.Connect(store, world),
        fake_flows.Accept(store, world),
        fake_flows.Announce(store, world),
    )
    discovery, clients, authorize = (
        fake_flows.Discovery(),
        fake_flows.Clients(store, world),
        fake_flows.Authorize(store, world),
    )
    links = ConnectLinks(store, world, base="http://postroom.test", loopback=False)
    guest = Guest(store, connect, authorize, discovery, world)
    rooms = (world, store, connect, accept, announce, discovery, clients, authorize, links, guest)
    built = House(*rooms, FastAPI())
    built.app = build(Services(*rooms, "0.1.0-test", lambda: built.trouble))
    return built


def client_of(app, **headers) -> httpx2.AsyncClient:
    transport = httpx2.ASGITransport(app, raise_app_exceptions=False)
    return httpx2.AsyncClient(transport=transport, base_url="http://postroom.test", headers=headers)


@pytest.fixture
async def client(house):
    async with client_of(house.app, **AUTHORIZATION) as client:
        yield client


@pytest.fixture
async def stranger(house):
    """A client without a key."""
    async with client_of(house.app) as client:
        yield client


@pytest.fixture
async def mailbox(client):
    answer = await client.post("/v1/mailboxes", json=NEW_MAILBOX)
    assert answer.status_code == 201, answer.text
    return answer.json()


def problem_of(answer, status, name):
    """The problem in an answer, checked for its shape (RFC 9457)."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = json.loads(answer.content)
    assert problem["type"] == f"/docs#problem-{name}"
    assert problem["status"] == status
    assert problem["title"]
    assert problem["detail"]
    return problem


def fields_of(problem):
    return {one["field"]: one["message"] for one in problem["errors"]}
