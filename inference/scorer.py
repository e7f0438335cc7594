"""Windows in, scores out: the only thing of inference that the streams call."""

import logging
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
import numpy as np

from inference.evidence import Absent, Cue, Evidence, Expert, Quality
from inference.experts import own_voice
from inference.experts.own_voice import Comparison
from inference.fusion.artefact import UNCALIBRATED, Fusers
from inference.fusion.contract import Fused
from inference.fusion.decision import arousal, decide, nothing_to_decide, valence
from inference.labels import EMOTIONS, MODALITIES, AbsenceReason, Modality
from inference.methods import NO_METHODS, Methods, Moment
from inference.score import (
    DECIMALS,
    CueReport,
    Distress,
    Expectation,
    ModalityReport,
    ParticipantState,
    Versions,
    WindowScore,
)
from inference.units import SECOND_NS
from inference.window import WindowInput

NAME: Final = "default-1"
HALF_LIFE_NS: Final = 4 * SECOND_NS
"""Of smoothed distress and of change, in event time."""
StateKey = tuple[str, str, str, str]
"""(tenant, run, conversation, participant)."""
Finding = Evidence | Absent
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Beside:
    """What the optional methods made of one window."""

    expected: Mapping[Modality, Expectation] = field(default_factory=dict)
    moment: Moment | None = None


@dataclass(frozen=True, slots=True)
class Scored:
    """Scores in the order of the windows, and what the next windows build on."""

    scores: tuple[WindowScore, ...]
    states: Mapping[StateKey, ParticipantState]
    moments: tuple[Moment | None, ...]
    """Of each window; None unless it can be searched for."""


