"""Builds everything and starts it. It holds no story of its own."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import structlog
import uvicorn

from postroom import __version__, keyfile
from postroom.core.identity import Kind
from postroom.core.ports.store import Store
from postroom.core.ports.world import World
from postroom.core.retention import Retention
from postroom.flows.accept import Accept
from postroom.flows.announce import Announce
from postroom.flows.authorize import Authorize
from postroom.flows.certificates import Certificates
from postroom.flows.clients import Clients
from postroom.flows.completion import Completion
from postroom.flows.connect import Connect
from postroom.flows.connect_links import ConnectLinks
from postroom.flows.doctor import Doctor
from postroom.flows.engine import Engine
from postroom.flows.guest import Guest
from postroom.flows.outbox import Outbox
from postroom.flows.own import Own
from postroom.flows.probe import SECONDS, Prober
from postroom.flows.prune import Prune
from postroom.flows.recover import Recover
from postroom.flows.rescue import Rescue
from postroom.flows.round_trip import Traveller
from postroom.flows.sent import Sent
from postroom.flows.sessions import Sessions
from postroom.flows.sync import Sync
from postroom.flows.tokens import Tokens
from postroom.flows.watch import Watch
from postroom.registrations import registrations
from postroom.settings import BadSettings, Settings, names_in
from postroom.store import PATIENCE, open_store
from postroom.wire.discovery import Discovery
from postroom.wire.imap import Imap
from postroom.wire.oauth import OAuth
from postroom.wire.resolve import Guard
from postroom.wire.smtp import Smtp, Timeouts
from postroom.wire.webhook import Webhooks
from postroom.world import RealWorld

if TYPE_CHECKING:
    from fastapi import FastAPI

    from postroom.web import Services

log = structlog.get_logger()

LOOKS = 10_000
"""Objects made and not given up, after which the garbage collector looks at them."""
TURN = 0.0005
"""Seconds for which a thread may keep the interpreter from those that wait: the database's wants it ten times for each
message, for some microseconds. With five milliseconds, as Python has it, half as many messages are taken."""


@dataclass(frozen=True, slots=True)
class House:
    """The rooms, connected to each other; nothing runs yet."""

    settings: Settings
    world: World
    store: Store
    discovery: Discovery
    connect: Connect
    accept: Accept
    announce: Announce
    engine: Engine
    tokens: Tokens
    clients: Clients
    authorize: Authorize
    links: ConnectLinks
    guest: Guest


@asynccontextmanager
async def build(settings: Settings, world: World | None = None, *, patience: float = PATIENCE) -> AsyncIterator[House]:
    """Opens the store (bringing its schema up to date) and connects the flows; `world` is this machine's unless given.
    For so many seconds of `patience` a lock that another program has on SQLite's file is waited for.

    Raises BadSettings, StoreUnavailable.
    """
    world = world or RealWorld()
    first, *earlier = keyfile.keys(settings)
    store = await open_store(
        settings.database_url, secret_key=first, earlier_keys=earlier, world=world, patience=patience
    )
    try:
        house = _house(settings, world, store)
        await house.clients.keep(registrations(settings))
        try:
            yield house
        finally:
            await house.tokens.close()
    finally:
        await store.close()


def _house(settings: Settings, world: World, store: Store) -> House:
    guard = _guard(settings)
    imap = Imap(guard, now=world.now, spool=settings.data if settings.data.is_dir() else None)
    smtp = Smtp(guard, now=world.now)
    oauth = OAuth(guard, now=world.now)
    tokens = Tokens(store, oauth, world)
    certificates = Certificates(store, world)
    sessions = Sessions(imap, smtp, tokens, certificates, world)
    recover = Recover(store, world, confirm=timedelta(seconds=settings.confirm_seconds))
    clients = Clients(store, oauth, recover, world)
    tokens.mended = clients.recover
    connect = Connect(store, Prober(*_probing(guard, world)), recover, tokens, world)
    discovery = Discovery(guard)
    completion = Completion(store, oauth, connect, discovery, world)
    authorize = Authorize(store, oauth, tokens, completion, discovery, world, redirect=settings.redirect_url)
    sync = Sync(
        store,
        world,
        max_message_bytes=settings.max_message_bytes,
        reconcile_every=timedelta(hours=settings.reconcile_hours),
    )
    watch = Watch(
        store,
        sessions,
        sync,
        recover,
        world,
        poll_seconds=settings.poll_seconds,
        check_seconds=settings.check_seconds,
    )
    own = Own(store, watch, world, world.identifier(Kind.WORKER), socket.gethostname())
    outbox = Outbox(store, sessions, recover, own, world)
    sent = Sent(store, sessions, own, world, patience=timedelta(minutes=settings.unconfirmed_minutes))
    rescue = Rescue(store, outbox, recover, own, world, grace=timedelta(minutes=settings.degraded_minutes))
    announce = Announce(store, Webhooks(guard), world)
    kept = Retention(timedelta(days=settings.event_days), timedelta(days=settings.story_days))
    prune = Prune(store, world, kept)
    return House(
        settings=settings,
        world=world,
        store=store,
        discovery=discovery,
        connect=connect,
        accept=Accept(store, world, automatic_per_hour=settings.automatic_per_hour),
        announce=announce,
        engine=Engine(store, own, outbox, sent, rescue, announce, clients, certificates, prune),
        tokens=tokens,
        clients=clients,
        authorize=authorize,
        links=ConnectLinks(store, world, base=settings.base_url, loopback=settings.allow_private_hosts),
        guest=Guest(store, connect, authorize, discovery, world),
    )


def _settle_down() -> None:
    """What was made until now stays until the end: the garbage collector, which would look through it again with every
    few hundred messages, need not. Nor need it look so often: what a message leaves behind holds no circles."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(LOOKS, 10, 10)
    sys.setswitchinterval(TURN)


