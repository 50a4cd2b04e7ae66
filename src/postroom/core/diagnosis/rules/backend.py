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
        words=phrases(
            """
            temporary authentication failure | temporary auth | temporary error
            temporary failure | temporary server error | temporary internal | temporary problem
            temporary system | temporary lookup | temporarily unavailable
            temporarily not available | temporarily disabled | temporarily | temporary
            try again | try later | please retry | at present
            connection lost to authentication
            system busy | system is busy | server busy | server is busy
            too busy
            unable to access your mailbox | can't connect to auth
            cannot connect to auth | can't auth | can not auth | child won't
            problem with child
            no response from auth | domain auth support error
            can't contact | could not contact | unable to contact
            系统繁忙 | failed to connect to backend
            generic failure
            """
        ),
        unless=phrases(
            """
            invalid credentials | wrong password | incorrect | bad password | invalid password
            connection refused | service unavailable … forbidden | certificate | [errno
            econnre | etimedout | not available for your account | mechanism | password or
            etls
            web browser
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
        words=phrases(
            """
            internal error | internal authentication | internal server error
            internal system | internal problem | system error | server error
            server not available | service unavailable | service not available
            service is unavailable | not available | backend | back-end | back end
            database error | ldap error | ldap server | sql error | mysql error | auth server
            authentication server | authentication service | auth service | auth process
            upstream | timeout waiting | auth timeout | authentication timed out | maintenance
            in use | unavailable | overloaded | proxy error | problem with auth
            internal failure | unexpected error | server down
            being migrated | being moved
            tempfail
            """
        ),
        unless=phrases(
            """
            invalid credentials | wrong password | incorrect | bad password | invalid password
            connection refused | certificate | [errno | econnre | etimedout | mechanism | password or
            not available for your account | reason unavailable
            """
        ),
        example="NO Internal error occurred. Refer to server log for more information.",
        source="Dovecot, Cyrus, Zimbra, Exchange when the server behind the sign-in fails",
    ),
)
