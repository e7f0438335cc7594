"""Records of incidents that never happened: what the narrator learns to tell, and is asked."""

import random
import zlib
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Final

from inference.labels import DISTRESS, EMOTIONS, MODALITIES, Emotion, Modality, Role
from inference.narrator.cues import CueKind
from inference.narrator.evidence_tokens import METRICS
from inference.narrator.incident import (
    CueFact,
    Figure,
    FigureName,
    IncidentRecord,
    Kind,
    SpanFact,
    WindowFact,
)
from inference.narrator.support import RAISED_TIMES, strongest
from inference.training.service_lines import ServiceLine, read_service_lines
from inference.units import SECOND_NS

HELD_OUT_OF: Final = 10
"""Of so many combinations one is never trained on."""
ODD: Final = 0.12
"""Of records, whose windows contradict each other at random."""

_CUE_TEXTS: Final = {
    CueKind.PITCH_UP: (Modality.SPEECH, "pitch +{} sd against own first minute"),
    CueKind.PITCH_DOWN: (Modality.SPEECH, "pitch -{} sd against own first minute"),
    CueKind.LIVELIER: (Modality.SPEECH, "melody livelier +{} sd against own first minute"),
    CueKind.FLATTER: (Modality.SPEECH, "melody flatter -{} sd against own first minute"),
    CueKind.LOUDER: (Modality.SPEECH, "voice raised +{} sd against own first minute"),
    CueKind.SOFTER: (Modality.SPEECH, "voice softer -{} sd against own first minute"),
    CueKind.FASTER: (Modality.SPEECH, "speech faster +{} sd against own first minute"),
    CueKind.SLOWER: (Modality.SPEECH, "speech slower -{} sd against own first minute"),
    CueKind.COMPLAINT: (Modality.TEXT, "complaint phrase"),
    CueKind.WORRY: (Modality.TEXT, "phrase of worry"),
    CueKind.LOSS: (Modality.TEXT, "phrase of loss"),
    CueKind.CALM: (Modality.TEXT, "calm phrase"),
    CueKind.ANGRY_WORDS: (Modality.TEXT, "words of anger"),
    CueKind.DISGUSTED_WORDS: (Modality.TEXT, "words of disgust"),
    CueKind.FEARFUL_WORDS: (Modality.TEXT, "words of fear"),
    CueKind.GLAD_WORDS: (Modality.TEXT, "words of joy"),
    CueKind.SAD_WORDS: (Modality.TEXT, "words of sadness"),
    CueKind.SURPRISED_WORDS: (Modality.TEXT, "words of surprise"),
    CueKind.DISTRESSED_WORDS: (Modality.TEXT, "words of distress"),
    CueKind.SMILE: (Modality.FACE, "smiles"),
    CueKind.WIDE_OPEN: (Modality.FACE, "eyes, jaw or brows wide open"),
    CueKind.OTHER: (Modality.TEXT, 'says "{}"'),
}
_PATTERNS: Final = (
    (Modality.SPEECH,),
    (Modality.SPEECH, Modality.TEXT),
    (Modality.SPEECH, Modality.TEXT),
    (Modality.TEXT,),
    MODALITIES,
    (Modality.SPEECH, Modality.FACE),
)


def records(seed: int, *, held_out: bool) -> Iterator[IncidentRecord]:
    """Endless; of the combinations that are held out, or of all the others."""
    lottery = random.Random(seed)  # noqa: S311 - records, not secrets
    while True:
        record = draw_record(lottery)
        if is_held_out(record) is held_out:
            yield record


def is_held_out(record: IncidentRecord) -> bool:
    """Whether this combination of metric, role, strongest label and cues is one of the tenth."""
    height = strongest(record)
    label = None if height is None else height.label
    cues = sorted({cue.text.split(" ")[0] for cue in record.cues})
    figures = sorted({figure.name for figure in record.figures})
    combination = f"{record.kind}/{record.metric}/{record.role}/{label}/{cues}/{figures}"
    return zlib.crc32(combination.encode()) % HELD_OUT_OF == 0


