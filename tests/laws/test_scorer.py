"""Laws of the scorer on experts of straw: company, absence, failure, order, state."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.contract import from_json, to_json
from inference.evidence import Absent, Cue, Evidence, Quality
from inference.fusion.artefact import Fusers
from inference.fusion.late import LateWeighting
from inference.fusion.product_fuser import ProductFuser
from inference.labels import EMOTIONS, MODALITIES, AbsenceReason, Modality, Role
from inference.score import ParticipantState, WindowScore
from inference.scorer import HALF_LIFE_NS, Scored, Scorer
from inference.units import SECOND_NS
from inference.window import WindowInput


@dataclass
class StrawExpert:
    """Finds a distress that depends on the window alone; fails or is absent on demand."""

    modality: Modality
    failing: frozenset[int] = frozenset()
    missing: frozenset[int] = frozenset()
    seen: list[int] = field(default_factory=list)
    version: str = "straw-1"
    look_back_ns: int = 0

    def assess(self, windows: Sequence[WindowInput]) -> list[Evidence | Absent]:
        self.seen += [window.start_ns for window in windows]
        return [self._one(window) for window in windows]

    def _one(self, window: WindowInput) -> Evidence | Absent:
        second = window.start_ns // SECOND_NS
        if second in self.failing:
            raise RuntimeError("broken")
        if second in self.missing:
            return Absent(self.modality, AbsenceReason.SILENCE)
        logits = np.sin(np.arange(7) + second + len(self.modality))
        return Evidence(
            modality=self.modality,
            expert=self.version,
            labels=EMOTIONS,
            log_probs=logits - math.log(np.exp(logits).sum()),
            distress_log_odds=math.sin(second),
            quality=Quality(present_share=0.7),
            cues=(
                Cue(modality=self.modality, cue="the words", quotes=True, kind="complaint phrase"),
                Cue(modality=self.modality, cue="loud"),
            ),
        )


def window(
    second: int,
    *,
    participant: str = "p-1",
    final: bool = True,
    absent: dict[Modality, AbsenceReason] | None = None,
) -> WindowInput:
    return WindowInput(
        tenant="acme",
        run="live",
        conversation="c-1",
        participant=participant,
        role=Role.CUSTOMER,
        start_ns=second * SECOND_NS,
        end_ns=(second + 3) * SECOND_NS,
        absent=absent or {},
        final=final,
    )


KEY = ("acme", "live", "c-1", "p-1")
ALL = [StrawExpert(modality) for modality in MODALITIES]


def scored(scorer: Scorer, *windows: WindowInput, state: ParticipantState | None = None) -> Scored:
    return scorer.score(windows, {} if state is None else {KEY: state})


@given(st.integers(1, 20), st.integers(0, 20))
def test_scoring_in_pieces_equals_scoring_whole(count: int, cut: int) -> None:
    windows = [window(second) for second in range(count)]
    whole = scored(Scorer(ALL), *windows)
    first = scored(Scorer(ALL), *windows[:cut])
    rest = Scorer(ALL).score(windows[cut:], first.states)
    assert first.scores + rest.scores == whole.scores
    assert rest.states == whole.states


@given(st.permutations(["p-1", "p-2", "p-3"]))
def test_a_score_is_the_same_alone_and_in_company(order: list[str]) -> None:
    company = [window(second, participant=name) for second in range(4) for name in order]
    together = scored(Scorer(ALL), *company).scores
    alone = scored(Scorer(ALL), *(window(second) for second in range(4))).scores
    assert tuple(score for score in together if score.participant == "p-1") == alone


@given(st.sets(st.sampled_from(MODALITIES), min_size=1))
def test_every_subset_of_modalities_gives_a_valid_score(present: set[Modality]) -> None:
    absent = {
        modality: AbsenceReason.NO_TRACK for modality in MODALITIES if modality not in present
    }
    experts = [StrawExpert(modality) for modality in MODALITIES]
    (score,) = scored(Scorer(experts), window(1, absent=absent)).scores
    assert from_json(to_json(score)) == score
    assert score.emotions is not None
    assert math.isclose(sum(score.emotions.values()), 1, abs_tol=7e-4)
    weights = {m: r.weight for m, r in score.modalities.items() if r.weight is not None}
    assert set(weights) == present
    assert math.isclose(sum(weights.values()), 1, abs_tol=3e-4)
    assert [expert.modality for expert in experts if expert.seen] == [
        modality for modality in MODALITIES if modality in present
    ], "an absent modality is never read"


@given(st.sampled_from(MODALITIES))
def test_a_missing_modality_changes_what_the_others_say_in_no_way(missing: Modality) -> None:
    rest = [StrawExpert(modality) for modality in MODALITIES if modality is not missing]
    without = scored(Scorer(rest), window(1)).scores[0]
    absent = scored(Scorer(ALL), window(1, absent={missing: AbsenceReason.LATE})).scores[0]
    assert (without.emotions, without.distress) == (absent.emotions, absent.distress)
    assert absent.modalities[missing].reason is AbsenceReason.LATE


def test_with_nothing_present_there_are_no_numbers_only_reasons() -> None:
    absent = dict.fromkeys(MODALITIES, AbsenceReason.NOT_PERMITTED)
    (score,) = scored(Scorer(ALL), window(1, absent=absent)).scores
    assert (score.emotions, score.distress, score.arousal, score.valence) == (None,) * 4
    assert (score.decision.label, score.decision.abstained, score.vacuity) == (None, True, 1.0)
    assert {report.reason for report in score.modalities.values()} == {AbsenceReason.NOT_PERMITTED}


def test_a_modality_that_nobody_reads_is_absent() -> None:
    (score,) = scored(Scorer([]), window(1)).scores
    assert score.modalities[Modality.FACE].reason is AbsenceReason.NO_CAMERA
    assert score.modalities[Modality.TEXT].reason is AbsenceReason.NO_TRACK


def test_an_expert_that_fails_on_a_window_fails_there_and_nowhere_else() -> None:
    failures: list[Modality] = []
    speech = StrawExpert(Modality.SPEECH, failing=frozenset({2}))
    text = StrawExpert(Modality.TEXT, missing=frozenset({3}))
    scorer = Scorer([speech, text], on_failure=failures.append)
    scores = scored(scorer, *(window(second) for second in range(5))).scores
    assert [score.modalities[Modality.SPEECH].reason for score in scores] == [
        None,
        None,
        AbsenceReason.FAILED,
        None,
        None,
    ]
    assert scores[2].modalities[Modality.TEXT].present
    assert scores[3].modalities[Modality.TEXT].reason is AbsenceReason.SILENCE
    assert failures == [Modality.SPEECH]


@dataclass
class Nonsense(StrawExpert):
    """Gives no numbers where a real one would raise."""

    def _one(self, window: WindowInput) -> Evidence | Absent:
        answer = super()._one(replace(window, start_ns=0))
        assert isinstance(answer, Evidence)
        match window.start_ns // SECOND_NS:
            case 1:
                return replace(answer, log_probs=np.full(len(EMOTIONS), np.nan))
            case 2:
                return replace(answer, distress_log_odds=math.inf)
        return answer


def test_an_expert_that_gives_no_numbers_fails_in_that_window_alone() -> None:
    scorer = Scorer([Nonsense(Modality.SPEECH), StrawExpert(Modality.TEXT)])
    scores = scored(scorer, *(window(second) for second in range(4))).scores
    reasons = [score.modalities[Modality.SPEECH].reason for score in scores]
    assert reasons == [None, AbsenceReason.FAILED, AbsenceReason.FAILED, None]
    assert all(score.modalities[Modality.TEXT].present for score in scores)


def test_smoothed_distress_has_a_half_life_in_event_time() -> None:
    start = ParticipantState(smoothed_distress=1.0, smoothed_at_ns=4 * SECOND_NS)
    four_seconds_on = window(5)
    assert four_seconds_on.end_ns - start.smoothed_at_ns == HALF_LIFE_NS
    (score,) = scored(Scorer(ALL), four_seconds_on, state=start).scores
    assert score.distress is not None
    assert score.distress.smoothed == pytest.approx((1 + score.distress.probability) / 2, abs=1e-4)


def test_a_provisional_score_reads_the_state_and_leaves_it() -> None:
    start = ParticipantState(smoothed_distress=1.0, smoothed_at_ns=4 * SECOND_NS)
    result = scored(Scorer(ALL), window(5, final=False), state=start)
    assert result.states[KEY] == start
    distress = result.scores[0].distress
    assert distress is not None
    assert distress.smoothed > distress.probability


def test_windows_without_an_estimate_leave_the_state_as_it_is() -> None:
    start = ParticipantState(smoothed_distress=0.5, smoothed_at_ns=4 * SECOND_NS)
    absent = dict.fromkeys(MODALITIES, AbsenceReason.SILENCE)
    assert scored(Scorer(ALL), window(5, absent=absent), state=start).states[KEY] == start


@pytest.mark.parametrize(("keep", "cue"), [(False, "complaint phrase"), (True, "the words")])
def test_words_are_quoted_only_where_the_settings_keep_them(*, keep: bool, cue: str) -> None:
    scorer = Scorer([StrawExpert(Modality.TEXT)], keep_quotes=keep)
    (score,) = scored(scorer, window(1)).scores
    assert [item.cue for item in score.evidence] == [cue, "loud"]


def test_two_phrases_of_one_kind_are_one_cue_where_words_are_not_quoted() -> None:
    @dataclass
    class Reader(StrawExpert):
        def _one(self, window: WindowInput) -> Evidence | Absent:
            found = super()._one(window)
            assert isinstance(found, Evidence)
            phrase = Cue(modality=self.modality, cue="others", quotes=True, kind="complaint phrase")
            return replace(found, cues=(*found.cues, phrase))

    (score,) = scored(Scorer([Reader(Modality.TEXT)]), window(1)).scores
    assert [item.cue for item in score.evidence] == ["complaint phrase", "loud"]


def test_versions_name_every_expert_and_the_settings() -> None:
    versions = Scorer(ALL, config="sha256:1").versions("anyone")
    assert (versions.calibration, versions.fusion, versions.config) == (
        "straw-1+straw-1+straw-1",
        "uncalibrated",
        "sha256:1",
    )
    assert Scorer(ALL).look_back_ns == dict.fromkeys(MODALITIES, 0)


def test_scores_are_rounded_before_anything_is_built_on_them() -> None:
    def digits(score: WindowScore) -> list[float]:
        assert score.emotions is not None
        assert score.distress is not None
        return [*score.emotions.values(), score.distress.smoothed, score.conflict, score.vacuity]

    scores = scored(Scorer(ALL), *(window(second) for second in range(6))).scores
    assert all(value == round(value, 4) for score in scores for value in digits(score))


def test_a_tenant_may_be_fused_another_way_and_its_scores_say_so() -> None:
    own = ProductFuser(LateWeighting(), version="own-1")
    scorer = Scorer(
        ALL, fusers=Fusers(ProductFuser(LateWeighting(), version="usual-1"), {"acme": own})
    )
    usual = replace(window(1), tenant="other")
    versions = [score.versions.fusion for score in scored(scorer, usual, window(1)).scores]
    assert versions == ["usual-1", "own-1"]


def test_experts_of_one_modality_stand_in_for_each_other() -> None:
    pair = [StrawExpert(Modality.SPEECH, missing=frozenset({1})), StrawExpert(Modality.SPEECH)]
    one, other = scored(Scorer(pair), window(1), window(2)).scores
    assert one.modalities[Modality.SPEECH].present
    assert other.modalities[Modality.SPEECH].weight == 1
    none = [StrawExpert(Modality.SPEECH, missing=frozenset({1})) for _ in range(2)]
    (score,) = scored(Scorer(none), window(1)).scores
    assert score.modalities[Modality.SPEECH].reason is AbsenceReason.SILENCE
