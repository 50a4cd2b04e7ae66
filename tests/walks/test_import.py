"""Many mailboxes from a file: what can be connected is, what cannot is told, and a second run does only the rest."""

import asyncio
import collections
import contextlib
import csv
import json
import signal

import pytest

from postroom.simulator import Behaviour, Fault, Service, Simulator
from postroom.simulator.accounts import Account
from tests.rig.sink import Sink
from tests.walks.postroom import PROGRAM

ENDS = [f"{protocol}_{part}" for protocol in ("imap", "smtp") for part in ("host", "port", "security", "username")]
COLUMNS = ("address", "name", "password", *ENDS, "folders")


def written(path, rows):
    with path.open("w", newline="") as file:
        table = csv.DictWriter(file, COLUMNS, restval="")
        table.writeheader()
        table.writerows(rows)
    return path


def row(user, imap_port, smtp_port, **more):
    end = {"host": "127.0.0.1", "security": "none", "username": user.name}
    imap = {f"imap_{name}": value for name, value in (end | {"port": imap_port}).items()}
    smtp = {f"smtp_{name}": value for name, value in (end | {"port": smtp_port}).items()}
    return {"address": user.address, "password": user.password, **imap, **smtp, **more}


def lines(text):
    """The JSON lines of a run: of each mailbox by its address, and the sums."""
    *each, sums = [json.loads(line) for line in text.splitlines()]
    return {one["address"]: one for one in each}, sums["sums"]


async def test_many_of_which_some_are_broken_and_a_run_that_is_killed(postroom, dovecot, tmp_path):
    users = [dovecot.add_user() for _ in range(120)]
    broken = {user.address: "imap.invalid_credentials" for user in users[20:60:8]}
    no_folder = {user.address: "imap.folder_error" for user in users[60:90:10]}
    elsewhere = {user.address: "imap.server_connection" for user in users[100:103]}
    async with Sink(users={user.name: user.password for user in users}) as sink:
        no_sending = {user.address: "smtp.invalid_credentials" for user in users[110:113]}
        for user in users[110:113]:
            sink.users[user.name] = "another"
        rows = []
        for user in users:
            one = row(user, dovecot.imap_port, sink.port, name="Support")
            if user.address in broken:
                one["password"] = "not-this-one"
            if user.address in no_folder:
                one["folders"] = "INBOX|Missing"
            if user.address in elsewhere:
                one |= {"imap_port": 1, "imap_host": f"127.0.3.{len(rows) % 200}", "imap_security": "tls"}
            rows.append(one)
        file = written(tmp_path / "mailboxes.csv", rows)
        command = (*PROGRAM, "mailbox", "import", str(file), "--json")
        process = await asyncio.create_subprocess_exec(
            *command, env=postroom.environment, stdout=asyncio.subprocess.PIPE
        )
        for _ in range(50):
            await process.stdout.readline()
        process.send_signal(signal.SIGKILL)
        await process.wait()
        here = {one["address"] for one in await postroom.everything("/mailboxes")}
        assert 20 < len(here) < 110

        report = tmp_path / "failed.csv"
        each, sums = lines(await postroom.command("mailbox", "import", str(file), "--json", "--report", report, code=1))
        expected = broken | no_folder | elsewhere | no_sending
        assert {one["address"]: one["code"] for one in each.values() if one["outcome"] == "failed"} == expected
        assert {one for one, told in each.items() if told["outcome"] == "present"} == here
        assert sums == {
            "connected": 120 - len(expected) - len(here),
            "present": len(here),
            "failed": len(expected),
            "untried": 0,
        }
        mailboxes = await postroom.everything("/mailboxes")
        assert {one["address"] for one in mailboxes} == {user.address for user in users} - set(expected)

        with report.open(newline="") as read:
            failed = list(csv.DictReader(read))
        assert {one["address"]: one["code"] for one in failed} == expected
        assert {int(one["line"]) for one in failed} == {
            rows.index(one) + 2 for one in rows if one["address"] in expected
        }
        assert "not-this-one" not in report.read_text()
        assert not any(one["password"] for one in failed)
        assert report.stat().st_mode & 0o777 == 0o600

        # What the admin does: mends the report, and imports it.
        by_address = {one["address"]: one for one in rows}
        for user in users:
            sink.users[user.name] = user.password
            by_address[user.address] |= {"password": user.password, "folders": "", "imap_host": "127.0.0.1"}
            by_address[user.address] |= {"imap_port": dovecot.imap_port, "imap_security": "none"}
        mended = [one | {name: by_address[one["address"]][name] for name in COLUMNS[2:]} for one in failed]
        with report.open("w", newline="") as write:
            table = csv.DictWriter(write, mended[0])
            table.writeheader()
            table.writerows(mended)
        # Three were mended at the server: their passwords are the ones that were refused.
        each, sums = lines(await postroom.command("mailbox", "import", str(report), "--json", "--again"))
        assert sums["connected"] == len(expected)
        assert len(await postroom.everything("/mailboxes")) == 120


