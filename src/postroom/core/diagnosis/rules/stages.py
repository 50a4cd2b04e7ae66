"""Rows for the place alone: what is left where only the client spoke, or nothing can be read. They are asked last."""

from __future__ import annotations

from postroom.core.diagnosis.evidence import Stage
from postroom.core.diagnosis.phrase import phrases
from postroom.core.diagnosis.rule import FOLDER, Rule
from postroom.core.diagnosis.verdict import Action

RULES = (
    Rule(
        id="stage.dns",
        smtp="server_connection",
        imap="server_connection",
        cause="name_unknown",
        stages=frozenset({Stage.DNS}),
        given={"stage": Stage.DNS},
        source="name lookup failed",
    ),
    Rule(
        id="stage.connect",
        smtp="server_connection",
        imap="server_connection",
        cause="connection_failed",
        stages=frozenset({Stage.CONNECT}),
        given={"stage": Stage.CONNECT},
        source="the connection was not made",
    ),
    Rule(
        id="stage.greeting",
        smtp="server_connection",
        imap="server_connection",
        cause="connection_lost",
        stages=frozenset({Stage.GREETING}),
        given={"stage": Stage.GREETING},
        source="RFC 5321 section 3.1: no greeting came",
    ),
    Rule(
        id="stage.tls",
        smtp="tls_certificate",
        imap="tls_certificate",
        cause="tls_failed",
        stages=frozenset({Stage.TLS}),
        given={"stage": Stage.TLS},
        source="the handshake failed",
    ),
    Rule(
        id="stage.logout",
        imap="server_connection",
        action=Action.RETRY,
        cause="connection_lost",
        stages=frozenset({Stage.LOGOUT}),
        given={"stage": Stage.LOGOUT},
        source="RFC 9051 section 6.1.3",
    ),
    Rule(
        id="stage.starttls",
        smtp="tls_certificate",
        imap="tls_certificate",
        cause="tls_failed",
        stages=frozenset({Stage.STARTTLS}),
        given={"stage": Stage.STARTTLS},
        source="RFC 3207 section 4: what fails after the answer is the handshake",
    ),
    Rule(
        id="stage.ehlo",
        smtp="server_connection",
        cause="connection_failed",
        stages=frozenset({Stage.EHLO}),
        given={"stage": Stage.EHLO},
        source="RFC 5321 section 4.1.1.1: no answer that can be read",
    ),
    Rule(
        id="folder.not-opened",
        imap="folder_error",
        cause="folder_missing",
        stages=FOLDER,
        words=phrases(
            """
            could not select | cannot select | can't select | select failed | select: failed | unable to select
            failed to select | examine failed | could not examine | could not open folder | cannot open folder
            unable to open folder | failed to open folder | folder selection failed | mailbox selection failed
            side box … cannot be opened | folder … could not be opened | mailbox … could not be opened
            """
        ),
        example="Unable to select folder INBOX",
        given={"stage": Stage.SELECT},
        source="clients that say what they could not do, and nothing of what the server said",
    ),
    Rule(
        id="stage.reading",
        imap="server_connection",
        action=Action.RETRY,
        cause="connection_lost",
        stages=frozenset({Stage.FETCH, Stage.IDLE}),
        given={"stage": Stage.FETCH},
        source="a session that broke while reading, without an answer of the server",
    ),
    Rule(
        id="stage.oauth",
        smtp="token_expired",
        imap="token_expired",
        cause="token_refused",
        stages=frozenset({Stage.OAUTH}),
        silent=False,
        example='{"error": "invalid_code"}',
        given={"stage": Stage.OAUTH},
        source="RFC 6749 section 5.2: a token endpoint that gives no token, for a reason that we do not know",
    ),
)
