"""Tokenisers: a record as numbers, a row an item, in the order in which scripts name them.

A row holds what the product knows of the item, its thresholds applied (`support.holds`) and
where a stretch begins and ends: the network reads what is so, and learns what to say of it.
"""

import math
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import torch
from torch import Tensor

from inference.labels import EMOTIONS, MODALITIES, Role
from inference.narrator.cues import CueKind, kind_of
from inference.narrator.incident import (
    CueFact,
    Figure,
    FigureName,
    IncidentRecord,
    Kind,
    SpanFact,
    WindowFact,
)
from inference.narrator.statement import (
    Called,
    Claim,
    Disagree,
    Distress,
    Moved,
    Rests,
    Share,
    Silent,
    Support,
    Sure,
    Unnamed,
)
from inference.narrator.support import holds, strongest
from inference.narrator.telling import resting, stretch
from inference.narrator.written import excerpt, plain_id
from inference.units import SECOND_NS

METRICS: Final = (
    "smoothed",
    "distress",
    "arousal",
    "valence",
    "conflict",
    "change",
    "silence",
    *(label.value for label in EMOTIONS),
)
STRETCHES: Final[tuple[Claim, ...]] = (
    *(Called(label) for label in EMOTIONS),
    *(Called(level) for level in Distress),
    Unnamed(),
    Disagree(),
    Silent(),
    Moved(up=True),
    Moved(up=False),
)
AT_ONCE: Final[tuple[Claim, ...]] = (
    *(Rests(modality, share) for modality in MODALITIES for share in Share),
    *(Sure(support) for support in Support),
)
LEAST_PROBABILITY: Final = 1e-4
MOST_PIECES: Final = 32
"""Of a transcript, that are looked at."""

RECORD_WIDTH: Final = len(Kind) + len(Role) + len(METRICS) + 2
WINDOW_WIDTH: Final = 3 * len(STRETCHES) + len(AT_ONCE) + len(EMOTIONS) + len(MODALITIES) + 9
CUE_WIDTH: Final = len(CueKind) + len(MODALITIES) + 4
FIGURE_WIDTH: Final = len(FigureName) + len(EMOTIONS) + 2
SPAN_WIDTH: Final = 3


class EvidenceRows(NamedTuple):
    """One record, or a batch of them with a leading axis, padded; a mask each."""

    record: Tensor
    """(record width,)"""
    windows: Tensor
    """(window, window width)"""
    window_mask: Tensor
    """(window,) bool"""
    cues: Tensor
    cue_mask: Tensor
    spans: Tensor
    span_mask: Tensor
    span_pieces: Tensor
    """(span, piece) int64, -1 behind the end of each."""
    figures: Tensor
    figure_mask: Tensor


def tokenise(record: IncidentRecord, pieces: Callable[[str], Sequence[int]]) -> EvidenceRows:
    """The rows of one record; `pieces` cuts transcripts for the decoder's vocabulary."""
    windows = _windows(record)
    return EvidenceRows(
        record=torch.tensor(_record(record)),
        windows=_table(windows, WINDOW_WIDTH),
        window_mask=torch.ones(len(windows), dtype=torch.bool),
        cues=_table([_cue(cue, record) for cue in record.cues], CUE_WIDTH),
        cue_mask=torch.ones(len(record.cues), dtype=torch.bool),
        spans=_table([_span(span, record) for span in record.spans], SPAN_WIDTH),
        span_mask=torch.ones(len(record.spans), dtype=torch.bool),
        span_pieces=_pieces(record.spans, pieces),
        figures=_table([_figure(figure) for figure in record.figures], FIGURE_WIDTH),
        figure_mask=torch.ones(len(record.figures), dtype=torch.bool),
    )


def batched(rows: Sequence[EvidenceRows]) -> EvidenceRows:
    """Several records as one batch; every mask hides what was padded."""
    return EvidenceRows(
        *(
            torch.nn.utils.rnn.pad_sequence(
                list(columns), batch_first=True, padding_value=-1 if name == "span_pieces" else 0
            )
            for name, columns in zip(EvidenceRows._fields, zip(*rows, strict=True), strict=True)
        )
    )


