"""Logs on stderr, one canonical line an event, with secrets masked in the handler for foreign loggers too."""

from __future__ import annotations

import base64
import logging
import re
import sys
import traceback
from collections.abc import Iterable
from typing import Any, TextIO
from urllib.parse import quote

MASK = "***"
QUIET = ("httpx", "httpcore", "apscheduler", "asyncio", "filelock")
_QUERY_SECRETS = re.compile(r"(?i)\b(AccessKeyId|Signature|access_?key|secret_?key)(\s*[=:]\s*|%3D)[^\s&'\"]+")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_known: set[str] = set()


def register_secrets(secrets: Iterable[str]) -> None:
    """Mask these texts from now on, plain, URL-encoded, in base64, in hex and reversed."""
    for secret in secrets:
        raw = secret.encode()
        forms = {secret, quote(secret, safe=""), base64.b64encode(raw).decode(), raw.hex(), secret[::-1]}
        _known.update(form for form in forms if len(form) >= 4)  # noqa: PLR2004  # shorter would mask words


def redact(text: str) -> str:
    """Return a text without secrets and control characters."""
    for form in sorted(_known, key=len, reverse=True):
        text = text.replace(form, MASK)
    return _CONTROL.sub(" ", _QUERY_SECRETS.sub(rf"\1={MASK}", text))


def describe_crash(error: BaseException) -> str:
    """Return an unexpected exception as type, words and place, redacted and without local variables."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {frames[-1].filename}:{frames[-1].lineno}" if frames else ""
    return redact(f"{type(error).__name__}: {error}{place}")


class RedactingHandler(logging.StreamHandler[TextIO]):
    """Formats whatever comes, then masks."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record's line; an exception's traceback has no local variables."""
        return redact(super().format(record))


def configure(level: str, *, stream: TextIO | None = None) -> None:
    """Send every logger of the process through one redacting handler; libraries only when they warn."""
    import structlog  # noqa: PLC0415  # only a process that logs pays for it

    handler = RedactingHandler(stream or sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.KeyValueRenderer(key_order=["at", "level", "event"], drop_missing=True),
            ],
            foreign_pre_chain=[
                structlog.stdlib.add_log_level,
                structlog.processors.TimeStamper("iso", utc=True, key="at"),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.add_log_level,
            structlog.processors.TimeStamper("iso", utc=True, key="at"),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )


def logger() -> Any:
    """Return the logger of the service."""
    import structlog  # noqa: PLC0415

    return structlog.stdlib.get_logger("rebalancer")
