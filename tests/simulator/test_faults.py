"""Faults from sign-in on, seen from a client, and faults that cannot be. Earlier stages: test_faults_on_connecting."""

import asyncio

import pytest

from postroom.simulator import FieldError

from .conftest import ANNA, BEN, PASSWORD
from .dialogue import Dialogue, fault, imap, plain, smtp, submit

# sign-in


async def test_a_refused_sign_in_can_say_anything_in_many_lines(simulator):
    answer = "535-5.7.8 Username and Password not accepted.\n535 5.7.8 See https://example.org/help"
    await simulator.add_fault(fault("smtp", "auth", answer, times=1))
    await simulator.add_fault(fault("imap", "auth", "* NO [ALERT] Use the web\n{tag} NO [AUTHENTICATIONFAILED] No"))
    async with Dialogue.to(simulator.smtp_port) as client:
        await client.smtp_reply()
        await client.reply("EHLO x")
        assert await client.reply(f"AUTH PLAIN {plain()}") == answer.replace("\n", "\r\n") + "\r\n"
        assert (await client.reply("MAIL FROM:<a@b>")).startswith("530")
        assert (await client.reply(f"AUTH PLAIN {plain()}")).startswith("235")
    async with Dialogue.to(simulator.imap_port) as client:
        await client.line()
        answers = await client.ask(f'LOGIN {ANNA} "{PASSWORD}"')
        assert answers == ["* NO [ALERT] Use the web\r\n", "t NO [AUTHENTICATIONFAILED] No\r\n"]
        assert (await client.ask("SELECT INBOX"))[-1].startswith("t BAD")


async def test_a_challenge_in_the_answer_waits_for_the_clients_line(simulator):
    await simulator.add_fault(fault("imap", "auth", "+ eyJzdGF0dXMiOiI0MDAifQ==\n{tag} NO refused"))
    await simulator.add_fault(fault("smtp", "auth", "334 eyJzdGF0dXMiOiI0MDAifQ==\n535 5.7.8 refused"))
    async with Dialogue.to(simulator.imap_port) as client:
        await client.line()
        await client.send(f"t AUTHENTICATE PLAIN {plain()}\r\n")
        assert await client.line() == "+ eyJzdGF0dXMiOiI0MDAifQ==\r\n"
        assert await client.is_silent(0.05)
        await client.send("\r\n")
        assert await client.line() == "t NO refused\r\n"
    async with Dialogue.to(simulator.smtp_port) as client:
        await client.smtp_reply()
        await client.reply("EHLO x")
        assert (await client.reply(f"AUTH PLAIN {plain()}")).startswith("334 eyJ")
        assert await client.reply("") == "535 5.7.8 refused\r\n"


async def test_a_fault_of_one_account_leaves_the_others_alone(simulator):
    await simulator.add_fault(fault("imap", "auth", "{tag} NO locked", account=ANNA.upper()))
    async with imap(simulator, address=BEN), Dialogue.to(simulator.imap_port) as client:
        await client.line()
        assert await client.ask(f'LOGIN {ANNA} "{PASSWORD}"') == ["t NO locked\r\n"]


async def test_after_and_times_choose_which_tries_fail(simulator):
    entry = await simulator.add_fault(fault("imap", "noop", "{tag} NO busy", after=1, times=2))
    async with imap(simulator) as client:
        answers = [(await client.ask("NOOP"))[-1][:4] for _ in range(5)]
    assert answers == ["t OK", "t NO", "t NO", "t OK", "t OK"]
    assert entry.fired == 2
    assert entry.spent


# IMAP commands


@pytest.mark.parametrize(
    ("stage", "command"),
    [
        ("select", "SELECT INBOX"),
        ("list", 'LIST "" "*"'),
        ("search", "UID SEARCH ALL"),
        ("fetch", "UID FETCH 1:* FLAGS"),
        ("store", "UID STORE 1 +FLAGS (\\Seen)"),
        ("append", "APPEND Sent {3+}\r\nabc"),
        ("idle", "IDLE"),
        ("noop", "NOOP"),
        ("logout", "LOGOUT"),
    ],
)
async def test_each_imap_command_can_be_refused_cut_or_left_hanging(simulator, stage, command):
    simulator.deliver(ANNA, b"Subject: x\r\n\r\ny")
    await simulator.add_fault(fault("imap", stage, "* BAD odd\n{tag} NO [SERVERBUG] no {braces}", times=1))
    await simulator.add_fault(fault("imap", stage, behaviour="close", times=1))
    await simulator.add_fault(fault("imap", stage, behaviour="hang", times=1))
    if stage == "select":
        async with imap(simulator, folder=None) as client:
            assert await client.ask(command) == ["* BAD odd\r\n", "t NO [SERVERBUG] no {braces}\r\n"]
            assert (await client.ask("FETCH 1 UID"))[-1].startswith("t BAD")
    else:
        async with imap(simulator) as client:
            assert await client.ask(command) == ["* BAD odd\r\n", "t NO [SERVERBUG] no {braces}\r\n"]
    async with imap(simulator, folder=None if stage == "select" else "INBOX") as client:
        await client.send(f"t {command}\r\n")
        assert await client.rest() == b""
    async with imap(simulator, folder=None if stage == "select" else "INBOX") as client:
        await client.send(f"t {command}\r\n")
        assert await client.is_silent()
    assert simulator.folder(ANNA, "Sent").messages == {}
    assert simulator.folder(ANNA).messages[1].flags == frozenset()


