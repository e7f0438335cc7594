"""Records with no window to go to: bytes nobody can read, and those that came too late."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

import msgspec

from streams import records, topics
from streams.windows.aligner import Misplaced, Reason
from streams.windows.participant import WindowDraft
from streams.windows.tracker import Slot
from streams.worker.feed import RawRecord

REASON_HEADER: Final = "affectstream-reason"
DETAIL_HEADER: Final = "affectstream-detail"
TOPIC_HEADER: Final = "affectstream-source-topic"
PARTITION_HEADER: Final = "affectstream-source-partition"
OFFSET_HEADER: Final = "affectstream-source-offset"
MAX_DETAIL_CHARS: Final = 500


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A record on its way to `.dlq` or `.late`, its bytes unchanged.

    Its slot is done only once the broker has it: until then the source offset stays
    uncommitted and a crash only repeats the delivery. A window has no slot: its records
    are released by the progress that is stored after the letter.
    """

    topic: str
    key: bytes | None
    value: bytes | None
    slot: Slot | None
    headers: Mapping[str, str] = field(default_factory=dict)


class DeadLetterSink(Protocol):
    """Delivers dead letters, in any order, until the broker has them."""

    async def deliver(self, letters: list[DeadLetter]) -> None:
        """Return once every letter is on its topic; retries for as long as it takes."""
        ...


def unusable(
    topic: str,
    partition: int,
    raw: RawRecord,
    slot: Slot,
    error: records.BadRecordError,
) -> DeadLetter:
    """Bytes on `topic` that are no record, or a record on the wrong partition."""
    return DeadLetter(
        topics.dead_letters(topic),
        raw.key,
        raw.value,
        slot,
        _headers(error.reason, str(error), topic, partition, raw.offset),
    )


def misplaced(item: Misplaced, partition: int) -> DeadLetter:
    """A good record that no window can take: `.late`, or `.dlq` for one that never can."""
    place = topics.late if item.reason is Reason.LATE else topics.dead_letters
    return DeadLetter(
        place(item.topic),
        item.record.key,
        records.encode(item.record),
        item.slot,
        _headers(item.reason, item.detail, item.topic, partition, item.slot.offset),
    )


def window_letter(draft: WindowDraft, error: str) -> DeadLetter:
    """A window that failed too often to score or store: which one, and why."""
    window = {
        "tenant": draft.tenant,
        "conversation": draft.conversation,
        "participant": draft.participant,
        "start_ns": draft.start_ns,
        "end_ns": draft.end_ns,
    }
    return DeadLetter(
        topics.dead_letters(topics.SCORES),
        f"{draft.tenant}/{draft.conversation}".encode(),
        msgspec.json.encode(window),
        None,
        {REASON_HEADER: "window_failed", DETAIL_HEADER: error[:MAX_DETAIL_CHARS]},
    )


def _headers(reason: str, detail: str, topic: str, partition: int, offset: int) -> dict[str, str]:
    return {
        REASON_HEADER: reason,
        DETAIL_HEADER: detail[:MAX_DETAIL_CHARS],
        TOPIC_HEADER: topic,
        PARTITION_HEADER: str(partition),
        OFFSET_HEADER: str(offset),
    }