class Scorer:
    """Asks every expert, fuses what is present, and says what that rests on.

    Args:
        experts: any number; those of one modality have one vote, and a modality without
            one is never present.
        fusers: which fuser scores whose conversations.
        keep_quotes: whether cues may repeat words; otherwise they name their kind.
        config: digest of the settings, published in every score.
        methods: what is switched on beside experts and fusion.
        on_failure: told the modality of each window that an expert failed on.
    """

    def __init__(
        self,
        experts: Sequence[Expert],
        *,
        fusers: Fusers = UNCALIBRATED,
        keep_quotes: bool = False,
        config: str = "unknown",
        methods: Methods = NO_METHODS,
        on_failure: Callable[[Modality], None] = lambda _: None,
    ) -> None:
        self._experts = sorted(experts, key=lambda one: MODALITIES.index(one.modality))
        self._fusers = fusers
        self._keep_quotes = keep_quotes
        self._on_failure = on_failure
        self._config = config
        self._methods = methods

    @property
    def look_back_ns(self) -> Mapping[Modality, int]:
        """How far before its start a window shows each modality."""
        longest: dict[Modality, int] = {}
        for expert in self._experts:
            longest[expert.modality] = max(longest.get(expert.modality, 0), expert.look_back_ns)
        return longest

    def versions(self, tenant: str) -> Versions:
        """What makes the scores of `tenant`."""
        return Versions(
            scorer=NAME,
            calibration="+".join(expert.version for expert in self._experts),
            fusion=self._fusers.of(tenant).version,
            config=self._config,
            methods=self._methods.versions,
        )

    def score(
        self, windows: Sequence[WindowInput], states: Mapping[StateKey, ParticipantState]
    ) -> Scored:
        """Score windows of any number of participants, those of one participant ascending.

        An item's score is the same alone and in company. An expert that fails on a window
        marks its modality `failed` there, and nowhere else.

        Args:
            windows: what to score. Provisional ones do not change a state.
            states: where each participant stands; one who is missing begins anew.
        """
        found = [self._ask(expert, windows) for expert in self._experts]
        findings = [[answers[index] for answers in found] for index in range(len(windows))]
        fused = self._fuse(windows, findings)
        seen = [self._look_beside(items) for items in findings]
        after = dict(states)
        scores = []
        for window, items, said, beside in zip(windows, findings, fused, seen, strict=True):
            key = (window.tenant, window.run, window.conversation, window.participant)
            state = after.get(key, ParticipantState())
            score = self._assemble(window, items, said, beside, state)
            score, context = self._in_context(score, state)
            scores.append(score)
            if window.final:
                after[key] = _next_state(state, score, _voice(items), context)
        return Scored(tuple(scores), after, tuple(beside.moment for beside in seen))

    def _fuse(
        self, windows: Sequence[WindowInput], findings: Sequence[Sequence[Finding]]
    ) -> list[Fused | None]:
        """All windows of a tenant in one call; None for one in which nothing is present."""
        fused: list[Fused | None] = [None] * len(windows)
        by_tenant: dict[str, list[int]] = {}
        for index, window in enumerate(windows):
            if _present(findings[index]):
                by_tenant.setdefault(window.tenant, []).append(index)
        for tenant, indices in by_tenant.items():
            asked = [_present(findings[index]) for index in indices]
            for index, one in zip(indices, self._fusers.of(tenant).fuse_many(asked), strict=True):
                fused[index] = one
        return fused

    def _look_beside(self, findings: Sequence[Finding]) -> "_Beside":
        """What the optional methods make of a window. They may fail: the score never does."""
        space, foresight = self._methods.space, self._methods.foresight
        if space is None:
            return _Beside()
        try:
            projection = space.project(_present(findings))
            expected: Mapping[Modality, Expectation] = {}
            if foresight is not None and projection.present.any():
                expected = foresight.expect(projection)
                projection = foresight.complete(projection)
        except Exception:  # noqa: BLE001 - whatever it is, the window is scored
            _log.exception("method_failed")
            return _Beside()
        vector = projection.moment if self._methods.keeps_moments else None
        moment = None if vector is None else Moment(vector, imputed=projection.expected)
        return _Beside(expected, moment)

    def _in_context(self, score: WindowScore, state: ParticipantState) -> tuple[WindowScore, bytes]:
        """The score with its context, and what the context carries on."""
        context = self._methods.context
        if context is None:
            return score, b""
        try:
            report, carried = context.advance(state.context, score)
        except Exception:  # noqa: BLE001 - the raw score stands
            _log.exception("method_failed")
            return score, state.context
        return msgspec.structs.replace(score, context=report), carried

    def _ask(self, expert: Expert, windows: Sequence[WindowInput]) -> list[Finding]:
        """What one expert finds in each window; it never sees what it must not read."""
        modality = expert.modality
        findings: list[Finding] = [
            Absent(modality, window.absent.get(modality, AbsenceReason.FAILED))
            for window in windows
        ]
        readable = [index for index, window in enumerate(windows) if modality not in window.absent]
        try:
            answers = expert.assess([windows[index] for index in readable]) if readable else []
            for index, answer in zip(readable, answers, strict=True):
                findings[index] = _checked(answer)
        except Exception:  # noqa: BLE001 - whatever it is, the others are scored
            _log.exception("expert_failed modality=%s windows=%d", modality, len(readable))
            for index in readable:
                findings[index] = self._ask_alone(expert, windows[index])
        return findings

    def _ask_alone(self, expert: Expert, window: WindowInput) -> Finding:
        try:
            return _checked(expert.assess([window])[0])
        except Exception:  # noqa: BLE001 - the window keeps its other modalities
            _log.exception("expert_failed modality=%s windows=1", expert.modality)
            self._on_failure(expert.modality)
            return Absent(expert.modality, AbsenceReason.FAILED)

    def _assemble(
        self,
        window: WindowInput,
        findings: Sequence[Finding],
        fused: Fused | None,
        beside: "_Beside",
        state: ParticipantState,
    ) -> WindowScore:
        present = _present(findings)
        own = _compared(_voice(present), state)
        emotions, decision = None, nothing_to_decide()
        if fused is not None:
            fuser = self._fusers.of(window.tenant)
            probs = np.exp(fused.log_probs)
            emotions = {label: _rounded(probs[i]) for i, label in enumerate(EMOTIONS)}
            decision = decide(
                emotions,
                fused.vacuity,
                fuser.calibration.threshold(fused.pattern),
                fuser.calibration.coverage,
            )
        return WindowScore(
            tenant=window.tenant,
            run=window.run,
            conversation=window.conversation,
            participant=window.participant,
            role=window.role,
            start_ns=window.start_ns,
            end_ns=window.end_ns,
            final=window.final,
            emotions=emotions,
            distress=_distress(fused, state, window.end_ns),
            arousal=None if emotions is None else _rounded(arousal(emotions)),
            valence=None if emotions is None else _rounded(valence(emotions)),
            decision=decision,
            modalities={
                modality: _report(modality, findings, window, fused) for modality in MODALITIES
            },
            conflict=0.0 if fused is None else _rounded(fused.conflict),
            vacuity=1.0 if fused is None else _rounded(fused.vacuity),
            evidence=self._told(_cues(present, own)),
            versions=self.versions(window.tenant),
            partial=window.partial,
            shed=window.shed,
            change=_change(own, state, window.end_ns),
            expected={
                modality: Expectation(
                    would_change=_rounded_or_none(one.would_change),
                    surprise=_rounded_or_none(one.surprise),
                )
                for modality, one in beside.expected.items()
            },
        )

    def _told(self, cues: Sequence[Cue]) -> tuple[CueReport, ...]:
        """Each once: two phrases of one line are the same cue where words are not quoted."""
        return tuple(dict.fromkeys(self._cue(cue) for cue in cues))

    def _cue(self, cue: Cue) -> CueReport:
        text = cue.kind if cue.quotes and not self._keep_quotes else cue.cue
        return CueReport(modality=cue.modality, cue=text, at_ns=cue.at_ns)


