"""The protocols: IMAP, SMTP, webhooks and discovery on one bounded TCP/TLS layer. It judges and stores nothing."""
