"""Rows about IMAP answers that nobody can mend by signing in: server bugs and commands refused as wrong."""

from __future__ import annotations

from postroom.core.diagnosis.evidence import Stage
from postroom.core.diagnosis.phrase import phrases
from postroom.core.diagnosis.rule import FOLDER, Rule
from postroom.core.diagnosis.verdict import Action

PROTOCOL = "protocol_error"
AFTER = FOLDER | {Stage.CAPABILITY, Stage.AUTH, Stage.LOGOUT}
AT_FETCH = {"stage": Stage.FETCH}
REFUSED = phrases(
    """
    unknown command | command unknown | unrecognized command | unrecognised command | command not valid
    not valid in this state | command not allowed | not allowed in this state | not allowed now | bad command
    command error | syntax error | parse error | could not parse | unable to parse | couldn't parse
    command line | line too long | command is not valid | unexpected response | bad response | unexpected token
    extra arguments | message set | sequence | illegal state | wrong state | wrong argument | protocol error
    protocol violation | command not supported | not implemented | not recognized | unexpected data
    authenticate aborted | bad literal | error in imap | unexpected character | malformed
    unexpected continuation | parseexception | protocolexception | unexpected end of | could not read
    imap4rev1 … required | unsupported | message number | no matching messages | some of the requested messages
    some messages | cannot be parsed | command tag | illegal argument | illegal tag | illegal in state
    bad protocol | disabled by configuration | no longer exists | in this connection state | must be in … state
    must be in selected | login first | authenticate first | select a mailbox first | null command
    requires … parameter | messages have been expunged | message has been expunged | not in mailbox
    no such message | message not found | not permitted now | expected done | only allowed in states
    invalid command | invalid imap command | too many invalid | missing required argument | missing argument
    missing close | missing open | invalid argument | invalid sasl argument | invalid uid | invalid messageset
    invalid literal | invalid tag | invalid characters | invalid search | invalid base64 | invalid data
    invalid response | invalid idle | invalid list | invalid state | invalid syntax | invalid parameters
    invalid flag | invalid system flag | requires … argument | mail number | brackets are | parenthes
    excessive amount of data | got more than | codec can't decode | bodystructure | is not available until you
    command too long | does not have a message | couldn't retrieve the | argument … must be
    retrieve the following message |  bad url | invalid annotation | invalid identifier | invalid rights | character set
    invalid server | quota root
    """
)
NOT_REFUSED = phrases(
    """
    connection | zlib | authentication failed | invalid credentials | login failed | timed out | timeout
    authenticationfailed | eof | connectresponse | password | session expired | unexpectedly | socket | end of file
    end of stream
    """
)