def _checked(answer: Finding) -> Finding:
    """Raise ValueError where an expert gave no numbers: nothing could be fused or stored."""
    if isinstance(answer, Evidence) and not (
        np.isfinite(answer.log_probs).all() and math.isfinite(answer.distress_log_odds or 0.0)
    ):
        raise ValueError(f"{answer.expert}: log-probabilities or log-odds that are not finite")
    return answer


def _rounded(value: float) -> float:
    """To `DECIMALS`, without a negative zero."""
    return round(float(value), DECIMALS) + 0.0


def _distress(fused: Fused | None, state: ParticipantState, end_ns: int) -> Distress | None:
    """Raw and smoothed; None where nobody present has a calibrated say.

    Windows without an estimate leave what was smoothed as it is.
    """
    if fused is None or fused.distress is None:
        return None
    probability = _rounded(fused.distress)
    smoothed = _smoothed(probability, state.smoothed_distress, end_ns - state.smoothed_at_ns)
    return Distress(probability=probability, smoothed=smoothed)


def _smoothed(now: float, before: float | None, passed_ns: int) -> float:
    """Exponential in event time with a half-life of four seconds, from the first value on."""
    if before is None:
        return _rounded(now)
    kept = math.exp2(-passed_ns / HALF_LIFE_NS)
    return _rounded(now + kept * (before - now))


def _present(findings: Sequence[Finding]) -> list[Evidence]:
    return [item for item in findings if isinstance(item, Evidence)]


def _voice(findings: Sequence[Finding]) -> Evidence | None:
    """What the first expert that measured the voice says."""
    heard = (item for item in findings if isinstance(item, Evidence) and item.prosody is not None)
    return next(heard, None)


def _compared(voice: Evidence | None, state: ParticipantState) -> Comparison | None:
    return None if voice is None else own_voice.compare(state.voice, voice.prosody)


def _cues(present: Sequence[Evidence], own: Comparison | None) -> list[Cue]:
    """Comparisons with the own voice stand in for those with other people, as soon as any."""
    if own is None:
        return [cue for item in present for cue in item.cues]
    others = (cue for item in present for cue in item.cues if not cue.against_others)
    return [*own.cues, *others]


def _change(own: Comparison | None, state: ParticipantState, end_ns: int) -> float | None:
    if own is None or own.change is None:
        return None
    return _smoothed(own.change, state.smoothed_change, end_ns - state.changed_at_ns)


def _next_state(
    state: ParticipantState, score: WindowScore, voice: Evidence | None, context: bytes
) -> ParticipantState:
    """What the next window of the participant builds on; a window without speech teaches none."""
    changes: dict[str, Any] = {"context": context}
    if score.distress is not None:
        changes |= {
            "smoothed_distress": score.distress.smoothed,
            "smoothed_at_ns": score.end_ns,
        }
    if score.change is not None:
        changes |= {"smoothed_change": score.change, "changed_at_ns": score.end_ns}
    if voice is not None and voice.prosody is not None:
        changes["voice"] = own_voice.taught(
            state.voice,
            voice.prosody,
            score.end_ns,
            distressed=(voice.distress_log_odds or 0.0) > 0.0,
        )
    return msgspec.structs.replace(state, **changes)


def _report(
    modality: Modality,
    findings: Sequence[Finding],
    window: WindowInput,
    fused: Fused | None,
) -> ModalityReport:
    """What the first of the modality's experts that had a say could see, or why none had one."""
    mine = [finding for finding in findings if finding.modality is modality]
    present = [finding for finding in mine if isinstance(finding, Evidence)]
    if present and fused is not None:
        return ModalityReport(
            present=True,
            weight=_rounded(fused.shares[modality]),
            quality=_rounded_quality(present[0].quality),
        )
    reasons = [finding.reason for finding in mine if isinstance(finding, Absent)]
    missing = AbsenceReason.NO_CAMERA if modality is Modality.FACE else AbsenceReason.NO_TRACK
    reason = reasons[0] if reasons else window.absent.get(modality, missing)
    return ModalityReport(present=False, reason=reason)


def _rounded_quality(quality: Quality) -> Quality:
    return Quality(
        present_share=_rounded_or_none(quality.present_share),
        level=_rounded_or_none(quality.level),
        freshness=_rounded_or_none(quality.freshness),
        confidence=_rounded_or_none(quality.confidence),
    )


def _rounded_or_none(value: float | None) -> float | None:
    return None if value is None else _rounded(value)
