"""What providers' servers say, as scripts: written here in the words of their public traces and documentation.

A line begins with `S: ` (the server says it; `T` at its start is the client's last tag) or `C: ` (the client's next
line must begin so, behind its tag; alone where the client goes on with a command). They know no test.
"""

from collections.abc import Awaitable, Callable

from tests.wire.peer import Peer

Script = list[str]

GMAIL = """
S: * OK Gimap ready for requests from 203.0.113.7 a12mb3456789wrx
C: CAPABILITY
S: * CAPABILITY IMAP4rev1 UNSELECT IDLE NAMESPACE QUOTA ID XLIST CHILDREN X-GM-EXT-1 XYZZY SASL-IR AUTH=XOAUTH2 AUTH=PLAIN AUTH=PLAIN-CLIENTTOKEN AUTH=OAUTHBEARER
S: T OK Thats all she wrote! a12mb3456789wrx
C: AUTHENTICATE PLAIN
"""  # noqa: E501 - as the server says it
GMAIL_IN = f"""{GMAIL}
S: * CAPABILITY IMAP4rev1 UNSELECT IDLE NAMESPACE QUOTA ID XLIST CHILDREN X-GM-EXT-1 UIDPLUS COMPRESS=DEFLATE ENABLE MOVE CONDSTORE ESEARCH UTF8=ACCEPT LIST-EXTENDED LIST-STATUS LITERAL- SPECIAL-USE APPENDLIMIT=35651584
S: T OK anna@example.test authenticated (Success)
C: ID ("name" "Postroom"
S: * ID ("name" "GImap" "vendor" "Google, Inc." "support-url" "https://support.google.com/mail" "version" "gmail_imap_260101.00_p0" "remote-host" "203.0.113.7" "connection-token" "a12mb3456789wrx")
S: T OK Success
C: ENABLE UTF8=ACCEPT
S: * ENABLED UTF8=ACCEPT
S: T OK Success
"""  # noqa: E501
GMAIL_INBOX = """
C: EXAMINE "INBOX"
S: * FLAGS (\\Answered \\Flagged \\Draft \\Deleted \\Seen $NotPhishing $Phishing)
S: * OK [PERMANENTFLAGS ()] Flags permitted.
S: * OK [UIDVALIDITY 1] UIDs valid.
S: * 2 EXISTS
S: * 0 RECENT
S: * OK [UIDNEXT 7] Predicted next UID.
S: * OK [HIGHESTMODSEQ 912345]
S: T OK [READ-ONLY] INBOX selected. (Success)
"""
MICROSOFT = """
S: * OK The Microsoft Exchange IMAP4 service is ready. [RgBSADAAUAAyADgAMQBDAEEAMAAxADIANAA=]
C: CAPABILITY
S: * CAPABILITY IMAP4 IMAP4rev1 AUTH=PLAIN AUTH=XOAUTH2 SASL-IR UIDPLUS ID UNSELECT CHILDREN IDLE NAMESPACE LITERAL+
S: T OK CAPABILITY completed.
C: AUTHENTICATE PLAIN
"""
MICROSOFT_IN = f"""{MICROSOFT}
S: T OK AUTHENTICATE completed.
C: CAPABILITY
S: * CAPABILITY IMAP4 IMAP4rev1 AUTH=PLAIN AUTH=XOAUTH2 SASL-IR UIDPLUS MOVE ID UNSELECT CLIENTACCESSRULES CLIENTNETWORKPRESENCELOCATION BACKENDAUTHENTICATE CHILDREN IDLE NAMESPACE LITERAL+
S: T OK CAPABILITY completed.
C: ID ("name" "Postroom"
S: * ID ("name" "Microsoft.Exchange.Imap4.Imap4Server" "version" "15.20")
S: T OK ID completed
"""  # noqa: E501
MICROSOFT_INBOX = """
C: EXAMINE "INBOX"
S: * 3 EXISTS
S: * 0 RECENT
S: * FLAGS (\\Seen \\Answered \\Flagged \\Deleted \\Draft $MDNSent)
S: * OK [PERMANENTFLAGS ()] Permanent flags
S: * OK [UIDVALIDITY 14] UIDVALIDITY value
S: * OK [UIDNEXT 45] The next unique identifier value
S: T OK [READ-ONLY] EXAMINE completed.
"""
YAHOO = """
S: * OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN AUTH=XOAUTH2 AUTH=OAUTHBEARER ID MOVE NAMESPACE XYMHIGHESTMODSEQ UIDPLUS LITERAL+ CHILDREN X-MSG-EXT UNSELECT OBJECTID] IMAP4rev1 Hello
C: AUTHENTICATE PLAIN
"""  # noqa: E501
YAHOO_IN = f"""{YAHOO}
S: T OK AUTHENTICATE completed - Mailbox size in bytes is 7150780663
C: CAPABILITY
S: * CAPABILITY IMAP4rev1 ID MOVE NAMESPACE XYMHIGHESTMODSEQ UIDPLUS LITERAL+ CHILDREN X-MSG-EXT UNSELECT OBJECTID MESSAGELIMIT=2
S: T OK CAPABILITY completed
C: ID ("name" "Postroom"
S: * ID ("vendor" "Yahoo! Inc." "support-url" "http://help.yahoo.com/" "name" "Y!IMAP" "host" "test.example")
S: T OK ID completed
"""  # noqa: E501
YAHOO_INBOX = """
C: EXAMINE "INBOX"
S: * 3 EXISTS
S: * 0 RECENT
S: * OK [UIDVALIDITY 1] UIDs valid
S: * OK [UIDNEXT 12] Predicted next UID
S: * FLAGS (\\Answered \\Deleted \\Draft \\Flagged \\Seen $Forwarded $Junk $NotJunk)
S: * OK [PERMANENTFLAGS ()] No permanent flags permitted
S: * OK [HIGHESTMODSEQ 102784]
S: T OK [READ-ONLY] EXAMINE completed; now in selected state
"""
ZOHO = """
S: * OK ZMail IMAP4 Server on imap.zoho.test
C: CAPABILITY
S: * CAPABILITY IMAP4rev1 UNSELECT CHILDREN XLIST NAMESPACE IDLE MOVE ID AUTH=PLAIN SASL-IR UIDPLUS ESEARCH LIST-EXTENDED WITHIN LITERAL- APPENDLIMIT=41943040
S: T OK CAPABILITY completed
C: AUTHENTICATE PLAIN
"""  # noqa: E501
QQ = """
S: * OK [CAPABILITY IMAP4 IMAP4rev1 ID AUTH=PLAIN AUTH=LOGIN AUTH=XOAUTH2 NAMESPACE] QQMail XMIMAP4Server ready
C: AUTHENTICATE PLAIN
S: +
C:
"""
NETEASE = """
S: * OK Coremail System IMap Server Ready(163com[10774b260cc7a37d26d71b52404dcf5c])
C: CAPABILITY
S: * CAPABILITY IMAP4rev1 XLIST SPECIAL-USE ID LITERAL+ STARTTLS XAPPLEPUSHSERVICE UIDPLUS X-CM-EXT-1
S: T OK CAPABILITY completed
C: LOGIN "anna@example.test"
S: T OK LOGIN completed
C: CAPABILITY
S: * CAPABILITY IMAP4rev1 XLIST SPECIAL-USE LITERAL+ STARTTLS XAPPLEPUSHSERVICE UIDPLUS X-CM-EXT-1
S: T OK CAPABILITY completed
"""
NETEASE_ID = """
C: ID ("name" "Postroom"
S: * ID ("name" "Coremail Imap" "vendor" "Mailtech" "TransID" "")
S: T OK ID completed
"""
ICLOUD = """
S: * OK [CAPABILITY XAPPLEPUSHSERVICE IMAP4 IMAP4rev1 SASL-IR AUTH=ATOKEN AUTH=PLAIN AUTH=ATOKEN2 AUTH=XOAUTH2] (2401B20-0) st1p00 [26:5137:test]
C: AUTHENTICATE PLAIN
"""  # noqa: E501
ICLOUD_IN = f"""{ICLOUD}
S: T OK [CAPABILITY XAPPLEPUSHSERVICE IMAP4 IMAP4rev1 ACL QUOTA LITERAL+ NAMESPACE UIDPLUS CHILDREN BINARY UNSELECT SORT CATENATE URLAUTH LANGUAGE ESEARCH ESORT THREAD=ORDEREDSUBJECT THREAD=REFERENCES CONTEXT=SEARCH CONTEXT=SORT WITHIN SASL-IR SEARCHRES METADATA ID XAPPLELITERAL CONDSTORE] User anna logged in
C: ID ("name" "Postroom"
S: * ID ("name" "iCloud IMAP4" "vendor" "Apple")
S: T OK Completed
"""  # noqa: E501


def story(*scripts: str) -> Callable[[Peer], Awaitable[None]]:
    """Plays the scripts one after the other."""
    lines = [line for script in scripts for line in script.split("\n") if line]

    async def play(peer: Peer) -> None:
        tag = b""
        for line in lines:
            who, words = line[0], line[3:].encode()
            if who == "S":
                await peer.say(tag + words[1:] if words.startswith(b"T ") else words)
                continue
            heard = await peer.line()
            first, _, rest = heard.partition(b" ")
            if heard != b"DONE" and words:
                tag, heard = first, rest
            assert heard.startswith(words), f"wanted {words!r}, got {heard!r}"
        await peer.gone()

    return play
