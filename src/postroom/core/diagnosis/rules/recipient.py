"""Rows about one message or one recipient: the mailbox that sends is healthy. The sender's rights are in `sender`."""

from __future__ import annotations

from postroom.core.diagnosis.evidence import Stage
from postroom.core.diagnosis.phrase import phrases
from postroom.core.diagnosis.rule import MESSAGE, Rule
from postroom.core.diagnosis.verdict import Action

REJECTED = "message_rejected"
DEFERRED = "message_deferred"
AT_RCPT = {"stage": Stage.RCPT}
AT_DATA = {"stage": Stage.DATA}
UNKNOWN_RECIPIENT = phrases(
    """
    user unknown | unknown user | unknown recipient | unknown mailbox | no such user | no such recipient
    no such mailbox | no such address | no such person | user not found | doesn't exist | mailbox not found
    mailbox unavailable | mailbox does not | recipient unknown | recipient rejected | recipient does not
    recipient not | invalid recipient | invalid mailbox | invalid user | address rejected | address unknown
    unknown address | undeliverable | bad destination | bad recipient | not a valid mailbox | no mailbox here
    no valid recipients | not our customer | not exist | unrouteable | unroutable | unrouted | recipientnotfound
    unknown local | account that you tried to reach | email account that you tried | not known | not listed
    user rejected | domain not found | host unknown | host not found | no mx | nullmx | null mx
    does not accept mail | doesn't accept mail | cannot receive | can't receive | domain name … not exist | nxdomain
    domain … no mail | compte du destinataire | destinataire invalide | recipient account | empfänger | disabled
    suspended | inactive | locked | blocked recipient | deactivated | account closed | unknown to address
    non-existent | nonexistent | invalid address | invalid domain | not deliver | no longer | could not be found
    find the recipient | n'existe pas | inconnu | no existe | não existe | non esiste | inesistente
    inexistente | sconosciuto | desconocido | unbekannt | existiert nicht | не существует | не найден | 不存在
    存在しません | no account | not accepting email for | not accepting mail for
    relay not permitted for unknown | addressee | domain is not reachable
    """
)

