"""What is read from a file of mailboxes, and what is found wrong in it."""

import json

import pytest

from postroom.cli.roster import COLUMNS, read
from postroom.core.mailbox import Endpoint, Security

GIVEN = [
    "address,name,password,imap_host,imap_port,imap_security",
    "anna@example.org,Anna,s3cret,mail.example.org,993,tls",
]


def faults(content: bytes) -> list[str]:
    return [str(one) for one in read(content).faults]


def test_a_table_is_read():
    roster = read("\n".join(GIVEN).encode())
    (one,) = roster.applicants
    assert (one.line, one.address, one.name, one.credential.password) == (2, "anna@example.org", "Anna", "s3cret")
    assert one.imap == Endpoint("mail.example.org", 993, Security.TLS, "anna@example.org")
    assert one.smtp is None
    assert (one.hold_hours, one.folders) == (72, ("INBOX",))


@pytest.mark.parametrize(
    "content",
    [
        "address;password;reference\r\nanna@example.org;s3,cret;a\r\n".encode("utf-8-sig"),
        "sep=;\r\naddress;password;reference\r\nanna@example.org;s3,cret;a\r\n".encode("utf-8-sig"),
        "address\tpassword\treference\r\nanna@example.org\ts3,cret\ta\r\n".encode("utf-16"),
        b'E-Mail,Password,Reference\n\nanna@example.org,"s3,cret",a\n',
        b"address|password|reference\nanna@example.org|s3,cret|a",
    ],
    ids=["excel's semicolons", "excel's own first line", "unicode text", "commas", "bars"],
)
def test_tables_as_programs_write_them(content):
    roster = read(content)
    assert not roster.faults
    (one,) = roster.applicants
    assert (one.address, one.credential.password, one.reference) == ("anna@example.org", "s3,cret", "a")


def test_a_password_is_taken_as_it_stands():
    (one,) = read(b'address,password\nanna@example.org," a ""b"" "\n').applicants
    assert one.credential.password == ' a "b" '


def test_json_lines_are_read_flat_and_as_the_api_takes_them():
    flat = {"address": "a@example.org", "password": "x", "imap_host": "h.example.org", "hold_hours": 5}
    deep = {
        "address": "b@example.org",
        "auth": {"kind": "password", "password": "y"},
        "imap": {"host": "h.example.org", "port": 143, "security": "starttls", "username": "b"},
        "folders": ["INBOX", "Support"],
    }
    first, second = read(f"{json.dumps(flat)}\n\n{json.dumps(deep)}\n".encode()).applicants
    assert first.imap == Endpoint("h.example.org", 993, Security.TLS, "a@example.org")
    assert (first.hold_hours, second.line, second.folders) == (5, 3, ("INBOX", "Support"))
    assert second.imap == Endpoint("h.example.org", 143, Security.STARTTLS, "b")


def test_a_port_tells_its_usual_security():
    row = b"address,password,imap_host,smtp_host,smtp_port\na@example.org,x,h.example.org,h.example.org,587\n"
    (one,) = read(row).applicants
    assert one.smtp == Endpoint("h.example.org", 587, Security.STARTTLS, "a@example.org")


def test_folders_are_separated_by_bars():
    (one,) = read(b"address,password,folders\na@example.org,x,INBOX | Support/Second\n").applicants
    assert one.folders == ("INBOX", "Support/Second")


@pytest.mark.parametrize(
    ("content", "line", "words"),
    [
        (b"", None, "empty"),
        (b"address,password\n", None, "nothing below it"),
        (b"name,password\nAnna,x\n", 1, "no column named address"),
        (b"adress,password\nanna@example.org,x\n", 1, "name it address"),
        (b"address,name\nanna@example.org,x\n", 1, "no column named password"),
        (b"address,password,Address\na@example.org,x,b@example.org\n", 1, "two columns named address"),
        (b"address,password\na@example.org,x,y\n", 2, "must stand in quotes"),
        (b'address,password\na@example.org,"x\n', 2, "quotation mark"),
        (b"address,password\na@example.org,x\nanna.example.org,x\n", 3, "no @"),
        (b"address,password\na@example.org,x\nb@example.org,\n", 3, "password is missing"),
        (b"address,password\na@example.org,x\n\nA@example.org,y\n", 4, "stands in line 2 already"),
        (b"address,password,imap_host,imap_port\na@example.org,x,h.example.org,99999\n", 2, "imap_port"),
        (b"address,password,imap_port\na@example.org,x,993\n", 2, "imap_host"),
        (b"address,password,imap_host,imap_security\na@example.org,x,h.example.org,ssl\n", 2, "tls, starttls"),
        (b"address,password,hold_hours\na@example.org,x,many\n", 2, "whole number"),
        ("address,password\na@example.org,Gr\u00fc\u00dfe\n".encode("cp1252"), 2, "CSV UTF-8"),
        (b'[{"address": "a@example.org", "password": "x"}]', 1, "not JSON lines"),
        (b'{"address": "a@example.org", "password": "x"}\n{"address": ', 2, "no JSON object"),
        (b'{"address": "a@example.org", "password": "x"}\n7\n', 2, "no object"),
        (b'{"address": "a@example.org", "password": 12345}', 1, "must be text"),
        (b'{"address": "a@example.org", "pasword": "x"}', 1, "name it password"),
    ],
)
def test_what_is_wrong_is_told_with_its_line_and_the_mend(content, line, words):
    told = faults(content)
    assert any(words in one and (line is None or one.startswith(f"line {line}: ")) for one in told), told


def test_every_fault_is_told_at_once():
    assert len(faults(b"address,password\nnobody,x\na@example.org,\nb@example.org,x\nb@example.org,x\n")) == 3


def test_no_fault_shows_a_password():
    rows = [
        'address,password\nanna@example.org,"hunter2\n',
        "address,password\nanna@example.org,hunter2,hunter2\n",
        "address,password,hold_hours\nanna@example.org,hunter2,many\n",
        '{"address": "a@example.org", "password": "hunter2", "hold_hours": "x"}',
        '{"address": "a@example.org", "password": ["hunter2"]}',
        '{"address": "a@example.org", "password": "hunter2"',
        "address,password\nanna@example.org,hunter2\nanna@example.org,hunter2\n",
        '{"address": "a@example.org", "password": "hunter2\\u0000"}',
    ]
    for one in rows:
        roster = read(one.encode())
        assert roster.faults
        assert "hunter2" not in f"{roster} {roster.faults}"


def test_columns_of_others_are_named_and_passed_over():
    roster = read(b"address,password,department\na@example.org,x,Sales\n")
    assert (len(roster.applicants), roster.unknown, roster.faults) == (1, ["department"], [])


def test_every_column_is_known():
    header = ",".join((*COLUMNS, "line", "code", "message", "first_step"))
    assert read(f"{header}\n".encode()).unknown == []
