import logging
from collections.abc import Iterator

import pytest
import structlog

from streams.telemetry import REPEAT_AFTER_S, RateLimit, configure_logging, logger


@pytest.fixture
def logging_restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def record(name: str, message: str) -> logging.LogRecord:
    return logging.LogRecord(name, logging.ERROR, "", 0, message, (), None)


def test_a_library_says_the_same_thing_once_in_a_while_and_new_things_at_once() -> None:
    now_s = [0.0]
    limit = RateLimit(lambda: now_s[0])
    assert limit.filter(record("aiokafka.conn", "Unable to connect to %s"))
    assert not limit.filter(record("aiokafka.conn", "Unable to connect to %s"))
    assert limit.filter(record("aiokafka.conn", "Connection closed"))
    now_s[0] = REPEAT_AFTER_S
    assert limit.filter(record("aiokafka.conn", "Unable to connect to %s"))


def test_our_own_events_are_never_left_out() -> None:
    limit = RateLimit(lambda: 0.0)
    assert all(limit.filter(record("streams", "window_failed")) for _ in range(3))


@pytest.mark.parametrize("log_format", ["console", "json"])
@pytest.mark.usefixtures("logging_restored")
def test_a_traceback_holds_no_words_of_a_conversation(
    log_format: str, capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logging("info", log_format)

    words = "sdrow terces"[::-1]  # so that the source line does not hold them

    def score(heard: str) -> None:
        raise ZeroDivisionError(f"{len(heard)} characters")

    try:
        score(words)
    except ZeroDivisionError:
        logger("test").exception("window_failed", window=3)
    written = capsys.readouterr().err
    assert "window_failed" in written
    assert "12 characters" in written
    assert "secret words" not in written
