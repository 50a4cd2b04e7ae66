"""A message to many of whom some are refused, some put off, some accepted: each who can have it gets it once."""

from collections import Counter

import pytest

from tests.walks.outgoing import line

pytestmark = pytest.mark.asyncio(loop_scope="session")

FIFTY = [
    f"{kind}{number}@x.test" for number in range(10) for kind in ("yes", "later", "no", "much-later", "never-again")
]


async def test_fifty_recipients_each_get_it_once(standing_on, dovecot):
    async with line(standing_on, dovecot) as to:
        to.sink.answer("RCPT", "451 4.7.1 Greylisted, try again in 5 minutes", matching="<later")
        to.sink.answer("RCPT", "452 4.2.2 Mailbox full", matching="<much-later")
        to.sink.answer("RCPT", "550 5.1.1 No such user", matching="<no")
        to.sink.answer("RCPT", "550 5.7.1 Not wanted here", matching="<never-again")
        accepted = await standing_on.send(to.id, FIFTY[0], cc=FIFTY[1:30], bcc=FIFTY[30:])

        async def tried(times, state):
            async def look():
                return await standing_on.get(f"/deliveries/{accepted['id']}")

            await standing_on.until(lambda: _brief(look), lambda seen: seen == (times, state))
            return await look()

        await tried(1, "deferred")
        await retry(standing_on, accepted)  # who refused is asked again as well: a person wants it so
        await tried(2, "deferred")
        to.sink.heal()
        to.sink.drop("RCPT", matching="much-later5", times=1)  # the session breaks in the middle of the envelope
        to.sink.answer("RCPT", "451 4.7.1 Greylisted", matching="<much-later")
        to.sink.answer("RCPT", "550 5.1.1 No such user", matching="<no")
        await retry(standing_on, accepted)
        await tried(3, "deferred")  # broken
        await retry(standing_on, accepted)
        await tried(4, "deferred")
        to.sink.heal()
        to.sink.answer("RCPT", "550 5.1.1 No such user", matching="<no")
        await retry(standing_on, accepted)
        done = await tried(5, "failed")

        got = Counter(one for message in to.sink.accepted for one in message.recipients)
        assert got == {one: 1 for one in FIFTY if not one.startswith("no")}
        assert len({message.raw for message in to.sink.accepted}) == 1
        states = {one["address"]: one["state"] for one in done["recipients"]}
        assert states == {one: "refused" if one.startswith("no") else "accepted" for one in FIFTY}
        assert [len(one["recipients"]) for one in done["attempts"]] == [50] * 5
        # Nobody who has it is asked for again: not even in an envelope.
        asked = Counter(command.split("<")[1].split(">")[0] for command in to.sink.seen if command.startswith("RCPT"))
        assert {asked[one] for one in FIFTY if one.startswith("yes")} == {1}


async def _brief(look):
    seen = await look()
    return seen["attempt_count"], seen["state"]


async def retry(postroom, delivery):
    await postroom.post(f"/deliveries/{delivery['id']}/retry", status=200)
