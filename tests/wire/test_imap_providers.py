# ruff: noqa: E501
"""Providers' peculiarities, in dialogues of their servers: each ends in the right result or the right diagnosis."""
# Servers' lines are as long as they are.

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from postroom.core.cursor import Sized
from postroom.core.diagnosis import Failure, diagnose
from postroom.core.ports.wire import Idled
from postroom.wire.imap import Imap, Session
from postroom.wire.resolve import Guard
from tests.wire import imap_dialogues as say
from tests.wire.peer import account, served

IMAP = Imap(Guard(allow_private=True), now=lambda: datetime.now(UTC), timeout=90, patience=90)


async def opened(port: int) -> Session:
    return await IMAP.open(account(port))


# What works


async def test_gmail_is_read_by_its_special_uses_and_in_utf_8() -> None:
    listing = """
C: LIST "" "*" RETURN (SPECIAL-USE)
S: * LIST (\\HasNoChildren) "/" "INBOX"
S: * LIST (\\HasChildren \\NonExistent) "/" "[Gmail]"
S: * LIST (\\All \\HasNoChildren) "/" "[Gmail]/全部郵件"
S: * LIST (\\HasNoChildren \\Junk) "/" "[Gmail]/垃圾郵件"
S: * LIST (\\HasNoChildren \\Sent) "/" "[Gmail]/寄件備份"
S: T OK Success
"""
    inbox = (
        say.GMAIL_INBOX
        + """
C: UID FETCH 1:* (UID RFC822.SIZE)
S: * 1 FETCH (UID 3 RFC822.SIZE 13)
S: * 2 FETCH (UID 6 RFC822.SIZE 13)
S: T OK Success
C: UID FETCH 3,6 (UID FLAGS INTERNALDATE X-GM-THRID BODY.PEEK[])
S: * 1 FETCH (X-GM-THRID 1278455344230334865 UID 3 FLAGS (\\Seen) INTERNALDATE "01-Feb-2026 08:00:00 +0000" BODY[] {13}
S: X: y
S:
S: one
S: )
S: * 2 FETCH (X-GM-THRID 1278455344230334866 UID 6 INTERNALDATE "01-Feb-2026 08:00:00 +0000" FLAGS () BODY[] {13}
S: X: y
S:
S: two
S: )
S: T OK Success
C: IDLE
S: + idling
S: * 3 EXISTS
C: DONE
S: T OK IDLE terminated (Success)
"""
    )
    async with served(say.story(say.GMAIL_IN, listing, listing, inbox)) as port:
        session = await opened(port)
        assert await session.sent_folder() == "[Gmail]/寄件備份"
        assert await session.junk_folder() == "[Gmail]/垃圾郵件"
        assert (await session.select("INBOX")).highest_modseq == 912345
        assert await session.sizes(1) == [Sized(3, 13), Sized(6, 13)]
        assert [one.raw async for one in session.fetch([3, 6])] == [b"X: y\r\n\r\none\r\n", b"X: y\r\n\r\ntwo\r\n"]
        assert await session.idle(60) is Idled.NEWS
        session.abort()


async def test_exchange_is_read_whatever_it_says_of_sizes_and_bodies() -> None:
    """A wrong RFC822.SIZE, a literal without bytes, NIL for a message that it cannot convert."""
    inbox = (
        say.MICROSOFT_INBOX
        + """
C: UID FETCH 1:* (UID RFC822.SIZE)
S: * 1 FETCH (UID 41 RFC822.SIZE 4711)
S: * 2 FETCH (UID 42 RFC822.SIZE 99)
S: * 3 FETCH (UID 44 RFC822.SIZE 99)
S: T OK FETCH completed.
C: UID FETCH 41:42,44
S: * 1 FETCH (UID 41 FLAGS (\\Seen) INTERNALDATE "01-Feb-2026 08:00:00 +0000" BODY[] {11}
S: X: y
S:
S: )
S: )
S: * 2 FETCH (UID 42 FLAGS () INTERNALDATE "01-Feb-2026 08:00:00 +0000" BODY[] {0}
S: )
S: * 3 FETCH (UID 44 FLAGS () INTERNALDATE "01-Feb-2026 08:00:00 +0000" BODY[] NIL)
S: T OK FETCH completed.
"""
    )
    async with served(say.story(say.MICROSOFT_IN, inbox)) as port:
        session = await opened(port)
        await session.select("INBOX")
        assert [one.size for one in await session.sizes(1)] == [4711, 99, 99]
        got = {one.uid: one.raw async for one in session.fetch([41, 42, 44])}
        assert got == {41: b"X: y\r\n\r\n)\r\n", 42: b""}
        session.abort()