RULES = (
    Rule(
        id="protocol.corrupt",
        imap=PROTOCOL,
        action=Action.FIX_SETTINGS,
        cause="server_repair",
        stages=AFTER,
        words=phrases(
            """
            corrupt | invalid format | uidcorruption
            """
        ),
        unless=phrases("frame"),
        example="NO Mailbox is corrupt",
        given={"stage": Stage.SELECT},
        source="Cyrus IMAP_MAILBOX_BADFORMAT",
    ),
    Rule(
        id="protocol.unknown-error",
        imap="unknown",
        action=Action.RETRY,
        cause="nothing_said",
        stages=FOLDER,
        unless_statuses=("NO", "BAD", "BYE"),
        words=phrases("unknown error | unknown reason"),
        unless=phrases("i/o | internal | connection | disk"),
        example="Unknown error",
        given=AT_FETCH,
        source="clients that say so when they have lost the server's words",
    ),
    Rule(
        id="protocol.server-bug",
        imap=PROTOCOL,
        action=Action.RETRY,
        cause="server_bug",
        stages=FOLDER | {Stage.CAPABILITY, Stage.LOGOUT},
        unless_statuses=("BYE",),
        words=phrases(
            """
            internal error | server bug | refer to server log | internal server error | unexpected error
            unknown error | unspecified error | i/o error | dovecot.index | transaction log | input/output error
            fatal error
            system error | io failure | taking too long | processing failed | internal parsing error
            disk error | failed to save | unable to store | save failed | start transaction | transaction commit
            acquire uid | out of synchronization | serious error | operation interrupted | inconsistency detected
            """
        ),
        unless=phrases("fatal error: uncaught | connection | => system error"),
        example=(
            "NO [SERVERBUG] Internal error occurred. Refer to server log for more information. [2022-07-07 "
            "18:46:51] (0.001 + 0.000 secs)."
        ),
        given={"stage": Stage.SELECT},
        source="RFC 5530 SERVERBUG; Dovecot; Cyrus IMAP_IOERROR",
    ),
    Rule(
        id="protocol.unavailable",
        imap="account_unreachable",
        action=Action.RETRY,
        cause="backend_down",
        stages=FOLDER | {Stage.CAPABILITY},
        unless_statuses=("BYE", "BAD"),
        words=phrases(
            """
            temporary failure | temporary error | temporary system | temporary problem | temporarily
            try again later | please try again | server error while | unable to access your mailbox
            server unavailable | backend | mailbox is currently unavailable | server(s) unavailable
            service unavailable | system busy | not available | overloaded | being moved | in transit
            maintenance | denied the operation | retry operation | tempfail
            """
        ),
        example="NO UID FETCH Server error while fetching messages",
        given=AT_FETCH,
        unless=phrases("connection not"),
        source="RFC 5530 UNAVAILABLE; Yahoo; Cyrus IMAP_SERVER_UNAVAILABLE; Exchange",
    ),
    Rule(
        id="protocol.message-refused",
        imap=PROTOCOL,
        action=Action.FAIL_MESSAGE,
        cause="append_refused",
        stages=frozenset({Stage.APPEND}),
        unless_codes=("OVERQUOTA", "NOPERM", "TRYCREATE", "UNAVAILABLE"),
        words=phrases(
            """
            nul character | bare newline | bare lf | command line limit | message contains | header
            message too | excessively large | too large | too big | too long | message size | invalid message
            parse message
            literal | 8-bit | blank line | date | flag | too many identical | separator | zero-length
            non-ascii | zero byte | empty message | message is empty | nothing to append | bare cr
            message exceeds | exceeds what | larger than | bigger than | malformed | appendable
            exceeds the maximum | maximum allowed size | virus | size exceeds
            """
        ),
        example="NO Message contains NUL characters",
        given={"stage": Stage.APPEND},
        source="Cyrus IMAP_MESSAGE_CONTAINSNULL and others; RFC 7889; Exchange",
    ),
    Rule(
        id="protocol.microsoft-10",
        imap=PROTOCOL,
        action=Action.RETRY,
        cause="server_bug",
        stages=AFTER,
        words=phrases("command error. 1"),
        example="BAD Command Error. 10",
        given={"provider": "microsoft365"},
        source="Exchange Online when its back end fails",
    ),
    Rule(
        id="protocol.aborted",
        imap=PROTOCOL,
        action=Action.RETRY,
        cause="protocol",
        stages=frozenset({Stage.AUTH}),
        words=phrases(
            """
            authentication aborted | cancelled authentication | canceled authentication
            authentication cancelled | authentication canceled | wants more steps
            """
        ),
        example="NO Authentication aborted",
        source="Dovecot: the client broke the dialogue off",
    ),
    Rule(
        id="protocol.greeting",
        imap=PROTOCOL,
        cause="protocol",
        stages=frozenset({Stage.GREETING}),
        words=phrases("invalid greeting"),
        example="Invalid greeting: * OK [CAPABILITY IMAP4rev1] Dovecot ready.",
        given={"stage": Stage.GREETING},
        source="clients that do not know what a good server said",
    ),
    Rule(
        id="protocol.malformed",
        imap=PROTOCOL,
        cause="protocol",
        stages=AFTER,
        words=phrases(
            """
            malformedmessage | malformed message | malformed response | failed to parse | unexpected char
            parse the server | parsing … response | unable to parse | parse error | parseerror | unknown token
            response too large | response too long
            """
        ),
        example="authentication failed mechanism=Plain err=Stream(State(Flow(MalformedMessage)))",
        source="Rust imap-codec and others that could not read the answer",
    ),
    Rule(
        id="protocol.refused.append",
        imap=PROTOCOL,
        action=Action.FAIL_MESSAGE,
        cause="append_refused",
        stages=frozenset({Stage.APPEND}),
        words=REFUSED,
        unless=NOT_REFUSED,
        example="280 BAD Error in IMAP command APPEND: 8bit data in atom .",
        given={"stage": Stage.APPEND},
        source="Dovecot; RFC 9051 section 6.3.12: this message is not kept, others are",
    ),
    Rule(
        id="protocol.unreadable-message",
        imap=PROTOCOL,
        action=Action.FAIL_MESSAGE,
        cause="protocol",
        stages=frozenset({Stage.FETCH}),
        words=phrases(
            """
            mail cannot be parsed | message cannot be parsed | message corrupted | message is corrupt
            could not be converted | cannot be converted
            """
        ),
        example="NO failed. Mail cannot be parsed.",
        given={"stage": Stage.FETCH},
        source="James FAILURE_MAIL_PARSE: one message, the mailbox is healthy",
    ),
    Rule(
        id="protocol.refused",
        imap=PROTOCOL,
        action=Action.FIX_SETTINGS,
        cause="protocol",
        stages=AFTER - {Stage.APPEND},
        unless_codes=("EXPUNGEISSUED", "AUTHENTICATIONFAILED"),
        words=REFUSED,
        unless=NOT_REFUSED,
        example="BAD Command is not valid in this state.",
        given={"stage": Stage.SELECT},
        source="RFC 9051 section 7.1.3; James; Dovecot; Exchange; Yahoo CLIENTBUG",
    ),
    Rule(
        id="protocol.no-sign-in-tried",
        imap="unknown",
        action=Action.FIX_SETTINGS,
        cause="nothing_said",
        stages=frozenset({Stage.AUTH, Stage.TLS, Stage.CONNECT}),
        words=phrases("no auth attempts"),
        example="Disconnected (no auth attempts in 0 secs): user=<>,",
        source="Dovecot's log: the client left before signing in, often over the certificate",
    ),
)
