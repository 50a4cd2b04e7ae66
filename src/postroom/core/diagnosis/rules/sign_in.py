"""Rows about user name, password and second factor. Locked or disabled accounts are in `account`."""

from __future__ import annotations

from postroom.core.diagnosis.evidence import Stage
from postroom.core.diagnosis.phrase import phrases
from postroom.core.diagnosis.rule import MESSAGE, Rule
from postroom.core.diagnosis.verdict import Action

AUTH = frozenset({Stage.AUTH})
PASSWORD = "invalid_credentials"  # noqa: S105 - a code, not a secret
APP = "app_password_required"
STRONGER = (
    "UNAVAILABLE",
    "INUSE",
    "LIMIT",
    "SERVERBUG",
    "CONTACTADMIN",
    "EXPIRED",
    "PRIVACYREQUIRED",
    "OVERQUOTA",
    "TEMPFAIL",
    "AUTHORIZATIONFAILED",
    "NOPERM",
    "REFERRAL",
)
"""Response codes that say more than words about a failed log-in, which clients add to any refusal."""

RULES = (
    Rule(
        id="sign-in.app-password",
        smtp=APP,
        imap=APP,
        cause="app_password",
        stages=AUTH | {Stage.SELECT},
        words=phrases(
            """
            application-specific | application specific password | app-specific password
            app specific password | app password | application password | invalidsecondfactor | authorized code
            authorization code | authorisation code | auth code | 授权码 | login.reqcode | 授权密码 | 授權碼
            device password
            external password | password of … own | special password | apppassword | two-factor | two factor
            2-step | two-step
            2fa | multi-factor | multifactor | mfa␣ | second factor | second-factor | one-time password | otp
            client password | dedicated password | 独立密码 | 专用密码 | пароль для внешн | separate password
            приложени | third-party password | generated password | parol prilozheniya
            """
        ),
        unless=phrases("not allowed for"),
        example=(
            "534-5.7.9 Application-specific password required. For more information, go to\n534 5.7.9  "
            "https://support.google.com/mail/?p=InvalidSecondFactor"
        ),
        source="Gmail; QQ; NetEase; Yandex; Mail.ru; iCloud",
    ),
    Rule(
        id="sign-in.server-log",
        imap=PASSWORD,
        cause="password_refused",
        stages=AUTH,
        words=phrases("(auth failed, | (auth_failed)"),
        example="imap-login: Login aborted: Connection closed (auth failed, 1 attempts in 2 secs): user=<alice>",
        source="Dovecot's log: how the connection ended does not matter",
    ),
    Rule(
        id="sign-in.transition",
        smtp="temporary_auth_failure",
        action=Action.REAUTHENTICATE,
        cause="password_transition",
        stages=AUTH,
        words=phrases("password transition"),
        example="432 4.7.12 A password transition is needed",
        source="RFC 4954 section 6",
    ),
    Rule(
        id="sign-in.bad-blob",
        smtp=PASSWORD,
        cause="password_refused",
        stages=AUTH,
        words=phrases(
            """
            cannot decode | malformed auth | base64 | bad protocol / cancel | authentication aborted
            """
        ),
        unless=phrases("authentication not implemented"),
        example="501 5.5.2 Syntax error, cannot decode response.",
        source="Google SMTP errors; Postfix; Exim",
    ),
    Rule(
        id="sign-in.optional-argument",
        smtp="server_misconfigured",
        cause="auth_mechanism",
        stages=AUTH,
        words=phrases("optional argument not permitted"),
        example="535 5.5.4 Optional Argument not permitted for that AUTH mode.",
        source="support.google.com/a/answer/3726730",
    ),
    Rule(
        id="sign-in.log-in-first",
        smtp=PASSWORD,
        cause="not_signed_in",
        stages=MESSAGE | {Stage.EHLO, Stage.GREETING},
        words=phrases(
            """
            authentication required | authentication is required | auth required | authenticate first
            must authenticate | must be authenticated | requires authentication | require authentication
            need to authenticate | please authenticate | not authenticated | anonymous mail
            needs authentication | log in first | login first | login required | must log in | must login
            must first login | 必须通过验证 | send auth | smtp auth | check mail first | pop before smtp
            authentification requise | authentifizierung erforderlich | need auth | unauthenticated senders
            unauthenticated users | not logged in | sender must log | auth command first | auth first
            ehlo and auth | check for new mail | without authentication | prohibited to send to local
            """
        ),
        unless=phrases(
            """
            dkim | spf | dmarc | tls | not authenticated mail | relay | disabled | smtp authentication failed
            sender address rejected | resolver
            """
        ),
        example="530 Authentication required",
        given={"stage": Stage.MAIL},
        source="RFC 4954 section 6 (530 5.7.0); Exchange 5.7.57; SES",
    ),
    Rule(
        id="sign-in.refused",
        smtp=PASSWORD,
        imap=PASSWORD,
        cause="password_refused",
        stages=AUTH,
        words=phrases(
            """
            invalid credential | incorrect credentials | wrong credentials | bad credentials
            credentials were incorrect | credentials are incorrect | credentials are invalid
            credentials invalid | credentials rejected | badcredentials | invalidcredentials | not accepted
            username or password | user name or password | user or password | username and password
            username/password | user/password | login or password | login and password | login/password
            email or password | account or password | id or password | password incorrect | incorrect password
            password is incorrect | wrong password | password wrong | bad password | invalid password
            password invalid | password error | password mismatch | passwords don't match
            password verification | password check | incorrect user | incorrect login | incorrect authentication
            invalid user | invalid login | bad user | bad login | unknown user | no such user | user not found
            user unknown | user does not exist | user doesn't exist | account not found | account does not exist
            authentication fail | authenticationfailed | authentication unsuccessful | authentication rejected
            authentication error | authentication credentials | authentication denied
            authentication not successful | authentication refused | auth fail | auth error | auth unsuccessful
            authenticate fail | authorization failed | authorization failure | authorization error
            authorisation failed | failed to authenticate | could not authenticate | couldn't authenticate
            cannot authenticate | can't authenticate | unable to authenticate | not authenticated | login fail
            login error | login denied | login incorrect | login invalid | login rejected | login refused
            logon failure | logon failed | log in failed | log-in failed | failed to login | failed to log in
            could not log in | could not login | couldn't log in | cannot login | can't login | unable to log in
            unable to login | sign-in failed | sign in failed | permission denied for user | unauthorized
            rejected credentials | missing user | missing password | missing credentials
            username required | not authorized | authorized user
            authenticationexception | loginbadcredentials | badauth | eauth | authentification invalide
            d'authentification | err.login.passerr | err.login.usererr | usernotexist | login_failed | unable to log on
            errorauthentication failed | autherror
            """
        ),
        unless=phrases(
            """
            try again later | temporar | malformed | reason unavailable … temporary | aborted
            freigeschaltet | not authorized to perform | network error | empty response | unauthorized ip
            """
        ),
        unless_codes=STRONGER,
        unless_replies=(4,),
        example=(
            "535-5.7.8 Username and Password not accepted. For more information, go to\n535 5.7.8  "
            "https://support.google.com/mail/?p=BadCredentials"
        ),
        source=("RFC 4954 section 6 (535 5.7.8); RFC 5530 AUTHENTICATIONFAILED; every server has its own words"),
    ),
    Rule(
        id="sign-in.refused-with-4xx",
        smtp=PASSWORD,
        cause="password_refused",
        stages=AUTH,
        replies=(4,),
        words=phrases(
            """
            invalid username or password | invalid user or password | incorrect username or password
            invalid password | wrong password | incorrect password | bad password | bad credentials
            invalid credentials | username and password not accepted | wrong username | err.login.passerr
            """
        ),
        unless=phrases("try again later | temporar"),
        example="454 4.7.0 invalid username or password",
        source="go-smtp answers any error of its back end with 454",
    ),
    Rule(
        id="sign-in.refused-later",
        smtp=PASSWORD,
        cause="password_refused",
        stages=MESSAGE,
        words=phrases(
            """
            authentication failed | authentication unsuccessful | invalid credentials
            username and password not accepted | 535␣
            """
        ),
        unless=phrases("spf | dkim | dmarc | relay | checks"),
        example="535 5.7.8 Error: authentication failed",
        given={"stage": Stage.SEND},
        source="clients that name no stage",
    ),
    Rule(
        id="sign-in.mentioned",
        smtp=PASSWORD,
        imap=PASSWORD,
        cause="password_refused",
        stages=AUTH,
        words=phrases(
            """
            authentification | identifiants | mot de passe | anmeldung | authentifizierung | passwort | kennwort
            benutzername | autenticación | contraseña | autenticação | senha | autenticazione | wachtwoord
            пароль | логин | аутентификац | authentication | 认证失败 | 密码错误 | 帐号或密码 | 账号或密码
            用户名或密码 | 登录失败 | 身份验证 | 認証 | 인증 | username | password | credential | s'authentifier
            autenticar | anmelden | パスワード | ユーザー名 | 비밀번호 | 密碼 | 登入失敗
            şifre | hasło | heslo | jelszó | lösenord | adgangskode | passord | salasana | parol | κωδικ
            """
        ),
        unless=phrases(
            """
            try again later | temporar | econn | timed out | timeout | refused | reset by | closed | aborted
            command tag | malformed | disconnected | inactivity | cancelled | canceled | protocol error
            command is missing | not authorized to perform | more steps | suspend | network error | too large
            too long | empty response
            """
        ),
        unless_statuses=("BAD",),
        unless_codes=STRONGER,
        unless_replies=(4,),
        example="535 5.7.1 Das Passwort stimmt nicht",
        source="refusals in other languages and short forms",
    ),
)