async def test_an_idle_can_be_deaf_and_can_end_with_a_goodbye(simulator):
    await simulator.add_fault(fault("imap", "idle", "+ idling", "hang", times=1))
    await simulator.add_fault(fault("imap", "idle", "+ idling\n* BYE Idle for too long", times=1))
    async with imap(simulator) as client:
        await client.send("t IDLE\r\n")
        await client.until("+ ")
        simulator.deliver(ANNA, b"Subject: unheard\r\n\r\n")
        assert await client.is_silent()
    async with imap(simulator) as client:
        await client.send("t IDLE\r\n")
        assert await client.rest() == b"+ idling\r\n* BYE Idle for too long\r\n"


async def test_a_fetch_can_be_cut_in_the_middle_of_its_literal(simulator):
    simulator.deliver(ANNA, b"Subject: x\r\n\r\n" + b"y" * 500)
    await simulator.add_fault(fault("imap", "fetch", behaviour="cut", cut_after=100))
    async with imap(simulator) as client:
        await client.send("t FETCH 1 BODY.PEEK[]\r\n")
        data = await client.rest()
    assert len(data) == 100
    assert data.startswith(b"* 1 FETCH (BODY[] {514}\r\nSubject: x")


async def test_an_appended_message_may_stay_although_nothing_was_answered(simulator):
    await simulator.add_fault(fault("imap", "append", behaviour="close", takes_effect=True))
    async with imap(simulator) as client:
        await client.send("t APPEND Sent {3+}\r\nabc\r\n")
        assert await client.rest() == b""
    assert [message.raw for message in simulator.folder(ANNA, "Sent").messages.values()] == [b"abc"]


async def test_a_fault_of_one_folder_leaves_the_others_alone(simulator):
    await simulator.add_fault(fault("imap", "select", "{tag} NO Mailbox is locked", argument="Junk"))
    async with imap(simulator) as client:
        assert await client.ask("SELECT Junk") == ["t NO Mailbox is locked\r\n"]
        assert (await client.ask("SELECT Sent"))[-1].startswith("t OK")


# slowness


async def test_an_answer_can_come_late(simulator):
    await simulator.add_fault(fault("imap", "noop", behaviour="slow", delay=0.2, times=1))
    async with imap(simulator) as client:
        await client.send("t NOOP\r\n")
        assert await client.is_silent(0.1)
        assert await client.line() == "t OK Done\r\n"


async def test_an_answer_can_trickle_and_others_do_not_wait_for_it(simulator):
    simulator.deliver(ANNA, b"Subject: x\r\n\r\n" + b"y" * 400)
    await simulator.add_fault(fault("imap", "fetch", behaviour="slow", rate=1000))
    loop = asyncio.get_running_loop()
    started = loop.time()
    async with imap(simulator) as slow, imap(simulator) as quick:
        await slow.send("t FETCH 1 BODY.PEEK[]\r\n")
        trickling = asyncio.create_task(slow.until("t OK"))
        for _ in range(5):
            assert (await quick.ask("NOOP"))[-1].startswith("t OK")
        assert not trickling.done()
        assert "y" * 400 in "".join(await trickling)
    assert loop.time() - started > 0.4


# SMTP commands


@pytest.mark.parametrize("stage", ["mail", "rcpt", "data", "dot"])
async def test_each_smtp_command_can_be_refused_in_any_words(simulator, stage):
    words = "550-5.7.1 First\n550 5.7.1 second"
    await simulator.add_fault(fault("smtp", stage, words, times=1))
    steps = {
        "mail": f"MAIL FROM:<{ANNA}>",
        "rcpt": f"RCPT TO:<{BEN}>",
        "data": "DATA",
        "dot": "Subject: x\r\n\r\ny\r\n.",
    }
    async with smtp(simulator) as client:
        for step, command in steps.items():
            reply = await client.reply(command)
            if step == stage:
                assert reply == "550-5.7.1 First\r\n550 5.7.1 second\r\n"
                break
            assert reply[0] in "23"
        await client.reply("RSET")
        assert (await submit(client, BEN)).startswith("250")
    assert len(simulator.outbox) == 1


