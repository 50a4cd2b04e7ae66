"""The IMAP service (RFC 3501 and the extensions it announces). It keeps no mail: accounts do."""
