import logging

from streams.telemetry import REPEAT_AFTER_S, RateLimit


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
