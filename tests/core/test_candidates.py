"""Candidate settings: a provider's own, guesses, and how they are put together."""

from __future__ import annotations

from postroom.core import provider
from postroom.core.candidates import MOST, Candidate, from_provider, guesses, merge
from postroom.core.mailbox import Endpoint, Security


def hosts(candidates):
    return [(one.imap.host, one.smtp.host) for one in candidates]


def test_a_provider_gives_its_own_settings():
    (one,) = from_provider("a@gmail.com", provider.by_key("gmail"))
    assert one == Candidate(
        Endpoint("imap.gmail.com", 993, Security.TLS, "a@gmail.com"),
        Endpoint("smtp.gmail.com", 465, Security.TLS, "a@gmail.com"),
        "gmail",
        "provider",
    )


def test_icloud_signs_in_with_the_name_first_and_sends_with_the_address():
    first, second = from_provider("anna@icloud.com", provider.by_key("icloud"))
    assert (first.imap.username, first.smtp.username) == ("anna", "anna@icloud.com")
    assert second.imap.username == "anna@icloud.com"
    assert (first.smtp.port, first.smtp.security) == (587, Security.STARTTLS)


def test_the_domain_of_the_address_chooses_among_a_providers_hosts():
    netease = provider.by_key("163")
    assert hosts(from_provider("a@126.com", netease)) == [("imap.126.com", "smtp.126.com")]
    assert hosts(from_provider("a@company.example", netease)) == [("imap.qiye.163.com", "smtp.qiye.163.com")]
    assert hosts(from_provider("a@gmx.com", provider.by_key("gmx"))) == [("imap.gmx.com", "mail.gmx.com")]
    assert hosts(from_provider("a@gmx.de", provider.by_key("gmx"))) == [("imap.gmx.net", "mail.gmx.net")]
    assert hosts(from_provider("a@company.example", provider.by_key("zoho")))[0][0] == "imappro.zoho.com"


def test_a_provider_with_regions_gives_one_for_each():
    assert len(from_provider("a@company.example", provider.by_key("workmail"))) == 3


def test_the_generic_provider_has_no_settings_of_its_own():
    assert from_provider("a@company.example", provider.GENERIC) == []


def test_guesses_begin_with_tls_and_never_go_unprotected():
    found = guesses("anna@Company.example")
    assert hosts(found)[:3] == [
        ("imap.company.example", "smtp.company.example"),
        ("mail.company.example", "mail.company.example"),
        ("company.example", "company.example"),
    ]
    assert (found[0].imap.port, found[0].smtp.port) == (993, 465)
    assert all(Security.NONE not in (one.imap.security, one.smtp.security) for one in found)
    assert {one.imap.username for one in found} == {"anna@Company.example"}
    assert guesses("nonsense@") == []


def candidate(host, source, key="generic"):
    return Candidate(Endpoint(host, 993, Security.TLS, "a"), Endpoint(host, 465, Security.TLS, "a"), key, source)


def test_the_more_trusted_source_comes_first_and_each_way_once():
    merged = merge(
        "a@x.example",
        [candidate("g", "guess"), candidate("both", "guess")],
        [candidate("both", "autoconfig"), candidate("s", "srv")],
        [candidate("p", "provider", "gmail")],
    )
    assert [(one.imap.host, one.source) for one in merged] == [
        ("p", "provider"), ("both", "autoconfig"), ("s", "srv"), ("g", "guess")
    ]  # fmt: skip
    assert merged[0].provider == "gmail"


def test_the_host_of_a_record_shows_the_provider():
    (one,) = merge("a@company.example", [candidate("imap.gmail.com", "srv")])
    assert one.provider == "google_workspace"


def test_there_are_never_more_than_are_worth_a_try():
    assert len(merge("a@x", [candidate(f"h{i}", "guess") for i in range(100)])) == MOST
    assert merge("a@x") == []
