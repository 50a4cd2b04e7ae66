"""Every recorded failure of real servers, played by the simulator to the running service at the stage where it was met:
it gives them the code that people gave them. And `postroom simulate replay`, which plays them by hand."""

import asyncio
import contextlib
import json
from pathlib import Path

import pytest
import pytest_asyncio

from postroom.core.provider import by_key
from postroom.simulator import Behaviour, Simulator
from postroom.simulator.replay import fault_from_record
from tests.walks.postroom import Postroom

pytestmark = pytest.mark.asyncio(loop_scope="module")

FILES = {name: Path(__file__).parent.parent / "corpus" / f"{name}-dev.jsonl" for name in ("imap", "smtp")}
BEFORE_SIGN_IN = ("connect", "tls", "greeting", "capability", "ehlo", "starttls")
"""What fails there fails for everybody: each record has a provider to itself meanwhile."""
PROBED = (*BEFORE_SIGN_IN, "auth", "select")
RUNNING = ("mail", "rcpt", "data", "send", "fetch")
"""What no probe reaches: a mailbox is connected, sends or reads."""
ELSEWHERE = ("dns", "oauth", "append", "logout")
"""Each has a test of its own."""
FACTS = ("status", "response_code", "smtp_code", "enhanced")
SECURITY = {"tls": "tls", "starttls": "starttls", "capability": "starttls"}
SUCCEED = {
    "imap-0048": "the sign-in is answered OK, late",
    "imap-0120": "the sign-in is answered OK, and throttled",
    "imap-0157": "the sign-in is answered OK",
    "imap-0165": "the copy is taken, and the server tells that the quota is used up",
    "imap-0284": "the sign-in is answered OK, with an alert",
    "imap-0305": "the client did not understand a good greeting",
}
"""Records in which the server did what it was asked."""
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
AT_ONCE = 8
PATIENCE = 120.0


def recorded(*stages, direction=None):
    return [one for one in CORPUS if one["stage"] in stages and direction in (None, one["direction"])]


def facts(record):
    return {name: record[name] for name in FACTS if record.get(name) is not None}


