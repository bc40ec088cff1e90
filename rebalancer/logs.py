"""Logs on stderr, one canonical line an event, with secrets masked in the handler for foreign loggers too."""

from __future__ import annotations

import base64
import json
import logging
import re
import sys
import traceback
from collections.abc import Iterable, MutableMapping
from contextlib import suppress
from typing import Any, TextIO
from urllib.parse import quote

MASK = "***"
LOST = "log line lost:"
QUIET = ("httpx", "httpcore", "apscheduler", "asyncio", "filelock", "apprise", "requests", "urllib3")
# `Signature=…` in a query, also one encoded once more; `'Signature': '…'` in the text of a mapping. A bare colon counts
# for HTX's own names only: behind the name of a variable of ours come words.
_NAMED = re.compile(
    r"(?i)(?:(?<![a-z0-9])|(?<=%26)|(?<=%3F))(AccessKeyId|Signature|access_?key|secret_?key)"
    r"(?:\s*=\s*['\"]?|%3D|['\"]\s*:\s*['\"]?|(?<=Id|re)\s*:\s*)[^\s&'\"]+"
)
# Tab and new line stay; all else could move a terminal's cursor or look like a new line.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]")
_known: set[str] = set()


def register_secrets(secrets: Iterable[str]) -> None:
    """Mask these texts from now on: plain, escaped, URL-encoded, in base64, in hex, and each of them reversed."""
    for secret in secrets:
        raw = secret.encode()
        plain = {secret, repr(secret)[1:-1], json.dumps(secret)[1:-1], quote(secret), quote(secret, safe="")}
        packed = {base64.b64encode(raw).decode(), base64.urlsafe_b64encode(raw).decode(), raw.hex(), raw.hex().upper()}
        forms = plain | {each.rstrip("=") for each in packed}
        forms |= {form[::-1] for form in forms}
        _known.update(form for form in forms if len(form) >= 4)  # noqa: PLR2004  # shorter would mask words


def redact(text: str) -> str:
    """Return a text without secrets and control characters."""
    for form in sorted(_known, key=len, reverse=True):
        text = text.replace(form, MASK)
    return _CONTROL.sub(" ", _NAMED.sub(rf"\1={MASK}", text))


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

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  # the library's name
        """Say that a line was lost; the library's own words would show its arguments unmasked."""
        error = sys.exc_info()[1]
        with suppress(Exception):
            place = f"{record.pathname}:{record.lineno}"
            self.stream.write(f"{LOST} {record.name} at {place}: {type(error).__name__}\n")


def _redact_values(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Mask texts before they are quoted: quoting what is quoted already gives a secret ever new forms."""
    for name, value in event.items():
        if isinstance(value, str):
            event[name] = redact(value)
    return event


def configure(level: str, *, stream: TextIO | None = None) -> None:
    """Send every logger of the process through one redacting handler; libraries only when they warn."""
    import structlog  # noqa: PLC0415  # only a process that logs pays for it

    handler = RedactingHandler(stream or sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                _redact_values,
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
