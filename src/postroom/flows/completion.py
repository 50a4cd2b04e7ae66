"""What follows when a provider has given tokens: who signed in, what was granted, the mailbox. It begins no sign-in."""

from __future__ import annotations

from dataclasses import replace

import structlog

from postroom.core.diagnosis import Diagnosis, Failure
from postroom.core.mailbox import AuthKind, Credential
from postroom.core.oauth import identity
from postroom.core.oauth.authorization import KEPT, Authorization, Progress
from postroom.core.oauth.client import OAuthClient
from postroom.core.oauth.request import userinfo_request
from postroom.core.oauth.response import Grant, Unreadable, claims_of_answer
from postroom.core.ports.store import AddressTaken, MailboxView, Store
from postroom.core.ports.wire import DiscoveryWire, OAuthWire
from postroom.core.ports.world import World
from postroom.flows.connect import Connect, NewMailbox, NotConnected
from postroom.flows.doctor import Way, Ways, ways_of
from postroom.flows.probe import Connection, OnStep
from postroom.flows.sign_in import SignInFailed, Why
from postroom.flows.wishes import Wishes

log = structlog.get_logger()

GMAIL_SCOPE = "https://mail.google.com/"


class Completion:
    """Makes a connected mailbox of a sign-in."""

    def __init__(self, store: Store, wire: OAuthWire, connect: Connect, discovery: DiscoveryWire, world: World) -> None:
        self._store = store
        self._wire = wire
        self._connect = connect
        self._discovery = discovery
        self._world = world

    async def signed_in(
        self, begun: Authorization, client: OAuthClient, grant: Grant, on_step: OnStep | None
    ) -> MailboxView | Authorization:
        """Gives the mailbox, or the sign-in where it is not to be connected here. Raises SignInFailed."""
        who = await self._identities(begun, client, grant)
        view = await self._store.mailbox(begun.mailbox_id) if begun.mailbox_id else None
        if begun.mailbox_id and view is None:
            words = f"The mailbox {begun.address} was removed meanwhile: connect it anew."
            raise await self.ended(begun, Why.UNKNOWN, words)
        allowed = [*begun.allowed]
        if view is not None:
            held = await self._store.held_credential(view.mailbox.id)
            allowed += [view.mailbox.imap.username, view.mailbox.smtp.username, held.credential.identity]
        if who and not identity.is_among(who, [one for one in allowed if "@" in one]):
            words = (
                f"You signed in as {who[0]}, this mailbox is {begun.address}. Sign in as {begun.address}; if "
                f"{begun.address} is a shared mailbox, begin again with {who[0]} as the person who signs in for it."
            )
            raise await self.ended(begun, Why.ANOTHER, words)
        missing = _missing(client, grant)
        if missing:
            raise await self.ended(begun, Why.INCOMPLETE, missing)
        begun = replace(
            begun,
            progress=Progress.SIGNED_IN,
            identity=_main(who, allowed),
            tokens=grant.tokens,
            verifier="",
            device_code="",
            expires_at=self._world.now() + KEPT,
        )
        await self._store.save_authorization(begun)  # on disk, before a slow mail server has its turn
        if view is None and not Wishes.from_dict(begun.settings).connect:
            return begun
        return await self._connected(begun, view, on_step)

    async def _connected(self, begun: Authorization, view: MailboxView | None, on_step: OnStep | None) -> MailboxView:
        try:
            if view is not None:
                connected = await self._connect.reauthenticate(view.mailbox.id, credential_of(begun), on_step)
            else:
                new, ways = await self._new(begun)
                connected = await self._connect.add(new, on_step, ways)
        except NotConnected as refused:
            diagnosis = refused.report.diagnosis
            words = diagnosis.message if diagnosis else "The mailbox could not be connected."
            told = replace(begun, explanation=words, diagnosis=diagnosis)
            await self._store.save_authorization(told)
            words = f"The sign-in was right, but the mailbox could not be opened: {words}"
            raise SignInFailed(
                Why.NOT_CONNECTED, words, authorization=told, diagnosis=diagnosis, report=refused.report
            ) from refused
        except AddressTaken:
            words = f"{begun.address} was connected meanwhile."
            raise await self.ended(begun, Why.TAKEN, words) from None
        await self.served(begun.id, connected.mailbox.id)
        return connected

    async def _new(self, begun: Authorization) -> tuple[NewMailbox, Ways | None]:
        """What is to be connected, and the ways to try where its servers are to be found."""
        wishes = Wishes.from_dict(begun.settings)
        imap, smtp, ways = wishes.imap, wishes.smtp, None
        if imap is None or smtp is None:
            found = await self._discovery.discover(begun.address)
            if not found.candidates:
                raise await self.ended(begun, Why.INCOMPLETE, found.why_nothing(begun.address))
            ways = _signed_in_as(ways_of(found.candidates, imap, smtp), begun, found.candidates[0].provider, wishes)
            imap, smtp = ways.imap[0].endpoint, ways.smtp[0].endpoint
        connection = Connection(begun.address, wishes.name, imap, smtp, credential_of(begun), wishes.ca_certificate)
        new = NewMailbox(
            connection,
            wishes.hold_hours,
            wishes.folders,
            wishes.reference,
            wishes.unconfirmed,
            wishes.aliases,
            wishes.budget,
            wishes.sync_days,
            wishes.reply_to,
            wishes.signature,
            wishes.read_sent,
        )
        return new, ways

    async def served(self, authorization_id: str, mailbox_id: str) -> None:
        """A mailbox was made of this sign-in: its tokens are forgotten here."""
        begun = await self._store.authorization(authorization_id)
        if begun is not None:
            done = replace(begun, tokens=None, progress=Progress.CONNECTED, mailbox_id=mailbox_id)
            await self._store.save_authorization(done)

    async def ended(
        self, begun: Authorization, why: Why, words: str, diagnosis: Diagnosis | None = None
    ) -> SignInFailed:
        """The failure to raise, noted with the sign-in."""
        ended = replace(
            begun, progress=Progress.REFUSED, explanation=words, diagnosis=diagnosis, tokens=None, verifier=""
        )
        await self._store.save_authorization(ended)
        log.info("sign-in failed", authorization=begun.id, why=why, matched=diagnosis.matched if diagnosis else None)
        return SignInFailed(why, words, authorization=ended, diagnosis=diagnosis)

    async def _identities(self, begun: Authorization, client: OAuthClient, grant: Grant) -> tuple[str, ...]:
        """The addresses of who signed in; none where the provider does not tell: then its mail server decides."""
        if grant.id_token:
            nonce = begun.nonce or None
            try:
                claims = identity.claims_of(
                    grant.id_token, client_id=client.client_id, nonce=nonce, now=self._world.now()
                )
            except identity.BadIdToken as why:
                raise await self.ended(begun, Why.REFUSED, f"The provider's answer cannot be trusted: {why}.") from why
            if found := identity.addresses_of(claims):
                return found
        if not client.endpoints().userinfo:
            return ()
        try:
            body = await self._wire.ask(userinfo_request(client, grant.tokens.access_token))
            return identity.addresses_of(claims_of_answer(body))
        except (Failure, Unreadable) as why:
            log.warning("the provider does not say who signed in", client=client.id, error=type(why).__name__)
            return ()