def draw_record(lottery: random.Random) -> IncidentRecord:
    """One record of any kind."""
    kind = lottery.choices(tuple(Kind), (6, 3, 1.5))[0]
    if kind is Kind.SHIFT:
        return IncidentRecord(kind=kind, figures=_shift_figures(lottery))
    windows = _windows(lottery)
    role = lottery.choices(tuple(Role), (6, 2, 1, 2))[0]
    return IncidentRecord(
        kind=kind,
        rule="a rule",
        metric=_metric(lottery) if kind is Kind.ALERT else "",
        severity=lottery.choice(("info", "warning", "critical")),
        role=role,
        participant=f"p-{lottery.randrange(1_000)}",
        windows=windows,
        cues=_cues(lottery, windows),
        spans=_spans(lottery, windows),
        figures=_figures(lottery, windows),
    )


def _happens(lottery: random.Random, share: float) -> bool:
    return lottery.random() < share


def _metric(lottery: random.Random) -> str:
    return lottery.choices(METRICS, (8, 5, 1, 1, 4, 4, 3, *(1,) * len(EMOTIONS)))[0]


def _windows(lottery: random.Random) -> tuple[WindowFact, ...]:
    count = lottery.choices((0, lottery.randint(1, 4), lottery.randint(4, 24)), (0.3, 3, 7))[0]
    start_s = lottery.choice((lottery.uniform(0, 60), lottery.uniform(0, 4_000)))
    pattern = lottery.choice(_PATTERNS)
    odd = _happens(lottery, ODD)
    changing = Modality.SPEECH in pattern and _happens(lottery, 0.6)
    vacuity, conflict, change = lottery.uniform(0.1, 0.95), 0.0, lottery.gauss(0, 1.2)
    label = _label(lottery)
    silent = False
    found = []
    for place in range(count):
        if odd or _happens(lottery, 0.22):
            label = _label(lottery)
            vacuity = lottery.uniform(0.1, 0.95)
            conflict = lottery.choice((0.0, 0.0, 0.3, 0.5)) if len(pattern) > 1 else 0.0
            silent = _happens(lottery, 0.12)
            change = lottery.gauss(0, 1.2)
        present = () if silent else _present(lottery, pattern)
        found.append(
            _window(
                lottery,
                place,
                round((start_s + place) * SECOND_NS),
                label if present else None,
                _weights(lottery, present),
                vacuity=min(1.0, max(0.02, vacuity + lottery.gauss(0, 0.04))),
                conflict=conflict + lottery.uniform(0, 0.2) if len(present) > 1 else 0.0,
                change=change + lottery.gauss(0, 0.2)
                if changing and Modality.SPEECH in present
                else None,
                odd=odd,
            )
        )
    return tuple(found)


def _label(lottery: random.Random) -> Emotion | None:
    options = (*EMOTIONS, None)
    return lottery.choices(options, (5, 1, 2, 3, 5, 3, 1, 4))[0]


def _window(  # noqa: PLR0913 - the fields of a window
    lottery: random.Random,
    place: int,
    start_ns: int,
    label: Emotion | None,
    weights: dict[Modality, float],
    *,
    vacuity: float,
    conflict: float,
    change: float | None,
    odd: bool,
) -> WindowFact:
    heard = label or lottery.choice(EMOTIONS)
    top = lottery.uniform(0.5, 0.95) if label else lottery.uniform(0.2, 0.4)
    emotions = {one: (1 - top) / (len(EMOTIONS) - 1) for one in EMOTIONS} | {heard: top}
    if odd:
        distress = lottery.random()
    elif heard in DISTRESS:
        distress = min(0.99, max(0.05, lottery.gauss(0.6 if label else 0.35, 0.18)))
    else:
        distress = min(0.9, max(0.005, lottery.gauss(0.08, 0.08)))
    return WindowFact(
        id=f"w{place + 1}",
        start_ns=start_ns,
        end_ns=start_ns + 3 * SECOND_NS,
        label=label,
        emotions=emotions if weights else {},
        distress=round(distress, 4) if weights else None,
        set=(heard,) if label else EMOTIONS,
        weights=weights,
        vacuity=vacuity if weights else 1.0,
        conflict=conflict,
        change=change,
    )


def _present(lottery: random.Random, pattern: Sequence[Modality]) -> tuple[Modality, ...]:
    return tuple(one for one in pattern if _happens(lottery, 0.9))