async def work(settings: Settings, ready: Callable[[str], None], *, port: int | None = None) -> None:
    """The engine alone, until a signal ends it. With a `port` (0 takes a free one) operators may ask there how it is:
    /healthz, /readyz, /metrics; `ready` is told the address."""
    if port is None:
        async with build(settings) as house, _stopping() as stop:
            _settle_down()
            await _until(stop, asyncio.create_task(house.engine.run(), name="engine"))
        return
    listener = _listen(settings.host, port)
    async with build(settings) as house, _stopping() as stop:
        await _serving(house, _operations(house), listener, stop, ready)


async def serve(settings: Settings, ready: Callable[[str], None]) -> None:
    """The API and the engine in one process, until a signal ends it. `ready` is told the address."""
    listener = _listen(settings.host, settings.port)
    # A free port is known now: links and sign-ins lead to it.
    settings = settings.model_copy(update={"port": listener.getsockname()[1]})
    async with build(settings) as house, _stopping() as stop:
        await _serving(house, _web(house), listener, stop, ready)


async def _serving(
    house: House, app: FastAPI, listener: socket.socket, stop: asyncio.Event, ready: Callable[[str], None]
) -> None:
    config = uvicorn.Config(app, log_config=None, access_log=False, server_header=False, timeout_graceful_shutdown=5)
    server = _Server(config)
    config.load()
    _settle_down()
    engine = asyncio.create_task(house.engine.run(), name="engine")
    web = asyncio.create_task(server.serve(sockets=[listener]), name="web")
    listening = asyncio.create_task(server.listening.wait())
    await asyncio.wait([listening, web], return_when=asyncio.FIRST_COMPLETED)
    listening.cancel()
    host, port = listener.getsockname()[:2]
    ready(f"http://{f'[{host}]' if ':' in host else host}:{port}")
    await _until(stop, engine, web, before=lambda: _close_web(house, server))


def _close_web(house: House, server: uvicorn.Server) -> None:
    house.announce.stop()
    server.should_exit = True


# The web room is imported here, so that a command which only looks something up does not load a web framework.


def _web(house: House) -> FastAPI:
    from postroom.web import build as build_web

    return build_web(_services(house))


def _operations(house: House) -> FastAPI:
    from postroom.web import build_operations

    return build_operations(_services(house))


def _services(house: House) -> Services:
    from postroom.web import Services

    return Services(
        world=house.world,
        store=house.store,
        connect=house.connect,
        accept=house.accept,
        announce=house.announce,
        discovery=house.discovery,
        clients=house.clients,
        authorize=house.authorize,
        links=house.links,
        guest=house.guest,
        version=__version__,
        engine_ready=house.engine.trouble,
    )


class _Server(uvicorn.Server):
    """Ours are the signals: the engine ends with the server, in order. `listening` is set when it takes requests."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def _stopping() -> AsyncIterator[asyncio.Event]:
    """An event that SIGTERM or SIGINT sets; a second one ends the process at once."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def stopped() -> None:
        if stop.is_set():
            os._exit(1)
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped)
    try:
        yield stop
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)


async def _until(stop: asyncio.Event, *tasks: asyncio.Task[None], before: Callable[[], None] | None = None) -> None:
    """Waits for the signal, or for a task that ends though it should not; then ends all."""
    waiter = asyncio.create_task(stop.wait())
    await asyncio.wait([waiter, *tasks], return_when=asyncio.FIRST_COMPLETED)
    waiter.cancel()
    log.info("stopping")
    if before is not None:
        before()
    engine, *others = tasks
    engine.cancel()
    ended = await asyncio.gather(engine, *others, return_exceptions=True)
    for one in ended:
        if isinstance(one, Exception):
            raise one


def _listen(host: str, port: int) -> socket.socket:
    """Binds before anything else starts, so that a port in use is a sentence and not a stack trace."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as fault:
        listener.close()
        raise BadSettings(
            f"POSTROOM_HOST, POSTROOM_PORT: cannot listen on {host}:{port} ({fault.strerror}). "
            "Is Postroom running already? Otherwise choose another port."
        ) from None
    return listener


@dataclass(frozen=True, slots=True)
class CheckServices:
    """What a check needs: no store, no engine."""

    discovery: Discovery
    doctor: Doctor
    traveller: Traveller


def build_check(settings: Settings) -> CheckServices:
    """Connects what a check needs."""
    guard = _guard(settings)
    world = RealWorld()
    imap, smtp = _probing(guard, world)
    return CheckServices(Discovery(guard), Doctor(Prober(imap, smtp)), Traveller(imap, smtp, world))


def _guard(settings: Settings) -> Guard:
    return Guard(allow_private=settings.allow_private_hosts, plaintext=names_in(settings.plaintext_hosts))


def _probing(guard: Guard, world: World) -> tuple[Imap, Smtp]:
    """Protocols for people who wait: a probe's time bounds each of its steps as well."""
    return (
        Imap(guard, now=world.now, timeout=SECONDS),
        Smtp(guard, now=world.now, timeouts=Timeouts(step=SECONDS)),
    )