def hangs(record):
    """Whether it is silence that is played: such a probe lasts as long as our patience."""
    if record["stage"] == "dns":
        return False
    fault = fault_from_record(record["direction"], record["stage"], record["raw"], **facts(record))
    return fault.behaviour is Behaviour.HANG


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def postroom(tmp_path_factory):
    """One for all tests of this file."""
    async with Postroom(tmp_path_factory.mktemp("postroom")) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def provider():
    """One mail provider for all that fails for one account only."""
    async with Simulator() as running:
        yield running
        assert running.crashes == []


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def providers():
    """Some more, in a queue: who takes one has it alone, and puts it back."""
    async with contextlib.AsyncExitStack() as stack:
        queue = asyncio.Queue()
        all_of_them = [await stack.enter_async_context(Simulator(control_port=None)) for _ in range(AT_ONCE // 2)]
        for one in all_of_them:
            queue.put_nowait(one)
        yield queue
        assert [one.crashes for one in all_of_them if one.crashes] == []


@pytest_asyncio.fixture(scope="module", loop_scope="module", autouse=True)
async def silence(postroom):
    """The probes of servers that say nothing, begun before all tests: they take seconds in which nothing happens."""
    async with Simulator(control_port=None) as silent:

        async def met(record):
            async with playing(silent, record) as address:
                return record, await probed(postroom, silent, address, record)

        task = asyncio.gather(*(met(record) for record in CORPUS if hangs(record)))
        yield task
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


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


async def tried(postroom, provider, address, security="none", **other):
    return await postroom.post("/probe", body_for(provider, address, security) | other)


async def probed(postroom, provider, address, record, **other):
    """The report on the record's direction, from a probe that goes its way."""
    security = SECURITY.get(record["stage"], "none")
    return (await tried(postroom, provider, address, security, **other))[record["direction"]]


@contextlib.asynccontextmanager
async def playing(provider, record, domain=None):
    """The record is played for an account of its own: its address."""
    domains = by_key(record["provider"]).domains  # on this machine it is the address that tells the provider
    address = f"{record['id']}@{domain or (domains[0] if domains else 'rig.test')}"
    provider.create_account(address, "secret")
    played = await provider.replay(
        record["direction"], record["stage"], record["raw"], **facts(record), account=address
    )
    try:
        yield address
    finally:
        await provider.clear_faults(played.id)
        provider.delete_account(address)


async def all_of(records, meet):
    """What was not expected of these records; so many are met at a time."""
    places = asyncio.Semaphore(AT_ONCE)

    async def met(record):
        async with places:
            return await meet(record)

    return [one for found in await asyncio.gather(*(met(record) for record in records)) for one in found]


def judged(record, diagnosis):
    """Whether the diagnosis is the one that people made, or one that they took for right as well."""
    codes = {f"{record['direction']}.{code}" for code in (record["code"], *record["alt"])}
    return diagnosis is not None and diagnosis["code"] in codes


def surprise(record, report):
    """What was not expected of this record."""
    diagnosis = report["diagnosis"]
    right = report["ok"] if record["id"] in SUCCEED else judged(record, diagnosis)
    if right is not (record["id"] in MISSED):
        return []
    return [(record["id"], record["code"], diagnosis and (diagnosis["code"], diagnosis["matched"]))]


async def test_every_stage_of_the_corpus_is_played():
    assert {one["stage"] for one in CORPUS} == {*PROBED, *RUNNING, *ELSEWHERE}


@pytest.mark.parametrize("stage", BEFORE_SIGN_IN)
async def test_what_fails_before_the_sign_in_is_judged_as_people_did(postroom, providers, stage):
    async def meet(record):
        provider = await providers.get()
        try:
            async with playing(provider, record) as address:
                return surprise(record, await probed(postroom, provider, address, record))
        finally:
            providers.put_nowait(provider)

    assert await all_of([one for one in recorded(stage) if not hangs(one)], meet) == [], "less may be MISSED now?"


@pytest.mark.parametrize("direction", FILES)
async def test_what_fails_at_the_sign_in_or_the_folder_is_judged_as_people_did(postroom, provider, direction):
    async def meet(record):
        async with playing(provider, record) as address:
            return surprise(record, await probed(postroom, provider, address, record))

    assert await all_of(recorded("auth", "select", direction=direction), meet) == []


async def test_what_a_token_endpoint_answers_is_judged_as_people_did(postroom, provider):
    registered = {
        "provider": "issuer",
        "issuer": provider.issuer,
        "client_id": provider.oauth.client_id,
        "secret": provider.oauth.client_secret,
        "scopes": ["mail"],
    }
    client = await postroom.post("/oauth/clients", registered, status=201)

    async def meet(record):
        async with playing(provider, record) as address:
            token = provider.give_tokens(address)["refresh_token"]
            auth = {"kind": "oauth", "client": client["id"], "refresh_token": token}
            return surprise(record, await probed(postroom, provider, address, record, auth=auth))

    assert await all_of(recorded("oauth"), meet) == []


async def test_a_name_that_is_not_known_is_judged_as_people_did(postroom, provider):
    """A record of that is played by a name under .invalid (RFC 6761 6.4): no mail server takes part in it."""
    for record in recorded("dns"):
        direction = record["direction"]
        body = body_for(provider, "somebody@rig.test")
        body[direction] |= {"host": f"{record['id']}.invalid", "security": "tls"}
        report = (await postroom.post("/probe", body))[direction]
        assert judged(record, report["diagnosis"]), record["id"]
        assert f"{record['id']}.invalid" in report["diagnosis"]["reason"]


async def test_a_good_bye_that_goes_wrong_breaks_nothing(postroom, provider):
    for record in recorded("logout"):
        async with playing(provider, record) as address:
            report = await probed(postroom, provider, address, record)
        assert report["ok"], record["id"]


@contextlib.asynccontextmanager
async def connected(postroom, provider, address):
    mailbox = await postroom.connect(body_for(provider, address))
    try:
        yield mailbox
    finally:
        await postroom.api.delete(f"/v1/mailboxes/{mailbox['id']}")


@pytest.mark.parametrize("stage", RUNNING)
async def test_what_fails_while_sending_and_reading_is_judged_as_people_did(postroom, provider, stage):
    async def meet(record):
        async with playing(provider, record) as address:
            if stage == "fetch":
                provider.deliver(address, subject="A question", text="Where is it?")
            async with connected(postroom, provider, address) as mailbox:
                delivery = await postroom.send(mailbox["id"]) if record["direction"] == "smtp" else None
                return surprise(record, {"ok": False, "diagnosis": await told(postroom, mailbox, delivery)})

    assert await all_of(recorded(stage), meet) == []


async def told(postroom, mailbox, delivery):
    """The diagnosis that shows: of the delivery, or of a direction of the mailbox."""

    async def diagnoses():
        shown = await postroom.mailbox(mailbox["id"])
        places = [shown["receiving"] if delivery is None else shown["sending"]]
        if delivery is not None:
            places.append(await postroom.get(f"/deliveries/{delivery['id']}"))
        return [place["diagnosis"] for place in places if place["diagnosis"]]

    return (await postroom.until(diagnoses, bool, PATIENCE))[0]


async def test_a_copy_that_sent_refuses_is_told_with_the_message_which_went_out_once(postroom, provider):
    async def meet(record):
        # Not at a provider that files what is sent by itself: nothing is appended there.
        async with playing(provider, record, "rig.test") as address, connected(postroom, provider, address) as mailbox:
            sent = await postroom.send(mailbox["id"])
            taken = record["id"] in SUCCEED

            def over(one):
                return one["sent_copy"] == "done" if taken else one["diagnosis"]

            shown = await postroom.until(lambda: postroom.get(f"/deliveries/{sent['id']}"), over, PATIENCE)
            assert (shown["state"], provider.outbox_counts()[f"<{sent['message_id']}>"]) == ("sent", 1)
            if not taken:
                given_up = shown["diagnosis"]["action"] == "fail_message"
                assert shown["sent_copy"] == ("refused" if given_up else "due")
            return surprise(record, {"ok": taken} | shown)

    assert await all_of(recorded("append"), meet) == []


async def test_a_record_of_a_file_is_played_by_its_id(postroom, provider, command):
    provider.create_account("by-id@rig.test", "secret")
    said = await command("replay", str(FILES["smtp"]), "--id", "smtp-0002", "--times", "1")
    assert said.startswith("smtp auth fails now")
    report = await tried(postroom, provider, "by-id@rig.test")
    assert report["imap"]["ok"]
    assert report["smtp"]["diagnosis"]["code"] == "smtp.temporary_auth_failure"
    assert "454 4.7.0 Temporary authentication failure." in report["smtp"]["diagnosis"]["raw"]
    assert (await tried(postroom, provider, "by-id@rig.test"))["ok"]


async def test_a_text_is_played_at_a_stage_for_one_account_until_it_is_mended(postroom, provider, command):
    for name in ("one@rig.test", "other@rig.test"):
        provider.create_account(name, "secret")
    text = "NO [UNAVAILABLE] Temporary authentication failure."
    await command("replay", "--direction", "imap", "--stage", "auth", "--account", "one@rig.test", text)
    report = await tried(postroom, provider, "one@rig.test")
    assert report["imap"]["diagnosis"]["code"] == "imap.account_unreachable"
    assert text.removeprefix("NO ") in report["imap"]["diagnosis"]["raw"]
    assert (await tried(postroom, provider, "other@rig.test"))["ok"]
    await command("mend")
    assert (await tried(postroom, provider, "one@rig.test"))["ok"]


async def test_what_cannot_be_played_is_told_in_a_sentence(provider, command):
    expected = (
        (["no-such-file.jsonl"], "no-such-file.jsonl cannot be read"),
        ([str(FILES["smtp"])], "choose one with --id"),
        ([str(FILES["smtp"]), "--id", "smtp-9999"], "holds no record with the id smtp-9999"),
        ([__file__], "line 1: no JSON"),
        (["--stage", "auth", "535 No"], "--direction and --stage go together"),
        (["--direction", "smtp", "--stage", "auth", "--id", "x", "535 No"], "--id chooses a record of a file"),
        (["--direction", "smtp", "--stage", "dns", "no such host"], "dns cannot be played here"),
        (["--direction", "smtp", "--stage", "nowhere", "535 No"], "is not a stage of smtp"),
    )
    printed = await asyncio.gather(*(command("replay", *arguments, code=2) for arguments, _ in expected))
    for text, (_, said) in zip(printed, expected, strict=True):
        assert said in text
    assert provider.faults.standing == {}


async def test_a_server_that_says_nothing_is_given_up_and_told(silence):
    met = await silence
    assert len(met) == 7
    assert [one for record, report in met for one in surprise(record, report)] == []