def _table(rows: Sequence[Sequence[float]], width: int) -> Tensor:
    return torch.tensor(rows, dtype=torch.float32).reshape(len(rows), width)


def _record(record: IncidentRecord) -> list[float]:
    return [
        *_one_hot(record.kind, Kind),
        *_one_hot(record.role, Role),
        *_one_hot(record.metric, METRICS),
        float(plain_id(record.participant) is not None),
        float(any(window.weights for window in record.windows)),
    ]


def _windows(record: IncidentRecord) -> list[list[float]]:
    stretches = [stretch(claim, record) for claim in STRETCHES]
    height, last = strongest(record), resting(record)
    return [
        [
            *(float(holds(claim, window, record)) for claim in STRETCHES),
            *(float(bool(found) and found[0] is window) for found in stretches),
            *(float(bool(found) and found[-1] is window) for found in stretches),
            *(float(holds(claim, window, record)) for claim in AT_ONCE),
            *(_log(window.emotions.get(label, 0.0)) for label in EMOTIONS),
            *(window.weights.get(modality, 0.0) for modality in MODALITIES),
            float(window is height),
            float(window is last),
            *_distress(window),
            window.vacuity,
            window.conflict,
            (window.change or 0.0) / 3.0,
            _seconds(window.start_ns) / 3_600.0,
            place / len(record.windows),
        ]
        for place, window in enumerate(record.windows)
    ]


def _distress(window: WindowFact) -> tuple[float, float]:
    """Whether there is any, and its log odds, small enough for a network."""
    if window.distress is None:
        return 0.0, 0.0
    share = min(max(window.distress, LEAST_PROBABILITY), 1 - LEAST_PROBABILITY)
    return 1.0, math.log(share / (1 - share)) / 5.0


def _cue(cue: CueFact, record: IncidentRecord) -> list[float]:
    height = strongest(record)
    timed = cue.at_ns is not None
    inside = (
        height is not None
        and cue.at_ns is not None
        and height.start_ns <= cue.at_ns < height.end_ns
    )
    before = record.cues[: record.cues.index(cue)]
    kind = kind_of(cue.modality, cue.text)
    again = any(kind_of(other.modality, other.text) is kind for other in before)
    return [
        *_one_hot(kind, CueKind),
        *_one_hot(cue.modality, MODALITIES),
        float(timed),
        float(inside),
        float(again),
        _seconds(cue.at_ns or 0) / 3_600.0,
    ]


def _span(span: SpanFact, record: IncidentRecord) -> list[float]:
    height = strongest(record)
    near = height is not None and span.start_ns < height.end_ns and height.start_ns < span.end_ns
    quotable = excerpt(span.text) is not None
    return [float(quotable), float(near), _seconds(span.start_ns) / 3_600.0]


def _figure(figure: Figure) -> list[float]:
    return [
        *_one_hot(figure.name, FigureName),
        *_one_hot(figure.label, EMOTIONS),
        math.log1p(max(0.0, figure.value)) / 5.0,
        float(figure.label is not None),
    ]


def _pieces(spans: Sequence[SpanFact], pieces: Callable[[str], Sequence[int]]) -> Tensor:
    table = torch.full((len(spans), MOST_PIECES), -1)
    for row, span in enumerate(spans):
        cut = list(pieces(excerpt(span.text) or ""))[:MOST_PIECES]
        table[row, : len(cut)] = torch.tensor(cut, dtype=torch.int64)
    return table


def _one_hot(value: object, options: Sequence[object] | type) -> list[float]:
    return [float(value == option) for option in options]  # type: ignore[union-attr]


def _log(share: float) -> float:
    return math.log(max(share, LEAST_PROBABILITY)) / 5.0


def _seconds(at_ns: int) -> float:
    return at_ns / SECOND_NS
