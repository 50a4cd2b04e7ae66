"""The real world: what of it can be promised."""

import os
from datetime import UTC, datetime
from itertools import pairwise

from postroom.core.identity import Kind
from postroom.world import RealWorld


def test_identifiers_sort_in_the_order_in_which_they_were_drawn():
    world = RealWorld()
    mailbox = world.identifier(Kind.MAILBOX)
    for kind in (Kind.MESSAGE, Kind.CONVERSATION):
        drawn = [world.identifier(kind, mailbox) for _ in range(5000)]
        assert all(one < following for one, following in pairwise(drawn))


class Still(RealWorld):
    """However fast the machine: all of them fall in one millisecond."""

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC)


def test_a_process_that_was_forked_draws_others():
    world = Still()
    world.identifier(Kind.EVENT)
    reading, writing = os.pipe()
    if (child := os.fork()) == 0:
        os.write(writing, world.identifier(Kind.EVENT).encode())
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(reading, 100).decode() != world.identifier(Kind.EVENT)
    os.close(reading)
    os.close(writing)


def test_mailboxes_do_not_sort_by_time():
    world = Still()
    drawn = [world.identifier(Kind.MAILBOX) for _ in range(100)]
    assert len(set(drawn)) == 100
    assert drawn != sorted(drawn)
