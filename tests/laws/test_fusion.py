"""Laws of fusion: order, absence, groups, vacuity and quality."""

import math
from collections.abc import Sequence
from dataclasses import asdict, replace

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from inference.evidence import Evidence, Quality
from inference.fusion.adaptive import AdaptiveWeighting, QualitySlopes
from inference.fusion.contract import Fused
from inference.fusion.decision import EMPTY, WIDEST_SET, arousal, decide, nothing_to_decide, valence
from inference.fusion.late import FULL_SHARE, FULL_WEIGHT, LateWeighting
from inference.fusion.prior import DEFAULT_PRIOR, DISTRESS_BASE_RATE
from inference.fusion.product_fuser import ProductFuser, Weighting
from inference.labels import EMOTIONS, Emotion, Modality

LATE: Weighting = LateWeighting()
SLOPES = {
    Modality.SPEECH: QualitySlopes(slopes={"level": 1.5, "confidence": 0.5}),
    Modality.TEXT: QualitySlopes(slopes={"confidence": 2.0}, usual={"confidence": 0.7}),
}
ADAPTIVE: Weighting = AdaptiveWeighting(SLOPES)
both_ways = pytest.mark.parametrize("weigh", [LATE, ADAPTIVE], ids=["late", "adaptive"])
shares = st.none() | st.floats(0, 1)
qualities = st.builds(
    Quality, present_share=shares, level=shares, freshness=shares, confidence=shares
)


def fuse(evidence: Sequence[Evidence], weigh: Weighting = LATE) -> Fused:
    return ProductFuser(weigh).fuse(evidence)


@st.composite
def opinions(draw: st.DrawFn, modality: Modality) -> Evidence:
    labels = tuple(draw(st.permutations(EMOTIONS)))[: draw(st.integers(2, 7))]
    logits = np.array(draw(st.lists(st.floats(-6, 6), min_size=len(labels), max_size=len(labels))))
    return Evidence(
        modality=modality,
        expert="test",
        labels=labels,
        log_probs=logits - math.log(np.exp(logits).sum()),
        distress_log_odds=draw(st.none() | st.floats(-6, 6)),
        quality=draw(qualities),
        weight_limit=draw(st.floats(0, 1.5)),
    )


several = st.lists(st.sampled_from(Modality), min_size=1, unique=True).flatmap(
    lambda modalities: st.tuples(*(opinions(modality) for modality in modalities))
)


def silent(modality: Modality) -> Evidence:
    """An expert that is there and says nothing."""
    return Evidence(
        modality=modality,
        expert="test",
        labels=EMOTIONS,
        log_probs=np.full(7, -math.log(7)),
        distress_log_odds=None,
        quality=Quality(),
    )


@both_ways
@given(several)
def test_an_estimate_is_a_distribution_and_its_figures_stay_in_their_bounds(
    weigh: Weighting,
    evidence: tuple[Evidence, ...],
) -> None:
    fused = fuse(evidence, weigh)
    assert math.isclose(np.exp(fused.log_probs).sum(), 1)
    assert math.isclose(sum(fused.shares.values()), 1)
    assert 0 <= fused.conflict <= math.log(len(evidence)) + 1e-9
    assert 0 < fused.vacuity <= 1
    assert fused.distress is None or 0 < fused.distress < 1


@both_ways
@given(several)
def test_the_order_of_the_experts_does_not_matter(
    weigh: Weighting, evidence: tuple[Evidence, ...]
) -> None:
    forth, back = fuse(evidence, weigh), fuse(evidence[::-1], weigh)
    np.testing.assert_array_equal(forth.log_probs, back.log_probs)
    assert (forth.distress, forth.shares, forth.conflict, forth.vacuity) == (
        back.distress,
        back.shares,
        back.conflict,
        back.vacuity,
    )


@both_ways
@pytest.mark.parametrize("modality", Modality)
@given(speech=opinions(Modality.SPEECH), text=opinions(Modality.TEXT))
def test_an_expert_that_says_nothing_changes_nothing(
    weigh: Weighting, modality: Modality, speech: Evidence, text: Evidence
) -> None:
    nobody = silent(modality)
    alone, beside = fuse([speech, text], weigh), fuse([speech, text, nobody], weigh)
    np.testing.assert_allclose(beside.log_probs, alone.log_probs, atol=1e-12)
    assert beside.distress == alone.distress
    assert math.isclose(beside.conflict, alone.conflict, abs_tol=1e-12)
    assert math.isclose(beside.vacuity, alone.vacuity)


