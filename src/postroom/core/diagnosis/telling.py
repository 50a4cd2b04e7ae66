"""Puts a cause into words: this provider's menus, this certificate's dates, held mail. It judges nothing."""

from __future__ import annotations

from datetime import datetime, timedelta

from postroom.core.diagnosis.causes import Cause
from postroom.core.diagnosis.evidence import Evidence
from postroom.core.diagnosis.guides import GENERIC, guide_for
from postroom.core.diagnosis.text import filled
from postroom.core.diagnosis.text import mark as _
from postroom.core.mailbox import Direction, Endpoint, Security

HELD = _("Outgoing mail is held for up to {hold_hours} hours and sent when the mailbox reconnects. {held}")
HELD_COUNT = _("Held now: {count}.")
HELD_LEFT = _("Held now: {count}; the oldest waits at most {left} more.")

AUTOMATIC = _("Postroom tries again by itself; nothing has to be done unless this lasts longer than an hour.")
AGAIN = _("Then have Postroom check the mailbox; it also tries by itself every few minutes.")
TRIAL_AUTOMATIC = _("Try again in a few minutes: this may pass by itself.")
TRIAL_AGAIN = _("Then try again.")
FITS = _("{host} answers on port {port} with {security}: set this port and security in the mailbox's settings.")
_SECURITY = {Security.TLS: _("TLS"), Security.STARTTLS: _("STARTTLS"), Security.NONE: _("no protection")}

_GUIDED = ("app_password", "imap_on", "smtp_on", "sending_limit", "connections", "unlock", "shared", "hosts")


def told(cause: Cause, evidence: Evidence, provider: str, *, trial: bool = False) -> tuple[str, tuple[str, ...]]:
    """Reason and steps of a cause for this evidence, by the guide of this provider. A trial is of settings that are
    not saved: nobody tries those again but the person."""
    values = _values(evidence, provider) | {
        "automatic": TRIAL_AUTOMATIC if trial else AUTOMATIC,
        "again": TRIAL_AGAIN if trial else AGAIN,
    }
    steps = (filled(template, values) for template in cause.steps)
    host = evidence.host
    return _sentence(filled(cause.reason, values), host), tuple(_sentence(step, host) for step in steps if step)


def held_mail(held: int | None, hold_hours: int, oldest_expires_at: datetime | None, now: datetime | None) -> str:
    """What happens with outgoing mail while the mailbox cannot send, with count and time left where they are known."""
    if held and oldest_expires_at and now:
        said = filled(HELD_LEFT, {"count": str(held), "left": span(oldest_expires_at - now)})
    else:
        said = filled(HELD_COUNT, {"count": str(held)}) if held is not None else ""
    return filled(HELD, {"hold_hours": str(hold_hours), "held": said})


def fitting(endpoint: Endpoint) -> str:
    """The step that names the port and security which were found to answer as they should."""
    security = _SECURITY[endpoint.security]
    return filled(FITS, {"host": endpoint.host, "port": str(endpoint.port), "security": security})


def day(moment: datetime) -> str:
    """A date as people write it: 3 March 2026."""
    return f"{moment.day} {moment:%B %Y}"


def span(left: timedelta) -> str:
    """A time left as people say it: 71 hours, 40 minutes, less than a minute."""
    minutes = int(left.total_seconds() // 60)
    if minutes < 1:
        return _("less than a minute")
    if minutes < 120:
        return _("1 minute") if minutes == 1 else filled(_("{minutes} minutes"), {"minutes": str(minutes)})
    return filled(_("{hours} hours"), {"hours": str(minutes // 60)})


def _values(evidence: Evidence, provider: str) -> dict[str, str]:
    guide = guide_for(provider)
    tls = evidence.tls
    values = {name: getattr(guide, name) or getattr(GENERIC, name) for name in _GUIDED}
    return values | {
        "provider": guide.name,
        "switch": values["imap_on" if evidence.direction is Direction.IMAP else "smtp_on"],
        "host": evidence.host or _("the mail server"),
        "port": filled(_("port {port}"), {"port": str(evidence.port)}) if evidence.port else _("the port that is set"),
        "folder": f"“{evidence.folder}”" if evidence.folder else _("that is set"),
        "recipient": evidence.recipient or _("the recipient"),
        "expired_on": filled(_(" on {day}"), {"day": day(tls.not_after)}, keep=True) if tls and tls.not_after else "",
        "valid_from": filled(_(" before {day}"), {"day": day(tls.not_before)}, keep=True)
        if tls and tls.not_before
        else _(" yet"),
        "names": ", ".join(tls.names[:5]) if tls and tls.names else _("another name"),
        "issuer": f" ({tls.issuer})" if tls and tls.issuer else "",
        "detail": f" ({tls.detail})" if tls and tls.detail else "",
    }


def _sentence(text: str, host: str | None) -> str:
    """Begins with a capital, unless it begins with the server's name."""
    return text if host and text.startswith(host) else text[:1].upper() + text[1:]