def credential_of(begun: Authorization) -> Credential:
    """Its tokens as what a mailbox signs in with."""
    return Credential(AuthKind.OAUTH, client=begun.client, identity=begun.identity, tokens=begun.tokens)


def _main(who: tuple[str, ...], allowed: list[str]) -> str:
    """Of the addresses of who signed in the one that was awaited."""
    return next((one for one in who if identity.is_among([one], allowed)), who[0] if who else "")


def _missing(client: OAuthClient, grant: Grant) -> str:
    """What the person has not granted, in words; empty where all is there."""
    if not grant.tokens.refresh_token:
        return (
            "The provider gave no refresh token, so the sign-in would end within the hour. Sign in again and accept "
            "the access while you are away (offline access)."
        )
    if client.provider == "google" and grant.tokens.scope and GMAIL_SCOPE not in grant.tokens.scope.split():
        return (
            "The permission to read and send mail was not given. Sign in again and tick “Read, compose, send and "
            "permanently delete all your email from Gmail”."
        )
    return ""


def _signed_in_as(ways: Ways, begun: Authorization, served_by: str, wishes: Wishes) -> Ways:
    """The user names for what was found. A shared mailbox of Microsoft is opened under its own address with the
    person's token, and sent for as the person."""
    person = begun.identity if begun.username else begun.address
    shared = served_by in ("microsoft365", "outlook")
    return Ways(
        ways.imap if wishes.imap else _named(ways.imap, begun.address if shared else person),
        ways.smtp if wishes.smtp else _named(ways.smtp, person),
    )


def _named(ways: tuple[Way, ...], username: str) -> tuple[Way, ...]:
    return tuple(replace(way, endpoint=replace(way.endpoint, username=username)) for way in ways)