@both_ways
@given(opinions(Modality.SPEECH))
def test_a_score_does_not_rest_on_who_says_nothing(weigh: Weighting, speech: Evidence) -> None:
    assume(weigh(speech) > 0 and np.ptp(speech.log_probs) > 0.01)
    assert fuse([speech, silent(Modality.FACE)], weigh).shares == {
        Modality.SPEECH: 1.0,
        Modality.FACE: 0.0,
    }


def test_a_silent_expert_lends_no_weight_to_one_that_speaks_of_distress_alone() -> None:
    worried = replace(silent(Modality.TEXT), distress_log_odds=1.0, weight_limit=0.2)
    alone, beside = fuse([worried]), fuse([worried, silent(Modality.TEXT)])
    assert alone.distress is not None
    assert alone.distress > DISTRESS_BASE_RATE
    assert beside.distress == alone.distress
    assert beside.shares == alone.shares


def test_where_only_silent_experts_are_present_the_prior_is_all_there_is() -> None:
    fused = fuse([silent(Modality.FACE)])
    np.testing.assert_allclose(fused.log_probs, DEFAULT_PRIOR.log_shares)
    assert (fused.distress, fused.vacuity, fused.conflict) == (None, 1.0, 0.0)


@given(opinions(Modality.SPEECH), st.none() | st.floats(FULL_SHARE, 1))
def test_one_expert_of_full_weight_is_tempered_and_given_the_prior(
    opinion: Evidence, present_share: float | None
) -> None:
    quality = replace(opinion.quality, present_share=present_share)
    speech = replace(opinion, quality=quality, weight_limit=math.inf)
    assert LATE(speech) == FULL_WEIGHT
    fused = np.exp(fuse([speech]).log_probs - DEFAULT_PRIOR.log_shares)
    known = [EMOTIONS.index(label) for label in speech.labels]
    ratios = np.log(fused[known]) - np.log(fused[known[0]])
    np.testing.assert_allclose(
        ratios, FULL_WEIGHT * (speech.log_probs - speech.log_probs[0]), atol=1e-9
    )


@given(opinions(Modality.SPEECH), st.floats(-6, 5), st.floats(0.1, 1))
def test_distress_grows_with_what_an_expert_hears(
    speech: Evidence, log_odds: float, more: float
) -> None:
    def heard(value: float) -> float:
        said = Evidence(
            modality=Modality.SPEECH,
            expert="test",
            labels=speech.labels,
            log_probs=speech.log_probs,
            distress_log_odds=value,
            quality=Quality(present_share=1.0),
        )
        distress = fuse([said]).distress
        assert distress is not None
        return distress

    assert heard(log_odds) < heard(log_odds + more)
    assert math.isclose(heard(0.0), DISTRESS_BASE_RATE)


@both_ways
@given(opinions(Modality.SPEECH), qualities, st.data())
def test_worse_quality_never_raises_a_weight(
    weigh: Weighting, speech: Evidence, better: Quality, data: st.DataObject
) -> None:
    worse = Quality(
        **{
            name: None if value is None else value * data.draw(st.floats(0, 1), label=name)
            for name, value in asdict(better).items()
        }
    )
    low, high = (weigh(replace(speech, quality=quality)) for quality in (worse, better))
    assert 0 <= low <= high <= min(speech.weight_limit, FULL_WEIGHT)


@given(opinions(Modality.SPEECH))
def test_at_its_best_quality_an_expert_counts_as_much_adaptive_as_late(speech: Evidence) -> None:
    best = replace(speech, quality=Quality(present_share=1, level=1, freshness=1, confidence=1))
    assert math.isclose(ADAPTIVE(best), LATE(best))


def test_a_quality_that_is_unknown_counts_as_the_usual_one_which_has_the_late_weight() -> None:
    unknown, usual, worse = (
        replace(silent(Modality.TEXT), quality=Quality(confidence=confidence))
        for confidence in (None, 0.7, 0.6)
    )
    assert ADAPTIVE(unknown) == ADAPTIVE(usual) == LATE(usual)
    assert ADAPTIVE(worse) < ADAPTIVE(usual)


def test_worse_quality_also_lowers_the_weight_of_an_expert_with_a_low_limit() -> None:
    usual, worse = (
        replace(silent(Modality.TEXT), quality=Quality(confidence=confidence), weight_limit=0.1)
        for confidence in (0.7, 0.6)
    )
    assert ADAPTIVE(usual) == LATE(usual) == 0.1
    assert ADAPTIVE(worse) < ADAPTIVE(usual)


