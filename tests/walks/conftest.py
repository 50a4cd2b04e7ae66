"""Walks go through the running service, against real servers."""

import pytest
import pytest_asyncio

from tests.rig.background import background
from tests.walks.postroom import Postroom, settings_for


@pytest.fixture
async def postroom(tmp_path):
    """Postroom on a SQLite file of its own."""
    async with Postroom(tmp_path) as running:
        yield running


@pytest.fixture
async def postroom_on(tmp_path, database_url):
    """The same, once on each kind of database."""
    async with Postroom(tmp_path, database_url) as running:
        yield running


@pytest.fixture
def settings(dovecot, postfix, user, certificates):
    """How `user` is connected: Dovecot over TLS, Postfix with STARTTLS."""
    body = settings_for(user, dovecot.imaps_port, postfix.submission_port, ca_pem=certificates.ca_pem)
    body["imap"] |= {"host": "localhost", "security": "tls"}
    body["smtp"] |= {"host": "localhost", "security": "starttls"}
    return body


# One Postroom for many tests: starting it takes longer than most of them. Each connects a mailbox of its own, and says
# `pytestmark = pytest.mark.asyncio(loop_scope="session")`, for it lives in the loop of the whole run.


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def standing(tmp_path_factory):
    """Postroom on SQLite."""
    async with Postroom(tmp_path_factory.mktemp("standing"), poll_seconds=0.3) as running:
        yield running


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def standing_database(request):
    """Empty is SQLite."""
    if request.param == "sqlite":
        return ""
    postgres = request.getfixturevalue("postgres")
    return postgres.url(background().run(postgres.create_database()))


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def standing_on(tmp_path_factory, standing_database):
    """The same, once on each kind of database."""
    async with Postroom(tmp_path_factory.mktemp("standing"), standing_database) as running:
        yield running
