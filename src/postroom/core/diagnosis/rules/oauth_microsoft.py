"""Rows for Microsoft's AADSTS numbers: the number outranks `invalid_grant`. Other providers' tokens are in `oauth`.

Microsoft says that the numbers may change, hence the last row. Source of all: "Microsoft Entra authentication and
authorization error codes", learn.microsoft.com/entra/identity-platform/reference-error-codes.
"""

from __future__ import annotations

from postroom.core.diagnosis.evidence import Stage
from postroom.core.diagnosis.phrase import phrases
from postroom.core.diagnosis.rule import Rule
from postroom.core.diagnosis.verdict import Action

SOURCE = "learn.microsoft.com/entra/identity-platform/reference-error-codes"
AT_TOKEN = {"stage": Stage.OAUTH}


def _row(
    name: str, smtp: str, imap: str, numbers: tuple[int, ...], cause: str, example: str, action: Action | None = None
) -> Rule:
    return Rule(
        id=f"aadsts.{name}",
        smtp=smtp,
        imap=imap,
        aadsts=frozenset(numbers),
        cause=cause,
        example=example,
        action=action,
        given=AT_TOKEN,
        source=SOURCE,
    )


RULES = (
    _row(
        "wrong-password",
        "invalid_credentials",
        "invalid_credentials",
        (50126, 50034, 50056, 50064, 81016, 50020, 51004, 500208, 1000502),
        "password_refused",
        "AADSTS70002: Error validating credentials. AADSTS50126: Invalid username or password",
    ),
    _row(
        "password-expired",
        "invalid_credentials",
        "invalid_credentials",
        (50055, 50144, 50142),
        "password_expired",
        "AADSTS50055: The password is expired.",
    ),
    _row(
        "locked",
        "account_disabled",
        "account_unreachable",
        (50053,),
        "account_locked",
        (
            "AADSTS50053: The account is locked, you've tried to sign in too many times with an incorrect user ID "
            "or password."
        ),
        Action.REAUTHENTICATE,
    ),
    _row(
        "disabled",
        "account_disabled",
        "account_blocked",
        (50057, 500571, 530034, 5000611),
        "account_disabled",
        "AADSTS50057: The user account is disabled.",
    ),
    _row(
        "second-factor",
        "app_password_required",
        "access_denied",
        (50076, 50079, 50158, 50074, 50072, 50078, 500121, 50203, 50125, 135010, 16003),
        "oauth_second_factor",
        (
            "AADSTS50076: Due to a configuration change made by your administrator, or because you moved to a new "
            "location, you must use multi-factor authentication to access"
        ),
        Action.REAUTHENTICATE,
    ),
    _row(
        "conditional-access",
        "access_restricted",
        "access_denied",
        (
            53000,
            53001,
            53002,
            53003,
            53004,
            53005,
            53008,
            53009,
            53010,
            53011,
            530002,
            530003,
            530021,
            530032,
            530035,
            530084,
            50005,
            50097,
            50105,
            50131,
            50155,
            50187,
            501241,
        ),
        "conditional_access",
        (
            "AADSTS53003: Access has been blocked by Conditional Access policies. The access policy does not allow "
            "token issuance."
        ),
    ),
    _row(
        "consent-missing",
        "access_restricted",
        "access_denied",
        (65004, 90093, 90094, 90095, 90008, 650051, 650056, 900941),
        "consent_missing",
        "AADSTS90094: The grant requires admin permission.",
    ),
    _row(
        "consent",
        "token_expired",
        "token_expired",
        (65001,),
        "consent_missing",
        "AADSTS65001: The user or administrator has not consented to use the application with ID 'x'.",
    ),
    _row(
        "grant-gone",
        "token_expired",
        "token_expired",
        (
            50173,
            700082,
            70008,
            70043,
            700084,
            700081,
            50089,
            54005,
            50132,
            50133,
            500133,
            70000,
            700003,
            50013,
            50058,
            50085,
            50014,
            50017,
            160021,
            240002,
            90023,
            9002313,
            54008,
            700229,
        ),
        "token_expired",
        (
            "invalid_grant: AADSTS50173: The provided grant has expired due to it being revoked, a fresh auth "
            "token is needed."
        ),
    ),
    _row(
        "app-secret",
        "server_misconfigured",
        "server_misconfigured",
        (7000222, 7000215, 7000216, 700027, 7000218, 7000217, 700024, 700030, 50012, 700025, 700026),
        "oauth_client_secret",
        "invalid_client AADSTS7000222: The provided client secret keys are expired.",
    ),
    _row(
        "app-unknown",
        "server_misconfigured",
        "server_misconfigured",
        (
            700016,
            50194,
            90002,
            900023,
            900021,
            50011,
            500011,
            70011,
            70001,
            7000112,
            650052,
            650053,
            650057,
            65005,
            50059,
            50128,
            500014,
            900144,
            90013,
            90014,
            90019,
            28002,
            28003,
            70003,
            700051,
            700054,
            9002326,
            9002325,
            700022,
            70007,
            501051,
            50001,
            500111,
            500113,
            500112,
            70005,
            1002012,
            900561,
            900971,
        ),
        "oauth_application",
        "AADSTS700016: Application with identifier 'x' was not found in the directory 'y'.",
    ),
    _row(
        "throttled",
        "temporary_auth_failure",
        "connection_limit",
        (50196, 90055, 900432),
        "sign_in_throttled",
        (
            "invalid_grant : AADSTS50196: The server terminated an operation because it encountered a loop while "
            "processing a request"
        ),
    ),
    _row(
        "service-down",
        "temporary_auth_failure",
        "server_connection",
        (
            90033,
            90006,
            90012,
            90020,
            90051,
            50000,
            50086,
            70012,
            90043,
            80001,
            80002,
            80005,
            80007,
            80010,
            80014,
            90004,
            90022,
            90024,
            90025,
            90027,
            130500,
            50002,
            900382,
            120014,
            120021,
        ),
        "token_service_down",
        "AADSTS90033: MsodsServiceUnavailable - The Microsoft Online Directory Service (MSODS) isn't available.",
    ),
    Rule(
        id="aadsts.other",
        smtp="token_expired",
        imap="token_expired",
        cause="token_refused",
        words=phrases("aadsts"),
        given=AT_TOKEN,
        stages=frozenset({Stage.OAUTH}),
        also=phrases("invalid_grant | interaction_required | interactionrequired"),
        example="invalid_grant: AADSTS999999: Something new.",
        source=SOURCE + " (the numbers may change; the OAuth word stays)",
    ),
)