async def test_exchange_that_idles_without_news_tells_at_the_next_question() -> None:
    idle = (
        say.MICROSOFT_INBOX
        + """
C: IDLE
S: + IDLE accepted, awaiting DONE command.
C: DONE
S: T OK IDLE completed.
C: NOOP
S: * 4 EXISTS
S: T OK NOOP completed.
"""
    )
    async with served(say.story(say.MICROSOFT_IN, idle)) as port:
        session = await opened(port)
        await session.select("INBOX")
        assert await session.idle(0.05) is Idled.RENEW
        assert await session.noop() is Idled.NEWS
        session.abort()


async def test_yahoo_gives_all_of_what_it_gives_by_parts() -> None:
    inbox = (
        say.YAHOO_INBOX
        + """
C: UID FETCH 1:* (UID RFC822.SIZE)
S: * 3 FETCH (UID 11 RFC822.SIZE 3)
S: * 2 FETCH (UID 9 RFC822.SIZE 2)
S: T OK [MESSAGELIMIT 2 9] UID FETCH completed with 2 partial results
C: UID FETCH 1:8 (UID RFC822.SIZE)
S: * 1 FETCH (UID 7 RFC822.SIZE 1)
S: T OK UID FETCH completed
"""
    )
    async with served(say.story(say.YAHOO_IN, inbox)) as port:
        session = await opened(port)
        await session.select("INBOX")
        assert await session.sizes(1) == [Sized(7, 1), Sized(9, 2), Sized(11, 3)]
        session.abort()


async def test_netease_is_told_who_we_are_though_it_asks_before_the_sign_in_only() -> None:
    inbox = 'C: EXAMINE "INBOX"\nS: * OK [UIDVALIDITY 1] ok\nS: T OK done'
    async with served(say.story(say.NETEASE, say.NETEASE_ID, inbox)) as port:
        session = await opened(port)
        assert (await session.select("INBOX")).uid_validity == 1
        session.abort()


async def test_icloud_is_asked_for_bodies_and_not_for_rfc822() -> None:
    inbox = """
C: EXAMINE "INBOX"
S: * FLAGS (\\Answered \\Flagged \\Draft \\Deleted \\Seen $MDNSent $Forwarded)
S: * 1 EXISTS
S: * OK [UIDVALIDITY 1160] UIDs valid
S: * OK [HIGHESTMODSEQ 5] Highest
S: T OK [READ-ONLY] EXAMINE completed
C: UID FETCH 5 (UID FLAGS INTERNALDATE BODY.PEEK[])
S: * 1 FETCH (UID 5 FLAGS () INTERNALDATE "01-Feb-2026 08:00:00 +0000" BODY[] {9}
S: X: y
S:
S: a)
S: T OK FETCH completed
"""
    async with served(say.story(say.ICLOUD_IN, inbox)) as port:
        session = await opened(port)
        assert (await session.select("INBOX")).uid_next is None
        assert [one.raw async for one in session.fetch([5])] == [b"X: y\r\n\r\na"]
        session.abort()


# What fails

AT_SELECT = 'C: EXAMINE "INBOX"\nS: '
AT_FETCH = "C: UID FETCH 1:*\nS: "
AT_IDLE = "C: IDLE\nS: + idling\nS: "


async def watched(port: int, *, reads: bool) -> None:
    session = await opened(port)
    await session.select("INBOX")
    await (session.sizes(1) if reads else session.idle(60))


