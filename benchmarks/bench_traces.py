"""What traces cost a record while they are off: nothing that can be told from noise.

Baseline: the same envelope without a look at traces, and the same encoding of the record.
"""

import time
from collections.abc import Callable

from streams import topics, traces
from streams.cloud_events import MSGPACK, SOURCE, cloud_event
from streams.records import AudioChunk, encode

RECORDS = 200_000
ROUNDS = 7
RECORD = AudioChunk(
    tenant="acme", conversation="c-1", participant="p-1", sequence=1, start_ns=1,
    duration_ns=200_000_000, rate_hz=8_000, payload=bytes(3_200),
)  # fmt: skip
HEADERS = tuple(
    (name, text.encode())
    for name, text in cloud_event("x", topics.AUDIO, subject="a/b", content_type=MSGPACK).items()
)


def plain() -> object:
    """The envelope as it was before there were traces."""
    return {
        "ce_specversion": "1.0",
        "ce_id": "x",
        "ce_source": SOURCE,
        "ce_type": topics.AUDIO,
        "ce_subject": "a/b",
        "content-type": MSGPACK,
    }


def traced() -> object:
    """The envelope as it is, traces being off."""
    return cloud_event("x", topics.AUDIO, subject="a/b", content_type=MSGPACK)


def read() -> object:
    """What the worker adds for a record that it reads."""
    return traces.of_record(HEADERS)


def encoded() -> object:
    """What is done with each record anyway."""
    return encode(RECORD)


def nanoseconds(work: Callable[[], object]) -> float:
    """Of one call: the best of some rounds."""
    best = float("inf")
    for _ in range(ROUNDS):
        began = time.perf_counter_ns()
        for _ in range(RECORDS):
            work()
        best = min(best, (time.perf_counter_ns() - began) / RECORDS)
    return best


def main() -> None:
    """Print nanoseconds a record."""
    assert not traces.enabled()  # noqa: S101 - a program that measures the wrong thing lies
    costs = {work.__name__: nanoseconds(work) for work in (plain, traced, read, encoded)}
    for name, cost in costs.items():
        print(f"{name:8} {cost:7.0f} ns")
    added = costs["traced"] - costs["plain"] + costs["read"]
    print(f"traces off add {added:.0f} ns a record, {added / costs['encoded']:.2f} of encoding it")


if __name__ == "__main__":
    main()
