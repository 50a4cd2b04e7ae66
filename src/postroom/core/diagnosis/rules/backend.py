"""Rows about the servers behind a sign-in that are in trouble: no password is wrong. Accounts are in `account`."""

from __future__ import annotations

from postroom.core.diagnosis.evidence import Stage
from postroom.core.diagnosis.phrase import phrases
from postroom.core.diagnosis.rule import Rule
from postroom.core.diagnosis.verdict import Action

AUTH = frozenset({Stage.AUTH})
UNREACHABLE = "account_unreachable"

RULES = (
    Rule(
        id="account.sign-in-temporary",
        smtp="temporary_auth_failure",
        imap=UNREACHABLE,
        action=Action.RETRY,
        cause="backend_down",
        stages=AUTH,
        unless_codes=("INUSE", "LIMIT"),
        words=phrases(
            """
            temporarily | temporary | try again later | try again in | try again after | try later | retry later
            at present | try again at | connection lost to authentication | system busy | system is busy | systembusy
            err.system
            server busy | server is busy | service busy | too busy | unable to access your mailbox
            another failure mode | can't connect to auth
            cannot connect to auth | can't auth␣ | can not auth␣ | child won't | problem with child
            no response from auth | domain auth support error | can't contact | could not contact
            unable to contact | failed to connect to backend | generic failure | vorübergehend | später
            momentan | temporairement | réessayer | temporalmente | temporariamente | temporaneamente | временно
            позже | 暂时 | 稍后 | 繁忙 | 一時的 | 一时的
            """
        ),
        unless=phrases(
            """
            invalid credentials | wrong password | incorrect | bad password | invalid password
            connection refused | service unavailable … forbidden | certificate | [errno | econnre | etimedout
            not available for your account | mechanism | password or | etls | web browser | client password
            app password | application password | authorization code
            """
        ),
        example="454 4.7.0 Temporary authentication failure: Connection lost to authentication server",
        source="Dovecot, Postfix, qmail, Exim; RFC 5530 UNAVAILABLE; RFC 4954 454",
    ),
    Rule(
        id="account.sign-in-trouble",
        smtp="temporary_auth_failure",
        imap=UNREACHABLE,
        action=Action.RETRY,
        cause="backend_down",
        stages=AUTH,
        unless_replies=(534, 535),
        unless_codes=("INUSE", "LIMIT"),
        words=phrases(
            """
            internal error | internal authentication | internal system | internal problem | system error
            server error | not available | backend | back-end | back end | database | ldap error
            ldap server | sql error | mysql error | auth server | authentication server | authentication service
            auth service | auth process | upstream | timeout waiting | auth timeout | authentication timed out
            maintenance | in use | unavailable | overloaded | proxy error | problem with auth | internal failure
            unexpected error | server down | being migrated | being moved | tempfail | i/o error | io error
            internal auth failure | internal auth error | disk error | server temporarily
            timeout while waiting | no response from | proxynotauthenticated | directory server
            directory service | could not be fetched | internal login | failed to database
            system shutdown | proxy failed | cannot proxy | [sys/temp]
            """
        ),
        unless=phrases(
            """
            invalid credentials | wrong password | incorrect | bad password | invalid password
            connection refused | certificate | [errno | econnre | etimedout | mechanism | password or
            in database | in the database | in user database | not available for your account | reason unavailable
            unavailable for your | unavailable for this
            connection not available | noconnection
            """
        ),
        example="NO Internal error occurred. Refer to server log for more information.",
        source="Dovecot, Cyrus, Zimbra, Exchange when the server behind the sign-in fails",
    ),
    Rule(
        id="account.sign-in-again",
        smtp="temporary_auth_failure",
        imap=UNREACHABLE,
        action=Action.RETRY,
        cause="backend_down",
        stages=AUTH,
        words=phrases("try again | please retry"),
        unless=phrases(
            """
            password | credential | username | user name | login | passwort | authentication failed
            authenticationfailed | incorrect | invalid | wrong | mechanism | certificate
            """
        ),
        unless_replies=(530, 534, 535),
        unless_codes=("AUTHENTICATIONFAILED", "AUTHORIZATIONFAILED"),
        example="NO Sorry, please try again",
        source="servers that ask for another try without saying what happened",
    ),
)