@pytest.mark.parametrize("slopes", [{"level": -0.1}, {"freshness": 1.0}, {"loudness": 1.0}])
def test_slopes_that_would_reward_bad_input_are_refused(slopes: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="at least 0 and one of"):
        QualitySlopes(slopes=slopes)


@both_ways
@given(opinions(Modality.SPEECH), opinions(Modality.TEXT))
def test_a_second_expert_of_the_same_opinion_has_no_vote_of_its_own(
    weigh: Weighting, speech: Evidence, text: Evidence
) -> None:
    once, twice = fuse([speech, text], weigh), fuse([speech, text, speech], weigh)
    np.testing.assert_allclose(twice.log_probs, once.log_probs, atol=1e-12)
    assert twice.shares == once.shares
    assert twice.pattern == once.pattern == "speech+text"


def test_experts_of_no_weight_share_it_evenly() -> None:
    nothing = Quality(present_share=0.0)
    evidence = [
        Evidence(
            modality=modality,
            expert="test",
            labels=EMOTIONS,
            log_probs=np.full(7, -math.log(7)),
            distress_log_odds=0.0,
            quality=nothing,
        )
        for modality in (Modality.SPEECH, Modality.TEXT)
    ]
    assert fuse(evidence).shares == {Modality.SPEECH: 0.5, Modality.TEXT: 0.5}


def test_experts_that_contradict_each_other_are_in_conflict() -> None:
    def sure(modality: Modality, label: Emotion) -> Evidence:
        logs = np.full(7, math.log(0.01 / 6))
        logs[EMOTIONS.index(label)] = math.log(0.99)
        return Evidence(
            modality=modality,
            expert="test",
            labels=EMOTIONS,
            log_probs=logs,
            distress_log_odds=None,
            quality=Quality(),
        )

    speech, text = sure(Modality.SPEECH, Emotion.ANGER), sure(Modality.TEXT, Emotion.JOY)
    assert fuse([speech, text]).conflict > 0.5
    assert fuse([speech, sure(Modality.TEXT, Emotion.ANGER)]).conflict < 1e-9


def test_nothing_is_not_fused() -> None:
    with pytest.raises(ValueError, match="no evidence"):
        fuse([])


distributions = st.lists(st.floats(0.01, 1), min_size=7, max_size=7).map(
    lambda raw: dict(zip(EMOTIONS, np.array(raw) / sum(raw), strict=True))
)


@given(distributions, st.floats(0, 1), st.floats(0, 1))
def test_a_label_is_named_only_where_it_is_likelier_than_all_others_and_few_others_are_possible(
    emotions: dict[Emotion, float], vacuity: float, threshold: float
) -> None:
    decision = decide(emotions, vacuity, threshold)
    assert decision.abstained == (decision.label is None)
    if decision.label is not None:
        assert emotions[decision.label] >= 0.5
        assert decision.label == decision.set[0]
        assert len(decision.set) <= WIDEST_SET
        assert vacuity < EMPTY


@given(distributions, st.floats(0, 1), st.floats(0, 1))
def test_a_laxer_threshold_only_adds_labels_and_the_likeliest_is_always_in(
    emotions: dict[Emotion, float], one: float, other: float
) -> None:
    strict, lax = sorted([one, other])
    narrow, wide = decide(emotions, 0.0, strict).set, decide(emotions, 0.0, lax).set
    assert set(narrow) <= set(wide)
    assert emotions[narrow[0]] == max(emotions.values())
    assert set(decide(emotions, 0.0, 1.0).set) == set(EMOTIONS)


def test_with_nothing_but_the_prior_every_label_is_possible() -> None:
    prior = dict(zip(EMOTIONS, np.exp(DEFAULT_PRIOR.log_shares), strict=True))
    decision = decide(prior, 1.0, 0.1)
    assert decision.abstained
    assert set(decision.set) == set(EMOTIONS) == set(nothing_to_decide().set)


@given(distributions)
def test_derived_figures_stay_in_their_bounds(emotions: dict[Emotion, float]) -> None:
    assert 0 <= arousal(emotions) <= 1
    assert -1 <= valence(emotions) <= 1


def test_arousal_is_undecided_where_nothing_speaks_of_it() -> None:
    only = dict.fromkeys(EMOTIONS, 0.0) | {Emotion.SURPRISE: 1.0}
    assert arousal(only) == 0.5
