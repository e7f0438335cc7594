"""Scores to store and show in tests."""

from collections.abc import Sequence

import msgspec
from hypothesis import strategies as st

from inference.evidence import Quality
from inference.labels import EMOTIONS, MODALITIES, AbsenceReason, Emotion, Modality, Role
from inference.score import (
    ContextReport,
    CueReport,
    Decision,
    Distress,
    Expectation,
    ModalityReport,
    ParticipantState,
    Versions,
    WindowScore,
    encode_state,
)
from inference.units import SECOND_NS
from inference.window import WindowInput
from storage.values import (
    ConversationFacts,
    ParticipantBatch,
    ParticipantFacts,
    ParticipantKey,
    Progress,
)

VERSIONS = Versions(scorer="test", calibration="test", fusion="late", config="test")
WITH_METHODS = msgspec.structs.replace(VERSIONS, methods={"context": "filter-1"})


def absent_score(window: WindowInput) -> WindowScore:
    """What a scorer says of a window with nothing in it."""
    return WindowScore(
        tenant=window.tenant,
        run=window.run,
        conversation=window.conversation,
        participant=window.participant,
        role=window.role,
        start_ns=window.start_ns,
        end_ns=window.end_ns,
        final=window.final,
        emotions=None,
        distress=None,
        arousal=None,
        valence=None,
        decision=Decision(label=None, set=(), coverage=0.9, abstained=True),
        modalities={
            modality: ModalityReport(present=False, reason=AbsenceReason.NO_TRACK)
            for modality in MODALITIES
        },
        conflict=0.0,
        vacuity=1.0,
        evidence=(),
        versions=VERSIONS,
        partial=window.partial,
        shed=window.shed,
    )


START_NS = 1_764_000_000 * SECOND_NS


def four_decimals(low: float = 0.0) -> st.SearchStrategy[float]:
    """Numbers as scores round them."""
    return st.integers(int(low * 10_000), 10_000).map(lambda value: value / 10_000)


@st.composite
def reports(draw: st.DrawFn) -> ModalityReport:
    """A modality that had a say, or the reason why it had none."""
    if not draw(st.booleans()):
        return ModalityReport(present=False, reason=draw(st.sampled_from(AbsenceReason)))
    known = st.none() | four_decimals()
    quality = Quality(
        present_share=draw(known),
        level=draw(known),
        freshness=draw(known),
        confidence=draw(known),
    )
    return ModalityReport(present=True, weight=draw(four_decimals()), quality=quality)


@st.composite
def window_scores(draw: st.DrawFn) -> WindowScore:
    """Any score that may be stored: nothing here has to make sense together."""
    nothing = draw(st.booleans())
    labels = st.sampled_from(Emotion)
    start_ns = draw(st.integers(0, 4_000_000_000 * SECOND_NS))
    return WindowScore(
        tenant="acme",
        run=draw(st.sampled_from(["live", "again"])),
        conversation=draw(st.sampled_from(["c-1", "c-2"])),
        participant=draw(st.sampled_from(["p-1", "p-2"])),
        role=draw(st.sampled_from(Role)),
        start_ns=start_ns,
        end_ns=start_ns + 3 * SECOND_NS,
        final=True,
        emotions=None if nothing else {emotion: draw(four_decimals()) for emotion in EMOTIONS},
        distress=None
        if nothing
        else Distress(probability=draw(four_decimals()), smoothed=draw(four_decimals())),
        arousal=None if nothing else draw(four_decimals()),
        valence=None if nothing else draw(four_decimals(-1.0)),
        decision=Decision(
            label=None if nothing else draw(st.none() | labels),
            set=tuple(draw(st.lists(labels, unique=True))),
            coverage=0.9,
            abstained=nothing or draw(st.booleans()),
        ),
        modalities={modality: draw(reports()) for modality in MODALITIES},
        conflict=draw(four_decimals()),
        vacuity=draw(four_decimals()),
        evidence=tuple(
            CueReport(
                modality=draw(st.sampled_from(Modality)),
                cue=draw(st.text('ab é€😀"\\', max_size=8)),
                at_ns=draw(st.none() | st.just(start_ns)),
            )
            for _ in range(draw(st.integers(0, 3)))
        ),
        versions=draw(st.sampled_from([VERSIONS, WITH_METHODS])),
        partial=draw(st.booleans()),
        shed=tuple(draw(st.lists(st.sampled_from(["provisional", "face"]), unique=True))),
        change=None if nothing else draw(st.none() | four_decimals(-6.0)),
        context=None if nothing else draw(st.none() | contexts()),
        expected=draw(expectations()),
    )


