"""Recorded failures of real servers, played by the simulator to the running service: it gives them the code that people
gave them. And `postroom simulate replay`, which plays them by hand. It knows no words of its own."""

import contextlib
import json
from pathlib import Path

import pytest
import pytest_asyncio

from postroom.core.provider import by_key
from postroom.simulator import Behaviour, Simulator
from tests.walks.postroom import Postroom

pytestmark = pytest.mark.asyncio(loop_scope="module")

FILES = {name: Path(__file__).parent.parent / "corpus" / f"{name}-dev.jsonl" for name in ("imap", "smtp")}
PROBED = {
    "imap": ("connect", "tls", "greeting", "capability", "starttls", "auth", "select"),
    "smtp": ("connect", "tls", "greeting", "ehlo", "starttls", "auth"),
}
MESSAGE_STAGES = ("mail", "rcpt", "data", "send", "fetch")
FACTS = ("status", "response_code", "smtp_code", "enhanced")
SECURITY = {"tls": "tls", "starttls": "starttls", "capability": "starttls"}
SUCCEED = {
    "imap-0048": "the sign-in is answered OK, late",
    "imap-0120": "the sign-in is answered OK, and throttled",
    "imap-0157": "the sign-in is answered OK",
    "imap-0284": "the sign-in is answered OK, with an alert",
    "imap-0305": "the client did not understand a good greeting",
}
"""Records in which the server took the client in: a probe gets through as well."""
MISSED = {
    "imap-0233": "only the client said that it was TLS; what can be played is a lost connection",
    "imap-0358": "only the client said that no algorithm was common; what can be played is a lost connection",
    "smtp-0297": "no answer was recorded, only that there was none of use; what can be played is a 550",
}
"""What is not judged as people did, and why."""

CORPUS = [
    json.loads(line)
    for file in FILES.values()
    for line in file.read_text(encoding="utf-8").split("\n")  # not splitlines: some texts hold other line ends
    if line
]
RECORDS = [one for one in CORPUS if one["stage"] in PROBED[one["direction"]]]
STAGES = sorted({(one["direction"], one["stage"]) for one in RECORDS})


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def postroom(tmp_path_factory):
    """One for all tests of this file."""
    async with Postroom(tmp_path_factory.mktemp("postroom")) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def provider():
    """One mail provider for all tests of this file."""
    async with Simulator() as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def command(postroom, provider):
    """Runs `postroom simulate …` on the provider; what it printed."""

    async def run(*arguments, code=0):
        control = f"http://127.0.0.1:{provider.control_port}"
        return " ".join((await postroom.command("simulate", *arguments, "--control", control, code=code)).split())

    yield run
    await provider.clear_faults()


def body_for(provider, address, security="none"):
    """How an address at the provider is connected."""
    tls = security == "tls"
    ports = {
        "imap": provider.imaps_port if tls else provider.imap_port,
        "smtp": provider.smtps_port if tls else provider.smtp_port,
    }
    ends = {
        protocol: {"host": "127.0.0.1", "port": port, "security": security, "username": address}
        for protocol, port in ports.items()
    }
    auth = {"kind": "password", "password": "secret"}
    return {"address": address, "auth": auth, "ca_certificate": provider.ca_pem} | ends


async def probed(postroom, provider, address, security="none"):
    return await postroom.post("/probe", body_for(provider, address, security))


@contextlib.asynccontextmanager
async def playing(provider, record):
    """The record is played for an account of its own: its address, and the fault."""
    domains = by_key(record["provider"]).domains  # on this machine it is the address that tells the provider
    address = f"{record['id']}@{domains[0] if domains else 'rig.test'}"
    provider.create_account(address, "secret")
    facts = {name: record[name] for name in FACTS if record.get(name) is not None}
    played = await provider.replay(record["direction"], record["stage"], record["raw"], **facts)
    try:
        yield address, played.fault
    finally:
        await provider.clear_faults()
        provider.delete_account(address)


def judged(record, diagnosis):
    """Whether the diagnosis is the one that people made, or one that they took for right as well."""
    codes = {f"{record['direction']}.{code}" for code in (record["code"], *record["alt"])}
    return diagnosis is not None and diagnosis["code"] in codes


def surprise(record, diagnosis):
    """What was not expected of this record."""
    if judged(record, diagnosis) is not (record["id"] in MISSED):
        return []
    return [(record["id"], record["code"], diagnosis and (diagnosis["code"], diagnosis["matched"]))]


