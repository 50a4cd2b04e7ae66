"""Rows about what the signed-in sender may not do: another address, relaying. Recipients are in `recipient`."""

from __future__ import annotations

from postroom.core.diagnosis.evidence import Stage
from postroom.core.diagnosis.phrase import phrases
from postroom.core.diagnosis.rule import MESSAGE, Rule

RESTRICTED = "access_restricted"
DENIED = "access_denied"
ARRIVING = frozenset({Stage.CONNECT, Stage.GREETING, Stage.EHLO, Stage.STARTTLS}) | MESSAGE

RULES = (
    Rule(
        id="sender.named",
        smtp=RESTRICTED,
        cause="send_as",
        stages=MESSAGE,
        words=phrases(
            """
            not authorized to send messages from | not authorised to send messages from
            not allowed to send messages from | not permitted to send messages from
            request failed; mailbox unavailable | not available in bridge | unknown sender address
            invalid return path
            """
        ),
        example=(
            "554 5.7.1 <bob@example.com>: Recipient address rejected: <alice@example.org> is not authorized to send "
            "messages from <alice@example.com>"
        ),
        given={"stage": Stage.RCPT},
        source="Onet; Yahoo and AT&T on a From address that is not the account's; Proton Mail Bridge",
    ),
    Rule(
        id="sender.send-as",
        smtp=RESTRICTED,
        cause="send_as",
        stages=MESSAGE | {Stage.AUTH},
        words=phrases(
            """
            sendasdenied | send as this sender | not allowed to send as | permissions to send as
            permission to send as | send on behalf | sendonbehalf | not owned by | not permitted to send as
            not authorised to send from | not authorized to send from | not allowed to send from
            not allowed to send mail from | cannot send from | can't send from | may not send from
            not permitted to send from | sender address rejected: not | sender is not allowed
            sender not allowed | sender not authorized | sender not permitted | sender is not authorized
            sender is not permitted | sender mismatch | sender address mismatch | does not match authenticated
            doesn't match authenticated | does not match the authenticated | must match authenticated
            must be same as | must be the same as | mail from must equal | must equal authorized
            from address is not | from address not | from address does not | from address must | from header
            from: header does not | not verified | not validated | not verify | unverified address | sender address must
            sender domain must | sender verify | use of this address | not allowed to use this
            not allowed to use the | envelope sender | relaying disallowed as | sender … not … authenticated
            user not authorized | no permission to send | not have permission to send | has no permission
            mail from address | mail address invalid | sender is unvalidated | sender not local
            sender address is not | local user only | identity not | not the owner | not owner of
            address … not belong | does not belong | domain not allowed | your address
            client does not have permissions | invalid sender | 发件人 | not your | another user | spoof
            forged | fake sender | send-as | conform with authentication | permission to submit
            not local sender | sender signature | unauthorized use of sender
            incorrect authentication for specified | verified sender | sender identity | sending domain
            not authorized to perform | unable to send as | cannot send as | can't send as | expéditeur
            absender | remitente | remetente | mittente | отправител | from domain
            """
        ),
        unless=phrases(
            """
            spf | dkim | dmarc | from header is missing | blank from | missing from | recipient address rejected
            syntax | sender address rejected: domain | header from | multiple from | unauthenticated email | tls
            isn't aligned | permissions to send to | message is not | sender verify failed | spoofed
            invalid from header | malformed | could not be verified | must be specified | callout | anti-spoof
            reputation of the | authentication level | policy: reject | unusual | unresolvable
            unsolicited | rfc 5322 | rfc 2822 | format | null sender | empty sender | empty envelope
            temporarily deferred
            invalid sender domain
            """
        ),
        example="553 5.7.1 <alice>: Sender address rejected: not owned by user alice",
        given={"stage": Stage.MAIL},
        source="Postfix reject_sender_login_mismatch; Exchange 5.7.60; Yandex; QQ 501; NetEase 553; SES 554",
    ),
    Rule(
        id="sender.unknown-here",
        smtp=RESTRICTED,
        cause="send_as",
        stages=frozenset({Stage.MAIL, Stage.RCPT}),
        words=phrases(
            """
            sender address rejected: user unknown | sender address rejected: unverified | sender unknown
            unknown sender | sender verify failed | sender address rejected: access denied
            sender address rejected: sender | sender address rejected: you
            """
        ),
        example=("550 5.1.0 <alice@example.com>: Sender address rejected: User unknown in local recipient table"),
        given={"stage": Stage.MAIL},
        source="Postfix reject_unlisted_sender; Exim sender verify",
    ),
    Rule(
        id="sender.rejected-here",
        smtp=RESTRICTED,
        cause="send_as",
        stages=frozenset({Stage.MAIL, Stage.RCPT}),
        replies=(5,),
        words=phrases("sender address rejected"),
        unless=phrases("domain | malformed | fully-qualified | syntax | spf | dkim | dmarc | configuration error"),
        example="554 5.7.1 <alice@example.com>: Sender address rejected: Go away",
        given={"stage": Stage.MAIL},
        source="Postfix check_sender_access with an answer of the operator's own",
    ),
    Rule(
        id="sender.relay",
        smtp=RESTRICTED,
        cause="relay",
        stages=ARRIVING,
        words=phrases(
            """
            relaying denied | relaying not | relay not permitted | relay not allowed | relay denied
            cannot relay | relay access | unauthorized relay | relay is not | relaying is not
            relaying prohibited | relay prohibited | for relay | not relay | denies relay | no relay
            not a relay | to relay | relay operation rejected | open relay | relay check domain | rcpthosts
            cannot deliver mail for | delivery is not allowed to | relay disallowed | open-relay
            relay is denied | relay was denied | relaying disabled | weiterleitung | non-accepted domain
            relaying disallowed
            not a local domain | non local recipient | non-local recipient | remote domain | relaying mail to
            relaying to | relaying … not allowed | relaying … prohibited
            """
        ),
        unless=phrases(
            """
            quota | limit | relays exceeded | at this time
            """
        ),
        example="554 5.7.1 <bob@example.com>: Relay access denied",
        given={"stage": Stage.RCPT},
        source="Postfix; Sendmail; Exim; Exchange 5.7.54; qmail rcpthosts",
    ),
    Rule(
        id="sender.relay.local-user",
        smtp="invalid_credentials",
        cause="not_signed_in",
        stages=MESSAGE,
        words=phrases("relay check local fail | 本域用户必须通过验证"),
        example="553 relay check local fail. (本域用户必须通过验证)",
        given={"stage": Stage.MAIL},
        source="Chinese hosts' error list: local users must sign in",
    ),
    Rule(
        id="sender.address-blocked",
        smtp=RESTRICTED,
        cause="ip_blocked",
        stages=ARRIVING | {Stage.AUTH},
        words=phrases(
            """
            banned sending ip | blocked using | blacklist | blocklist | black list | block list | blocked by
            spamhaus | spamcop | barracuda | sorbs | rbl | dnsbl | listed in | listed at | poor reputation
            bad reputation | low reputation | reputation of | client host blocked | ip not in whitelist
            ip address rejected | ip address blocked | ip … blocked | ip … denied | ip is blocked | your ip
            ip address … not | ip address has been | ip blocked | connections will not be accepted
            connection refused by policy | connection rejected | no smtp service | bad dns ptr | ptr record
            reverse dns | rdns | cannot find your hostname | cannot find your reverse | reverse lookup
            name lookup failed
            hostname … not found | not accepted from
            permanently deferred | blocked - see | ipcheck | suspected spam ip
            dynamic ip | dial-up | dialup | residential | from this range | invalid ip | black ip
            ip is rejected | ip is hangup | remote ip check | not welcome | denied by policy | host rejected
            hl:ipb | hl:rep | hl:mep | hl:ihu | wm:bli
            wm:blu | mi:spb | geoip | geo-block | by country | your country | poor sender reputation
            block-listed | spam source | deny list | denylist | blocked for | unauthorized ip
            ip not authorized | transient ip | from ip range | cloudmark | sender intelligence
            spam abuse detected
            """
        ),
        unless=phrases(
            """
            url | recipient address | recipient reject | recipient's | content | tls | unauthenticated
            sender address | relay | dkim | spf | dmarc
            temporary error | helo | attachment | body | message contains | sending as | link | phish
            our system has detected that this message | may be blacklisted | message … reputation | unusual rate
            not listed | too many errors | spamassassin | spam filter | try later | try again later | plus tard
            throttled
            server configuration error | message blocked | message was blocked
            """
        ),
        example=(
            "553 5.7.1 [BL21] Connections will not be accepted from 192.0.2.1, because the ip is in Spamhaus's list;"
        ),
        given={"stage": Stage.GREETING},
        source="Yahoo; Microsoft 5.7.606; GMX; Postfix reject_rbl_client, reject_unknown_client_hostname",
    ),
    Rule(
        id="sender.address-blocked.rate",
        smtp=RESTRICTED,
        cause="ip_blocked",
        stages=ARRIVING,
        words=phrases(
            """
            mail sent from your ip address has been blocked | unsolicited mail originating from your ip
            refused to talk | access denied | access not allowed | access to this mail system
            access to submit messages | not allowed to connect
            """
        ),
        unless=phrases("recipient address | recipient rejected | sender address | relay | helo | mailbox not found"),
        replies=(5,),
        example=(
            "550 5.7.28 There is an unusual rate of unsolicited mail originating from your IP address. To protect our "
            "users from spam, mail sent from your IP address has been blocked."
        ),
        given={"stage": Stage.DATA},
        source="support.google.com/a/answer/3726730",
    ),
    Rule(
        id="sender.address-blocked.t-online",
        smtp=RESTRICTED,
        cause="ip_blocked",
        providers=("t-online",),
        stages=ARRIVING,
        words=phrases("ip="),
        example="554 IP=192.0.2.1 - A problem occurred. Contact tosa@rx.t-online.de to clarify.",
        given={"stage": Stage.GREETING},
        source="postmaster.t-online.de: 4.7 refused connections",
    ),
    Rule(
        id="sender.policy",
        smtp=RESTRICTED,
        cause="policy",
        stages=MESSAGE,
        words=phrases(
            """
            that you are sending to (or from) has a policy | policy that prohibit | not authorized to send
            not authorised to send | not allowed to send | not permitted to send | sending to this
            prohibited by | administrator … prohibit | organization … restrict | restricted to | sender denied
            denies the sender | sender rejected | sender address rejected: administrative | private list access
            not allowed by policy | transport rules | sending messages is not allowed | sender refused
            insufficient authorization
            sender rejection | only send testing | own email address | sending is not configured
            sandbox
            """
        ),
        unless=phrases(
            """
            spam | content | attachment | recipient address rejected | recipient rejected | recipient's
            restrict permissions | permissions to send to | spf | dkim | dmarc
            """
        ),
        example=(
            "550 5.7.1 The user or domain that you are sending to (or from) has a policy that prohibited the mail "
            "that you sent."
        ),
        given={"stage": Stage.DATA},
        source="support.google.com/a/answer/3726730; Exim",
    ),
    Rule(
        id="sender.bridge-address",
        smtp=RESTRICTED,
        cause="send_as",
        providers=("proton",),
        words=phrases("no such user | invalid return path | return path | not have permission"),
        stages=MESSAGE,
        example="Error: no such user. Please check the message and try again.",
        given={"stage": Stage.SEND, "provider": "protonbridge"},
        source="Proton Mail Bridge: its own account",
    ),
    Rule(
        id="folder.access",
        imap=DENIED,
        cause="mailbox_access",
        stages=frozenset({Stage.AUTH, Stage.SELECT, Stage.FETCH, Stage.APPEND, Stage.IDLE}),
        words=phrases(
            """
            permission denied | access denied | access is denied | access to mailbox | not permitted
            no permission | insufficient permission | insufficient rights | insufficient access
            insufficient privile | not authorized to access | not authorised to access | not have access
            doesn't have access | no access | no right | acl | not have permission | you do not have
            you don't have | not authorized for | proxy auth | access rights | 无权 | access restricted
            cannot access | not allowed to | read-only | unable to act as | may not act as | authorize as
            delegation | right to perform | does not belong to you | read only | can not access | forbidden
            not accessible | assume role | assume identity | readonlyfolder | not authorized
            authorization for different user | is not writable
            """
        ),
        unless=phrases(
            """
            invalid credentials | authenticationfailed | excess | password | plaintext | ssl | tls
            bare newlines | eacces | unsafe login | [errno 13 | errno = 13 | not allowed in | in this state
            lack of | authentication failed | oracle | connection refused | not permitted in | locked | back end
            is not accessible | anonymous | empty message
            """
        ),
        unless_codes=("CLIENTBUG",),
        example="NO [NOPERM] Access denied",
        given={"stage": Stage.SELECT},
        source="RFC 5530 NOPERM, AUTHORIZATIONFAILED; Dovecot ACL; Exchange",
    ),
)
