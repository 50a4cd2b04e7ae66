"""A bounce arrives as any message does, and the delivery that it is about says so."""

import re
from pathlib import Path

from postroom.core.delivery import Report
from tests.flows.house import running, until

CORPUS = Path(__file__).parent.parent / "corpus" / "bounces"
THEIRS = re.compile(rb"msg_[0-9a-z]+@shop\.test")


async def test_a_bounce_is_read_with_the_mail_and_told_with_the_words_of_the_server(tmp_path):
    async with running(tmp_path) as house:
        mailbox = await house.connect()
        kinds = ("postfix-unknown-user", "qmail", "exim", "microsoft365-german")
        sent = {kind: await house.send(mailbox, kind) for kind in kinds}
        for one in sent.values():
            await house.delivery_in(one.id, "sent")
        for kind, one in sent.items():
            raw = (CORPUS / f"{kind}.eml").read_bytes().replace(b"<b1@mx.example>", f"<{kind}@mx.example>".encode())
            house.simulator.deliver("team@shop.test", THEIRS.sub(one.rfc_message_id.encode(), raw))
        forged = (CORPUS / "exim.eml").read_bytes().replace(b"<b1@mx.example>", b"<forged@mx.example>")
        house.simulator.deliver("team@shop.test", forged)
        for kind, one in sent.items():
            bounced = await until(lambda one=one: house.store.delivery(one.id), lambda seen: seen.bounced)
            assert bounced.state == "sent"
            (recipient,) = bounced.recipients
            assert "anna@customer.test does not exist" in recipient.diagnosis.reason
            assert (await house.store.transitions(one.id))[-1].cause is Report.BOUNCED
            report = await house.store.message_by_rfc_id(mailbox, f"{kind}@mx.example")
            assert report.conversation_id == one.conversation_id
            assert report.parsed.automatic
        await until(lambda: house.store.message_by_rfc_id(mailbox, "forged@mx.example"), bool)
        assert len(await house.events("delivery.bounced")) == len(kinds)
        again = await house.house.accept.resend(sent["qmail"].id, "key crm")
        assert (await house.delivery_in(again.delivery.id, "sent")).resend_of == sent["qmail"].id