@pytest.mark.parametrize(
    ("provider", "scripts", "code", "action"),
    [
        # Google
        ("gmail", (say.GMAIL, "S: * NO [WEBALERT https://accounts.google.test/signin/continue?sarp=1] Web login required.\nS: T NO [ALERT] Please log in via your web browser: https://support.google.com/mail/accounts/answer/78754 (Failure)"), "account_blocked", "reauthenticate"),
        ("gmail", (say.GMAIL, "S: T NO [ALERT] Application-specific password required: https://support.google.com/accounts/answer/185833 (Failure)"), "app_password_required", "reauthenticate"),
        ("gmail", (say.GMAIL, "S: T NO [ALERT] Your account is not enabled for IMAP use. Please visit your Gmail settings page and enable your account for IMAP access. (Failure)"), "account_blocked", "fix_settings"),
        ("gmail", (say.GMAIL, "S: T NO [ALERT] Too many simultaneous connections. (Failure)"), "connection_limit", "retry"),
        ("gmail", (say.GMAIL, "S: T NO [AUTHENTICATIONFAILED] Invalid credentials (Failure)"), "invalid_credentials", "reauthenticate"),
        ("gmail", (say.GMAIL_IN, AT_SELECT + "T NO [THROTTLED] Too many requests. (Failure)"), "connection_limit", "retry"),
        ("gmail", (say.GMAIL_IN, AT_SELECT + "T NO System Error (Failure)"), "protocol_error", "retry"),
        ("gmail", (say.GMAIL_IN, say.GMAIL_INBOX, AT_FETCH + "T NO [OVERQUOTA] Account exceeded command or bandwidth limits. (Failure)"), "connection_limit", "retry"),
        ("gmail", (say.GMAIL_IN, say.GMAIL_INBOX, AT_FETCH + "* BYE [ALERT] Account exceeded bandwidth limits. (Failure)"), "connection_limit", "retry"),
        ("gmail", (say.GMAIL_IN, say.GMAIL_INBOX, AT_FETCH + "T NO [ALERT] Lockdown in sector 4 (Failure)"), "account_blocked", "reauthenticate"),
        ("gmail", (say.GMAIL_IN, say.GMAIL_INBOX, AT_FETCH + "* BYE System Error"), "server_connection", "retry"),
        ("gmail", (say.GMAIL_IN, say.GMAIL_INBOX, AT_IDLE + "* BYE Session expired, please login again."), "connection_limit", "retry"),
        # Microsoft
        ("microsoft365", (say.MICROSOFT, "S: T NO AUTHENTICATE failed."), "invalid_credentials", "reauthenticate"),
        ("microsoft365", (say.MICROSOFT_IN, AT_SELECT + "T BAD User is authenticated but not connected."), "account_unreachable", "retry"),
        ("microsoft365", (say.MICROSOFT_IN, AT_SELECT + "T NO Server Unavailable. 15"), "account_unreachable", "retry"),
        ("microsoft365", (say.MICROSOFT_IN, say.MICROSOFT_INBOX, AT_IDLE + "* BYE Connection is closed. 13"), "server_connection", "retry"),
        ("microsoft365", (say.MICROSOFT_IN, say.MICROSOFT_INBOX, AT_IDLE + "* BYE Session invalidated - AccessTokenExpired"), "token_expired", "reauthenticate"),
        ("microsoft365", (say.MICROSOFT_IN, say.MICROSOFT_INBOX, AT_FETCH + "T BAD Command Error. 12"), "protocol_error", "retry"),
        ("microsoft365", (say.MICROSOFT_IN, say.MICROSOFT_INBOX, AT_FETCH + "T NO The requested message could not be converted to an RFC-822 compatible format."), "protocol_error", "fail_message"),
        ("microsoft365", ("S: * BYE Connection is closed. 14",), "server_connection", "retry"),
        # Yahoo
        ("yahoo", ("S: * NO [UNAVAILABLE] IMAP server temporarily unavailable",), "server_connection", "retry"),
        ("yahoo", (say.YAHOO, "S: T NO [LIMIT] AUTHENTICATE Rate limit hit"), "connection_limit", "retry"),
        ("yahoo", (say.YAHOO_IN, say.YAHOO_INBOX, AT_FETCH + "T NO [LIMIT] UID FETCH Rate limit hit."), "connection_limit", "retry"),
        ("yahoo", (say.YAHOO_IN, say.YAHOO_INBOX, AT_FETCH + "T NO [UNAVAILABLE] UID FETCH Server error - Please try again later"), "account_unreachable", "retry"),
        ("yahoo", (say.YAHOO, "S: T NO [AUTHENTICATIONFAILED] (#AUTH005) Too many bad auth attempts"), "account_blocked", "retry"),
        # Zoho, QQ, NetEase, iCloud
        ("zoho", (say.ZOHO, "S: T NO [ALERT] You are yet to enable IMAP for your account. Please contact your administrator (Failure)"), "account_blocked", "fix_settings"),
        ("zoho", (say.ZOHO, "S: T NO [AUTHENTICATIONFAILED] Application-specific password required (Failure)"), "app_password_required", "reauthenticate"),
        ("zoho", (say.ZOHO, "S: T NO [LIMIT] Too many connections from your account. Please try again after some time"), "connection_limit", "retry"),
        ("qq", (say.QQ, "S: T NO Login fail. Account is abnormal, service is not open, password is incorrect, login frequency limited, or system is busy. More information at https://help.mail.qq.com/detail/108/1023"), "invalid_credentials", "reauthenticate"),
        ("163", (say.NETEASE, say.NETEASE_ID, AT_SELECT + "T NO EXAMINE Unsafe Login. Please contact kefu@188.com for help"), "account_blocked", "fix_settings"),
        ("icloud", (say.ICLOUD, "S: T NO [AUTHENTICATIONFAILED] Authentication Failed"), "invalid_credentials", "reauthenticate"),
        ("icloud", (say.ICLOUD_IN, AT_SELECT + "T NO [UNAVAILABLE] Mailbox is temporarily unavailable"), "account_unreachable", "retry"),
    ],
)  # fmt: skip
async def test_a_refusal_is_understood(provider: str, scripts: tuple[str, ...], code: str, action: str) -> None:
    async with served(say.story(*scripts)) as port:
        with pytest.raises(Failure) as caught:
            await watched(port, reads=scripts[-1].startswith(AT_FETCH))
    diagnosis = diagnose(replace(caught.value.evidence, provider=provider))
    told = f"{diagnosis.code} {diagnosis.action} {diagnosis.matched} {caught.value.evidence}"
    assert (diagnosis.code, diagnosis.action) == (code, action), told
