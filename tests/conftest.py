"""The fixtures that every test may ask for. The servers are real and start when the first test wants them.

`certificates`, `dovecot`, `cyrus`, `courier`, `postfix` and `postgres` live as long as the run; `user`, `sink`,
`proxy`, `sqlite_url`, `postgresql_url` and `database_url` (either of the two) are made for one test. A server that is
not installed fails the test that needs it.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TypeVar

import pytest

from tests.rig.background import background
from tests.rig.certificates import Certificates
from tests.rig.courier import Courier
from tests.rig.cyrus import Cyrus
from tests.rig.dovecot import Dovecot, User
from tests.rig.postfix import Postfix
from tests.rig.postgres import Postgres
from tests.rig.process import Server
from tests.rig.proxy import Proxy
from tests.rig.sink import Sink

# The servers of the session start and stop in the background's loop, so tests with and without a loop share them.


S = TypeVar("S", bound=Server)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Walks first: they take longest, and shared among processes they would leave one running alone at the end."""
    items.sort(key=lambda item: "/walks/" not in item.nodeid)


def _session(server: S) -> Iterator[S]:
    background().run(server.__aenter__())
    try:
        yield server
    finally:
        background().run(server.__aexit__(None, None, None))


@pytest.fixture(scope="session")
def certificates() -> Certificates:
    """The authority behind every certificate of the rig: `certificates.ca_pem` is what clients trust."""
    return Certificates()


@pytest.fixture(scope="session")
def dovecot(certificates: Certificates) -> Iterator[Dovecot]:
    """One Dovecot for the whole run. Ask for `user` to have a mailbox on it."""
    yield from _session(Dovecot(certificates))


@pytest.fixture(scope="session")
def cyrus(certificates: Certificates) -> Iterator[Cyrus]:
    """One Cyrus for the whole run, its users' folders below INBOX."""
    yield from _session(Cyrus(certificates))


@pytest.fixture(scope="session")
def courier(certificates: Certificates) -> Iterator[Courier]:
    """One Courier for the whole run, its users' folders below INBOX."""
    yield from _session(Courier(certificates))


@pytest.fixture(scope="session")
def postfix(certificates: Certificates, dovecot: Dovecot) -> Iterator[Postfix]:
    """One Postfix for the whole run; `postfix.sink` has what was sent to other domains than rig.test."""
    yield from _session(Postfix(certificates, dovecot))


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """One PostgreSQL cluster for the whole run, durable as in production."""
    yield from _session(Postgres())


@pytest.fixture
def user(dovecot: Dovecot) -> User:
    """A fresh, empty mailbox: `name`, `password`, `address`."""
    return dovecot.add_user()


@pytest.fixture
async def sink() -> AsyncIterator[Sink]:
    """A recording SMTP server without TLS and log-in. For others: `async with Sink(certificates, security="tls")`."""
    async with Sink() as running:
        yield running


@pytest.fixture
async def proxy() -> AsyncIterator[Callable[[int], Awaitable[Proxy]]]:
    """Puts a proxy before a port: `front = await proxy(dovecot.imap_port)`."""
    async with AsyncExitStack() as stack:

        async def before(port: int) -> Proxy:
            return await stack.enter_async_context(Proxy(port))

        yield before


@pytest.fixture
def postgresql_url(postgres: Postgres) -> Iterator[str]:
    """The address of a fresh PostgreSQL database."""
    name = background().run(postgres.create_database())
    yield postgres.url(name)
    background().run(postgres.drop_database(name))


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """The address of an SQLite database that does not exist yet."""
    return f"sqlite:///{tmp_path / 'postroom.db'}"


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """The address of a fresh database: the test runs once on each kind."""
    return request.getfixturevalue(f"{request.param}_url")
