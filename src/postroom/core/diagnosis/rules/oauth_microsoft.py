"""Rows for Microsoft's AADSTS numbers: the number outranks `invalid_grant`. Other providers' tokens are in `oauth`.

Microsoft says that the numbers may change, hence the last row. Source of all: "Microsoft Entra authentication and
authorization error codes", learn.microsoft.com/entra/identity-platform/reference-error-codes. Where a text has several
numbers (70002 comes with another), the first row that has one of them decides: what a person must do comes first.
"""

from __future__ import annotations

from postroom.core.diagnosis.evidence import Stage
from postroom.core.diagnosis.phrase import phrases
from postroom.core.diagnosis.rule import Rule
from postroom.core.diagnosis.verdict import Action

SOURCE = "learn.microsoft.com/entra/identity-platform/reference-error-codes"
AT_TOKEN = {"stage": Stage.OAUTH}


def _row(name: str, smtp: str, imap: str, numbers: str, cause: str, example: str, action: Action | None = None) -> Rule:
    """A row for some numbers; `53000-53019` is a family that Microsoft numbers in a row."""
    spans = [(int(first), int(last or first)) for first, _, last in (each.partition("-") for each in numbers.split())]
    return Rule(
        id=f"aadsts.{name}",
        smtp=smtp,
        imap=imap,
        aadsts=frozenset(number for first, last in spans for number in range(first, last + 1)),
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
        """
        50014 50020 50034 50056 50064 50126 50181 50192 50197 51004 81016 90072 90101 90125 120000 120016 500208
        1000502
        """,
        "password_refused",
        "AADSTS70002: Error validating credentials. AADSTS50126: Invalid username or password",
    ),
    _row(
        "password-expired",
        "invalid_credentials",
        "invalid_credentials",
        "50055 50135 50142 50144 120002-120005 120012 120015 120018 120020",
        "password_expired",
        "AADSTS50055: The password is expired.",
    ),
    _row(
        "locked",
        "account_disabled",
        "account_unreachable",
        "50053",
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
        "50057 120014 500571 530034 5000611",
        "account_disabled",
        "AADSTS50057: The user account is disabled.",
    ),
    _row(
        "second-factor",
        "app_password_required",
        "access_denied",
        """
        16003 50072 50074 50076 50078 50079 50086 50125 50158 50161 50170 50177 50203 130004-130008 135010 500121
        """,
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
        """
        50002 50005 50015 50097 50105 50127 50129 50131 50155 50178 50187 53000-53019 54000 80012 90084 90123 135011
        220450 240001 500021 500022 500212 500213 501241 530000-530099 1000031 1000104
        """,
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
        "52004 65004 90008 90093 90094 90095 90099 650051 650056 900941 9002341",
        "consent_missing",
        "AADSTS90094: The grant requires admin permission.",
    ),
    _row(
        "consent",
        "token_expired",
        "token_expired",
        "65001",
        "consent_missing",
        "AADSTS65001: The user or administrator has not consented to use the application with ID 'x'.",
    ),
    _row(
        "grant-gone",
        "token_expired",
        "token_expired",
        """
        16000 16001 16002 40009 40015 50013 50017 50058 50085 50089 50132 50133 50136 50139 50140 50143 50168 50173
        50180 50199 51006 54005 54008 70000 70008 70016 70018 70019 70043 70044 81004-81006 81008-81012 90016 90023
        90086 140001 160021 240002 500133 700003 700005 700020 700081 700082 700084 1000000 9002313
        """,
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
        """
        50012 50027 50048 50099 50146 70002 70021 700024 700025 700026 700027 700030 700211-700213 900384 7000014
        7000210-7000229
        """,
        "oauth_client_secret",
        "invalid_client AADSTS7000222: The provided client secret keys are expired.",
    ),
    _row(
        "app-unknown",
        "server_misconfigured",
        "server_misconfigured",
        """
        17003 20001 20012 20033 28002 28003 40008 50001 50003 50006-50008 50010 50011 50029 50032 50042 50043 50049
        50050 50059 50061 50068 50070 50071 50107 50120 50124 50128 50134 50147 50169 50193 50194 51000 51001 65002
        65005 67003 70001 70003-70005 70007 70011 75000-75019 76021 76026 81007 90002 90004 90005 90007 90009 90010
        90013 90014 90015 90019 90020 90022 90027 90038 90043 90051 90056 90081 90082 90085 90087 90100 90102 90107
        90114 90117 90119-90121 90124 90126 90130 100007 140000 165004 165900 221000 500011 500014 500111-500113
        501051 501461 501481 501491 650052-650054 650057 700011 700016 700022 700023 700051 700054 700229 750054
        900021 900023 900144 900236 900382 900432 900439 900561 900971 901002 1002012 5000819 7000112 7000114 7500514
        7500529 9001023 9002325-9002327 9002332
        """,
        "oauth_application",
        "AADSTS700016: Application with identifier 'x' was not found in the directory 'y'.",
    ),
    _row(
        "throttled",
        "temporary_auth_failure",
        "connection_limit",
        "50088 50166 50196 90055",
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
        """
        40010 50000 50033 50087 51005 70012 80000-80011 80013 80014 90006 90012 90024 90025 90033 90036 90090-90092
        120008 120011 120013 120021 130500 220501 501621
        """,
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