def contexts() -> st.SearchStrategy[ContextReport]:
    """Estimates given earlier windows."""
    shares = st.lists(four_decimals(), min_size=len(EMOTIONS), max_size=len(EMOTIONS))
    return st.builds(
        ContextReport,
        emotions=shares.map(lambda values: dict(zip(EMOTIONS, values, strict=True))),
        distress=st.none() | four_decimals(),
    )


@st.composite
def expectations(draw: st.DrawFn) -> dict[Modality, Expectation]:
    """What was expected of some modalities."""
    known = st.none() | four_decimals()
    one = st.builds(Expectation, would_change=known, surprise=known)
    return {modality: draw(one) for modality in MODALITIES if draw(st.booleans())}


def distressed(
    index: int,
    probability: float = 0.5,
    *,
    conversation: str = "c-1",
    participant: str = "p-1",
    run: str = "live",
    start_ns: int = START_NS,
) -> WindowScore:
    """The `index`-th window of a participant who speaks with so much distress."""
    rest = round((1 - probability) / 6, 4)
    begin_ns = start_ns + index * SECOND_NS
    return WindowScore(
        tenant="acme",
        run=run,
        conversation=conversation,
        participant=participant,
        role=Role.CUSTOMER,
        start_ns=begin_ns,
        end_ns=begin_ns + 3 * SECOND_NS,
        final=True,
        emotions={
            emotion: probability if emotion is Emotion.ANGER else rest for emotion in EMOTIONS
        },
        distress=Distress(probability=probability, smoothed=probability),
        arousal=0.5,
        valence=-0.25,
        decision=Decision(
            label=Emotion.ANGER if probability > 0.5 else Emotion.NEUTRAL,
            set=(Emotion.ANGER, Emotion.NEUTRAL),
            coverage=0.9,
            abstained=False,
        ),
        modalities={
            Modality.SPEECH: ModalityReport(
                present=True, weight=1.0, quality=Quality(present_share=0.9, level=0.6)
            ),
            Modality.TEXT: ModalityReport(present=False, reason=AbsenceReason.NO_TRACK),
            Modality.FACE: ModalityReport(present=False, reason=AbsenceReason.NO_CAMERA),
        },
        conflict=0.0,
        vacuity=0.2,
        evidence=(CueReport(modality=Modality.SPEECH, cue="loud for this line"),),
        versions=VERSIONS,
    )


def batch(
    scores: Sequence[WindowScore],
    expected: Progress | None,
    *,
    queue: str = "billing",
) -> ParticipantBatch:
    """The batch that a worker would store for consecutive windows of one participant."""
    first, last = scores[0], scores[-1]
    return ParticipantBatch(
        key=ParticipantKey(first.tenant, first.run, first.conversation, first.participant),
        expected=expected,
        progress=Progress(
            closed_until_ns=last.end_ns,
            state=encode_state(ParticipantState(smoothed_at_ns=last.end_ns)),
        ),
        scores=tuple(scores),
        conversation=ConversationFacts(
            tenant=first.tenant,
            conversation=first.conversation,
            queue=queue,
            language="en",
            started_ns=first.start_ns,
            participants=(
                ParticipantFacts(
                    participant=first.participant, role=first.role, joined_ns=first.start_ns
                ),
            ),
        ),
    )
