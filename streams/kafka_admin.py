"""Kafka topics: made once with the right settings, and checked before anything relies on them."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from kafka.admin import KafkaAdminClient, NewTopic
from kafka.errors import KafkaError

from inference.errors import AffectstreamError
from streams import topics

ANSWER_MS: Final = 5_000
DAY_MS: Final = 24 * 3_600 * 1_000
MAX_MESSAGE_BYTES: Final = 2 << 20
"""A record of `MAX_RECORD_BYTES` with its key, its headers, and a batch around it."""
SETTINGS: Final[Mapping[str, str]] = {
    "message.timestamp.type": "LogAppendTime",
    "retention.ms": str(DAY_MS),
    "max.message.bytes": str(MAX_MESSAGE_BYTES),
}
"""Append time, because retention by event time would delete replayed material at once."""


class KafkaUnavailableError(AffectstreamError):
    """The broker does not answer, or refuses."""


class TopicsError(AffectstreamError):
    """Topics are missing, or not as workers need them."""


@dataclass(frozen=True, slots=True)
class EnsuredTopics:
    """What `ensure_topics` found and made."""

    created: tuple[str, ...]
    existing: tuple[str, ...]


def ensure_topics(bootstrap: str, *, partitions: int, replication: int) -> EnsuredTopics:
    """Create every topic that is missing; safe to repeat.

    Raises:
        TopicsError: a topic exists with another number of partitions. It is fixed for
            ever: with another one the same key would lie elsewhere.
        KafkaUnavailableError: the broker does not answer.
    """
    with _admin(bootstrap) as admin:
        found = _partitions(admin)
        _check(bootstrap, found, partitions)
        missing = [name for name in topics.ALL if name not in found]
        if missing:
            admin.create_topics(
                [
                    NewTopic(name, partitions, replication, topic_configs=dict(SETTINGS))
                    for name in missing
                ],
                wait_for_metadata=True,
            )
    return EnsuredTopics(tuple(missing), tuple(name for name in topics.ALL if name in found))


def check_topics(bootstrap: str, *, partitions: int) -> None:
    """Return if every topic is there and all are co-partitioned.

    Raises:
        TopicsError: naming the topics, and what to do.
        KafkaUnavailableError: the broker does not answer.
    """
    with _admin(bootstrap) as admin:
        found = _partitions(admin)
    missing = [name for name in topics.ALL if name not in found]
    if missing:
        raise TopicsError(
            f"{bootstrap} has no {', '.join(missing)}: run `affectstream topics create`"
        )
    _check(bootstrap, found, partitions)


def _check(bootstrap: str, found: Mapping[str, int], partitions: int) -> None:
    others = {name: count for name, count in found.items() if count != partitions}
    if others:
        listed = ", ".join(f"{name} has {count}" for name, count in others.items())
        raise TopicsError(
            f"every topic must have {partitions} partitions on {bootstrap}, but {listed}: set "
            "AFFECTSTREAM_PARTITIONS to what they have, or begin with other topics"
        )


def _partitions(admin: KafkaAdminClient) -> dict[str, int]:
    """Number of partitions of each of our topics that is there."""
    described = admin.describe_topics(list(topics.ALL))
    return {item["name"]: len(item["partitions"]) for item in described if item["error_code"] == 0}


@contextmanager
def _admin(bootstrap: str) -> Iterator[KafkaAdminClient]:
    try:
        admin = KafkaAdminClient(
            bootstrap_servers=bootstrap.split(","), bootstrap_timeout_ms=ANSWER_MS
        )
        try:
            yield admin
        finally:
            admin.close()
    except (KafkaError, OSError) as exc:
        raise KafkaUnavailableError(
            f"{bootstrap} does not answer as Kafka ({type(exc).__name__}): is the broker up, and "
            "is AFFECTSTREAM_KAFKA right?"
        ) from exc
