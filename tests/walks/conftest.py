"""Walks go through the running service, against real servers."""

import pytest

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
