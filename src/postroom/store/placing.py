"""Which conversation each arrival of a batch belongs to, and the messages made of them. It writes nothing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property

from sqlalchemy import Connection, select

from postroom.core.conversation import Party, place, place_by_thread, place_by_topic, topic_asked
from postroom.core.cursor import Cursor, Outcome
from postroom.core.message import Conversation, Message
from postroom.core.ports.store import Arrival
from postroom.store import bounces, conversations
from postroom.store.messages import Kept, reference_key
from postroom.store.recognise import Digested
from postroom.store.schema import mailbox


def placed(
    connection: Connection, progress: Cursor, fresh: Sequence[Digested], reports: Mapping[str, bounces.Returned]
) -> list[Kept]:
    """Messages, each in its conversation. Those of one batch see each other; a report stands by what it is about."""
    if not fresh:
        return []
    named = {key for one in fresh for key in conversations.references(one.parsed)}
    known = conversations.known(connection, progress.mailbox_id, named)
    places = _Places(connection, progress, fresh)
    kept: list[Kept] = []
    for one in fresh:
        arrival, parsed = one.arrival, one.parsed
        # Its own Message-ID is known where a reply came before it.
        own = known.get(reference_key(parsed.message_id or ""))
        report = reports.get(arrival.message_id)
        about = report.conversation_id if report else None
        belongs = about or place(parsed, known) or own or places.found(one) or arrival.conversation_id
        for key in conversations.references(parsed):
            known.setdefault(key, belongs)
        taken = Message(
            id=arrival.message_id,
            mailbox_id=progress.mailbox_id,
            conversation_id=belongs,
            flow=progress.flow,
            parsed=parsed,
            size=len(arrival.raw or b""),
            received_at=arrival.received_at,
            folder=progress.folder,
            quarantine=(arrival.reason or "It could not be read.") if _is_quarantined(arrival) else None,
        )
        places.joined(taken, arrival.thread)
        kept.append(Kept(taken, arrival.raw or b"", one.digest, progress.uid_validity, arrival.thread))
    return kept


class _Places:
    """Where messages belong that name none that we know: by the provider's thread, else by their topic."""

    def __init__(self, connection: Connection, progress: Cursor, fresh: Sequence[Digested]) -> None:
        self._connection = connection
        self._progress = progress
        threads = {one.arrival.thread for one in fresh if one.arrival.thread is not None}
        self._of_thread: dict[str, dict[str, Conversation]] = defaultdict(dict)
        for thread, found in conversations.of_threads(connection, progress.mailbox_id, threads):
            self._of_thread[thread][found.id] = found

    @cached_property
    def _ours(self) -> frozenset[str]:
        query = select(mailbox.c.address, mailbox.c.aliases).where(mailbox.c.id == self._progress.mailbox_id)
        row = self._connection.execute(query).one()
        return frozenset(one.casefold() for one in (row.address, *(alias["address"] for alias in row.aliases)))

    def found(self, one: Digested) -> str | None:
        return self._by_thread(one) or self._by_topic(one)

    def _by_thread(self, one: Digested) -> str | None:
        same = self._of_thread.get(one.arrival.thread) if one.arrival.thread is not None else None
        return place_by_thread(self._party(one), same.values()) if same else None

    def _by_topic(self, one: Digested) -> str | None:
        asked = topic_asked(one.parsed)
        if asked is None:
            return None
        alike = conversations.of_topic(self._connection, self._progress.mailbox_id, asked)
        return place_by_topic(self._party(one), one.arrival.received_at, alike)

    def _party(self, one: Digested) -> Party:
        return Party(one.parsed, self._progress.flow, self._ours)

    def joined(self, message: Message, thread: str | None) -> None:
        """A message of this batch has its place: what follows in its thread sees it there."""
        if thread is None:
            return
        there = self._of_thread[thread].get(message.conversation_id) or Conversation(
            message.conversation_id, message.mailbox_id, "", message.received_at, message.received_at, 0
        )
        self._of_thread[thread][there.id] = replace(
            there,
            updated_at=max(there.updated_at, message.received_at),
            participants=conversations.people_of(there.participants, [message]),
        )


def _is_quarantined(arrival: Arrival) -> bool:
    return arrival.outcome is Outcome.QUARANTINED or arrival.parsed is None