async def test_one_refused_recipient_does_not_stop_the_others(simulator):
    await simulator.add_fault(fault("smtp", "rcpt", "550 5.1.1 unknown", argument="nobody@"))
    async with smtp(simulator) as client:
        await client.reply(f"MAIL FROM:<{ANNA}>")
        assert await client.reply("RCPT TO:<nobody@example.net>") == "550 5.1.1 unknown\r\n"
        assert (await client.reply("RCPT TO:<somebody@example.net>")).startswith("250")
        await client.reply("DATA")
        await client.reply("Subject: x\r\n\r\ny\r\n.")
    assert simulator.outbox[0].remote == ["somebody@example.net"]


@pytest.mark.parametrize(("takes_effect", "delivered"), [(True, 1), (False, 0), (None, 0)])
@pytest.mark.parametrize("behaviour", ["close", "hang"])
async def test_a_message_without_an_answer_is_delivered_or_not_as_commanded(
    simulator, behaviour, takes_effect, delivered
):
    await simulator.add_fault(fault("smtp", "dot", behaviour=behaviour, takes_effect=takes_effect))
    async with smtp(simulator) as client:
        await client.send(f"MAIL FROM:<{ANNA}>\r\nRCPT TO:<{BEN}>\r\nDATA\r\n")
        for _ in range(3):
            await client.smtp_reply()
        await client.send("Message-ID: <once@x>\r\n\r\ny\r\n.\r\n")
        if behaviour == "close":
            assert await client.rest() == b""
        else:
            assert await client.is_silent()
    assert simulator.outbox_counts() == ({"<once@x>": 1} if delivered else {})
    assert len(simulator.folder(BEN).messages) == delivered


async def test_a_message_is_delivered_though_the_answer_after_the_dot_was_cut(simulator):
    await simulator.add_fault(fault("smtp", "dot", behaviour="cut", cut_after=2))
    async with smtp(simulator) as client:
        await client.send(f"MAIL FROM:<{ANNA}>\r\nRCPT TO:<{BEN}>\r\nDATA\r\n")
        for _ in range(3):
            await client.smtp_reply()
        await client.send("Subject: x\r\n\r\ny\r\n.\r\n")
        assert await client.rest() == b"25"
    assert len(simulator.folder(BEN).messages) == 1


async def test_a_421_closes_the_connection(simulator):
    await simulator.add_fault(fault("smtp", "mail", "421 4.4.2 Too many messages"))
    async with smtp(simulator) as client:
        await client.send(f"MAIL FROM:<{ANNA}>\r\n")
        assert await client.rest() == b"421 4.4.2 Too many messages\r\n"


# wrong faults


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        ("stage", {"protocol": "imap", "stage": "dot", "answer": "x"}),
        ("stage", {"protocol": "smtp", "stage": "select", "answer": "x"}),
        ("answer", {"protocol": "smtp", "stage": "mail"}),
        ("answer", {"protocol": "smtp", "stage": "connect", "answer": "no"}),
        ("behaviour", {"protocol": "smtp", "stage": "mail", "behaviour": "expired"}),
        ("behaviour", {"protocol": "smtp", "stage": "tls", "behaviour": "refuse"}),
        ("account", {"protocol": "smtp", "stage": "greeting", "answer": "x", "account": ANNA}),
        ("times", {"protocol": "imap", "stage": "connect", "behaviour": "refuse", "times": 1}),
        ("times", {"protocol": "imap", "stage": "noop", "answer": "x", "times": 0}),
        ("after", {"protocol": "imap", "stage": "noop", "answer": "x", "after": -1}),
        ("delay", {"protocol": "imap", "stage": "noop", "behaviour": "slow"}),
        ("rate", {"protocol": "imap", "stage": "noop", "behaviour": "slow", "delay": 1, "rate": -5}),
        ("cut_after", {"protocol": "imap", "stage": "noop", "behaviour": "cut"}),
        ("cut_after", {"protocol": "imap", "stage": "noop", "answer": "x", "cut_after": 3}),
        ("delay", {"protocol": "imap", "stage": "tls", "behaviour": "expired", "delay": 1}),
        ("argument", {"protocol": "imap", "stage": "auth", "answer": "x", "argument": "x"}),
        (
            "takes_effect",
            {"protocol": "smtp", "stage": "dot", "behaviour": "cut", "cut_after": 1, "takes_effect": False},
        ),
        ("removes", {"protocol": "imap", "stage": "noop", "removes": ("IDLE",)}),
    ],
)
def test_a_fault_that_cannot_be_names_the_field(field, wrong):
    with pytest.raises(FieldError) as caught:
        fault(**wrong)
    assert caught.value.field == field
