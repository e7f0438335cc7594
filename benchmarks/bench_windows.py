"""What event time costs: records through the aligner, against decoding alone.

`make bench` prints the median of several runs and their spread; the ratio is what counts,
as both are measured in the same process.
"""

import statistics
import time
from collections import Counter
from collections.abc import Callable, Collection

from inference.labels import Modality
from inference.units import SECOND_NS
from storage.values import ConsentChange, Ruling, StoredConversation
from streams import topics
from streams.records import (
    AudioChunk,
    ControlEvent,
    ControlKind,
    Record,
    decode,
    encode,
)
from streams.windows.aligner import Aligner
from streams.windows.grid import WindowGrid
from streams.windows.offline import topic_of, unscored
from streams.windows.participant import Timing, Track

RUNS = 7
FETCHED = 200
"""Records between two ticks: a second of sound of every call."""
CALLS = 40
SECONDS = 60
PAYLOAD = bytes(6_400)  # 200 ms of 16 kHz PCM


class Everything:
    """A gate that permits everything."""

    def __init__(self, tenant: str) -> None:
        """For whomever."""

    def apply(self, event: ControlEvent) -> None:
        """Nothing to remember."""

    def permitted_throughout(
        self, participant: str, modality: Modality, start_ns: int, end_ns: int
    ) -> bool:
        """Yes."""
        return bool(participant) and start_ns <= end_ns and modality in Modality

    def withdrawn_at(self, participant: str) -> int | None:
        """Never."""

    def rulings(
        self,
        others: Collection[str],  # noqa: ARG002 - the protocol's
        since_ns: int,  # noqa: ARG002 - the protocol's
    ) -> tuple[Ruling, ...]:
        """Nothing to decide."""
        return ()

    def consents(self) -> tuple[ConsentChange, ...]:
        """Nothing was said."""
        return ()


def calls() -> list[Record]:
    """Sound of many calls at once, in the order a broker would give it."""
    records: list[Record] = []
    for number in range(CALLS):
        who = {"tenant": "bench", "conversation": f"c-{number}", "participant": "p-1"}
        records += [
            ControlEvent(
                **{**who, "participant": "-"}, sequence=0, kind=ControlKind.STARTED, at_ns=0
            ),
            ControlEvent(
                **who,
                sequence=1,
                kind=ControlKind.PARTICIPANT_JOINED,
                at_ns=0,
                attributes={"tracks": "audio", "role": "customer"},
            ),
        ]
    for step in range(SECONDS * 5):
        records += [
            AudioChunk(
                tenant="bench",
                conversation=f"c-{number}",
                participant="p-1",
                sequence=step,
                start_ns=step * 200_000_000,
                duration_ns=200_000_000,
                payload=PAYLOAD,
            )
            for number in range(CALLS)
        ]
    return records


def decode_all(values: list[tuple[type[Record], bytes]]) -> list[Record]:
    """The baseline: what any consumer has to do."""
    return [decode(kind, value) for kind, value in values]


def align_all(values: list[tuple[type[Record], bytes]]) -> int:
    """Decode, assign to windows, close and release them."""
    aligner = Aligner(
        run="bench",
        grid=WindowGrid(3 * SECOND_NS, SECOND_NS),
        timing=Timing(disorder_ns=300_000_000, wait_ns=dict.fromkeys(Track, 2 * SECOND_NS)),
        look_back_ns={},
        new_gate=Everything,
    )
    offsets: Counter[str] = Counter()
    windows = 0
    for tick in range(0, len(values), FETCHED):
        for record in decode_all(values[tick : tick + FETCHED]):
            topic = topic_of(record)
            aligner.feed(topic, offsets[topic], record, clock_ns=tick)
            offsets[topic] += 1
        aligner.observe(topics.CONTROL, tick + 1, caught_up=True)
        for key in aligner.unloaded():
            aligner.load(key, StoredConversation())
        for closing in aligner.advance(tick + 2):
            windows += len(closing.drafts)
            aligner.stored(closing.key, unscored(closing))
    return windows


def seconds(work: Callable[[], object]) -> float:
    """CPU seconds of one run."""
    began = time.process_time()
    work()
    return time.process_time() - began


def main() -> None:
    """Measure in turns, so that a busy machine slows both alike."""
    values = [(type(record), encode(record)) for record in calls()]
    baseline, aligned = [], []
    for _ in range(RUNS):
        baseline.append(seconds(lambda: decode_all(values)))
        aligned.append(seconds(lambda: align_all(values)))
    ratios = [slow / fast for slow, fast in zip(aligned, baseline, strict=True)]
    print(
        f"windows: {statistics.median(aligned) / len(values) * 1e6:.1f} us a record, "
        f"{statistics.median(ratios):.0f} times decoding alone "
        f"({min(ratios):.0f} to {max(ratios):.0f}, {RUNS} runs of {len(values)} records)"
    )


if __name__ == "__main__":
    main()
