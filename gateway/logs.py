"""Logs: one JSON object a line on standard error, with call and account ids, without secrets."""

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any
from uuid import UUID

import structlog

# By name, wherever a log line carries one; and by shape, for what slips into a message.
_SECRET_NAMES = re.compile(r"password|secret|token|authorization|cookie|signature|api_key", re.I)
_SECRET_SHAPES = re.compile(r"rl_[A-Za-z0-9_-]{16,}|Bearer\s+\S+|://[^/\s:@]+:[^/\s@]+@")
HIDDEN = "[hidden]"


def configure(level: str) -> None:
    """Once per process; libraries that use `logging` come out in the same form."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        hide_secrets,
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(default=str),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    # Their INFO is a line for each request with its full URL.
    for noisy in ("urllib3", "twilio", "stripe", "alembic", "werkzeug"):
        logging.getLogger(noisy).setLevel(max(logging.WARNING, root.level))


def about_account(account_id: UUID) -> None:
    """Every later line of this request names the account."""
    structlog.contextvars.bind_contextvars(account_id=str(account_id))


def hide_secrets(
    logger: object, method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    for name, value in event.items():
        if name.startswith("_"):
            continue
        if _SECRET_NAMES.search(name):
            event[name] = HIDDEN
        elif isinstance(value, str):
            event[name] = _SECRET_SHAPES.sub(HIDDEN, value)
    return event
