"""The provider table: that it is whole, that it names its sources, and that each provider is found."""

from __future__ import annotations

from dataclasses import fields
from urllib.parse import urlsplit

import pytest

from postroom.core import provider
from postroom.core.mailbox import Security
from postroom.core.provider import GENERIC, PROVIDERS, Provider

FACTS = {one.name: one.default for one in fields(Provider)} | {"sites": ()}
NO_FACT = {"key", "name", "domains", "mx", "hosts", "sources"}


def test_every_provider_of_the_brief_is_there_once():
    keys = [one.key for one in PROVIDERS]
    assert len(keys) == len(set(keys))
    assert set(keys) >= {
        "gmail", "google_workspace", "microsoft365", "outlook", "yahoo", "aol", "icloud", "zoho", "fastmail", "yandex",
        "mailru", "qq", "163", "gmx", "webde", "ionos", "t-online", "proton", "workmail", "rackspace", "ovh", "rambler",
        "generic",
    }  # fmt: skip


@pytest.mark.parametrize("one", PROVIDERS, ids=lambda one: one.key)
def test_every_fact_that_is_not_the_default_has_its_source(one):
    stated = {name for name in FACTS if name not in NO_FACT and getattr(one, name) != FACTS[name]}
    assert stated - set(one.sources) == set()
    assert set(one.sources) <= set(FACTS)
    for source in one.sources.values():
        assert urlsplit(source).scheme == "https" or " " in source


@pytest.mark.parametrize("one", PROVIDERS, ids=lambda one: one.key)
def test_every_server_is_protected_and_found_again_by_its_host(one):
    domain = one.domains[0] if one.domains else "customer.example"
    for site in one.sites:
        for server in (site.imap, site.smtp):
            assert server.security is not Security.NONE
            assert (server.port, server.security) in {
                (993, Security.TLS), (465, Security.TLS), (587, Security.STARTTLS),
                (1143, Security.STARTTLS), (1025, Security.STARTTLS),
            }  # fmt: skip
        address = f"me@{(site.domains or (domain,))[0]}"
        assert provider.of(address, site.imap.endpoint(address).host) is one


@pytest.mark.parametrize("field", ["domains", "mx", "hosts"])
def test_no_two_providers_claim_one_name(field):
    claimed = [name for one in PROVIDERS for name in getattr(one, field)]
    assert len(claimed) == len(set(claimed))
    assert claimed == [name.lower() for name in claimed]


@pytest.mark.parametrize(
    ("key", "found"),
    [("gmail", "gmail"), ("163", "163"), ("netease163", "163"), ("qq-exmail", "qq"), ("protonbridge", "proton"),
     ("t-online", "t-online"), ("GMAIL", "gmail"), ("dovecot", "generic"), ("", "generic")],
)  # fmt: skip
def test_a_key_in_any_spelling_finds_a_provider_and_an_unknown_one_the_generic(key, found):
    assert provider.by_key(key).key == found


@pytest.mark.parametrize(
    ("host", "key"),
    [
        ("aspmx.l.google.com", "google_workspace"),
        ("ALT1.ASPMX.L.GOOGLE.COM.", "google_workspace"),
        ("aspmx2.googlemail.com", "google_workspace"),
        ("smtp.google.com", "google_workspace"),
        ("gmail-smtp-in.l.google.com", "gmail"),
        ("contoso-com.mail.protection.outlook.com", "microsoft365"),
        ("contoso-com.a-v1.mx.microsoft", "microsoft365"),
        ("hotmail-com.olc.protection.outlook.com", "outlook"),
        ("mta5.am0.yahoodns.net", "yahoo"),
        ("mx-aol.mail.gm0.yahoodns.net", "aol"),
        ("mx01.mail.icloud.com", "icloud"),
        ("mx2.zoho.eu", "zoho"),
        ("in1-smtp.messagingengine.com", "fastmail"),
        ("mx.yandex.net", "yandex"),
        ("emx.mail.ru", "mailru"),
        ("mxbiz1.qq.com", "qq"),
        ("qiye163mx01.mxmail.netease.com", "163"),
        ("mx00.kundenserver.de", "ionos"),
        ("inbound-smtp.eu-west-1.amazonaws.com", "workmail"),
        ("mx1.emailsrvr.com", "rackspace"),
        ("mx1.mail.ovh.net", "ovh"),
        ("mx.example.org", None),
        ("notgmail-smtp-in.l.google.com", None),
        ("", None),
    ],
)
def test_a_custom_domain_is_known_by_its_mx(host, key):
    found = provider.by_mx(host)
    assert (found.key if found else None) == key


@pytest.mark.parametrize(
    ("address", "host", "key"),
    [
        ("a@gmail.com", "imap.gmail.com", "gmail"),
        ("a@googlemail.com", "imap.googlemail.com", "gmail"),
        ("a@company.example", "imap.gmail.com", "google_workspace"),
        ("a@company.example", "outlook.office365.com", "microsoft365"),
        ("a@hotmail.co.uk", "outlook.office365.com", "outlook"),
        ("a@company.onmicrosoft.com", "outlook.office365.com", "microsoft365"),
        ("a@company.example", "IMAP.Mail.Yahoo.com", "yahoo"),
        ("a@company.example", "imap.eu.zoho.eu", "zoho"),
        ("a@gmail.com", "mail.company.example", "generic"),
        ("a@company.example", "mail.company.example", "generic"),
        ("a@proton.me", "127.0.0.1", "proton"),
        ("a@gmail.com", "localhost", "gmail"),
        ("a@company.example", "127.0.0.1", "generic"),
        ("a@126.com", "imap.126.com", "163"),
        ("nonsense", "", "generic"),
    ],
)
def test_settings_show_their_provider(address, host, key):
    assert provider.of(address, host).key == key


def test_a_domain_of_ones_own_is_nobodys():
    assert provider.by_domain("Gmail.com").key == "gmail"
    assert provider.by_domain("x.gmail.com") is None
    assert provider.by_domain("yahoo.co.jp") is None  # another company
    assert provider.by_domain("company.example") is None


def test_the_habits_that_the_engine_relies_on():
    saving = {one.key for one in PROVIDERS if one.saves_sent}
    assert saving == {"gmail", "google_workspace", "microsoft365", "outlook"}
    assert {one.key for one in PROVIDERS if one.idle_seconds < 60} == {"163", "rambler"}
    assert {one.key for one in PROVIDERS if 60 <= one.idle_seconds <= 180} == {"yahoo", "aol"}
    assert all(0 < one.idle_seconds < 29 * 60 for one in PROVIDERS)
    assert all(one.connections >= GENERIC.connections for one in PROVIDERS)
    assert provider.by_key("microsoft365").smtp_connections == 3
