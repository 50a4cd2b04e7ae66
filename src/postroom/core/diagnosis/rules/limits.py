"""Rows about limits: connections, logins, messages, storage of the mailbox itself. A recipient's are in `recipient`."""

from __future__ import annotations

from postroom.core.diagnosis.evidence import Stage
from postroom.core.diagnosis.phrase import phrases
from postroom.core.diagnosis.rule import FOLDER, MESSAGE, Rule
from postroom.core.diagnosis.verdict import Action

AUTH = frozenset({Stage.AUTH})
START = frozenset({Stage.CONNECT, Stage.GREETING, Stage.TLS, Stage.EHLO, Stage.STARTTLS})
LIMIT = "mailbox_limit_exceeded"
CONNECTIONS = "connection_limit"
CREDITS = phrases("maximum credits exceeded | credits exceeded | out of credits | no credits | upgrade your plan")

RULES = (
    Rule(
        id="limit.connections",
        imap=CONNECTIONS,
        smtp="server_connection",
        action=Action.RETRY,
        cause="connections",
        words=phrases(
            """
            too many simultaneous | too many concurrent | too many open connections | max_userip_connections
            maximum connections | max connections | many connections | connection limit | connections limit
            connections exceeded | number of connections | concurrent connection | simultaneous connection
            simultaneous imap | simultaneous login | simultaneous session | concurrent session
            too many sessions | too many imap | too many active | userconnectionlimitreached | session limit
            sessions limit | limit … connections | connections … limit | connection … limit
            limit of … connections | connected too many times | too many users | too many logged in
            exclusive access by another user | maxconnections | imap connections | too many clients
            number of simultaneous | number of … sessions | already logged in | maximum logins
            too many mailbox connections
            connection rate | maildrop | trop de connexions | zu viele verbindungen | zu viele … verbindungen
            trop de … connexions | demasiadas … conexiones | muitas … conexões | troppe … connessioni
            demasiadas conexiones
            muitas conexões | troppe connessioni | слишком много … соедин | слишком много … подключ | 连接数
            同时连接 | open sessions | many connect␣ | too many connect | connection queue full
            number of allowed connections | maximum number of logins | locked by pop | locked by a pop
            locked by another
            """
        ),
        unless=phrases(
            """
            frequency limited | refused too many | recipients per connection | messages per connection
            messages in this connection
            too many messages
            """
        ),
        example="NO [ALERT] Too many simultaneous connections. (Failure)",
        source="Gmail; Dovecot imap-login; Courier MAXPERIP; Exchange; Postfix anvil",
    ),
    Rule(
        id="limit.login-attempts",
        smtp="temporary_auth_failure",
        imap=CONNECTIONS,
        action=Action.RETRY,
        cause="sign_in_throttled",
        retry_after=900,
        words=phrases(
            """
            too many log in attempts | too many auth commands | login rate | login frequency
            login too frequent | login fail limit | logins too frequent | too frequent login
            too many authentication requests | too many auth requests | login attempts … later
            logging in too frequently | login frequently | frequency limited | auth rate | authentication rate
            too many sign-in | rate limit exceeded for login | login limit | logged in too often | recent logins
            rate limit hit | many login | too many consecutive logins | auth limit | 登录太频繁 | 登录过于频繁
            登录频繁 | login too many times | too many auth attempts | too many authentication attempts
            """
        ),
        unless=phrases("password | too many failed | too many invalid | locked"),
        stages=AUTH | {Stage.SELECT},
        example="454 4.7.0 Too many login attempts, please try again later. 4-20020a05 - gsmtp",
        source="Gmail; Postfix smtpd_client_auth_rate_limit; QQ",
    ),
    Rule(
        id="limit.failed-logins.auth005",
        smtp="invalid_credentials",
        cause="password_refused",
        words=phrases("(#auth005) too many bad auth attempts"),
        stages=AUTH,
        example="535 5.7.0 (#AUTH005) Too many bad auth attempts.",
        source="Yahoo, AOL: follows refused passwords",
    ),
    Rule(
        id="limit.failed-logins",
        smtp="temporary_auth_failure",
        imap="account_blocked",
        action=Action.RETRY,
        cause="failed_logins",
        retry_after=1800,
        stages=AUTH,
        words=phrases(
            """
            too many failed | too many invalid logon | too many invalid login | too many invalid auth
            too many invalid password | too many bad auth | too many unsuccessful | too many incorrect
            too many wrong | failed too many times | too many auth failures | too many authentication failure
            too much fail authentication | too many failures | too many login failures | too many errors
            multiple failed | repeated failed | too many password | failed login attempts | too many tries
            too many attempts | maximum login attempts | login failed too many | too many authentication errors
            temporarily blocked due to | brute force | too many consecutive
            too many authentication requests, disc | too many auth errors | zu viele fehl | trop de tentatives
            demasiados intentos | muitas tentativas | troppi tentativi | слишком много … попыт | 次数过多
            次数太多 | attempts exceeded | maximum number of … attempts
            """
        ),
        example="535 Authentication failed. Too many invalid logon attempts.",
        unless=phrases("locked"),
        source="hMailServer; James; NetEase 451; WildDuck",
    ),
    Rule(
        id="limit.errors",
        smtp="server_connection",
        action=Action.RETRY,
        cause="session_used_up",
        replies=(4,),
        stages=MESSAGE | START,
        words=phrases("too many errors"),
        example="421 4.7.0 mail.example.com Error: too many errors",
        given={"stage": Stage.SEND},
        source="Postfix smtpd_hard_error_limit: the session ends, the next one is served",
    ),
    Rule(
        id="limit.append-rate",
        imap=CONNECTIONS,
        action=Action.RETRY,
        cause="throttled",
        words=phrases(
            """
            rate limit | rate-limit | ratelimit | throttl | bandwidth | too many commands | too many requests
            too frequent | request limit | limit reached | session expired, please login again | server busy
            """
        ),
        unless=phrases(
            """
            command line | folder limit
            """
        ),
        example="NO Upload was rate limited. Try again in 10 minutes.",
        given={"stage": Stage.APPEND},
        source="WildDuck; Gmail's bandwidth limits; Exchange throttling; RFC 5530 LIMIT",
    ),
    Rule(
        id="limit.storage",
        imap=LIMIT,
        cause="mailbox_full",
        stages=FOLDER | AUTH,
        words=phrases(
            """
            overquota | exceeded … quota | mailbox is full | mailbox full | mailbox … full | storage … full
            storage limit | no space left | not enough space | insufficient storage | insufficient space
            out of storage | out of space | mailbox size limit | would exceed | exceeds … quota
            account is full | over storage | 容量 | full mailbox | too much mail | cuota | quota
            storage exhausted | no room | room left | storage has been exceeded | over maximum total
            storage is full | mailbox is over
            is over … quota
            speicher … voll | boîte … pleine | buzón … lleno | casella … piena | caixa … cheia | переполнен
            空间不足 | 已满 | disk space is full | disk is full | disk full
            """
        ),
        unless=phrases("bandwidth | command line | message size | quota root"),
        example="NO [ALERT] You exceeded your mail quota.",
        given={"stage": Stage.APPEND},
        source="RFC 5530 OVERQUOTA; Cyrus; Courier; Exchange; Dovecot quota",
    ),
    Rule(
        id="limit.sending.gmx",
        smtp=LIMIT,
        cause="sending_limit",
        words=phrases("failure sending mail. try again later"),
        stages=MESSAGE,
        example=("550-Requested action not taken: mailbox unavailable\n550 Failure sending mail. Try again later"),
        given={"stage": Stage.RCPT},
        source="GMX to a sender that it throttles",
    ),
    Rule(
        id="limit.sending.netease",
        smtp=LIMIT,
        cause="sending_limit",
        providers=("netease163",),
        retry_after=3600,
        stages=MESSAGE,
        words=phrases(
            """
            too much recipient | mi:dmc | rp:drc | mi:sfq | rp:qrc | mi:mbl | hl:ifc | hl:icc | rp:rcl
            rp:sbl | mi:frc | mi:stc | rp:trc | over flow
            """
        ),
        example="550 Requested mail action not taken: too much recipient",
        given={"stage": Stage.RCPT, "provider": "163"},
        source="help.163.com: bounce codes",
    ),
    Rule(
        id="limit.sending.aliyun",
        smtp=LIMIT,
        cause="sending_limit",
        words=phrases(
            """
            transient reject by behaviour spam | too frequently sending | currently unexpected sending
            """
        ),
        retry_after=3600,
        example="454 Transient reject by behaviour spam",
        given={"stage": Stage.DATA},
        source="alibabacloud.com/help/en/alibaba-mail: bounce notification 454",
    ),
    Rule(
        id="limit.sending.microsoft-verdict",
        smtp=LIMIT,
        cause="sending_limit",
        words=phrases(
            """
            refusequota | submissionquotaexceeded | sender thread limit | thread limit exceeded
            concurrent connections limit | exceeded the sender limit | sendinglimitexceeded | recipientratelimit
            exceedslimit … sender | message submission rate | submissionratelimit | senderratelimit
            exceeded the recipient rate limit | exceeded your sending limit | exceededmessagelimit
            excessive message rate | unusual sending activity | submission quota
            storedrv.clientsubmit; sender
            """
        ),
        unless=phrases("deliver"),
        retry_after=600,
        example="554 5.2.0 STOREDRV.Submission.Exception:SubmissionQuotaExceededException",
        given={"stage": Stage.DATA},
        source="learn.microsoft.com: Exchange Online limits; NDR 5.2.0",
    ),
    Rule(
        id="limit.sending.gmail-message",
        smtp="message_deferred",
        cause="message_throttled",
        words=phrases(
            """
            exceeded its quota for sending messages with the same | unusual rate of | rate limited
            low reputation
            """
        ),
        unless=phrases("ptr record | reverse dns"),
        replies=(421, 450, 451, 452),
        stages=MESSAGE,
        example=(
            "421 4.7.28 Gmail has detected this message exceeded its quota for sending messages with the same "
            "Message-ID:."
        ),
        given={"stage": Stage.DATA},
        source="support.google.com/a/answer/3726730",
    ),
    Rule(
        id="limit.sending.session",
        smtp="server_connection",
        action=Action.RETRY,
        cause="session_used_up",
        words=phrases(
            """
            too many messages sent | too many messages in this | messages per connection | messages per session
            mails per connection | mails per session | too many messages this session | number of messages per
            """
        ),
        stages=MESSAGE,
        example="452 Too many messages sent",
        given={"stage": Stage.MAIL},
        source="OpenSMTPD; Exim smtp_accept_max_per_connection",
    ),
    Rule(
        id="limit.sending.greeting",
        smtp=LIMIT,
        cause="sending_limit",
        stages=frozenset({Stage.GREETING}),
        words=phrases("relay quota | relay limit | sending quota | sending limit | daily … quota | daily … limit"),
        retry_after=3600,
        example="554 You've reached your daily relay quota - 203.0.113.0",
        given={"stage": Stage.GREETING},
        source="cPanel hosts that count by address",
    ),
    Rule(
        id="limit.sending.credits",
        smtp=LIMIT,
        action=Action.FIX_SETTINGS,
        cause="credits_used_up",
        words=CREDITS,
        example="451 Authentication failed: Maximum credits exceeded",
        source="SendGrid: credits exceeded",
    ),
    Rule(
        id="limit.sending",
        smtp=LIMIT,
        cause="sending_limit",
        stages=MESSAGE | AUTH,
        words=phrases(
            """
            daily user sending | daily sending | sending limit | sending quota | send limit | send quota
            daily limit | daily quota | daily message | daily mail | per day | per hour | hourly | per minute
            a day | in one day | emails per | messages per | mails per | message rate | mail rate | sending rate
            message limit | message quota | email limit | mail limit | outgoing limit | outbound limit
            relay limit | relay quota | relaying limit | relays exceeded | rate exceeded | exceeded … limit
            over … sending | limit exceeded | limit … exceeded | exceeded the max | exceed the max
            max … exceeded | maximum number of messages | maximum sending | maximum … rate | ratelimit
            rate limit | rate-limit | throttl | too many messages | too many mails | too many emails
            sent too many | sending too many | sending too fast | sending too much | sent too much | too frequently
            sending frequency | frequency … limit | suspicious activity … try again later | quota … sender
            sender … quota | sending capacity | limit on the number | exceeded threshold
            too many recipients from | too much mail from | number of messages ( | number of new
            maximum emails | max emails | too many outgoing | limit reached | limit has been reached
            reached … limit | limit … reached | превышен … лимит | лимит отправ | limite … dépass
            quota d'envoi | limite … excedido | límite … excedido | limite … superato | limit … überschritten
            versandlimit | 频率 | 超出限制 | 数量超 | frequency limit | emails sent | mails received from
            messages received from | received this hour | quota of outgoing | outgoing messages | 发信数
            发送数量 | 邮件数量 | 收件人数量 | 超过限制 | 群发 | sending … quota | only allowed to send
            may only send | quota for today | quota for the day
            used today | twenty-four hour | 24 hour | 24-hour | in a single day | over the limit for
            rcpt … maximum threshold | frequency limited | in the last hour | in the last day | last … minutes
            """
        ),
        unless=phrases(
            """
            message size | too big | too large | size limit | maximum size | header | recipient's
            user you are trying | hops | deliver.exception | mailbox quota | receiving | unknown user
            attachment | storage | max message | line length | authentication attempts | over quota | is full
            mailbox is | recipient mailbox | size exceed | maximum allowed size | message length | spf | dkim
            tls | auth command | nonmail | recipient has exceeded | sasl | has too many recipients
            tenant has exceeded | recipient limit exceeded | recipient thread | storedrv.deliver
            line limit | limit of recipients | connection limit | connections | login frequency | 大小 | not to accept
            recipient limit reached | per message recipient | mailsize | ptr record
            """
        ),
        retry_after=3600,
        example=(
            "550 5.4.5 Daily user sending limit exceeded. For more information on Gmail sending limits go to "
            "https://support.google.com/a/answer/166852"
        ),
        given={"stage": Stage.DATA},
        source="Gmail 5.4.5; cPanel; Hostinger; GoDaddy; Zoho; Amazon SES 454 Throttling failure",
    ),
    Rule(
        id="limit.sending.quota",
        smtp=LIMIT,
        cause="sending_limit",
        stages=(MESSAGE | AUTH) - {Stage.RCPT},
        words=phrases("quota exceeded | exceeded … quota"),
        unless=phrases("storage | mailbox | recipient | over quota | tls | deliver | 5.2.2 | 4.2.2 | 收件人"),
        retry_after=3600,
        example="550 Quota exceeded",
        given={"stage": Stage.DATA},
        source="senders' quotas; at RCPT the quota is the recipient's",
    ),
    Rule(
        id="limit.own-storage.submission",
        smtp=LIMIT,
        action=Action.FIX_SETTINGS,
        cause="mailbox_full",
        stages=MESSAGE,
        words=phrases("storedrv.submission.exception:quotaexceeded"),
        example="554 5.2.2 mailbox full; STOREDRV.Submission.Exception:QuotaExceededException",
        given={"stage": Stage.DATA},
        source="learn.microsoft.com: Submission is the sender's mailbox, Deliver the recipient's",
    ),
    Rule(
        id="limit.own-storage",
        smtp=LIMIT,
        action=Action.FIX_SETTINGS,
        cause="mailbox_full",
        stages=frozenset({Stage.MAIL, Stage.AUTH}),
        words=phrases("over quota | overquota | quota | mailbox full | mailbox is full | storage"),
        unless=phrases("tls | system storage | outgoing | sending | messages | today"),
        example="552 5.2.2 sender mailbox full",
        given={"stage": Stage.MAIL},
        source="RFC 3463 x.2.2 at MAIL FROM: the sender's own mailbox",
    ),
)
