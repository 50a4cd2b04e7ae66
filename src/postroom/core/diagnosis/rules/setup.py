"""Rows about wrong settings: port, security, mechanism, protocol. A bad certificate is in `tls`."""

from __future__ import annotations

from postroom.core.diagnosis.evidence import Stage
from postroom.core.diagnosis.phrase import phrases
from postroom.core.diagnosis.rule import MESSAGE, Rule
from postroom.core.diagnosis.verdict import Action

SETUP = "server_misconfigured"
AUTH = frozenset({Stage.AUTH})
EARLY = frozenset({Stage.CONNECT, Stage.GREETING, Stage.TLS, Stage.EHLO, Stage.CAPABILITY})

RULES = (
    Rule(
        id="setup.private-host",
        smtp=SETUP,
        imap=SETUP,
        cause="private_host",
        words=phrases("privatehost:"),
        example="PrivateHost: mail.example.org is 10.0.0.5",
        given={"stage": Stage.CONNECT},
        source="our own guard: POSTROOM_ALLOW_PRIVATE_HOSTS",
    ),
    Rule(
        id="setup.starttls-not-offered",
        smtp=SETUP,
        imap=SETUP,
        cause="starttls_not_offered",
        words=phrases(
            """
            notoffered: starttls | starttls extension not supported | does not support starttls
            starttls not supported | doesn't support starttls | starttls is not supported
            starttls is required but | starttls not available | starttls unavailable | no starttls
            starttls was not offered | does not support the starttls | server did not … starttls
            starttls not offered | not advertise starttls | doesn't offer starttls | does not offer starttls
            starttls command not | starttls failed, server doesn't | does not support secure connections
            must be … starttls … not support | starttls … not supported | starttls … not implemented
            starttls … unrecognized | starttls … unknown command | tls not supported | tls is not supported
            starttls … doesn't advertise | starttls … does not advertise
            """
        ),
        example="smtplib.SMTPNotSupportedError: STARTTLS extension not supported by server.",
        given={"stage": Stage.STARTTLS},
        source="Python smtplib, MailKit, Java Mail, Go",
    ),
    Rule(
        id="setup.dotnet-either",
        smtp="invalid_credentials",
        cause="not_signed_in",
        words=phrases("secure connection or the client was not authenticated"),
        unless=phrases("starttls"),
        example="The SMTP server requires a secure connection or the client was not authenticated.",
        given={"stage": Stage.SEND},
        source=".NET SmtpClient puts one sentence before every 530",
    ),
    Rule(
        id="setup.tls-first",
        smtp=SETUP,
        imap=SETUP,
        cause="tls_required",
        words=phrases(
            """
            must issue a starttls | starttls first | starttls required | requires starttls
            starttls is required | requires a secure connection | require a secure connection
            secure connection required | encryption required | encryption is required | encryption needed
            requires encryption | requires an encrypted | encrypted connection required | requires tls
            tls required | tls is required | requires ssl | ssl required | ssl is required | offers no privacy
            use tls | use ssl | enable ssl | enable tls | plaintext authentication disallowed
            plaintext authentication not allowed | plaintext authentication disabled
            plaintext authentication … disa | plain text authentication | cleartext authentication
            cleartext login | clear text login | plaintext login | login is disabled | login disabled
            logindisabled | logins disabled | logins are disabled | authentication not enabled before tls
            without tls | without ssl | unencrypted | non-secure | insecure connection | not secure | tls/ssl
            plain login / authentication are disabled | not permitted on non-encrypted | over an encrypted
            over ssl | over tls | only over secure | need tls | login … first starttls | before starttls
            secure channel | protected connection | tls-connection is required | tls … required | ssl … required
            logging in is disabled | under a layer | run starttls | stls | clear-text port | cleartext port
            login command is disabled | non_ssl | non-ssl | secure connection is requ | layer security required
            disallowed plaintext | disallowed cleartext
            """
        ),
        unless=phrases(
            """
            recipient | account is disabled | for your account | certificate | handshake
            could not negotiate | account login | this account's | user | send starttls | bulk | less secure
            pipeline | sign-in | maybe | contact the admin | contact your admin | administrator
            """
        ),
        stages=frozenset(
            {
                Stage.CAPABILITY,
                Stage.EHLO,
                Stage.STARTTLS,
                Stage.AUTH,
                Stage.MAIL,
                Stage.RCPT,
                Stage.SELECT,
                Stage.GREETING,
                Stage.SEND,
            }
        ),
        example=(
            "530 5.7.0 Must issue a STARTTLS command first. For more information, go to About SMTP error messages"
        ),
        given={"stage": Stage.MAIL},
        source="RFC 3207 section 4; RFC 5530 PRIVACYREQUIRED; RFC 4954 538; Dovecot, Postfix, Courier, James",
    ),
    Rule(
        id="setup.tls-first.account",
        smtp=SETUP,
        imap=SETUP,
        cause="tls_required",
        words=phrases(
            """
            requires an encrypted network connection | plaintext authentication disabled
            plaintext authentication disallowed
            """
        ),
        stages=AUTH,
        example="imap-login: Login failed: Plaintext authentication disabled: user=<>, rip=192.0.2.114",
        source="Dovecot's log; lavabit magma",
    ),
    Rule(
        id="setup.no-starttls",
        smtp=SETUP,
        imap=SETUP,
        cause="starttls_not_offered",
        stages=frozenset({Stage.STARTTLS}),
        unless_replies=(4,),
        words=phrases(
            """
            tls … not available | tls … not supported | tls … unavailable | tls … not offered | tls … not enabled
            tls … not advertised | tls … not configured | no tls
            """
        ),
        unless=phrases("due to | temporar | handshake"),
        example="NO TLS is not available.",
        given={"stage": Stage.STARTTLS},
        source="Stalwart, Courier; Postfix smtp_tls_security_level = encrypt",
    ),
    Rule(
        id="setup.no-auth",
        smtp=SETUP,
        imap=SETUP,
        cause="auth_not_offered",
        words=phrases(
            """
            notoffered: auth | auth extension not supported | auth not supported | auth command not
            does not support authentication | doesn't support authentication | authentication not implemented
            authentication is not supported | authentication not supported | auth not available
            auth not advertised | no form of authori | not advertise auth
            auth command used when not advertised | server doesn't support auth | server does not support auth
            does not support smtp auth | authentication not enabled | authentication disabled on this
            auth is not | auth disabled | not support the auth | no authentication method | no auth mech
            authentication methods … none | auth command is not | auth not enabled
            authentication is not enabled on this | no supported authentication | doesn't support smtp auth
            authenticate is not enabled | auth not allowed | only allowed on submission
            authentication not allowed on | authentication is not allowed on
            """
        ),
        unless=phrases("tenant | for the mailbox | basic auth"),
        example="smtplib.SMTPNotSupportedError: SMTP AUTH extension not supported by server.",
        source="Python smtplib, Go, Exim, emailjs",
    ),
    Rule(
        id="setup.mechanism",
        smtp=SETUP,
        imap=SETUP,
        cause="auth_mechanism",
        words=phrases(
            """
            unrecognised authentication type | unsupported authentication | unsupported authenticate
            authentication type not supported
            unrecognized authentication | mechanism not supported | unsupported mechanism
            mechanism is not supported | unknown mechanism | invalid mechanism | mechanism not available
            no mechanism available | no worthy mechs | no suitable authentication | no compatible authentication
            no common auth | no matching auth | not a supported auth | mechanism … not supported
            mechanism … not allowed | mechanism … unsupported | auth mode unsupported | scram not possible
            mechanism too weak | authentication mechanism | no supported sasl | sasl mechanism | auth mechanism
            authentication method | auth=plain | unknown auth | ntlm | authenticate plain not
            plain not supported | login not supported | cram-md5 not supported | mechanism … not available
            mechanism … isn't | plain isn't | login isn't | no known mechanism | mechanism … disabled
            mechanism … not enabled | unsupported auth␣ | auth method
            failed to find an authenticator | no authenticator | recognized sasl | do secure authentication
            """
        ),
        unless=phrases(
            """
            invalid credentials | authenticationfailed | password | capability | authentication failed:
            incorrect | basic authentication | too many | log in via
            """
        ),
        example="504 5.7.4 Unrecognized authentication type [BJXPR01CA015.CHNPR01.prod.partner.outlook.cn]",
        source="RFC 4954 section 4 (504); Cyrus SASL; Exchange",
    ),
    Rule(
        id="setup.referral",
        imap=SETUP,
        cause="other_server",
        words=phrases(
            "try this server instead | use this server instead | moved to another server | mailbox has moved"
        ),
        stages=AUTH | {Stage.SELECT},
        unless=phrases("being moved | being migrated"),
        example="NO [REFERRAL imap://other.example.org/] Try this server instead.",
        source="RFC 2221; Dovecot",
    ),
    Rule(
        id="setup.unexpected-greeting",
        imap=SETUP,
        smtp=SETUP,
        cause="wrong_port",
        words=phrases(
            """
            unexpected greeting | imap4.error: none | not an imap | not an smtp | not imap4 | greeting is not
            invalid smtp greeting | no greeting from … pop
            """
        ),
        stages=EARLY | AUTH,
        example="imaplib.IMAP4.error: None",
        given={"stage": Stage.GREETING},
        source="imaplib and others when a POP3 or SMTP server answers",
    ),
    Rule(
        id="setup.other-protocol.http",
        smtp=SETUP,
        imap=SETUP,
        cause="wrong_port",
        words=phrases("http/1. | <html | <!doctype html | http/2"),
        stages=EARLY,
        example="HTTP/1.1 400 Bad Request",
        given={"stage": Stage.GREETING},
        source="RFC 9112: a web server listens there",
    ),
    Rule(
        id="setup.other-protocol.ssh",
        smtp=SETUP,
        imap=SETUP,
        cause="wrong_port",
        words=phrases("ssh-2.0 | ssh-1. | ftp server | ftpd | +ok | mysql | rfb 00"),
        stages=EARLY,
        example="SSH-2.0-OpenSSH_9.2p1 Debian-2",
        given={"stage": Stage.GREETING},
        source="RFC 4253 4.2; RFC 1939 4: another service listens there",
    ),
    Rule(
        id="setup.other-protocol.mail",
        imap=SETUP,
        cause="wrong_port",
        words=phrases("220␣ | atom: 220 | esmtp | -err␣"),
        stages=EARLY,
        example="220 mail.example.org ESMTP Postfix",
        given={"stage": Stage.GREETING},
        source="RFC 5321 section 3.1: an SMTP server listens there",
    ),
    Rule(
        id="setup.other-protocol.imap",
        smtp=SETUP,
        cause="wrong_port",
        words=phrases("* ok | * preauth | * bye | imap4"),
        stages=EARLY,
        example="* OK [CAPABILITY IMAP4rev1] Dovecot ready.",
        given={"stage": Stage.GREETING},
        source="RFC 9051 section 7.1: an IMAP server listens there",
    ),
    Rule(
        id="setup.http-to-pop",
        imap="invalid_credentials",
        cause="password_refused",
        words=phrases("-err auth | -err [auth] | -err login | -err invalid"),
        stages=AUTH,
        example=": PASS xxx\n: -ERR authentication failed\n: QUIT",
        source="RFC 1939, RFC 3206: a POP3 refusal of the same account",
    ),
    Rule(
        id="setup.tls-expected",
        smtp=SETUP,
        imap=SETUP,
        cause="tls_expected",
        words=phrases("tlsexpected:"),
        example="TlsExpected: silent in plain text, and TLS from the first byte is answered",
        given={"stage": Stage.GREETING},
        source="our own look; RFC 8314 3",
    ),
    Rule(
        id="setup.java-no-greeting",
        smtp=SETUP,
        imap=SETUP,
        cause="tls_port_plain_client",
        words=phrases("response: -1"),
        example=(
            "javax.mail.MessagingException: Could not connect to SMTP host: smtp.example.com, port: 465, response: -1"
        ),
        given={"stage": Stage.GREETING},
        source="Java Mail on port 465 without TLS",
    ),
    Rule(
        id="setup.helo",
        smtp=SETUP,
        cause="helo_refused",
        words=phrases(
            """
            helo … invalid | ehlo … invalid | invalid helo | invalid ehlo | helo command rejected
            helo/ehlo argument | bad helo | helo … rejected | helohost error | helo … syntactically invalid
            helo … does not | ehlo domain | helo domain | ehlo requires | helo requires
            fully-qualified hostname | full host name | helo name | ehlo name | helo … mismatch | helo … refused
            ehlo … refused
            helo … not | mi:nhd
            """
        ),
        unless=phrases("try again later"),
        example="501 5.5.4 HELO/EHLO argument is invalid. https://support.google.com/mail/?p=helo",
        given={"stage": Stage.EHLO},
        source="Google SMTP errors; Postfix reject_invalid_helo_hostname; Exim",
    ),
    Rule(
        id="setup.submission-port",
        smtp=SETUP,
        cause="submission_port",
        words=phrases(
            """
            use port 587 | use port 465 | port 25 is blocked | port 25 blocked | submission port | port 25 … not
            """
        ),
        example="550 5.7.1 Please use port 587 to submit mail",
        given={"stage": Stage.MAIL},
        source="RFC 6409; providers that block port 25",
    ),
    Rule(
        id="setup.pipelined-starttls",
        smtp=SETUP,
        cause="protocol",
        words=phrases("allowed to pipeline after starttls"),
        example=(
            '454, "4.5.0", SMTP protocol violation, no commands allowed to pipeline after STARTTLS, see RFC 3207.'
        ),
        given={"stage": Stage.STARTTLS},
        source="Google SMTP errors; RFC 3207 section 4.2",
    ),
    Rule(
        id="setup.order",
        smtp="unknown",
        action=Action.FIX_SETTINGS,
        cause="command_order",
        stages=MESSAGE | AUTH | {Stage.EHLO, Stage.GREETING, Stage.STARTTLS},
        words=phrases(
            """
            sender not yet given | sender not specified | no identity changes | nested mail | need rcpt
            hello first | mail first | already authenticated | already specified | sequence error
            unexpected command | bad sequence | out of sequence | valid rcpt | need mail | must have sender
            no sender | transaction in progress | say helo | say ehlo | helo first | ehlo first
            helo or ehlo required | already identified | polite people | protocol violation
            may not be repeated | tls already active | invalid input from
            """
        ),
        example="503 SENDER NOT YET GIVEN",
        given={"stage": Stage.RCPT},
        source="RFC 5321 section 4.1.4 (503); Exim; Google",
    ),
    Rule(
        id="setup.syntax",
        smtp="unknown",
        action=Action.FIX_SETTINGS,
        cause="command_order",
        stages=MESSAGE,
        replies=(500, 501, 502, 503),
        words=phrases(
            """
            syntax error | bad syntax | command unrecognized | command not recognized | unrecognized command
            unknown command | command unknown | command not implemented | invalid command
            parameter syntax | size syntax | utf-8 syntax | vrfy command
            """
        ),
        unless=phrases("address | recipient | sender | header | mailbox | too many"),
        example="500 5.5.2 Error: bad syntax",
        given={"stage": Stage.MAIL},
        source="RFC 5321 section 4.2.2: the command itself was not understood",
    ),
    Rule(
        id="setup.too-many-bad-commands",
        smtp="unknown",
        action=Action.FAIL_MESSAGE,
        cause="command_order",
        stages=MESSAGE,
        words=phrases(
            """
            too many unrecognized | too many bad commands | too many syntax | too many invalid commands
            too many errors | too many protocol errors | too many nonmail commands | junk commands
            too many unauthenticated commands
            """
        ),
        example='502, "5.5.1", Too many unrecognized commands, goodbye.',
        given={"stage": Stage.SEND},
        unless_replies=(4,),
        source="Google SMTP errors; Exim; Postfix smtpd_hard_error_limit",
    ),
)
