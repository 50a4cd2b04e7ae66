"""IMAP (RFC 3501, RFC 9051) as a support mailbox needs it. It judges no failure and stores nothing."""

from postroom.wire.imap.connect import Imap
from postroom.wire.imap.session import Session

__all__ = ["Imap", "Session"]