@contextlib.contextmanager
def counted(monkeypatch):
    """Every sign-in by address, and the most that were under way for one address at once."""
    seen = collections.Counter()
    accepts = Account.accepts

    def counting(self, credentials):
        seen[self.address] += 1
        return accepts(self, credentials)

    monkeypatch.setattr(Account, "accepts", counting)
    yield seen


@pytest.fixture
async def simulator():
    async with Simulator(control_port=None) as running:
        yield running


def simulated(simulator, address, password, **more):
    end = {"host": "127.0.0.1", "security": "none", "username": address}
    imap = {f"imap_{name}": value for name, value in (end | {"port": simulator.imap_port}).items()}
    smtp = {f"smtp_{name}": value for name, value in (end | {"port": simulator.smtp_port}).items()}
    return {"address": address, "password": password, **imap, **smtp, **more}


async def test_a_refused_password_is_shown_once_and_never_again(postroom, simulator, tmp_path, monkeypatch):
    rows = []
    for number in range(6):
        address = f"u{number}@example.org"
        simulator.create_account(address, "right")
        rows.append(simulated(simulator, address, "right" if number else "hunter2"))
    file = written(tmp_path / "mailboxes.csv", rows)
    with counted(monkeypatch) as seen:
        first = await postroom.command("mailbox", "import", str(file), code=1)
        again = await postroom.command("mailbox", "import", str(file), code=1)
        assert seen["u0@example.org"] == 1  # not at IMAP and SMTP both, and not in the second run
        assert "hunter2" not in first + again + postroom.log.read_text()
        assert "line 2" in first
        assert "5 connected, 1 failed" in first
        assert "5 connected before, 1 failed" in again
        assert "not tried again with the same password" in again
        await postroom.command("mailbox", "import", str(file), "--again", code=1)
        assert seen["u0@example.org"] == 2
    kept = (postroom.folder / "data" / "refused-sign-ins.jsonl").read_text()
    assert "hunter2" not in kept


async def test_a_provider_that_refuses_many_alike_is_left_alone(postroom, simulator, tmp_path, monkeypatch):
    rows = []
    for number in range(80):
        address = f"u{number}@example.org"
        simulator.create_account(address, "right")
        rows.append(simulated(simulator, address, "wrong"))
    file = written(tmp_path / "mailboxes.csv", rows)
    with counted(monkeypatch) as seen:
        each, sums = lines(await postroom.command("mailbox", "import", str(file), "--json", code=1))
    assert 5 <= seen.total() <= 9
    assert sums["failed"] == seen.total()
    assert sums["untried"] == 80 - seen.total()
    told = {one["message"] for one in each.values() if one["outcome"] == "untried"}
    assert all("failed alike" in one and "127.0.0.1" in one for one in told)


async def test_an_import_that_is_interrupted_says_what_is_left(postroom, simulator, tmp_path):
    rows = []
    for number in range(150):
        address = f"u{number}@example.org"
        simulator.create_account(address, "right")
        rows.append(simulated(simulator, address, "right"))
    file = written(tmp_path / "mailboxes.csv", rows)
    report = tmp_path / "rest.csv"
    await simulator.add_fault(
        Fault(protocol=Service.IMAP, stage="auth", behaviour=Behaviour.SLOW, delay=0.5)  # it is not over too soon
    )
    process = await asyncio.create_subprocess_exec(
        *PROGRAM,
        *("mailbox", "import", str(file), "--json", "--report", str(report), "--with-passwords"),
        env=postroom.environment,
        stdout=asyncio.subprocess.PIPE,
    )
    began = [await process.stdout.readline() for _ in range(20)]
    process.send_signal(signal.SIGINT)
    out, _ = await asyncio.wait_for(process.communicate(), 90)
    assert process.returncode == 130
    await simulator.clear_faults()
    each, sums = lines((b"".join(began) + out).decode())
    assert len(each) == 150
    assert sums["untried"] > 50
    # The rest is what the report has, ready to be imported.
    each, sums = lines(await postroom.command("mailbox", "import", str(report), "--json"))
    assert sums["failed"] == sums["untried"] == 0
    assert len(await postroom.everything("/mailboxes")) == 150


async def test_a_file_that_is_wrong_somewhere_is_not_begun(postroom, tmp_path):
    file = tmp_path / "mailboxes.csv"
    file.write_text("address,password\na@example.org,hunter2\nnobody,hunter2\na@example.org,hunter2\n")
    told = await postroom.command("mailbox", "import", str(file), code=2)
    assert "line 3: address: This is no email address" in told
    assert "line 4: a@example.org stands in line 2 already" in told
    assert "nothing was tried" in told
    assert "hunter2" not in told