def _weights(lottery: random.Random, present: Sequence[Modality]) -> dict[Modality, float]:
    raw = {modality: lottery.uniform(0.05, 1.0) for modality in present}
    return {modality: value / sum(raw.values()) for modality, value in raw.items()}


def _cues(lottery: random.Random, windows: Sequence[WindowFact]) -> tuple[CueFact, ...]:
    count = lottery.choices((0, 1, 2, 3, lottery.randint(4, 10)), (2, 4, 4, 3, 2))[0]
    if not windows or not count:
        return ()
    begin_ns, end_ns = windows[0].start_ns, windows[-1].end_ns
    drawn = []
    for _ in range(count):
        modality, text = _CUE_TEXTS[lottery.choice(tuple(CueKind))]
        at_ns = None if _happens(lottery, 0.1) else lottery.randrange(begin_ns, end_ns)
        drawn.append((-1 if at_ns is None else at_ns, modality, text))
    drawn.sort(key=lambda one: one[0])
    return tuple(
        CueFact(
            id=f"c{place}",
            modality=modality,
            text=text.format(f"{lottery.uniform(2, 5):.1f}"),
            at_ns=None if at_ns < 0 else at_ns,
        )
        for place, (at_ns, modality, text) in enumerate(drawn, start=1)
    )


def _spans(lottery: random.Random, windows: Sequence[WindowFact]) -> tuple[SpanFact, ...]:
    if not windows or _happens(lottery, 0.7):
        return ()
    lines = _lines()
    begin_ns, end_ns = windows[0].start_ns, windows[-1].end_ns
    starts = sorted(lottery.randrange(begin_ns, end_ns) for _ in range(lottery.randint(1, 5)))
    return tuple(
        SpanFact(
            id=f"s{place}",
            start_ns=start_ns,
            end_ns=start_ns + 2 * SECOND_NS,
            text=lottery.choice(lines).text,
        )
        for place, start_ns in enumerate(starts, start=1)
    )


def _figures(lottery: random.Random, windows: Sequence[WindowFact]) -> tuple[Figure, ...]:
    if not windows or _happens(lottery, 0.3):
        return ()
    distress = [window.distress for window in windows if window.distress is not None]
    found = {
        FigureName.DWELL_S: (windows[-1].end_ns - windows[0].start_ns) / SECOND_NS,
        FigureName.WINDOWS: float(len(windows)),
        FigureName.ABSTAINED_SHARE: sum(one.abstained for one in windows) / len(windows),
    }
    if distress:
        found[FigureName.PEAK] = max(distress)
        raised = sum(one >= RAISED_TIMES / 10 for one in distress)
        found[FigureName.DISTRESSED_SHARE] = raised / len(windows)
    kept = [name for name in found if _happens(lottery, 0.8)]
    return tuple(
        Figure(id=f"f{place}", name=name, value=found[name])
        for place, name in enumerate(kept, start=1)
    )


def _shift_figures(lottery: random.Random) -> tuple[Figure, ...]:
    plain = {
        FigureName.CONVERSATIONS: float(lottery.randint(1, 900)),
        FigureName.ALERTS: float(lottery.randint(0, 60)),
        FigureName.HOURS: lottery.uniform(0.2, 90),
        FigureName.WINDOWS: float(lottery.randint(50, 90_000)),
        FigureName.DISTRESSED_SHARE: lottery.betavariate(1, 8),
        FigureName.ABSTAINED_SHARE: lottery.betavariate(3, 5),
        FigureName.PEAK: lottery.uniform(0.2, 0.99),
    }
    kept: list[tuple[FigureName, float, Emotion | None]] = [
        (name, value, None) for name, value in plain.items() if _happens(lottery, 0.7)
    ]
    labels = lottery.sample(EMOTIONS, lottery.randint(0, 4))
    shares = sorted((lottery.betavariate(1, 5) for _ in labels), reverse=True)
    kept += [
        (FigureName.LABELLED_SHARE, share, label)
        for share, label in zip(shares, labels, strict=True)
    ]
    return tuple(
        Figure(id=f"f{place}", name=name, value=value, label=label)
        for place, (name, value, label) in enumerate(kept, start=1)
    )


@cache
def _lines() -> tuple[ServiceLine, ...]:
    return read_service_lines("train")