RULES = (
    Rule(
        id="recipient.full",
        smtp=DEFERRED,
        cause="recipient_full",
        stages=MESSAGE,
        words=phrases(
            """
            overquota | exceeded … quota | mailbox full | mailbox for … is full | quota | inbox … full
            mailbox size limit | not enough space | no space | disk full | user has exceeded | is full | is-full
            too much mail data | storage
            pleine | llena | cheia | piena | ist voll | переполнен | 邮箱已满 | 空间不足 | 容量
            """
        ),
        unless=phrases(
            """
            sending quota | daily quota | send quota | sender | message quota | storageerror | conversion
            """
        ),
        example=(
            "452 4.2.2 The email account that you tried to reach is over quota. Please direct the recipient to "
            "Clear Google Drive space"
        ),
        given=AT_RCPT,
        source="RFC 3463 x.2.2; Google; Orange; Exchange QuotaExceededException at delivery",
    ),
    Rule(
        id="recipient.too-fast",
        smtp=DEFERRED,
        cause="recipient_busy",
        stages=MESSAGE,
        words=phrases(
            """
            receiving mail too quickly | receiving mail at a rate | you are trying to contact is receiving
            recipient … rate | too many messages for this recipient | recipient has exceeded
            recipient's per hour
            """
        ),
        example='450, "4.2.1" The user you are trying to contact is receiving mail too quickly.',
        given=AT_RCPT,
        source="support.google.com/a/answer/3726730",
    ),
    Rule(
        id="recipient.greylisted",
        smtp=DEFERRED,
        cause="greylisted",
        stages=MESSAGE,
        words=phrases(
            """
            greylist | graylist | grey list | grey-list | gray list | postgrey | please try again in
            come back later | wait for retry
            """
        ),
        example=(
            "450 4.2.0 <bob@example.com>: Recipient address rejected: Greylisted, see "
            "http://postgrey.schweikert.ch/help/example.com.html"
        ),
        given=AT_RCPT,
        source="RFC 6647; Postgrey",
    ),
    Rule(
        id="recipient.too-many-for-good",
        smtp=REJECTED,
        action=Action.FIX_SETTINGS,
        cause="too_many_recipients",
        stages=MESSAGE,
        words=phrases("reduce the number of recipients | message has too many recipients"),
        example="452 This message contains too many recipients. Reduce the number of recipients and retry. IB605",
        given=AT_RCPT,
        source="GoDaddy IB605: the same message is refused again",
    ),
    Rule(
        id="recipient.too-many",
        smtp=REJECTED,
        action=Action.FIX_SETTINGS,
        cause="too_many_recipients",
        stages=MESSAGE,
        unless_replies=(4,),
        words=phrases(
            """
            too many recipients | too many rcpt | too many addresses | out of allow rcpt | too much recipient
            recipients exceeded | max recipients | recipient limit | too many invalid recipients
            number of recipients
            """
        ),
        unless=phrases(
            """
            try again | per hour | per day | hourly | daily | this hour | today
            """
        ),
        example="The mail server responded: too many recipients.",
        given=AT_RCPT,
        source="RFC 5321 section 4.5.3.1.10; RFC 3463 x.5.3",
    ),
    Rule(
        id="recipient.too-many-now",
        smtp=DEFERRED,
        cause="too_many_recipients",
        stages=MESSAGE,
        words=phrases("too many recipients | too many rcpt | maximum number of recipients"),
        example="452 4.5.3 Too many recipients",
        given=AT_RCPT,
        source="RFC 5321 section 4.5.3.1.10",
    ),
    Rule(
        id="recipient.sender-domain",
        smtp=DEFERRED,
        cause="sender_domain",
        stages=MESSAGE,
        replies=(4,),
        words=phrases(
            "sender address rejected: domain not found | sender domain | domain of sender | unresolvable … from domain"
        ),
        example=(
            "450 4.1.8 <alice@example.com>: Sender address rejected: Domain not found (in reply to RCPT TO command)"
        ),
        given=AT_RCPT,
        source="Postfix reject_unknown_sender_domain",
    ),
    Rule(
        id="recipient.list-permission",
        smtp=REJECTED,
        cause="recipient_restricts",
        stages=MESSAGE,
        unless_replies=(4,),
        words=phrases(
            """
            permissions to send to | not authorized to send to this | not allowed to send to this
            restrictedtorecipients | recipient … permission | only accept | does not accept messages from
            members only | recipient has blocked | blocked by recipient | recipient's … policy
            rejected by recipient | resolver.rst | sendernotauthenticated | sendernotinaccepted
            """
        ),
        example="550 5.7.1 RESOLVER.RST.NotAuthorized; you don't have permissions to send to this recipient",
        given=AT_RCPT,
        source="learn.microsoft.com: NDR 5.7.12x, 5.7.133; Google groups",
    ),
    Rule(
        id="recipient.unknown-later",
        smtp=DEFERRED,
        cause="recipient_later",
        stages=MESSAGE,
        replies=(4,),
        words=UNKNOWN_RECIPIENT,
        example=("450 4.1.1 <bob@example.com>: Recipient address rejected: unverified address: Address lookup failed"),
        given=AT_RCPT,
        source="Postfix reject_unverified_recipient",
    ),
    Rule(
        id="recipient.sender-syntax",
        smtp=REJECTED,
        cause="sender_domain",
        stages=MESSAGE,
        words=phrases(
            """
            sender address rejected: malformed | bad sender address | invalid sender address syntax
            sender … syntax | need fully-qualified address | is not a valid … address | mi:imf | null sender
            empty sender | empty envelope sender
            """
        ),
        example="501 5.1.7 Bad sender address syntax",
        given={"stage": Stage.MAIL},
        source="Postfix; NetEase; RFC 3463 x.1.7",
    ),
    Rule(
        id="recipient.sender-domain-refused",
        smtp=REJECTED,
        action=Action.FIX_SETTINGS,
        cause="sender_domain",
        stages=MESSAGE,
        words=phrases(
            """
            sender address rejected: domain not found | sender domain | domain of sender | from: domain is
            from domain is | dns check failed | domain … does not resolve | domain of the sender
            """
        ),
        example="554 5.1.8 <alice@example.com>: Sender address rejected: Domain not found",
        given={"stage": Stage.MAIL},
        source="Postfix reject_unknown_sender_domain; GoDaddy IB506; QQ; RFC 3463 x.1.8",
    ),
    Rule(
        id="recipient.unknown",
        smtp=REJECTED,
        cause="recipient_unknown",
        stages=frozenset({Stage.RCPT, Stage.DATA, Stage.SEND}),
        unless_replies=(4,),
        words=UNKNOWN_RECIPIENT,
        unless=phrases(
            """
            sender address rejected | sender rejected | client host rejected | helo command rejected | temporar
            """
        ),
        example=("550 5.1.1 <bob@example.com>: Recipient address rejected: User unknown in local recipient table"),
        given=AT_RCPT,
        source="RFC 3463 x.1.1; Postfix; Exim; Gmail NoSuchUser; Exchange; Yahoo",
    ),
    Rule(
        id="message.too-big",
        smtp=REJECTED,
        cause="message_too_big",
        stages=MESSAGE,
        unless_replies=(4,),
        words=phrases(
            """
            message size | message is too | size limit | too big | too large | exceeds maximum | exceeds size
            exceeds fixed | maximum message | maximum size | exceeded max | message length | mailsize
            mail size | size exceeds | header size | exceeds … size | attachment is too | exceed … size
            large message | taille limite
            """
        ),
        example="552 5.3.4 Message size exceeds fixed maximum message size",
        given={"stage": Stage.MAIL},
        source="RFC 1870; RFC 3463 x.3.4; Google 5.2.3",
    ),
    Rule(
        id="message.unauthenticated-later",
        smtp=DEFERRED,
        cause="domain_authentication",
        stages=MESSAGE,
        words=phrases("dmarc | spf | dkim | unauthenticated | senders to authenticate"),
        replies=(4,),
        example=(
            "451 4.7.26 Unauthenticated email from example.com is not accepted due to domain's DMARC policy, but "
            "temporary DNS failures prevent authentication."
        ),
        given=AT_DATA,
        source="support.google.com/mail/answer/81126",
    ),
    Rule(
        id="message.unauthenticated",
        smtp=REJECTED,
        action=Action.FIX_SETTINGS,
        cause="domain_authentication",
        stages=MESSAGE,
        unless_replies=(4,),
        words=phrases(
            """
            dmarc | spf | dkim | unauthenticated email | unauthenticated mail | sender is unauthenticated
            authentication checks | 5.7.26 | 5.7.27 | 5.7.24 | 5.7.23 | isn't aligned | not aligned
            sender policy framework | anti-spoof
            """
        ),
        unless=phrases("4.7. | duplicate header"),
        example=("550 5.7.26 Unauthenticated email from example.com is not accepted due to domain's DMARC policy."),
        given=AT_DATA,
        source="support.google.com/mail/answer/81126; RFC 7372",
    ),
    Rule(
        id="message.spam-later",
        smtp=DEFERRED,
        cause="message_suspicious",
        stages=MESSAGE,
        replies=(4,),
        words=phrases("spam | suspicious | content | reputation | dt:spm | policy | unsolicited"),
        unless=phrases("spamhaus | policy reasons"),
        example="451 DT:SPM, please try again",
        given=AT_DATA,
        source="NetEase; Google 4.7.0",
    ),
    Rule(
        id="message.account-verdict",
        smtp=REJECTED,
        action=Action.FIX_SETTINGS,
        cause="message_suspicious",
        stages=MESSAGE,
        words=phrases("outboundspam | reject due to policy restrictions"),
        example="554 5.2.0 STOREDRV.Submission.Exception:OutboundSpamException",
        given=AT_DATA,
        source="Outlook.com; IONOS, GMX: what the account sends is refused until somebody changes it",
    ),
    Rule(
        id="message.spam",
        smtp=REJECTED,
        cause="message_suspicious",
        stages=MESSAGE - {Stage.MAIL},
        unless_replies=(4,),
        words=phrases(
            """
            spam | unsolicited | suspicious | content reject | content denied | message content
            rejected due to content | blocked because its content | security issue | virus | malware | phish
            message blocked | message was blocked | message rejected | message refused | mail rejected
            mail is rejected | message … rejected | message … blocked | refused by | local policy
            policy restriction | policy violation | policy reasons | due to policy | policy rejection | junk
            attachment | file type | executable | url | rejected for policy | rejected by | transaction failed
            high probability | bulk | behaviour | looks like | dt:spm | banned | filter | same size mails
            not rfc | compliant | 5322 | 2822 | administrative prohibition | profile the internet
            denied by content | message denied | message not allowed | not accepted for policy | 垃圾邮件
            反垃圾 | спам | indésirable | anti-spoof | heuristic
            """
        ),
        unless=phrases("spamhaus | banned sending ip"),
        example="550 5.7.1 Our system has detected that this message is likely unsolicited mail.",
        given=AT_DATA,
        source="Google BlockedMessage; iCloud [CS01]; IONOS; Aliyun; NetEase",
    ),
    Rule(
        id="message.malformed",
        smtp=REJECTED,
        cause="message_malformed",
        stages=MESSAGE,
        unless_replies=(4,),
        words=phrases(
            """
            from: addresses | addresses are not allowed as | header | line limit | bare lf | bare cr | line too long
            lines too long | line length
            8bitmime | smtputf8 | invalid address | syntax | address must be | malformed | must declare
            non-ascii | invalid character | mime␣ | mime- | message-id | multiple from | recipient must
            recipient address must | invalid mail address | empty message | hops | loop | duplicate
            no recipient | missing a valid address | missing from | subject is mandatory | no valid addresses
            content conversion | tnef | conversionfailed | unexpected content | encoding | eenvelope
            """
        ),
        example="550 alice@example.com Blank From: addresses are not allowed. Provide a valid From. IB501",
        given=AT_DATA,
        source="RFC 5322 section 3.6; RFC 5321 section 4.5.3.1; RFC 6531; RFC 6409 section 8",
    ),
    Rule(
        id="message.given-up",
        smtp=REJECTED,
        cause="recipient_unknown",
        stages=MESSAGE,
        words=phrases(
            """
            not going to try again | in the queue too long | retry timeout exceeded | message expired
            retry time … exceeded | retry time not reached … after a long | delivery time expired
            maximum number of delivery attempts
            """
        ),
        example=(
            "451 Sorry, I wasn't able to establish an SMTP connection. I'm not going to try again; this message has "
            "been in the queue too long."
        ),
        given={"stage": Stage.SEND},
        source="qmail, GoDaddy, Exim: the digits are of the last try, the words are final",
    ),
    Rule(
        id="message.temporary",
        smtp=DEFERRED,
        cause="message_later",
        stages=MESSAGE,
        words=phrases(
            """
            temporary lookup | temporarily rejected | temporary rejected | deferred | unverified address
            server configuration error | system resources | insufficient system | local error in processing
            queue file write | temporary failure | temporary error | temporary problem | temporarily unavailable
            come back | busy | try again | later | vorübergehend | später | momentan | réessayer | plus tard
            temporalmente | temporariamente | temporaneamente | временно | позже | 暂时 | 稍后 | 一時的
            """
        ),
        replies=(4,),
        example="451 4.3.0 <bob@example.com>: Temporary lookup failure",
        given=AT_RCPT,
        source="Postfix; Exim; Yahoo TSS",
    ),
    Rule(
        id="message.later-for-good",
        smtp=DEFERRED,
        cause="message_later",
        stages=MESSAGE,
        replies=(5,),
        words=phrases("please try later | try again later | essayer plus tard | später erneut | temporar"),
        example="550 5.5.0 Service refuse. Veuillez essayer plus tard. service refused, please try later. LPN001_108",
        given={"stage": Stage.MAIL},
        source="Orange, La Poste: a 5xx whose words ask for another try",
    ),
)
