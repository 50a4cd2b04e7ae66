"""`postroom check` as an admin runs it: a process of its own, no database and no server beside it."""

import asyncio
import json
import os
import pty
import re
import sys
import termios
import time

import pytest

from postroom.simulator import Fault, Service, Simulator
from tests.walks.postroom import PLAIN

PASSWORD = "the password of the test"
ADDRESS = "support@example.test"


async def check(tmp_path, *arguments, code=0, password=PASSWORD, **environment):
    """Runs it; gives what it printed and what it complained. `password` None leaves standard input empty."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "postroom",
        "check",
        *arguments,
        env=surroundings(tmp_path, **environment),
        cwd=tmp_path,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    typed = b"" if password is None else f"{password}\n".encode()
    out, err = await asyncio.wait_for(process.communicate(typed), 90)
    assert process.returncode == code, (process.returncode, out.decode(), err.decode())
    assert password is None or password not in (out + err).decode()
    return out.decode(), err.decode()


def surroundings(tmp_path, **environment):
    """No database can be opened here: none is needed."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("POSTROOM_")}
    return clean | {
        "POSTROOM_DATABASE": "postgresql://nobody@127.0.0.1:1/none",
        "POSTROOM_DATA": str(tmp_path / "nothing"),
        "POSTROOM_ALLOW_PRIVATE_HOSTS": "true",
        "POSTROOM_PLAINTEXT_HOSTS": PLAIN,
        **environment,
    }


@pytest.fixture
async def simulator():
    async with Simulator() as running:
        running.create_account(ADDRESS, PASSWORD)
        yield running


async def fault(simulator, stage, answer):
    await simulator.add_fault(Fault(protocol=Service.SMTP, stage=stage, answer=answer))


@pytest.fixture
def servers(simulator, tmp_path):
    """The options that name the simulator's servers."""
    ca = tmp_path / "ca.pem"
    ca.write_text(simulator.ca_pem)
    imap, smtp = f"127.0.0.1:{simulator.imaps_port}", f"127.0.0.1:{simulator.smtps_port}"
    return ["--imap", imap, "--smtp", smtp, "--ca-certificate", str(ca)]


async def test_a_mailbox_that_works_is_told_step_by_step(tmp_path, servers, simulator):
    out, err = await check(tmp_path, ADDRESS, *servers)
    assert err == ""
    for direction, names in (
        ("IMAP", ["resolve", "connect", "tls", "greeting", "sign in", "select"]),
        ("SMTP", ["resolve", "connect", "tls", "greeting", "capabilities", "sign in"]),
    ):
        assert re.findall(rf"^  {direction} ✓ (\w+(?: \w+)?) +\d+ ms  ", out, re.MULTILINE) == names
    assert "Both directions work." in out
    assert not simulator.outbox
    assert list(tmp_path.iterdir()) == [tmp_path / "ca.pem"]


async def test_json_has_both_directions_with_steps_settings_and_diagnosis(tmp_path, servers):
    out, _ = await check(tmp_path, ADDRESS, *servers, "--json", code=1, password="not it")
    report = json.loads(out)
    assert (report["address"], report["ok"], report["sign_in_tried"]) == (ADDRESS, False, True)
    assert report["send_test"] is None
    for direction in ("imap", "smtp"):
        settings = report["settings"][direction]
        assert (settings["security"], settings["username"], settings["source"]) == ("tls", ADDRESS, "options")
        probe = report[direction]
        assert probe["steps"][-1]["name"] == "sign_in"
        assert probe["steps"][-1].keys() == {"name", "ok", "detail", "milliseconds"}
        assert probe["diagnosis"]["code"] == f"{direction}.invalid_credentials"
        assert report["tried"][direction] == [settings | {"ok": False, "code": f"{direction}.invalid_credentials"}]


async def test_a_direction_that_fails_is_told_with_its_diagnosis_and_code_one(tmp_path, servers, simulator):
    await fault(simulator, "auth", "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled")
    out, _ = await check(tmp_path, ADDRESS, *servers, code=1)
    assert "Sending does not work:" in out
    assert "Receiving does not work" not in out
    assert "  1. " in out
    assert "Technical detail: 535 5.7.139" in out


async def test_without_a_password_all_before_the_sign_in_is_tried(tmp_path, servers):
    out, _ = await check(tmp_path, ADDRESS, *servers, "--no-sign-in")
    assert "The sign-in was not tried: no password was given." in out
    assert "sign in  " not in out
    assert "IMAP ✓ greeting" in out
    report = json.loads((await check(tmp_path, ADDRESS, *servers, "--json", password=None))[0])
    assert (report["ok"], report["sign_in_tried"]) == (True, False)


async def test_a_test_message_goes_out_only_when_it_is_asked_for(tmp_path, servers, simulator):
    out, _ = await check(tmp_path, ADDRESS, *servers, "--send-test")
    assert "The test message was in INBOX" in out
    assert "deleted from INBOX" in out
    assert len(simulator.outbox) == 1
    out, _ = await check(tmp_path, ADDRESS, *servers, "--send-test", "--json")
    assert json.loads(out)["send_test"].items() >= {"ok": True, "folder": "INBOX", "removed": True}.items()


async def test_a_test_message_that_is_refused_is_code_one(tmp_path, servers, simulator):
    await fault(simulator, "dot", "554 5.2.252 SendAsDenied; support not allowed to send as support")
    out, _ = await check(tmp_path, ADDRESS, *servers, "--send-test", code=1)
    assert "The test message failed:" in out
    out, _ = await check(tmp_path, ADDRESS, *servers, "--send-test", "--json", code=1)
    assert json.loads(out)["send_test"]["diagnosis"]["code"] == "smtp.access_restricted"


