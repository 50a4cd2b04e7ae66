"""The one way to a signed-in session of a saved mailbox, with a token that works. It judges nothing (recover)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import TypeVar

from postroom.core.diagnosis import Action, Diagnosis, Evidence, Failure, diagnose
from postroom.core.diagnosis.evidence import Stage
from postroom.core.mailbox import Account, Credential, Direction, Mailbox
from postroom.core.ports.wire import ImapSession, ImapWire, SmtpSession, SmtpWire
from postroom.core.ports.world import World
from postroom.flows.certificates import Certificates
from postroom.flows.gate import Gate
from postroom.flows.tokens import Tokens

S = TypeVar("S")

FRESH = timedelta(seconds=30)
"""A token that is refused so soon after it was given is refused for what it is: another one would be as well."""


class Sessions:
    """Opens sessions for flows."""

    def __init__(
        self, imap: ImapWire, smtp: SmtpWire, tokens: Tokens, certificates: Certificates, world: World
    ) -> None:
        self._certificates = certificates
        self._imap = imap
        self._smtp = smtp
        self._tokens = tokens
        self._world = world
        # Apart, so that a message does not wait behind thousands of mailboxes that come back after an outage.
        self._gates = {direction: Gate() for direction in Direction}

    async def receiving(self, mailbox: Mailbox) -> ImapSession:
        """Raises Failure."""
        session = await self._opened(mailbox, Direction.IMAP, self._imap.open)
        await self._certificates.seen(mailbox, Direction.IMAP, session.tls)
        return session

    async def sending(self, mailbox: Mailbox) -> SmtpSession:
        """Raises Failure."""
        session = await self._opened(mailbox, Direction.SMTP, self._smtp.open)
        await self._certificates.seen(mailbox, Direction.SMTP, session.tls)
        return session

    async def renewed(
        self, mailbox: Mailbox, direction: Direction, refused: Diagnosis, opened_at: datetime | None = None
    ) -> bool:
        """Whether a session that worked and then failed may be opened again at once: its token had died, and there is
        another now, maybe for a while (`opened_at` is when the session was). Raises Failure where none is to be had."""
        if not mailbox.auth_kind.by_token or refused.action is not Action.REAUTHENTICATE:
            return False
        shown = await self._tokens.current(mailbox)
        given_at = shown.tokens.given_at if shown.tokens is not None else None
        if opened_at is not None and given_at is not None and given_at > opened_at:
            return True
        if not self._may_be_stale(shown):
            return False
        fresh = await self._tokens.ready(mailbox, direction, refused=shown.access_token)
        return fresh.access_token != shown.access_token

    async def _opened(self, mailbox: Mailbox, direction: Direction, opens: Callable[[Account], Awaitable[S]]) -> S:
        credential = await self._tokens.ready(mailbox, direction)
        try:
            async with self._gates[direction].at(mailbox.endpoint(direction).host):
                return await opens(mailbox.account(direction, credential))
        except Failure as failure:
            if failure.evidence.stage is not Stage.AUTH or not self._may_be_stale(credential):
                raise
            if not _refuses_the_token(failure.evidence):
                raise
            fresh = await self._tokens.ready(mailbox, direction, refused=credential.access_token)
            if fresh.access_token == credential.access_token:
                raise
        return await opens(mailbox.account(direction, fresh))

    def _may_be_stale(self, credential: Credential) -> bool:
        tokens = credential.tokens
        if tokens is None:
            return False
        return tokens.given_at is None or self._world.now() - tokens.given_at > FRESH


def _refuses_the_token(evidence: Evidence) -> bool:
    return diagnose(evidence).action is Action.REAUTHENTICATE
