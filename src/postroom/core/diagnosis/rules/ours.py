"""Rows for what our own wire reports about answers that are none. Certificates are in `tls`, the rest in `setup`."""

from __future__ import annotations

from postroom.core.diagnosis.evidence import Stage
from postroom.core.diagnosis.phrase import phrases
from postroom.core.diagnosis.rule import MESSAGE, Rule
from postroom.core.diagnosis.verdict import Action

BEFORE = frozenset({Stage.DNS, Stage.CONNECT, Stage.TLS, Stage.GREETING, Stage.STARTTLS})
PROTOCOL_ERROR = phrases("protocolerror:")

RULES = (
    Rule(
        id="ours.plaintext",
        smtp="server_misconfigured",
        imap="server_misconfigured",
        cause="plaintext_refused",
        stages=BEFORE,
        words=phrases("plaintextrefused:"),
        example="PlaintextRefused: mail.example.org is not among the hosts of POSTROOM_PLAINTEXT_HOSTS",
        given={"stage": Stage.DNS},
        source="our own guard: POSTROOM_PLAINTEXT_HOSTS (RFC 8314 section 3)",
    ),
    Rule(
        id="ours.no-mail-server",
        smtp="server_misconfigured",
        imap="server_misconfigured",
        cause="wrong_port",
        stages=BEFORE,
        words=PROTOCOL_ERROR,
        example="ProtocolError: what answers there is no IMAP server",
        given={"stage": Stage.GREETING},
        source="our own wire: what answers does not speak the protocol",
    ),
    Rule(
        id="ours.no-smtp-capabilities",
        smtp="server_misconfigured",
        cause="wrong_port",
        stages=frozenset({Stage.EHLO, Stage.CAPABILITY}),
        words=PROTOCOL_ERROR,
        example="ProtocolError: 250 is no answer to this",
        given={"stage": Stage.EHLO},
        source="our own wire: EHLO is not answered as RFC 5321 section 4.1.1.1 says",
    ),
    Rule(
        id="ours.protocol",
        smtp="server_connection",
        imap="protocol_error",
        action=Action.RETRY,
        cause="protocol",
        words=PROTOCOL_ERROR,
        example="ProtocolError: a literal without its length",
        given={"stage": Stage.FETCH},
        source="our own parser: an answer that is none (RFC 9051 section 9, RFC 5321 section 4.2)",
    ),
    Rule(
        id="ours.key-lost",
        smtp="invalid_credentials",
        imap="invalid_credentials",
        cause="key_lost",
        stages=frozenset({Stage.AUTH}),
        words=phrases("keylost:"),
        example="KeyLost: the key that this credential was sealed with is gone",
        given={"stage": Stage.AUTH},
        source="our own vault: the secret key is lost",
    ),
    Rule(
        id="ours.given-up",
        smtp="message_deferred",
        cause="message_later",
        stages=MESSAGE,
        words=phrases("givenup:"),
        example="GivenUp: the message was not to be handed over any more",
        given={"stage": Stage.DATA},
        source="our own wire: nothing failed, another worker has the message",
    ),
)
