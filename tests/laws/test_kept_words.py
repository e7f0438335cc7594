"""Kept words: every segment once, whatever the pieces in which its windows are stored."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from inference.labels import Modality
from inference.score import ParticipantState, WindowScore
from inference.units import SECOND_NS
from inference.window import WindowInput
from storage.values import Utterance
from streams.records import Record, Track, TranscriptSegment
from streams.scoring import StateKey, score_closings
from streams.windows.aligner import Aligner
from streams.windows.grid import WindowGrid
from streams.windows.offline import closings
from streams.windows.participant import Timing
from tests.gates import Everything
from tests.scores import absent_score
from tests.strategies import Call, calls

WORDS = frozenset({Track.AUDIO, Track.TRANSCRIPTS})


@dataclass(frozen=True)
class Scored:
    scores: tuple[WindowScore, ...]
    states: Mapping[StateKey, ParticipantState]
    moments: tuple[None, ...]


class Silent:
    def score(
        self, windows: Sequence[WindowInput], states: Mapping[StateKey, ParticipantState]
    ) -> Scored:
        return Scored(tuple(map(absent_score, windows)), states, (None,) * len(windows))


def kept(records: Sequence[Record], *, max_closing: int, keep: bool = True) -> list[Utterance]:
    aligner = Aligner(
        run="live",
        grid=WindowGrid(3 * SECOND_NS, SECOND_NS),
        timing=Timing(disorder_ns=300_000_000, wait_ns=dict.fromkeys(Track, 2 * SECOND_NS)),
        look_back_ns={Modality.TEXT: 15 * SECOND_NS},
        new_gate=Everything,
        max_closing=max_closing,
    )
    words: list[Utterance] = []
    for closing in closings(records, aligner):
        (batch,) = score_closings([closing], Silent(), keep_words=keep)
        words += batch.words
        aligner.stored(closing.key, batch.progress)
    return words


@given(call=calls(tracks=WORDS), pieces=st.integers(1, 8))
def test_every_final_segment_is_kept_once_in_whatever_pieces(call: Call, pieces: int) -> None:
    words = kept(call.records, max_closing=pieces)
    said = [
        record
        for record in call.media
        if isinstance(record, TranscriptSegment) and record.end_ns <= call.left_ns
    ]
    assert [(one.segment, one.text) for one in words] == [
        (record.segment_id, record.text)
        for record in sorted(said, key=lambda record: (record.end_ns, record.segment_id))
    ]
    assert words == kept(call.records, max_closing=32)


@given(call=calls(tracks=WORDS))
def test_nothing_is_kept_unless_asked(call: Call) -> None:
    assert kept(call.records, max_closing=32, keep=False) == []
