"""Windows of records that are all at hand: the same aligner, without a broker."""

from collections import Counter
from collections.abc import Iterable, Iterator

from inference.score import ParticipantState, encode_state
from storage.values import Progress, StoredConversation
from streams import topics
from streams.records import AudioChunk, ControlEvent, Record, TranscriptSegment, VideoFrame
from streams.windows.aligner import Aligner, Closing

_TOPIC_OF: dict[type[Record], str] = {
    AudioChunk: topics.AUDIO,
    VideoFrame: topics.FRAMES,
    TranscriptSegment: topics.TRANSCRIPTS,
    ControlEvent: topics.CONTROL,
}
_TICK_NS = 1_000_000


def topic_of(record: Record) -> str:
    """The input topic that a record travels on."""
    return _TOPIC_OF[type(record)]


def closings(records: Iterable[Record], aligner: Aligner) -> Iterator[Closing]:
    """Feed `records` in order and yield every closing as soon as it is final.

    Nothing was stored before. The consumer of this iterator answers each closing with
    `aligner.stored` before it asks for the next; otherwise its participant waits.
    """
    offsets: Counter[str] = Counter()
    clock_ns = 0
    for record in records:
        clock_ns += _TICK_NS
        topic = topic_of(record)
        aligner.feed(topic, offsets[topic], record, clock_ns=clock_ns)
        offsets[topic] += 1
        # Control comes in order with everything else here, so it is complete so far.
        aligner.observe(topics.CONTROL, clock_ns + 1, caught_up=True)
        for key in aligner.unloaded():
            aligner.load(key, StoredConversation())
        yield from aligner.advance(clock_ns + 2)
    while batch := aligner.advance(clock_ns + 2):
        yield from batch


def unscored(closing: Closing) -> Progress:
    """Progress of a closing whose windows nobody scored; for tests and dry runs."""
    return Progress(closed_until_ns=closing.closed_until_ns, state=encode_state(ParticipantState()))