async def test_a_shared_mailbox_is_told_what_only_a_message_proves(tmp_path, servers, simulator):
    simulator.create_account("anna@example.test", PASSWORD)
    out, _ = await check(tmp_path, ADDRESS, *servers, "--username", "anna@example.test")
    assert "SMTP ✓ sender" in out
    out = " ".join(out.split())
    assert "Warning: Receiving signs in as anna@example.test" in out
    assert "--send-test sends one message" in out


async def test_a_test_message_shows_that_the_inbox_is_the_persons_own(tmp_path, servers, simulator):
    simulator.create_account("anna@example.test", PASSWORD)
    arguments = (*servers, "--username", "anna@example.test", "--send-test", "--wait", "1")
    out, _ = await check(tmp_path, ADDRESS, *arguments, code=1)
    assert "The test message did not arrive as it should:" in out
    assert "whether both servers serve the same mailbox" in out


async def test_an_address_whose_servers_cannot_be_found_is_a_finding_and_clean_json(tmp_path):
    address = "support@no-such-domain.invalid"
    out, err = await check(tmp_path, address, code=1)
    assert "no mail server was found for support@no-such-domain.invalid" in err
    assert "--imap" in err
    out, err = await check(tmp_path, address, "--json", code=1)
    assert json.loads(out)["settings"] is None
    assert err == ""


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nonsense"], "is not an email address"),
        ([ADDRESS, "--imap", "host:99999"], "--imap"),
        ([ADDRESS, "--ca-certificate", "nowhere.pem"], "--ca-certificate"),
        ([ADDRESS, "--password-file", "nowhere"], "--password-file"),
        ([ADDRESS, "--send-test", "--no-sign-in"], "--send-test"),
        ([ADDRESS, "--imap-security", "ssl"], "ssl"),
    ],
)
async def test_wrong_options_are_code_two(tmp_path, arguments, words):
    _, err = await check(tmp_path, *arguments, code=2)
    assert words in err


async def test_the_password_is_asked_for_on_a_terminal_and_not_shown(tmp_path, servers):
    out = await on_a_terminal(tmp_path, servers, columns=50)
    assert "Password:" in out
    assert PASSWORD not in out
    assert "Both directions work." in out


async def test_no_line_is_wider_than_a_narrow_terminal(tmp_path, servers, simulator):
    await fault(simulator, "auth", "535 5.7.8 \x1b]0;owned\x07 Bad credentials, please visit our pages and read")
    out = await on_a_terminal(tmp_path, servers, columns=50)
    colours = re.compile(r"\x1b\[[0-9;]*m")
    lines = [colours.sub("", line).rstrip() for line in out.splitlines()]
    assert "Sending does not work:" in lines
    assert max(map(len, lines)) <= 50
    assert "\x1b]" not in out  # a server's words do not steer the terminal


def until_nothing_is_echoed(terminal):
    """What is typed before the question is really asked would be thrown away."""
    while termios.tcgetattr(terminal)[3] & termios.ECHO:
        time.sleep(0.01)


async def on_a_terminal(tmp_path, servers, columns):
    """Runs it on a terminal of its own, types the password, gives what the terminal shows."""
    ours, theirs = pty.openpty()
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "postroom",
        "check",
        ADDRESS,
        *servers,
        env=surroundings(tmp_path, COLUMNS=str(columns), TERM="xterm-256color"),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    loop = asyncio.get_running_loop()
    shown, typed = b"", False
    async with asyncio.timeout(60):
        while True:
            try:
                piece = await loop.run_in_executor(None, os.read, ours, 4096)
            except OSError:  # EIO: the other end is closed
                break
            if not piece:
                break
            shown += piece
            if not typed and b"Password" in shown:
                typed = True
                await loop.run_in_executor(None, until_nothing_is_echoed, ours)
                os.write(ours, f"{PASSWORD}\n".encode())
        await process.wait()
    os.close(ours)
    return shown.decode()


async def test_aliases_are_asked_and_a_server_without_tls_must_be_named(tmp_path, simulator):
    fault = Fault(protocol=Service.SMTP, stage="mail", argument="sales@", answer="553 5.7.1 Sender address rejected")
    await simulator.add_fault(fault)
    ends = ["--imap", f"127.0.0.1:{simulator.imap_port}", "--smtp", f"127.0.0.1:{simulator.smtp_port}"]
    plain = ["--imap-security", "none", "--smtp-security", "none", "--json"]
    aliases = ["--alias", "help@example.test", "--alias", "Sales <sales@example.test>"]
    out, _ = await check(tmp_path, ADDRESS, *ends, *plain, *aliases, code=1)
    shown = json.loads(out)
    assert (shown["imap"]["ok"], shown["smtp"]["ok"]) == (True, True)
    assert [(one["address"], one["ok"]) for one in shown["aliases"]] == [
        ("help@example.test", True),
        ("sales@example.test", False),
    ]
    assert shown["aliases"][1]["diagnosis"]["code"] == "smtp.access_restricted"
    out, _ = await check(tmp_path, ADDRESS, *ends, *plain, code=1, POSTROOM_PLAINTEXT_HOSTS="mail.example.com")
    for direction in ("imap", "smtp"):
        diagnosis = json.loads(out)[direction]["diagnosis"]
        assert diagnosis["matched"] == "ours.plaintext"
        assert "127.0.0.1 to POSTROOM_PLAINTEXT_HOSTS" in " ".join(diagnosis["steps"])
    assert simulator.sessions == []