@pytest.mark.parametrize(("direction", "stage"), STAGES)
async def test_a_probe_judges_what_servers_really_said_as_people_did(postroom, provider, direction, stage):
    surprises, played = [], 0
    for record in RECORDS:
        if (record["direction"], record["stage"]) != (direction, stage):
            continue
        async with playing(provider, record) as (address, fault):
            if fault.behaviour is Behaviour.HANG:
                continue  # each would take 15 seconds; one is tried below
            report = (await probed(postroom, provider, address, SECURITY.get(stage, "none")))[direction]
        played += 1
        if record["id"] in SUCCEED:
            assert report["ok"], record["id"]
        else:
            surprises += surprise(record, report["diagnosis"])
    assert played > 0
    assert surprises == [], "what is in MISSED and is judged rightly now is to be taken out there"
    assert provider.crashes == []


async def test_a_server_that_says_nothing_is_given_up_and_told(postroom, provider):
    (record,) = [one for one in RECORDS if one["id"] == "smtp-0285"]
    async with playing(provider, record) as (address, fault):
        assert fault.behaviour is Behaviour.HANG
        report = await probed(postroom, provider, address, SECURITY.get(record["stage"], "none"))
    assert judged(record, report["smtp"]["diagnosis"])


@pytest.mark.parametrize("stage", MESSAGE_STAGES)
async def test_sending_and_reading_judge_what_servers_really_said_as_people_did(postroom, provider, stage):
    """The stages that no probe reaches. What is refused at APPEND and LOGOUT shows nowhere: it breaks nothing."""
    surprises = []
    for record in [one for one in CORPUS if one["stage"] == stage]:
        async with playing(provider, record) as (address, _):
            if stage == "fetch":
                provider.deliver(address, subject="A question", text="Where is it?")
            mailbox = await postroom.connect(body_for(provider, address))
            delivery = await postroom.send(mailbox["id"]) if record["direction"] == "smtp" else None
            surprises += surprise(record, await told(postroom, mailbox, delivery))
            await postroom.api.delete(f"/v1/mailboxes/{mailbox['id']}")
    assert surprises == []
    assert provider.crashes == []


async def told(postroom, mailbox, delivery):
    """The diagnosis that shows: of the delivery, or of a direction of the mailbox."""

    async def diagnoses():
        shown = await postroom.mailbox(mailbox["id"])
        places = [shown["receiving"] if delivery is None else shown["sending"]]
        if delivery is not None:
            places.append(await postroom.get(f"/deliveries/{delivery['id']}"))
        return [place["diagnosis"] for place in places if place["diagnosis"]]

    return (await postroom.until(diagnoses, bool, 30))[0]


async def test_a_record_of_a_file_is_played_by_its_id(postroom, provider, command):
    provider.create_account("by-id@rig.test", "secret")
    said = await command("replay", str(FILES["smtp"]), "--id", "smtp-0002", "--times", "1")
    assert said.startswith("smtp auth fails now")
    report = await probed(postroom, provider, "by-id@rig.test")
    assert report["imap"]["ok"]
    assert report["smtp"]["diagnosis"]["code"] == "smtp.temporary_auth_failure"
    assert "454 4.7.0 Temporary authentication failure." in report["smtp"]["diagnosis"]["raw"]
    assert (await probed(postroom, provider, "by-id@rig.test"))["ok"]


async def test_a_text_is_played_at_a_stage_for_one_account_until_it_is_mended(postroom, provider, command):
    for name in ("one@rig.test", "other@rig.test"):
        provider.create_account(name, "secret")
    text = "NO [UNAVAILABLE] Temporary authentication failure."
    await command("replay", "--direction", "imap", "--stage", "auth", "--account", "one@rig.test", text)
    report = await probed(postroom, provider, "one@rig.test")
    assert report["imap"]["diagnosis"]["code"] == "imap.account_unreachable"
    assert text.removeprefix("NO ") in report["imap"]["diagnosis"]["raw"]
    assert (await probed(postroom, provider, "other@rig.test"))["ok"]
    await command("mend")
    assert (await probed(postroom, provider, "one@rig.test"))["ok"]


async def test_what_cannot_be_played_is_told_in_a_sentence(provider, command):
    for arguments, said in (
        (["no-such-file.jsonl"], "no-such-file.jsonl cannot be read"),
        ([str(FILES["smtp"])], "choose one with --id"),
        ([str(FILES["smtp"]), "--id", "smtp-9999"], "holds no record with the id smtp-9999"),
        ([__file__], "line 1: no JSON"),
        (["--stage", "auth", "535 No"], "--direction and --stage go together"),
        (["--direction", "smtp", "--stage", "auth", "--id", "x", "535 No"], "--id chooses a record of a file"),
        (["--direction", "smtp", "--stage", "dns", "no such host"], "dns cannot be played here"),
        (["--direction", "smtp", "--stage", "nowhere", "535 No"], "is not a stage of smtp"),
    ):
        assert said in await command("replay", *arguments, code=2)
    assert provider.faults.standing == {}
