"""Connecting a mailbox: what works, and what a person reads where it does not."""

import pytest

from tests.rig.dovecot import Dovecot
from tests.walks.postroom import Postroom, settings_for

pytestmark = pytest.mark.asyncio(loop_scope="session")

REFUSED = "Incorrect credentials; Please connect your mailbox again with the right credentials and try again"


async def refused(standing, settings):
    """Connects in vain: the answer, where nothing was saved."""
    before = await saved(standing)
    problem = await standing.connect(settings, status=422)
    assert await saved(standing) == before
    return problem


async def saved(standing):
    return [mailbox["id"] for mailbox in await standing.everything("/mailboxes")]


async def test_a_mailbox_connects_with_the_right_password(standing_on, settings, user):
    mailbox = await standing_on.connect(settings)
    assert mailbox["address"] == user.address
    assert (mailbox["receiving"]["state"], mailbox["sending"]["state"]) == ("connected", "connected")
    assert mailbox["receiving"]["diagnosis"] is mailbox["sending"]["diagnosis"] is None
    assert user.password not in str(mailbox)
    assert mailbox["id"] in await saved(standing_on)


async def test_a_mailbox_connects_with_starttls_and_without_tls(standing, dovecot, postfix, certificates):
    for security, port in (("starttls", dovecot.imap_port), ("none", dovecot.imap_port)):
        user = dovecot.add_user()
        body = settings_for(user, port, postfix.smtps_port, security=security, ca_pem=certificates.ca_pem)
        body["smtp"]["security"] = "tls"
        mailbox = await standing.connect(body)
        assert mailbox["receiving"]["state"] == "connected"
        assert mailbox["imap"]["security"] == security


async def test_a_wrong_password_is_told_word_for_word_and_nothing_is_saved(standing, settings):
    settings["auth"]["password"] = "not the password"
    problem = await refused(standing, settings)
    diagnosis = problem["diagnosis"]
    assert diagnosis["code"] == "imap.invalid_credentials"
    assert diagnosis["message"] == REFUSED
    assert diagnosis["action"] == "reauthenticate"
    assert diagnosis["reason"]
    assert diagnosis["steps"]
    assert "AUTHENTICATIONFAILED" in diagnosis["raw"]
    assert REFUSED in problem["detail"]
    assert problem["report"]["smtp"]["diagnosis"]["code"] == "smtp.invalid_credentials"
    assert problem["report"]["imap"]["steps"][-1]["name"] == "sign_in"
    assert problem["report"]["imap"]["steps"][-1]["outcome"] == "failed"
    assert "not the password" not in str(problem)


async def test_a_password_that_only_sending_refuses_is_told_as_sendings(standing, settings, sink):
    sink.answer("EHLO", "250-sink.rig.test\r\n250 AUTH PLAIN")
    sink.answer("AUTH", "535 5.7.8 Authentication credentials invalid")
    settings["smtp"] |= {"port": sink.port, "security": "none"}
    problem = await refused(standing, settings)
    assert problem["diagnosis"]["code"] == "smtp.invalid_credentials"
    assert problem["report"]["imap"]["ok"] is True


async def test_a_host_name_that_does_not_exist_is_named(standing, settings):
    settings["imap"]["host"] = "imap.no-such-host.invalid"
    problem = await refused(standing, settings)
    assert problem["diagnosis"]["code"] == "imap.server_connection"
    assert "imap.no-such-host.invalid" in problem["diagnosis"]["reason"]
    assert [step["name"] for step in problem["report"]["imap"]["steps"]] == ["resolve"]


async def test_a_port_where_nothing_listens_is_named(standing, settings, sink):
    await sink.stop()
    settings["imap"] |= {"port": sink.port}
    problem = await refused(standing, settings)
    assert problem["diagnosis"]["code"] == "imap.server_connection"
    assert str(sink.port) in problem["diagnosis"]["reason"]


@pytest.mark.parametrize("kind", ["expired", "not_yet_valid", "wrong_host", "unknown_ca"])
async def test_a_certificate_that_cannot_be_trusted_is_told_with_its_fault(
    standing, settings, certificates, dovecot, kind
):
    words = {
        "expired": "expired on ",
        "not_yet_valid": "not valid",
        "wrong_host": "mail.elsewhere.test",
        "unknown_ca": "authority",
    }
    if kind == "unknown_ca":
        settings.pop("ca_certificate")
        problem = await refused(standing, settings)
    else:
        async with Dovecot(certificates, certificate=getattr(certificates, kind)()) as bad:
            settings["imap"]["port"] = bad.imaps_port
            problem = await refused(standing, settings)
    diagnosis = problem["diagnosis"]
    assert diagnosis["code"] == "imap.tls_certificate"
    assert diagnosis["message"] == "SSL Exception, please use the correct CA certificate"
    assert diagnosis["matched"] == f"tls.seen.{kind.replace('_', '-')}"
    assert words[kind] in diagnosis["reason"]


