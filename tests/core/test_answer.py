"""What a refusal does: it returns the message, puts it off, or stops the mailbox."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from postroom.core.answer import judge
from postroom.core.delivery import Delivery, Recipient, RecipientState, Signal, State
from postroom.core.diagnosis import Action, Evidence, Stage
from postroom.core.diagnosis.judge import holding
from postroom.core.mailbox import Direction
from postroom.core.ports.wire import Answer, Reply

NOW = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
OK = Reply(250, "250 2.1.0 Ok")
DMARC = "550 5.7.26 Unauthenticated email from example.com is not accepted due to domain's DMARC policy."


def delivery(*addresses: str) -> Delivery:
    return Delivery(
        id="dlv_1", mailbox_id="mbx_1", message_id="msg_1", rfc_message_id="<1@example.com>", conversation_id="cnv_1",
        state=State.SENDING, sender="alice@example.com", recipients=tuple(Recipient(each) for each in addresses),
        size=1, accepted_at=NOW, expires_at=NOW, next_attempt_at=NOW, updated_at=NOW,
    )  # fmt: skip


def refusal(text: str, stage: Stage) -> Reply:
    code = int(text[:3])
    return Reply(code, text, Evidence(Direction.SMTP, stage, raw=text, smtp_code=code))


def test_a_message_refused_for_the_senders_domain_goes_back_and_a_person_is_told_to_act() -> None:
    judged = judge(delivery("bob@example.net"), Answer(OK, {"bob@example.net": OK}, refusal(DMARC, Stage.DATA)))
    assert judged.diagnosis is not None
    assert (judged.diagnosis.code, judged.diagnosis.action) == ("message_rejected", Action.FIX_SETTINGS)
    assert judged.signal is Signal.REFUSED
    assert judged.recipients[0].state is RecipientState.REFUSED


def test_a_rejected_message_does_not_stop_its_mailbox() -> None:
    judged = judge(delivery("bob@example.net"), Answer(OK, {"bob@example.net": OK}, refusal(DMARC, Stage.DATA)))
    assert judged.mailbox is None
    assert judged.diagnosis is not None
    assert holding(judged.diagnosis, held=3) == judged.diagnosis


@pytest.mark.parametrize(
    ("text", "stage", "signal"),
    [
        (
            "553 5.7.1 <alice@example.com>: Sender address rejected: not owned by user bob",
            Stage.MAIL,
            "MAILBOX_REFUSED",
        ),
        ("450 4.2.0 <bob@example.net>: Recipient address rejected: Greylisted", Stage.RCPT, "PUT_OFF"),
        ("550 5.1.1 <bob@example.net>: Recipient address rejected: User unknown", Stage.RCPT, "REFUSED"),
    ],
)
def test_a_refusal_stops_the_mailbox_puts_off_or_returns(text: str, stage: Stage, signal: str) -> None:
    reply = refusal(text, stage)
    sender, recipients = (reply, {}) if stage is Stage.MAIL else (OK, {"bob@example.net": reply})
    assert judge(delivery("bob@example.net"), Answer(sender, recipients, None)).signal is Signal[signal]
