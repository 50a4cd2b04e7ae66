"""A process of its own that renews one mailbox's token: to be killed while it waits. Settings as in the environment."""

import asyncio
import sys

from postroom.core.mailbox import Direction
from postroom.serve import build
from postroom.settings import load


async def renew(mailbox_id):
    async with build(load()) as house:
        view = await house.store.mailbox(mailbox_id)
        held = await house.store.held_credential(mailbox_id)
        await house.tokens.ready(view.mailbox, Direction.IMAP, refused=held.credential.access_token)


if __name__ == "__main__":
    asyncio.run(renew(sys.argv[1]))
