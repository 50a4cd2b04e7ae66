"""What is shown of a simulator, as JSON can hold it: everything but secrets and message text. It changes nothing."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from postroom.simulator.accounts import Account, Submission
from postroom.simulator.fault import Service, StandingFault
from postroom.simulator.folder import StoredMessage
from postroom.simulator.session import Session

if TYPE_CHECKING:
    from postroom.simulator.simulator import Simulator

Json = dict[str, Any]


def simulator_state(simulator: Simulator) -> Json:
    return {
        "host": simulator.host,
        "ports": {
            "imap": simulator.imap_port,
            "imaps": simulator.imaps_port,
            "smtp": simulator.smtp_port,
            "smtps": simulator.smtps_port,
            "oauth": simulator.oauth_port,
            "control": simulator.control_port,
        },
        "listening": {str(service): simulator.listens(service) for service in Service},
        "oauth": oauth_state(simulator),
        "accounts": [account_state(account) for account in simulator.accounts.by_address.values()],
        "sessions": [session_state(session) for session in simulator.sessions],
        "faults": [fault_state(entry) for entry in simulator.faults.standing.values()],
        "outbox": len(simulator.outbox),
        "crashes": simulator.crashes,
    }


def oauth_state(simulator: Simulator) -> Json:
    """What clients are told; `asked` is how often each kind of grant was."""
    server = simulator.oauth
    return {
        "issuer": simulator.issuer,
        "client_id": server.client_id,
        "redirect_uris": list(server.redirect_uris) if server.redirect_uris is not None else None,
        "access_token_seconds": server.access_token_seconds,
        "refresh_token_seconds": server.refresh_token_seconds,
        "rotates": server.rotates,
        "asked": dict(server.asked),
    }


def account_state(account: Account) -> Json:
    return {
        "address": account.address,
        "saves_sent": account.saves_sent,
        "idle": account.idle,
        "threads": account.threads,
        "quota": account.quota,
        "connection_limit": account.connection_limit,
        "size": account.size,
        "folders": [
            {
                "name": folder.name,
                "special_use": folder.special_use,
                "uid_validity": folder.uid_validity,
                "uid_next": folder.uid_next,
                "messages": len(folder.messages),
                "unseen": folder.unseen,
            }
            for folder in account.folders.values()
        ],
    }


def session_state(session: Session) -> Json:
    return {
        "id": session.number,
        "protocol": str(session.service),
        "account": session.account.address if session.account else None,
        "tls": session.connection.secure,
    }


def fault_state(entry: StandingFault) -> Json:
    return {"id": entry.id, "met": entry.met, "fired": entry.fired, "spent": entry.spent} | asdict(entry.fault)


def message_state(message: StoredMessage) -> Json:
    headers = message.headers
    return {
        "uid": message.uid,
        "flags": sorted(message.flags),
        "internal_date": message.internal_date.isoformat(),
        "size": len(message.raw),
        "message_id": message.message_id,
        "from": str(headers.get("From", "")),
        "subject": str(headers.get("Subject", "")),
    }


def submission_state(submission: Submission) -> Json:
    return {
        "number": submission.number,
        "message_id": submission.message_id,
        "account": submission.account,
        "from": submission.sender,
        "to": [*submission.local, *submission.remote],
        "remote": submission.remote,
        "subject": submission.subject,
        "size": len(submission.raw),
        "accepted_at": submission.accepted_at.isoformat(),
    }
