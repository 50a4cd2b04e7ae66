"""Rows about the account behind the mailbox: locked, disabled, out of reach. Passwords are in `sign_in`."""

from __future__ import annotations

from postroom.core.diagnosis.evidence import Stage
from postroom.core.diagnosis.phrase import phrases
from postroom.core.diagnosis.rule import FOLDER, MESSAGE, SIGN_IN, Rule
from postroom.core.diagnosis.verdict import Action

AUTH = frozenset({Stage.AUTH})
OWN = frozenset({Stage.AUTH, Stage.MAIL, Stage.DATA, Stage.SEND, Stage.SELECT, Stage.FETCH, Stage.GREETING})
DISABLED = "account_disabled"
BLOCKED = "account_blocked"
UNREACHABLE = "account_unreachable"

RULES = (
    Rule(
        id="account.web-login",
        smtp=DISABLED,
        imap=BLOCKED,
        action=Action.REAUTHENTICATE,
        cause="web_login",
        stages=AUTH | FOLDER,
        words=phrases(
            """
            webalert | visit the webmail | confirm that it is you | weblogin | web login | via your web
            continuesignin | continue signin
            accounts.google.com/signin/continue | using a web browser | unlock your account
            displayunlockcaptcha | captcha | verify your account | account verification | verify … identity
            confirm your identity | sign in to … web | login to … webmail | log in to … webmail
            login … web interface | unusual activity | suspicious activity | suspicious login | suspicious sign
            unusual sign | please sign in to | sign in on the web | login from web | security check
            user agreement | accept … agreement | please login to web | with your web browser
            through your web browser | in your web browser | via the web | lockdown in sector
            """
        ),
        unless=phrases("insufficient | throttl | messages"),
        example=(
            "[ALERT] Please log in via your web browser: https://support.google.com/mail/accounts/answer/78754 "
            "(Failure)"
        ),
        source="Gmail WEBALERT, 534 5.7.14; Yahoo; Yandex",
    ),
    Rule(
        id="account.less-secure",
        smtp="invalid_credentials",
        imap=BLOCKED,
        action=Action.REAUTHENTICATE,
        cause="web_login",
        stages=AUTH,
        words=phrases("less secure app | lesssecureapps | less secure sign-in"),
        example="[ALERT] Please enable access for less secure apps",
        source="Google until 2024",
    ),
    Rule(
        id="account.basic-auth-off",
        smtp=DISABLED,
        imap=BLOCKED,
        cause="basic_auth_off",
        stages=AUTH | MESSAGE,
        words=phrases(
            """
            basic authentication is disabled | basic authentication is not | basic authentication disabled
            basic auth is disabled | basic auth … disabled | basic authentication has been
            basic authentication is being | client authentication … basic | basicauthblocked | legacy auth
            modern authentication | password authentication is disabled | basicauthenticationblocked
            """
        ),
        example=(
            "535 5.7.139 Authentication unsuccessful, basic authentication is disabled. "
            "[BM1P287CA0015.INDP287.PROD.OUTLOOK.COM]"
        ),
        source="learn.microsoft.com: deprecation of basic authentication in Exchange Online",
    ),
    Rule(
        id="account.smtp-auth-off",
        smtp=DISABLED,
        cause="smtp_auth_off",
        stages=AUTH | MESSAGE,
        words=phrases(
            """
            smtp client authentication is disabled | smtpclientauthentication | smtp_auth_disabled
            smtp auth is disabled | smtp access is disabled | smtp is disabled | smtp disabled
            smtp service is disabled | smtp not enabled | smtp is not enabled | smtp access disabled
            smtp service not | disabled for the tenant | disabled for the mailbox | disabled for your tenant
            service is not enabled | service not enabled | pop3/smtp | enable smtp | not enabled for smtp
            no permission to use smtp | open smtp | 无权登 | smtp … turned off | smtp … not enabled | turn on smtp
            smtp authentication is disabled | user has no permission | access rights to this service
            access to this service | smtp … blocked for | smtp … is disabled | smtp … not allowed for
            not authorized to use this service | not part of your | not included in your
            not allowed to use this protocol | not allowed to use this service
            nicht freigeschaltet | nicht aktiviert
            non attivo | no habilitado | non activé | not … external mail | smtp … deaktiviert | smtp … désactivé
            not activated … smtp
            access to smtp … denied | 未开通
            未开启 | 没有权限
            """
        ),
        example=(
            "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant. Visit "
            "https://aka.ms/smtp_auth_disabled for more information."
        ),
        unless=phrases("in your mail client | in your email client | relay"),
        source="learn.microsoft.com: authenticated client SMTP submission",
    ),
    Rule(
        id="account.security-defaults",
        smtp=DISABLED,
        cause="security_defaults",
        stages=AUTH,
        words=phrases(
            """
            security defaults | locked by your organization | security policy | did not meet the criteria
            conditional access | blocked by your administrator | protected by security
            """
        ),
        example=(
            "535 5.7.139 Authentication unsuccessful, user is locked by your organization's security defaults "
            "policy. Contact your administrator."
        ),
        source="learn.microsoft.com: security defaults and SMTP AUTH",
    ),
    Rule(
        id="account.imap-or-password.yandex",
        imap="invalid_credentials",
        cause="password_or_imap_off",
        words=phrases("invalid credentials or imap is disabled | credentials or imap"),
        stages=AUTH,
        example="NO [AUTHENTICATIONFAILED] LOGIN invalid credentials or IMAP is disabled sc=cYXl",
        source="Yandex: one answer for both",
    ),
    Rule(
        id="account.any-of-these.qq",
        smtp="invalid_credentials",
        imap="invalid_credentials",
        cause="password_or_service_off",
        stages=AUTH,
        words=phrases("account is abnormal, service is not open"),
        example="Login fail. Account is abnormal, service is not open, password is incorrect, login frequency limited",
        source="QQ Mail: one answer for many causes",
    ),
    Rule(
        id="account.imap-off",
        imap=BLOCKED,
        cause="imap_off",
        stages=AUTH | FOLDER | {Stage.GREETING},
        words=phrases(
            """
            imap is no part of | imap … not part of | not enabled for imap | imap is disabled | imap disabled
            imap access is disabled
            imap access disabled | imap access not | imap access enabled | enable imap | imap is not enabled
            imap not enabled | imap4 is disabled | imap service is not | imap service not
            imap service is disabled | imap … not allowed for | imap … disabled for | imap … turned off
            not allowed to use imap | disabled for domain | imap is not available | imap … is disabled
            imap access … not | no imap access | imap not allowed | imap … not permitted | protocol disabled
            protocoldisabled | protocol is disabled | service is not open | imap is turned off
            imap is switched off | userdisabled | not allow … imap | imap … not activated
            imap login is not allowed | imap is not activated | not … use imap | imap access for | imap off
            imap/pop3 access not | imap … not enabled | access to imap … denied | imap … denied
            access rights to this service | access to this service | imap is blocked | imap … blocked
            protocol … not enabled | imap … restricted | disabled imap | imap … switched off | imap … désactivé
            imap … deaktiviert | enable mail protocol | mail protocol first | pop3 is disabled | pop is disabled
            pop3 disabled | pop disabled | nosupport | mcoerrorgmailimapnotenabled | service is not allowed
            not allowed for your account
            """
        ),
        example=(
            "[ALERT] Your account is not enabled for IMAP use. Please visit your Gmail settings page and enable "
            "your account for IMAP access. (Failure)"
        ),
        unless=phrases("authenticate | idle | sort | quota | imap extension | service is not available"),
        source="Gmail; Zimbra; Exchange; Zoho; GMX",
    ),
    Rule(
        id="account.unconnected",
        imap=UNREACHABLE,
        smtp=DISABLED,
        action=Action.RETRY,
        cause="authenticated_not_connected",
        words=phrases("authenticated but not connected"),
        example="BAD User is authenticated but not connected.",
        source="Exchange Online: signed in, the mailbox behind it is not reachable",
    ),
    Rule(
        id="account.password-change",
        smtp=DISABLED,
        imap=BLOCKED,
        action=Action.REAUTHENTICATE,
        cause="password_expired",
        stages=AUTH,
        words=phrases(
            """
            password must be changed | must change password | change your password
            password needs to be changed | password change required | reset your password
            password reset required | force … password change | changepassword | must_change
            """
        ),
        example="[ALERT] password must be changed before IMAP login permitted",
        source="Zimbra; Active Directory",
    ),
    Rule(
        id="account.password-expired",
        smtp="invalid_credentials",
        imap="invalid_credentials",
        cause="password_expired",
        stages=AUTH,
        words=phrases(
            """
            password expired | password has expired | password is expired | expired password
            passphrase has expired | passphrase expired | account has expired | account expired
            password no longer valid | account is expired
            """
        ),
        example="C: b NO [EXPIRED] That password isn't correct any more: password has expired",
        unless=phrases("subscription"),
        source="RFC 5530 EXPIRED; Dovecot PAM",
    ),
    Rule(
        id="account.not-allowed-to-send",
        smtp=DISABLED,
        cause="sending_blocked",
        stages=MESSAGE | AUTH,
        words=phrases(
            """
            bad outbound sender | account isn't allowed to send | account is not allowed to send
            not allowed to send email | not allowed to send mail | sending has been disabled
            sending is disabled | outgoing mail disabled | outgoing mail is disabled
            outgoing has been disabled | outgoing email | outgoing mail from | outgoing mail has been suspended
            outgoing blocked | outgoing mail suspension | remetente de saída | mail sending denied | sender blocked
            sending blocked
            suspended from sending | blocked from sending | sender is blocked | sender account
            user disabled from sending | disabled sending | unusual sending activity … unblock | account was blocked
            sending from this account | no longer allowed to send | account has been blocked for
            sender suspended | account … sending privileges | disabled … outgoing | email sending … blocked
            unusual activity | sending suspended | sending paused | sending is paused
            sending has been suspended | message sending for this account | not yet activated
            account is not activated | email outgoing | outgoing … suspended | outgoing … disabled
            sending … suspended | account paused | paused sending | sending … disabled for
            cannot send mail until | disallowed from sending | permission for sending … disabled | 禁止发
            """
        ),
        unless=phrases(
            """
            spf | tls | recipient | from this address | from that address | from this sender | as this
            message contains
            """
        ),
        example="550 5.1.8 Access denied, bad outbound sender.",
        given={"stage": Stage.SEND},
        source=(
            "learn.microsoft.com: restricted entities; Zoho 554 5.1.8; cPanel suspended outgoing mail; Google 5.7.0"
        ),
    ),
    Rule(
        id="account.disabled",
        smtp=DISABLED,
        imap=BLOCKED,
        cause="account_disabled",
        stages=SIGN_IN | {Stage.MAIL, Stage.DATA, Stage.SEND, Stage.GREETING, Stage.SELECT},
        words=phrases(
            """
            account disabled | account is disabled | account has been disabled | account suspended
            account is suspended | account inactive | account is inactive | account deactivated
            account has been deactivated | account is not active | account not active | account is blocked
            account blocked | account has been blocked | account is terminated | account terminated
            account closed | account has been closed | account not enabled | account is not enabled
            mailbox is disabled | mailbox disabled | mailbox suspended | mailbox is suspended
            mailbox is blocked | mailbox blocked | mailbox is inactive | user disabled | user is disabled
            user suspended | user is suspended | user blocked | user is blocked | user inactive | login disabled
            login is disabled | logins disabled | login suspended | login blocked | login denied by
            login to this account | access to your account | access to this account | access disabled
            blocked account | disabled account | suspended account | subscription … expired | account is on hold
            account under maintenance | domain is disabled | domain is suspended | domain disabled
            domain suspended | domain expired | domain is inactive | domain is not active | domain not active
            service suspended | service is suspended | suspended due to | has been suspended | was suspended
            user not active | user is not active | user is not enabled | user not enabled | 禁用 | 冻结
            gesperrt | deaktiviert | bloqué | заблокирован | bloquead | geblokkeerd | unpaid | frozen | freeze
            hangup | user hang | temporarily disabled | temporarily suspended | temporarily blocked
            disabled by the admin | disabled by admin | disabled by your admin | account locked by admin
            account … blocked | account … disabled | account … suspended | account … deactivated
            compte … désactivé | cuenta … desactivada | cuenta … suspendida | conta … desativada
            conta … suspensa | konto … deaktiviert | konto … gesperrt | アカウント … 無効 | 封禁 | 停用
            suspendid | suspenso | suspeso | suspendu | sospeso | приостановлен | отключен | desactivad
            desabilitad | désactivé | disabilitat | uitgeschakeld
            """
        ),
        unless=phrases(
            """
            recipient | destinataire | you tried to reach | you are trying | plaintext | ssl | tls
            basic authentication | mail from ip | temporarily unavailable | your message to | delivery error
            cannot be delivered | could not be delivered | this ip | your ip | ip has been
            ip address has been | your email has been | your mail has been | message has been | message was
            """
        ),
        unless_codes=("UNAVAILABLE",),
        example="535 5.7.1 Authentication failed: account is suspended",
        source="RFC 5248 5.7.13; SmarterMail, Kerio, cPanel, Yandex, Rackspace",
    ),
    Rule(
        id="account.disabled.word",
        imap=BLOCKED,
        cause="account_disabled",
        stages=AUTH,
        words=phrases("suspended | not enabled | deactivated | not activated"),
        unless=phrases(
            """
            plaintext | ssl | tls | mechanism | authenticate | authentication | extension | idle | quota | starttls
            temporarily
            """
        ),
        unless_codes=("UNAVAILABLE",),
        example="NO suspended",
        source="servers that say one word; Tencent's mail client reads it so",
    ),
    Rule(
        id="account.locked.contact-admin",
        imap=BLOCKED,
        cause="account_disabled",
        stages=AUTH,
        words=phrases("lock | has expired | suspen | disabled | abuse"),
        response_codes=("CONTACTADMIN",),
        example="NO [CONTACTADMIN] This account has been locked due to inactivity.",
        source="RFC 5530 CONTACTADMIN: only an administrator opens it again; lavabit magma",
    ),
    Rule(
        id="account.locked",
        smtp=DISABLED,
        imap=UNREACHABLE,
        action=Action.REAUTHENTICATE,
        cause="account_locked",
        stages=SIGN_IN | {Stage.MAIL, Stage.GREETING, Stage.SELECT},
        words=phrases(
            """
            account locked | account has been locked | account is currently locked | accountlocked | locked out
            user locked | account … locked | is locked | temporarily locked | 被锁 | 锁定 | lockout | locked due
            """
        ),
        unless=phrases(
            """
            incorrect or | wrong or | password, or | recipient | lock file | pop lock | transaction log
            mailbox is locked | folder is locked
            mailbox locked
            """
        ),
        unless_codes=("CONTACTADMIN",),
        example="NO [ALERT] Account is locked",
        source="Yahoo; Active Directory; RFC 5530 CONTACTADMIN; Kerio",
    ),
    Rule(
        id="account.place",
        imap="access_denied",
        cause="login_denied",
        stages=AUTH | {Stage.GREETING, Stage.CONNECT},
        words=phrases(
            """
            blocklist | clients from | your address | your country | country is | geoip | geo-block | geo ip
            from your location
            ip not allowed
            ip address not allowed | ip address is not allowed | your ip | blacklist | ip address … blocked
            not allowed from this ip
            """
        ),
        unless=phrases("too many | failed login | connections from | brute"),
        example="2 NO [ALERT] LOGIN DENIED -- COUNTRY IS BLACKLISTED",
        source="hosts that admit only some countries or addresses",
    ),
    Rule(
        id="account.status.netease",
        smtp=DISABLED,
        imap=BLOCKED,
        cause="account_disabled",
        stages=AUTH,
        words=phrases(
            """
            err.login.domainstatus | err.login.userstatus | err.login.domainexp | err.login.userexp
            user_status_suspended | user_status_locked | auth_user_forbidden | err.login.domainnotexist
            """
        ),
        example="NO ERR.LOGIN.USERSTATUS",
        source="NetEase login errors: account or company suspended or expired",
    ),
    Rule(
        id="account.login-denied.netease",
        smtp="access_restricted",
        imap="access_denied",
        cause="login_denied",
        stages=AUTH,
        words=phrases("err.login.domaindeny | err.login.userdeny | err.login.ipdeny | 暂无登录权限 | 登录权限"),
        example="'ERR.LOGIN.DOMAINDENY' = '此邮箱暂无登录权限'",
        source="NetEase login errors",
    ),
)
