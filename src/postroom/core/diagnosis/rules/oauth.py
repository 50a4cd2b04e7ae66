"""Rows about tokens: the token endpoint's errors and XOAUTH2 refusals. Microsoft's numbers are in `oauth_microsoft`."""

from __future__ import annotations

from postroom.core.diagnosis.evidence import Stage
from postroom.core.diagnosis.phrase import phrases
from postroom.core.diagnosis.rule import SIGN_IN, Rule
from postroom.core.diagnosis.verdict import Action

OAUTH = frozenset({Stage.OAUTH})
AUTH = frozenset({Stage.AUTH})
AT_TOKEN = {"stage": Stage.OAUTH}
EXPIRED = "token_expired"
RFC6749 = "RFC 6749 section 5.2"
GOOGLE = "developers.google.com/identity/protocols/oauth2 (refresh token expiration, error codes)"

RULES = (
    Rule(
        id="oauth.google.account-gone",
        smtp="account_disabled",
        imap="account_blocked",
        cause="account_disabled",
        stages=SIGN_IN,
        given=AT_TOKEN,
        words=phrases(
            """
            account has been deleted | account has been disabled | account disabled | account deleted
            account was deleted | disabled_account | account has been suspended | user has been suspended
            not a valid email or user id | invalid email or user id
            """
        ),
        also=phrases("invalid_grant | oauth | invalid_request"),
        example='"error": "invalid_grant", "error_description": "Account has been deleted"',
        source=GOOGLE,
    ),
    Rule(
        id="oauth.google.reauth-policy",
        smtp=EXPIRED,
        imap=EXPIRED,
        cause="token_session_control",
        given=AT_TOKEN,
        words=phrases(
            """
            invalid_rapt | rapt_required | reauth related error | reauthentication is needed
            """
        ),
        example='oauth2: "invalid_grant" "reauth related error (invalid_rapt)"',
        source="support.google.com/a/answer/9368756 (Google Cloud session control)",
    ),
    Rule(
        id="oauth.assertion",
        smtp="server_misconfigured",
        imap="server_misconfigured",
        cause="oauth_client_secret",
        stages=SIGN_IN,
        words=phrases("invalid jwt | invalid assertion"),
        given=AT_TOKEN,
        example="google.auth.exceptions.RefreshError: ('invalid_grant: Invalid JWT Signature.')",
        source=GOOGLE + ": a service account's key or clock is wrong, not a user's grant",
    ),
    Rule(
        id="oauth.policy",
        smtp="access_restricted",
        imap="access_denied",
        cause="oauth_policy",
        stages=OAUTH,
        words=phrases(
            """
            org_internal | disallowed_useragent | access_denied | access_not_configured | policy_enforced
            not authorized to access | client is unauthorized | access blocked | app is blocked
            given you access | verification process
            """
        ),
        unless=phrases("invalid_grant"),
        example=(
            '{"error": "unauthorized_client", "error_description": "Client is unauthorized to retrieve access '
            'tokens using this method."}'
        ),
        source=GOOGLE + "; " + RFC6749,
    ),
    Rule(
        id="oauth.client",
        smtp="server_misconfigured",
        imap="server_misconfigured",
        cause="oauth_client_secret",
        given=AT_TOKEN,
        words=phrases(
            """
            invalid client id | client id is invalid | invalid_client | deleted_client | disabled_client
            oauth client was not found | client secret
            client_secret | client authentication failed | invalidclient
            """
        ),
        unless=phrases("invalid_grant"),
        example='{"error": "invalid_client", "error_description": "The OAuth client was not found."}',
        source=RFC6749,
    ),
    Rule(
        id="oauth.request",
        smtp="server_misconfigured",
        imap="server_misconfigured",
        cause="oauth_application",
        stages=OAUTH,
        words=phrases(
            """
            invalid_scope | unsupported_grant_type | redirect_uri | redirect uri | api has not been used
            unsupported_response_type
            missing required parameter | invalid_request | unknown scope | unauthorized_client
            """
        ),
        unless=phrases("invalid_grant | refresh_token | refresh token"),
        example='{"error": "redirect_uri_mismatch", "error_description": "Bad Request"}',
        source=RFC6749,
    ),
    Rule(
        id="oauth.throttled",
        smtp="temporary_auth_failure",
        imap="connection_limit",
        action=Action.RETRY,
        cause="sign_in_throttled",
        stages=OAUTH,
        words=phrases(
            """
            slow_down | rate_limit | rate limit | too many requests | ratelimitexceeded | quota exceeded | 429␣
            try again after | temporarily blocked | made too many
            """
        ),
        unless=phrases("invalid_grant"),
        example='429 Too Many Requests: {"error": "rate_limit_exceeded"}',
        source="RFC 8628 section 3.5; RFC 6585 section 4",
    ),
    Rule(
        id="oauth.service-down",
        smtp="temporary_auth_failure",
        imap="server_connection",
        action=Action.RETRY,
        cause="token_service_down",
        stages=OAUTH,
        words=phrases(
            """
            internal_failure | temporarily_unavailable | temporarily unavailable | server_error
            service unavailable | service is unavailable | bad gateway | gateway time | internal server error
            internal_error
            service_not_available | http 500 | http 502 | http 503 | http 504 | backend error | backenderror
            http error 500 | http error 502 | http error 503 | status code 500
            status code 502 | status code 503 | status code 504 | try again later
            """
        ),
        unless=phrases("invalid_grant"),
        example=(
            "Server error: `POST https://oauth2.googleapis.com/token` resulted in a `503 Service Unavailable` "
            'response: {"error": "internal_failure"}'
        ),
        source="RFC 6749 section 4.1.2.1; RFC 9110 section 15.6",
    ),
    Rule(
        id="oauth.grant-gone",
        smtp=EXPIRED,
        imap=EXPIRED,
        cause="token_expired",
        words=phrases(
            """
            invalid_grant | invalidgrant | token has expired | token is expired | token expired | expired token
            token_expired | expiredtoken | token has been revoked | token was revoked | token revoked
            expired or revoked | expired access token | invalid_token | invalid token | invalid access token
            token is invalid | token invalid | token is not valid | refresh token | refresh_token | refresherror
            new access token | interaction_required | interactionrequired | consent_required | login_required
            reauthenticate | re-authenticate your | token refresh | refreshing token
            xoauth2 authentication error | couldn't refresh | oauth token | accesstokenexpired
            access token … is not valid | token … no longer valid | token lacks | token … scope | bearer token | 令牌
            oauth2 asked for more | no token | auth token
            """
        ),
        unless=phrases("service unavailable | timed out | invalid_client"),
        example='{"error": "invalid_grant", "error_description": "Token has been expired or revoked."}',
        given=AT_TOKEN,
        source=RFC6749 + "; " + GOOGLE,
    ),
    Rule(
        id="oauth.token.expired",
        imap=EXPIRED,
        cause="token_expired",
        stages=AUTH,
        response_codes=("EXPIRED",),
        words=phrases("token"),
        example="NO [EXPIRED] Access token ran out at 12:05",
        source="RFC 5530 EXPIRED of a token, where it is else of a password",
    ),
    Rule(
        id="oauth.xoauth2-challenge",
        smtp=EXPIRED,
        imap=EXPIRED,
        cause="token_refused",
        stages=AUTH,
        oauth=True,
        words=phrases(
            """
            "status":"400" | "status":"401" | "status": "400" | "status": "401" | "status":400 | "status":401
            "status":"403" | "status": "403"
            """
        ),
        unless=phrases("too many | limit | unavailable | web browser | not enabled"),
        example=(
            "334 eyJzdGF0dXMiOiI0MDEiLCJzY2hlbWVzIjoiYmVhcmVyIG1hYyIsInNjb3BlIjoiaHR0cHM6Ly9tYWlsLmdvb2dsZS5jb20vIn0="
        ),
        source="RFC 7628 section 3.2.2; developers.google.com/gmail/imap/xoauth2-protocol",
    ),
    Rule(
        id="oauth.xoauth2-refused",
        smtp=EXPIRED,
        imap=EXPIRED,
        cause="token_refused",
        stages=AUTH,
        oauth=True,
        words=phrases(
            """
            invalid credentials | authentication failed | authenticationfailed | authenticate failed
            not accepted | authentication unsuccessful | access token | unauthorized
            """
        ),
        unless=phrases("too many | [unavailable] | disabled | temporar | web browser | lookup | locked"),
        example="C: A1 AUTHENTICATE XOAUTH2 ***\nA1 NO [AUTHENTICATIONFAILED] Invalid credentials (Failure)",
        source="developers.google.com/gmail/imap/xoauth2-protocol",
    ),
    Rule(
        id="oauth.words.second-factor",
        smtp="app_password_required",
        imap="access_denied",
        action=Action.REAUTHENTICATE,
        cause="oauth_second_factor",
        stages=OAUTH,
        words=phrases("multi-factor | multifactor | mfa required | strong authentication"),
        example="you must use multi-factor authentication to access 'x'",
        given=AT_TOKEN,
        source="Microsoft's texts without their number",
    ),
    Rule(
        id="oauth.words.policy",
        smtp="access_restricted",
        imap="access_denied",
        cause="conditional_access",
        stages=OAUTH,
        words=phrases(
            """
            conditional access | access has been blocked | blocked by … policy | device … compliant
            meet the criteria | restricted by your admin | only an admin can grant | need admin approval
            """
        ),
        example="Access has been blocked by Conditional Access policies.",
        given=AT_TOKEN,
        source="Microsoft's texts without their number",
    ),
    Rule(
        id="oauth.words.locked",
        smtp="account_disabled",
        imap="account_unreachable",
        action=Action.REAUTHENTICATE,
        cause="account_locked",
        stages=OAUTH,
        words=phrases("account is locked | account locked | account has been locked"),
        example="The account is locked, you've tried to sign in too many times with an incorrect user ID or password.",
        given=AT_TOKEN,
        source="Microsoft's texts without their number",
    ),
    Rule(
        id="oauth.words.user",
        smtp="invalid_credentials",
        imap="invalid_credentials",
        cause="password_refused",
        stages=OAUTH,
        words=phrases(
            """
            does not exist in | invalid username or password | password is expired | password has expired
            invalid user name or password | error validating credentials
            """
        ),
        example="The user account alice@example.com does not exist in the x directory.",
        given=AT_TOKEN,
        source="Microsoft's texts without their number",
    ),
    Rule(
        id="oauth.words.application",
        smtp="server_misconfigured",
        imap="server_misconfigured",
        cause="oauth_application",
        stages=OAUTH,
        words=phrases("was not found in the directory | application with identifier | reply url | tenant … not found"),
        example="Application with identifier 'x' was not found in the directory 'y'.",
        given=AT_TOKEN,
        source="Microsoft's texts without their number",
    ),
    Rule(
        id="oauth.lost-body",
        smtp=EXPIRED,
        imap=EXPIRED,
        cause="token_refused",
        stages=OAUTH,
        words=phrases(
            """
            http error 400 | status code 400 | status code 401 | http error 401 | 400 client error
            401 client error | status: 400 | status: 401 | unauthorized | bad request
            """
        ),
        example="ERROR: HTTP Error 400: Bad Request",
        source=RFC6749 + ": a refused grant is answered with 400",
    ),
    Rule(
        id="oauth.refused",
        smtp=EXPIRED,
        imap=EXPIRED,
        cause="token_refused",
        stages=OAUTH,
        words=phrases("token | authentication failed | authenticate | sign in again | credentials | consent"),
        unless=phrases(
            """
            timed out | timeout | connection | resolve | network | deadline | dial tcp | econn | enotfound
            getaddrinfo | eof | unreachable | certificate | socket | reset by | max retries | httpsconnectionpool
            """
        ),
        example="Authentication failed: please sign in again",
        source="clients that drop the provider's error",
    ),
)
