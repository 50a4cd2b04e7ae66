"""Between core's values and rows: mailboxes, health, cursors, deliveries, attempts. It runs no queries."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import Row

from postroom.core.budget import AS_GRANTED, UNTOLD, Budget, Told
from postroom.core.cursor import Cursor, Gap, Order, Reconciled, Spent
from postroom.core.delivery import Attempt, Delivery, Recipient, RecipientState, SentCopy
from postroom.core.delivery import Signal as DeliverySignal
from postroom.core.delivery import State as DeliveryState
from postroom.core.diagnosis.incident import refused_as
from postroom.core.diagnosis.verdict import Diagnosis
from postroom.core.health import Health, Notices
from postroom.core.health import State as HealthState
from postroom.core.mailbox import Alias, AuthKind, Direction, Endpoint, Mailbox, Security, Signature, UnconfirmedPolicy
from postroom.core.message import Flow

Values = dict[str, Any]


def address_key(address: str) -> str:
    """Addresses that differ only in case are one mailbox to every provider that we know."""
    return address.strip().casefold()


def mailbox_values(mailbox: Mailbox) -> Values:
    return {
        "id": mailbox.id,
        "address": mailbox.address,
        "address_key": address_key(mailbox.address),
        "name": mailbox.name,
        "provider": mailbox.provider,
        **_endpoint_values("imap", mailbox.imap),
        **_endpoint_values("smtp", mailbox.smtp),
        "auth_kind": str(mailbox.auth_kind),
        "ca_certificate": mailbox.ca_certificate,
        "hold_hours": mailbox.hold_hours,
        "folders": list(mailbox.folders),
        "reference": mailbox.reference,
        "unconfirmed": str(mailbox.unconfirmed),
        "aliases": [asdict(one) for one in mailbox.aliases],
        "reply_to": mailbox.reply_to,
        "signature_text": mailbox.signature.text if mailbox.signature else None,
        "signature_html": mailbox.signature.html if mailbox.signature else None,
        "sync_days": mailbox.sync_days,
        "read_sent": mailbox.read_sent,
        "created_at": mailbox.created_at,
    }


def _endpoint_values(protocol: str, endpoint: Endpoint) -> Values:
    return {
        f"{protocol}_host": endpoint.host,
        f"{protocol}_port": endpoint.port,
        f"{protocol}_security": str(endpoint.security),
        f"{protocol}_username": endpoint.username,
    }


def mailbox_of_row(row: Row[Any], allowed: Row[Any] | None) -> Mailbox:
    return Mailbox(
        id=row.id,
        address=row.address,
        name=row.name,
        provider=row.provider,
        imap=Endpoint(row.imap_host, row.imap_port, Security(row.imap_security), row.imap_username),
        smtp=Endpoint(row.smtp_host, row.smtp_port, Security(row.smtp_security), row.smtp_username),
        auth_kind=AuthKind(row.auth_kind),
        created_at=row.created_at,
        ca_certificate=row.ca_certificate,
        hold_hours=row.hold_hours,
        folders=tuple(row.folders),
        reference=row.reference,
        unconfirmed=UnconfirmedPolicy(row.unconfirmed),
        aliases=tuple(Alias(**one) for one in row.aliases),
        budget=_budget(allowed) if allowed else AS_GRANTED,
        told=Told(allowed.told_size, allowed.told_recipients, allowed.told_messages) if allowed else UNTOLD,
        sync_days=row.sync_days,
        reply_to=row.reply_to,
        signature=_signature(row),
        read_sent=bool(row.read_sent),
    )


def _signature(row: Row[Any]) -> Signature | None:
    if not row.signature_text and not row.signature_html:
        return None
    return Signature(row.signature_text or "", row.signature_html or "")


def _budget(row: Row[Any]) -> Budget:
    return Budget(row.connections, row.messages_a_minute, row.messages_a_day, row.recipients_a_day)


def budget_values(budget: Budget) -> Values:
    return {name: getattr(budget, name) for name in Budget.__dataclass_fields__}


def told_values(told: Told) -> Values:
    return {"told_size": told.size, "told_recipients": told.recipients, "told_messages": told.messages}


def _diagnosis(value: Values | None) -> Diagnosis | None:
    return Diagnosis.from_dict(value) if value else None


def _diagnosis_values(diagnosis: Diagnosis | None) -> Values | None:
    return diagnosis.as_dict() if diagnosis else None


def health_values(health: Health) -> Values:
    """Without heard_at, which is noted on its own way."""
    return {
        "mailbox_id": health.mailbox_id,
        "direction": str(health.direction),
        "state": str(health.state),
        "since": health.since,
        "diagnosis": _diagnosis_values(health.diagnosis),
        "code": refused_as(health.diagnosis) if health.diagnosis else None,
        "failures": health.failures,
        "next_probe_at": health.next_probe_at,
        "troubles": [at.isoformat() for at in health.notices.troubles] or None,
        "quiet_until": health.notices.quiet_until,
    }


def health_of_row(row: Row[Any]) -> Health:
    return Health(
        mailbox_id=row.mailbox_id,
        direction=Direction(row.direction),
        state=HealthState(row.state),
        since=row.since,
        diagnosis=_diagnosis(row.diagnosis),
        failures=row.failures,
        next_probe_at=row.next_probe_at,
        heard_at=row.heard_at,
        notices=Notices(tuple(datetime.fromisoformat(at) for at in row.troubles or ()), row.quiet_until),
    )


def cursor_values(cursor: Cursor) -> Values:
    return {
        "mailbox_id": cursor.mailbox_id,
        "name": cursor.folder,
        "uid_validity": cursor.uid_validity,
        "last_uid": cursor.last_uid,
        "highest_modseq": cursor.highest_modseq,
        "synced_at": cursor.synced_at,
        "total": cursor.total,
        "done": cursor.done,
        "per_minute": cursor.per_minute,
        "gaps": [[gap.first, gap.last, str(gap.order)] for gap in cursor.gaps],
        "began_at": cursor.began_at,
        "since": cursor.since,
        "reconciled_at": cursor.reconciled.at,
        "server_count": cursor.reconciled.server,
        "ledger_count": cursor.reconciled.ledger,
        "healed": cursor.reconciled.healed,
        "spent_since": cursor.spent.since,
        "spent_bytes": cursor.spent.size,
        "flow": str(cursor.flow),
    }


def cursor_of_row(row: Row[Any]) -> Cursor:
    return Cursor(
        row.mailbox_id,
        row.name,
        row.uid_validity,
        row.last_uid,
        row.highest_modseq,
        row.synced_at,
        row.total,
        row.done,
        row.per_minute,
        tuple(Gap(first, last, Order(order)) for first, last, order in row.gaps),
        row.began_at,
        row.since,
        Reconciled(row.reconciled_at, row.server_count, row.ledger_count, row.healed),
        Spent(row.spent_since, row.spent_bytes),
        Flow(row.flow),
    )


def delivery_values(delivery: Delivery) -> Values:
    return {
        "mailbox_id": delivery.mailbox_id,
        "id": delivery.id,
        "message_id": delivery.message_id,
        "rfc_message_id": delivery.rfc_message_id,
        "conversation_id": delivery.conversation_id,
        "sender": delivery.sender,
        "size": delivery.size,
        "accepted_at": delivery.accepted_at,
        "send_at": delivery.send_at,
        "expires_at": delivery.expires_at,
        "author": delivery.author,
        "resend_of": delivery.resend_of,
        **delivery_changes(delivery),
    }


def delivery_changes(delivery: Delivery) -> Values:
    """What may change after acceptance."""
    return {
        "state": str(delivery.state),
        "recipients": [one.as_dict() for one in delivery.recipients],
        "attempts": delivery.attempts,
        "next_attempt_at": delivery.next_attempt_at,
        "updated_at": delivery.updated_at,
        "diagnosis": _diagnosis_values(delivery.diagnosis),
        "sent_copy": str(delivery.sent_copy),
    }


def delivery_of_row(row: Row[Any]) -> Delivery:
    return Delivery(
        id=row.id,
        mailbox_id=row.mailbox_id,
        message_id=row.message_id,
        rfc_message_id=row.rfc_message_id,
        conversation_id=row.conversation_id,
        state=DeliveryState(row.state),
        sender=row.sender,
        recipients=_recipients(row.recipients, row.bounces),
        size=row.size,
        accepted_at=row.accepted_at,
        expires_at=row.expires_at,
        next_attempt_at=row.next_attempt_at,
        updated_at=row.updated_at,
        attempts=row.attempts,
        send_at=row.send_at,
        diagnosis=_diagnosis(row.diagnosis),
        sent_copy=SentCopy(row.sent_copy),
        author=row.author,
        resend_of=row.resend_of,
    )


def _recipients(values: list[Values], bounces: list[Values] | None) -> tuple[Recipient, ...]:
    """Of those who accepted it some may have sent it back."""
    recipients = tuple(Recipient.from_dict(one) for one in values)
    if not bounces:
        return recipients
    bounced = {one["address"]: Recipient.from_dict(one) for one in bounces}
    return tuple(bounced.get(one.address, one) if one.state is RecipientState.ACCEPTED else one for one in recipients)


def bounced_values(recipients: str, bounces: list[Values]) -> list[Values]:
    """The same, of a row's JSON, as events and rows have them."""
    return [one.as_dict() for one in _recipients(json.loads(recipients), bounces)]


def attempt_values(mailbox_id: str, attempt: Attempt) -> Values:
    return {
        "mailbox_id": mailbox_id,
        "delivery_id": attempt.delivery_id,
        "number": attempt.number,
        "started_at": attempt.started_at,
        "ended_at": attempt.ended_at,
        "outcome": str(attempt.outcome),
        "stage": attempt.stage,
        "reply": attempt.reply,
        "diagnosis": _diagnosis_values(attempt.diagnosis),
        "recipients": [one.as_dict() for one in attempt.recipients],
    }


def attempt_of_row(row: Row[Any]) -> Attempt:
    return Attempt(
        delivery_id=row.delivery_id,
        number=row.number,
        started_at=row.started_at,
        ended_at=row.ended_at,
        outcome=DeliverySignal(row.outcome),
        stage=row.stage,
        reply=row.reply,
        diagnosis=_diagnosis(row.diagnosis),
        recipients=tuple(Recipient.from_dict(one) for one in row.recipients),
    )