async def test_starttls_does_not_trust_a_bad_certificate_either(standing, settings, certificates):
    async with Dovecot(certificates, certificate=certificates.expired()) as bad:
        settings["imap"] |= {"port": bad.imap_port, "security": "starttls"}
        problem = await refused(standing, settings)
    assert problem["diagnosis"]["matched"] == "tls.seen.expired"


async def test_an_address_with_a_unicode_domain_connects(standing, settings):
    local = settings["address"].partition("@")[0]
    mailbox = await standing.connect(settings | {"address": f"{local}@bücher.test"})
    assert mailbox["address"] == f"{local}@xn--bcher-kva.test"


async def test_an_address_is_connected_once(standing, settings):
    await standing.connect(settings)
    again = await standing.connect(settings | {"address": settings["address"].upper()}, status=409)
    assert "connected already" in again["detail"]


@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("address", {"address": 7}),
        ("address", {"address": "no at sign"}),
        ("imap.host", {"imap": {"port": 143}}),
        ("imap.host", {"imap": {"host": "imap://mail.rig.test", "port": 143}}),
        ("imap.port", {"imap": {"host": "localhost", "port": "143"}}),
        ("imap.port", {"imap": {"host": "localhost", "port": 65536}}),
        ("smtp.security", {"smtp": {"host": "localhost", "port": 587, "security": "ssl"}}),
        ("imap", {"imap": "localhost:143"}),
        ("auth", {"auth": None}),
        ("auth.password", {"auth": {"kind": "password"}}),
        ("auth.password", {"auth": {"kind": "password", "password": ["x"]}}),
        ("folders[1]", {"folders": ["INBOX", 7]}),
        ("hold_hours", {"hold_hours": 0}),
        ("ca_certificate", {"ca_certificate": "no certificate"}),
        ("colour", {"colour": "blue"}),
    ],
)
async def test_a_wrong_value_is_answered_with_its_fields_name(standing, settings, field, change):
    problem = await refused(standing, settings | change)
    assert [one["field"] for one in problem["errors"]] == [field]
    assert problem["errors"][0]["message"]
    assert settings["auth"]["password"] not in str(problem)


async def test_a_body_that_is_no_json_is_answered_as_such(standing):
    headers = {"Content-Type": "application/json"}
    answer = await standing.api.post("/v1/mailboxes", content=b'{"address": ', headers=headers)
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.asyncio(loop_scope="function")
async def test_a_private_host_is_refused_unless_it_is_allowed(tmp_path, settings):
    async with Postroom(tmp_path, allow_private_hosts="false") as careful:
        problem = await refused(careful, settings)
    assert problem["diagnosis"]["code"] == "imap.server_misconfigured"
    assert "POSTROOM_ALLOW_PRIVATE_HOSTS" in str(problem["diagnosis"]["steps"])
    assert problem["report"]["smtp"]["diagnosis"]["code"] == "smtp.server_misconfigured"


async def test_a_folder_that_does_not_exist_is_named(standing, settings):
    problem = await refused(standing, settings | {"folders": ["INBOX", "Nowhere"]})
    assert problem["diagnosis"]["code"] == "imap.folder_error"
    assert problem["diagnosis"]["message"] == "Mailbox error, please check the folder used"
    assert "Nowhere" in problem["diagnosis"]["reason"] + str(problem["diagnosis"]["steps"])
    assert problem["report"]["imap"]["steps"][-1]["name"] == "select"


async def test_an_inbox_that_cannot_be_selected_is_told_as_the_servers_trouble(standing, settings, dovecot, user):
    inbox = dovecot.maildir(user.name).folder()
    (inbox / "cur").chmod(0)
    inbox.chmod(0)
    problem = await refused(standing, settings)
    assert problem["diagnosis"]["code"].startswith("imap.")
    assert problem["diagnosis"]["code"] not in ("imap.invalid_credentials", "imap.unknown")
    assert problem["report"]["imap"]["steps"][-1] | {"milliseconds": 0, "detail": ""} == {
        "name": "select",
        "outcome": "failed",
        "detail": "",
        "milliseconds": 0,
    }
