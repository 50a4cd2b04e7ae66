"""Structured logs on standard error. They never hold a secret or a message's text: flows log identifiers and codes."""

from __future__ import annotations

import logging
import sys

import structlog
from structlog.typing import EventDict, WrappedLogger

from postroom.settings import Settings

_SECRET = ("password", "secret", "token", "authorization", "credential", "raw", "text", "html", "subject", "body")


def _withhold(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """A second lock behind the rule: whatever a caller passes under such a name does not reach the log."""
    for name in event:
        if any(part in name.lower() for part in _SECRET):
            event[name] = "(withheld)"
    return event


def configure(settings: Settings) -> None:
    """Sets up structlog and the standard library's logging alike."""
    text = settings.log_format == "text" or (settings.log_format == "auto" and sys.stderr.isatty())
    level = getattr(logging, settings.log_level.upper())
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _withhold,
    ]
    # Tracebacks go without local variables: those may hold a password or a message.
    last: list[structlog.typing.Processor] = (
        [structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]
        if text
        else [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    )
    structlog.configure(
        processors=[*shared, *last],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared, processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last]
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    logging.basicConfig(handlers=[handler], level=max(level, logging.WARNING), force=True)
