"""From closed windows to scored ones: the step that `score` and the worker share."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from inference.labels import AbsenceReason, Modality
from inference.methods import Moment
from inference.score import ParticipantState, WindowScore, decode_state, encode_state
from inference.window import CameraFrame, TextSpan, WindowInput
from storage.values import LIVE_RUN, ParticipantBatch, Progress, StoredMoment, Utterance
from streams.decoding import decode_audio
from streams.records import storable
from streams.windows.aligner import Closing
from streams.windows.participant import WindowDraft

StateKey = tuple[str, str, str, str]
"""(tenant, run, conversation, participant)."""


class Scored(Protocol):
    """Scores in the order of the windows, and the participants' new states."""

    @property
    def scores(self) -> tuple[WindowScore, ...]:
        """One per window."""
        ...

    @property
    def states(self) -> Mapping[StateKey, ParticipantState]:
        """What the next windows build on."""
        ...

    @property
    def moments(self) -> Sequence[Moment | None]:
        """One per window; None unless it can be searched for."""
        ...


class WindowScorer(Protocol):
    """What the streams ask of inference; `inference.scorer.Scorer` answers."""

    def score(
        self, windows: Sequence[WindowInput], states: Mapping[StateKey, ParticipantState]
    ) -> Scored:
        """Score windows, those of one participant ascending."""
        ...


def to_window(draft: WindowDraft, run: str) -> WindowInput:
    """Decode the records of one window. Undecodable audio is an absence, never an error."""
    absent = dict(draft.absent)
    audio = decode_audio(draft.audio, draft.start_ns, draft.end_ns)
    if draft.audio and not audio.spans and audio.undecodable:
        absent.setdefault(Modality.SPEECH, AbsenceReason.UNDECODABLE)
    return WindowInput(
        tenant=draft.tenant,
        run=run,
        conversation=draft.conversation,
        participant=draft.participant,
        role=draft.role,
        start_ns=draft.start_ns,
        end_ns=draft.end_ns,
        audio=audio.spans,
        words=tuple(
            TextSpan(
                start_ns=segment.start_ns,
                end_ns=segment.end_ns,
                text=storable(segment.text),
                language=storable(segment.language),
                confidence=segment.confidence,
            )
            for segment in draft.segments
        ),
        frames=tuple(CameraFrame(frame.captured_ns, frame.payload) for frame in draft.frames),
        absent=absent,
        final=draft.final,
        partial=draft.partial,
    )


def score_closings(
    closings: Sequence[Closing], scorer: WindowScorer, *, keep_words: bool = False
) -> list[ParticipantBatch]:
    """Score the final windows of several participants in one call.

    Each batch carries the progress it was built on, so that storage can compare and set.
    What the alert rules carry is handed on as it is: they see the scores afterwards.

    Args:
        closings: of different participants.
        scorer: of windows.
        keep_words: whether the batches carry the words that their windows were the first to see.
    """
    windows = [
        to_window(draft, closing.key.run) for closing in closings for draft in closing.drafts
    ]
    states = {
        _state_key(closing): decode_state(closing.expected.state)
        if closing.expected is not None and closing.expected.state
        else ParticipantState()
        for closing in closings
    }
    scored = scorer.score(windows, states)
    batches, begin = [], 0
    for closing in closings:
        end = begin + len(closing.drafts)
        batches.append(
            ParticipantBatch(
                key=closing.key,
                expected=closing.expected,
                progress=Progress(
                    closed_until_ns=closing.closed_until_ns,
                    state=encode_state(scored.states[_state_key(closing)]),
                    alerts=b"" if closing.expected is None else closing.expected.alerts,
                ),
                scores=scored.scores[begin:end],
                conversation=closing.conversation,
                words=new_words(closing) if keep_words else (),
                moments=_stored_moments(
                    scored.scores[begin:end], scored.moments[begin:end], closing.key.run
                ),
            )
        )
        begin = end
    return batches


def _stored_moments(
    scores: Sequence[WindowScore], moments: Sequence[Moment | None], run: str
) -> tuple[StoredMoment, ...]:
    """What is kept to search for: of the live run alone, a replay would only repeat it."""
    if run != LIVE_RUN:
        return ()
    return tuple(
        StoredMoment(
            start_ns=score.start_ns,
            end_ns=score.end_ns,
            vector=moment.vector,
            imputed=moment.imputed,
            space=score.versions.methods["alignment"],
        )
        for score, moment in zip(scores, moments, strict=True)
        if moment is not None
    )


def new_words(closing: Closing) -> tuple[Utterance, ...]:
    """Words that no stored window has seen, by their end.

    A segment is seen first by the window in which it ends, so those that end after the
    stored progress are new, in whatever pieces the windows are stored.
    """
    seen_until_ns = closing.expected.closed_until_ns if closing.expected is not None else 0
    new = {
        segment.segment_id: segment
        for draft in reversed(closing.drafts)  # the first window that saw a segment decides
        for segment in draft.segments
        if segment.end_ns > seen_until_ns
    }
    return tuple(
        Utterance(
            participant=closing.key.participant,
            segment=segment.segment_id,
            start_ns=segment.start_ns,
            end_ns=segment.end_ns,
            text=storable(segment.text),
            language=storable(segment.language),
            confidence=segment.confidence,
        )
        for segment in sorted(new.values(), key=lambda one: (one.end_ns, one.segment_id))
    )


def score_drafts(
    drafts: Sequence[WindowDraft], run: str, scorer: WindowScorer
) -> tuple[WindowScore, ...]:
    """Scores of provisional windows, each beside its stored state. For the live feed only."""
    states = {
        (draft.tenant, run, draft.conversation, draft.participant): decode_state(draft.state)
        for draft in drafts
        if draft.state
    }
    return scorer.score([to_window(draft, run) for draft in drafts], states).scores


def _state_key(closing: Closing) -> StateKey:
    key = closing.key
    return key.tenant, key.run, key.conversation, key.participant
