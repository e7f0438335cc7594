"""Logs: events with fields, on stderr. Never words, faces or voices."""

import logging
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Final

import structlog
from structlog.typing import FilteringBoundLogger, Processor

REPEAT_AFTER_S: Final = 10.0
REMEMBERED: Final = 1_000
INNERMOST: Final = 6
"""Frames of an error's place."""
FOREIGN_LOGGERS: Final = ("aiokafka", "alembic", "faust", "httpcore", "httpx", "kafka", "mode")
"""Only their warnings: httpx writes every address that it asks, with the ids in it."""


class RateLimit(logging.Filter):
    """Lets each message of a library through once in a while.

    aiokafka writes some 150 errors a second while a broker is away, all the same.
    """

    def __init__(self, clock_s: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock_s = clock_s
        self._last_s: dict[tuple[str, str], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Refuse what was said within `REPEAT_AFTER_S`; messages differ by their template."""
        if not record.name.startswith(FOREIGN_LOGGERS):
            return True
        key, now_s = (record.name, str(record.msg)), self._clock_s()
        if now_s - self._last_s.get(key, -REPEAT_AFTER_S) < REPEAT_AFTER_S:
            return False
        if len(self._last_s) >= REMEMBERED:
            self._last_s.clear()
        self._last_s[key] = now_s
        return True


def configure_logging(level: str, log_format: str) -> None:
    """Set up structlog and route the standard library's records through it."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    # Plain tracebacks: others print local variables, and those may hold words.
    renderers: list[Processor] = (
        [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
        if log_format == "json"
        else [
            structlog.dev.ConsoleRenderer(
                colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
            )
        ]
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderers],
        )
    )
    handler.addFilter(RateLimit())
    for name in FOREIGN_LOGGERS:
        logging.getLogger(name).setLevel(max(logging.WARNING, _level(level)))
    # Only the admin client is kafka-python's; its failures are raised, and said in one line.
    logging.getLogger("kafka").setLevel(logging.CRITICAL)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(_level(level))


def _level(name: str) -> int:
    return logging.getLevelNamesMapping()[name.upper()]


def whereabouts(error: BaseException) -> dict[str, str]:
    """Log fields of an error that may quote what it failed on: its kind and place, no message."""
    frames = traceback.extract_tb(error.__traceback__)[-INNERMOST:]
    places = [f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in frames]
    return {"error": type(error).__name__, "where": " > ".join(places)}


def logger(name: str) -> FilteringBoundLogger:
    """Logger of one part, for example `worker`."""
    bound: FilteringBoundLogger = structlog.get_logger(part=name)
    return bound
