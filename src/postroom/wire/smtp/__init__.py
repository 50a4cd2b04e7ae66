"""SMTP submission (RFC 5321, 6409): opens sessions and hands messages over. It keeps no queue and judges no refusal."""

from postroom.wire.smtp.connect import Smtp
from postroom.wire.smtp.session import Session, Timeouts

__all__ = ["Session", "Smtp", "Timeouts"]
