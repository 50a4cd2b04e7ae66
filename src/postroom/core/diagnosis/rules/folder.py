"""Rows about IMAP folders: missing, locked, not selectable. Access rights are in `sender`, storage in `limits`."""

from __future__ import annotations

from postroom.core.diagnosis.evidence import Stage
from postroom.core.diagnosis.phrase import phrases
from postroom.core.diagnosis.rule import FOLDER, Rule
from postroom.core.diagnosis.verdict import Action

FOLDERS = FOLDER | {Stage.CAPABILITY}
AT_SELECT = {"stage": Stage.SELECT}

RULES = (
    Rule(
        id="folder.busy",
        imap="folder_error",
        action=Action.RETRY,
        cause="folder_busy",
        stages=FOLDERS,
        unless_statuses=("BYE",),
        words=phrases(
            """
            mailbox busy | mailbox is busy | mailbox is in use | mailbox in use | lock | is being
            currently in use | currently reserved | else has | exclusively
            """
        ),
        unless=phrases(
            """
            transaction log | internal error | clock | block | account is | account locked | account has | dovecot.index
            """
        ),
        example="NO Mailbox is locked",
        given=AT_SELECT,
        source="Dovecot mbox locks; Cyrus",
    ),
    Rule(
        id="folder.unsafe-login",
        imap="account_blocked",
        action=Action.FIX_SETTINGS,
        cause="unsafe_login",
        stages=FOLDERS | {Stage.AUTH},
        words=phrases("unsafe login"),
        example="NO SELECT Unsafe Login. Please contact kefu@188.com for help",
        given=AT_SELECT,
        source="NetEase: SELECT before the client has sent ID (RFC 2971)",
    ),
    Rule(
        id="folder.name",
        imap="folder_error",
        cause="folder_name",
        stages=FOLDERS,
        words=phrases(
            """
            excess whitespace | name is reserved | invalid name | bad folder name | illegal mailbox
            invalid folder | name too long | invalid character | not a valid mailbox | invalid mailbox | utf-7
            hierarchy | mailbox name | not supported on mailbox
            """
        ),
        unless=phrases("does not exist | doesn't exist | must be prefixed | no matching namespace"),
        example="NO [CANNOT] Folder contains excess whitespace (Failure)",
        given=AT_SELECT,
        source="Gmail; Exchange; RFC 5530 CANNOT",
    ),
    Rule(
        id="folder.none-selected",
        imap="protocol_error",
        cause="protocol",
        stages=FOLDERS,
        words=phrases(
            """
            no mailbox selected | no folder selected | not selected | select a mailbox | select first
            no mailbox is selected | not allowed in this connection state
            """
        ),
        example="BAD No mailbox selected.",
        given={"stage": Stage.FETCH},
        source="RFC 9051 section 3: selected state",
    ),
    Rule(
        id="folder.exists",
        imap="folder_error",
        cause="folder_name",
        stages=FOLDERS,
        words=phrases("already exists | alreadyexists"),
        example="NO [ALREADYEXISTS] Mailbox already exists",
        given={"stage": Stage.APPEND},
        source="RFC 5530 ALREADYEXISTS",
    ),
    Rule(
        id="folder.missing",
        imap="folder_error",
        cause="folder_missing",
        stages=FOLDERS | {Stage.AUTH},
        words=phrases(
            r"""
            doesn't exist | no such mailbox | no such folder | no folder | unknown mailbox | unknown folder
            foldernotfound | could not be found | couldn't be found | not found | not exist | nonexistent
            non-existent | trycreate | mailbox no longer exists | folder no longer exists | has been deleted
            was deleted | mailbox deleted | unable to find
            can't find folder | cannot find folder | no matching namespace | must be prefixed | no mailbox
            invalid mailbox | unable to open this mailbox | unable to open mailbox | can't open mailbox
            cannot open mailbox | could not open mailbox | can't open this mailbox | not selectable
            noselect | only sub folders | isn't selectable | mailbox unavailable | folder unavailable | unselectable
            failed to open mailbox | 文件夹
            selectable mailbox | unknown namespace | maildir… no such file
            """
        ),
        unless=phrases(
            """
            user does | account does | internal error | internal server error | user not | host not | host could
            such host
            unknown host | host was | host is | no such message | in the … directory
            message not
            message has | no such command | command not | unknown command | serverbug | uid | corrupt
            account not | find module | no module | module not
            """
        ),
        unless_codes=("UNAVAILABLE", "TEMPFAIL", "SERVERBUG", "INUSE"),
        example="NO Mailbox doesn't exist: m (0.000 + 0.000 secs).",
        given=AT_SELECT,
        source="RFC 5530 NONEXISTENT; Cyrus; Dovecot; Gmail; Exchange; hMailServer",
    ),
    Rule(
        id="folder.legacy-directories",
        imap="server_misconfigured",
        cause="server_repair",
        words=phrases("legacy mailbox directories | reconstruct user"),
        example="User is using legacy mailbox directories. Reconstruct user first.",
        given={"stage": Stage.SELECT},
        source="Cyrus IMAP_USER_LEGACY_DIRS",
    ),
)
