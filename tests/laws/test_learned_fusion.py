"""Laws of learned fusion: what holds of the product holds of every network beside it."""

import math
from dataclasses import asdict, replace

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor

from inference.evidence import Evidence, Features, Quality
from inference.fusion.batch import FusionBatch
from inference.fusion.contract import Fused
from inference.fusion.evidential import EvidentialNetwork
from inference.fusion.late import FULL_WEIGHT
from inference.fusion.learned import BATCH, LearnedFuser
from inference.fusion.learned_artefact import LearnedName
from inference.fusion.network import FusionNetwork
from inference.fusion.prior import DEFAULT_PRIOR
from inference.fusion.reading import QUALITIES, Reading
from inference.labels import EMOTIONS, Modality
from inference.score import DECIMALS
from tests.fusers import CORE, LEARNED, OWN, TINY, VOICE, WORDS, config_of, fuser_of, network_of

FUSERS: dict[LearnedName, LearnedFuser] = {}
EXACT, CLOSE = 1e-12, 1e-6
pytestmark = pytest.mark.laws
every_fuser = pytest.mark.parametrize("fusion", LEARNED)
quick = settings(max_examples=15)
parts = st.none() | st.floats(0, 1)
qualities = st.builds(Quality, present_share=parts, level=parts, freshness=parts, confidence=parts)
SIZES = {VOICE: 6, WORDS: 4}
SPACES = {Modality.SPEECH: VOICE, Modality.TEXT: WORDS, Modality.FACE: "blendshapes-52"}


def fuser(fusion: LearnedName) -> LearnedFuser:
    """Made once: nothing of it changes."""
    if fusion not in FUSERS:
        FUSERS[fusion] = fuser_of(fusion)
    return FUSERS[fusion]


@st.composite
def features(draw: st.DrawFn, space: str) -> Features:
    size = SIZES.get(space, 52)
    draws = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    tokens = draws.normal(size=(draw(st.integers(1, 5)), size)).astype(np.float32)
    return Features(space=space, vector=tokens.mean(axis=0), tokens=tokens)


@st.composite
def opinions(draw: st.DrawFn, modality: Modality, *, numbers: bool | None = None) -> Evidence:
    labels = tuple(draw(st.permutations(EMOTIONS)))[: draw(st.integers(2, 7))]
    logits = np.array(draw(st.lists(st.floats(-6, 6), min_size=len(labels), max_size=len(labels))))
    known = draw(st.booleans()) if numbers is None else numbers
    return Evidence(
        modality=modality,
        expert="test",
        labels=labels,
        log_probs=logits - math.log(np.exp(logits).sum()),
        distress_log_odds=draw(st.none() | st.floats(-6, 6)),
        quality=draw(qualities),
        weight_limit=draw(st.floats(0, 1.5)),
        features=draw(features(SPACES[modality])) if known else None,
    )


windows = st.lists(st.sampled_from(Modality), min_size=1, unique=True).flatmap(
    lambda modalities: st.tuples(*(opinions(modality) for modality in modalities))
)


def silent(modality: Modality, numbers: Features | None = None) -> Evidence:
    """An expert that is there and says nothing, whatever it read."""
    return Evidence(
        modality=modality,
        expert="silent",
        labels=EMOTIONS,
        log_probs=np.full(7, -math.log(7)),
        distress_log_odds=None,
        quality=Quality(),
        features=numbers,
    )


def assert_same(one: Fused, other: Fused, *, shares: bool = True) -> None:
    np.testing.assert_array_equal(one.log_probs, other.log_probs)
    assert (one.distress, one.conflict, one.vacuity) == (
        other.distress,
        other.conflict,
        other.vacuity,
    )
    if shares:
        assert (one.shares, one.pattern) == (other.shares, other.pattern)


@every_fuser
@quick
@given(windows)
def test_an_estimate_is_a_distribution_and_its_figures_stay_in_their_bounds(
    fusion: LearnedName, evidence: tuple[Evidence, ...]
) -> None:
    fused = fuser(fusion).fuse(evidence)
    assert math.isclose(np.exp(fused.log_probs).sum(), 1)
    assert math.isclose(sum(fused.shares.values()), 1)
    assert all(share >= 0 for share in fused.shares.values())
    assert fused.distress is None or 0 <= fused.distress <= 1


@every_fuser
@quick
@given(windows, st.data())
def test_the_order_of_the_experts_does_not_matter(
    fusion: LearnedName, evidence: tuple[Evidence, ...], data: st.DataObject
) -> None:
    turned = data.draw(st.permutations(evidence))
    assert_same(fuser(fusion).fuse(turned), fuser(fusion).fuse(evidence))


@every_fuser
@quick
@given(windows, st.sampled_from(Modality), st.data())
def test_an_expert_that_says_nothing_changes_nothing(
    fusion: LearnedName, evidence: tuple[Evidence, ...], modality: Modality, data: st.DataObject
) -> None:
    heard = [one for one in evidence if np.ptp(one.log_probs) > 0.01]
    assume(heard)
    nobody = silent(modality, data.draw(st.none() | features(SPACES[modality])))
    alone, beside = fuser(fusion).fuse(heard), fuser(fusion).fuse([*heard, nobody])
    np.testing.assert_allclose(beside.log_probs, alone.log_probs, atol=EXACT)
    assert beside.distress == alone.distress
    assert math.isclose(beside.conflict, alone.conflict, abs_tol=EXACT)
    assert math.isclose(beside.vacuity, alone.vacuity)


@every_fuser
@quick
@given(windows, st.data())
def test_a_second_expert_of_the_same_opinion_has_no_vote_of_its_own(
    fusion: LearnedName, evidence: tuple[Evidence, ...], data: st.DataObject
) -> None:
    twice = [*evidence, data.draw(st.sampled_from(evidence))]
    once, more = fuser(fusion).fuse(evidence), fuser(fusion).fuse(twice)
    np.testing.assert_allclose(more.log_probs, once.log_probs, atol=EXACT)
    assert more.shares == once.shares
    assert more.pattern == once.pattern


@every_fuser
@quick
@given(windows, st.data())
def test_labels_follow_their_names_and_not_their_places(
    fusion: LearnedName, evidence: tuple[Evidence, ...], data: st.DataObject
) -> None:
    renamed = []
    for one in evidence:
        turn = data.draw(st.permutations(range(len(one.labels))))
        labels = tuple(one.labels[place] for place in turn)
        renamed.append(replace(one, labels=labels, log_probs=one.log_probs[list(turn)]))
    assert_same(fuser(fusion).fuse(renamed), fuser(fusion).fuse(evidence))


@every_fuser
@quick
@given(st.tuples(*(opinions(modality, numbers=True) for modality in Modality)), st.data())
def test_worse_quality_of_an_expert_never_raises_its_share(
    fusion: LearnedName, evidence: tuple[Evidence, ...], data: st.DataObject
) -> None:
    place = data.draw(st.integers(0, len(evidence) - 1))
    better = evidence[place]
    worse = {
        name: None if value is None else value * data.draw(st.floats(0, 1), label=name)
        for name, value in asdict(better.quality).items()
    }
    lowered = list(evidence)
    lowered[place] = replace(better, quality=Quality(**worse))
    before, after = fuser(fusion).fuse(evidence), fuser(fusion).fuse(lowered)
    weighed = sum(CORE.weigh(one) for one in lowered)
    assume(weighed > CLOSE)  # shares of no weight at all are even
    assert after.shares[better.modality] <= before.shares[better.modality] + CLOSE


@every_fuser
@quick
@given(st.lists(windows, min_size=1, max_size=2 * BATCH + 1))
def test_a_window_is_fused_the_same_alone_and_in_company(
    fusion: LearnedName, company: list[tuple[Evidence, ...]]
) -> None:
    together = fuser(fusion).fuse_many(company)
    for evidence, one in zip(company, together, strict=True):
        assert_rounded_same(fuser(fusion).fuse(evidence), one)


@pytest.mark.parametrize("fusion", ["feature", "attention", "hybrid"])
def test_a_network_of_the_shipped_size_gives_the_same_alone_and_in_company(
    fusion: LearnedName,
) -> None:
    whole = fuser_of(fusion, OWN, width=256)
    draws = np.random.default_rng(3)
    company = [_spoken(draws) for _ in range(4 * BATCH)]
    alone = [whole.fuse(evidence) for evidence in company]
    for shift in (0, 1, 4):
        turned = company[shift:] + company[:shift]
        expected = alone[shift:] + alone[:shift]
        for one, other in zip(whole.fuse_many(turned), expected, strict=True):
            assert_rounded_same(one, other)


def _spoken(draws: np.random.Generator) -> list[Evidence]:
    """Voice and words as the shipped experts would give them."""
    return [
        Evidence(
            modality=reading.modality,
            expert="test",
            labels=EMOTIONS,
            log_probs=np.log(draws.dirichlet(np.full(7, 0.5)) + 1e-6),
            distress_log_odds=float(draws.normal()),
            quality=Quality(present_share=float(draws.uniform(0.1, 1))),
            features=Features.whole(
                reading.space, draws.normal(size=reading.width).astype(np.float32)
            ),
        )
        for reading in OWN
    ]


def assert_rounded_same(one: Fused, other: Fused) -> None:
    """As a score would store them: the same to the bit once rounded."""
    np.testing.assert_array_equal(
        np.round(np.exp(one.log_probs), DECIMALS), np.round(np.exp(other.log_probs), DECIMALS)
    )
    rounded = [
        (
            None if fused.distress is None else round(fused.distress, DECIMALS),
            {name: round(share, DECIMALS) for name, share in fused.shares.items()},
        )
        for fused in (one, other)
    ]
    assert rounded[0] == rounded[1]


@every_fuser
@quick
@given(opinions(Modality.FACE), opinions(Modality.SPEECH, numbers=True))
def test_what_a_network_was_not_trained_on_joins_by_the_product(
    fusion: LearnedName, face: Evidence, speech: Evidence
) -> None:
    alone, beside = fuser(fusion).fuse([speech]), fuser(fusion).fuse([speech, face])
    (group,) = CORE.groups([face])
    gained = beside.log_probs - alone.log_probs - group.weight * group.support
    np.testing.assert_allclose(gained, gained[0], atol=1e-9)


@every_fuser
@quick
@given(opinions(Modality.FACE), opinions(Modality.SPEECH, numbers=False))
def test_where_a_network_reads_nothing_the_product_speaks(
    fusion: LearnedName, face: Evidence, speech: Evidence
) -> None:
    elsewhere = replace(speech, features=Features.whole("voice-2", np.ones(2, np.float32)))
    unread = [[face]] if fusion == "evidential" else [[face], [speech], [elsewhere, face]]
    for evidence in unread:  # the evidential network reads support, whatever the numbers
        assert_same(fuser(fusion).fuse(evidence), CORE.fuse(evidence))


@every_fuser
@pytest.mark.parametrize("value", [math.nan, math.inf, 3e38])
def test_numbers_that_are_none_are_never_read(fusion: LearnedName, value: float) -> None:
    vector = np.array([value, -value, 0, 1, 2, 3], np.float32)
    words = replace(
        silent(Modality.TEXT), log_probs=np.log(np.array([0.4, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1]))
    )
    evidence = [replace(words, modality=Modality.SPEECH, features=Features.whole(VOICE, vector))]
    fused = fuser(fusion).fuse(evidence)
    assert np.isfinite(fused.log_probs).all()
    assert math.isclose(np.exp(fused.log_probs).sum(), 1)


@every_fuser
def test_nothing_is_not_fused(fusion: LearnedName) -> None:
    with pytest.raises(ValueError, match="no evidence"):
        fuser(fusion).fuse_many([[silent(Modality.TEXT)], []])


@quick
@given(st.lists(windows, min_size=1, max_size=3))
def test_on_day_one_the_hybrid_is_the_product_to_the_bit(
    company: list[tuple[Evidence, ...]],
) -> None:
    untrained = fuser_of("hybrid", stirred=False)
    for one, other in zip(untrained.fuse_many(company), CORE.fuse_many(company), strict=True):
        assert_same(one, other)


# of networks, on tensors: any labels, any spaces, with and without numbers

SUPPORT_ALONE = (Reading(modality=Modality.SPEECH), Reading(modality=Modality.FACE))
NETWORKS: dict[tuple[LearnedName, int], FusionNetwork] = {
    (fusion, labels): network_of(config_of(fusion, readings, labels=["label"] * labels))
    for fusion in LEARNED
    for labels, readings in ((7, TINY), (8, TINY), (6, SUPPORT_ALONE))
}
every_network = pytest.mark.parametrize(
    "network", NETWORKS.values(), ids=[f"{name}, {labels} labels" for name, labels in NETWORKS]
)


def batch_of(network: FusionNetwork, seed: int, size: int = 5) -> FusionBatch:
    """Windows of which anything may be absent."""
    draws = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(shape, generator=draws)

    readings, count = network.readings, len(network.readings)
    present = torch.rand((size, count), generator=draws) < 0.6
    tokens = tuple(normal(size, reading.tokens, reading.width) for reading in readings)
    there = tuple(torch.rand((size, one.tokens), generator=draws) < 0.7 for one in readings)
    batch = FusionBatch.of_vectors(
        normal(size, count, network.labels),
        present,
        [one.mean(dim=1) for one in tokens],
        distress=normal(size, count),
        weight=torch.rand((size, count), generator=draws),
        quality=torch.rand((size, count, len(QUALITIES)), generator=draws),
    )
    first = tuple(torch.arange(one.tokens)[None] == 0 for one in readings)
    return replace(
        batch,
        tokens=tokens,
        token_present=tuple(one | keep for one, keep in zip(there, first, strict=True)),
    )


def answers(network: FusionNetwork, batch: FusionBatch) -> list[Tensor]:
    said = network(batch)
    shares = [] if said.shares is None else [said.shares]
    return [said.logits, said.distress, said.z, said.hidden, *shares]


@every_network
@quick
@given(seed=st.integers(0, 2**32 - 1))
def test_what_is_absent_is_never_read(network: FusionNetwork, seed: int) -> None:
    batch = batch_of(network, seed)
    behind = ~batch.present
    poisoned = replace(
        batch,
        support=batch.support.masked_fill(behind[..., None], math.nan),
        distress=batch.distress.masked_fill(behind, math.nan),
        quality=batch.quality.masked_fill(behind[..., None], math.nan),
        vectors=tuple(
            one.masked_fill(behind[:, place, None], math.nan)
            for place, one in enumerate(batch.vectors)
        ),
        tokens=tuple(
            one.masked_fill(~(there & batch.present[:, place, None])[..., None], math.nan)
            for place, (one, there) in enumerate(
                zip(batch.tokens, batch.token_present, strict=True)
            )
        ),
    )
    for one, other in zip(answers(network, poisoned), answers(network, batch), strict=True):
        assert torch.equal(one, other)
        assert other.isfinite().all()


@every_network
@quick
@given(seed=st.integers(0, 2**32 - 1))
def test_a_window_in_which_nothing_is_present_adds_nothing_to_the_prior(
    network: FusionNetwork, seed: int
) -> None:
    batch = batch_of(network, seed)
    said = network(batch.without(torch.ones_like(batch.present)))
    assert said.logits.abs().max() < CLOSE
    assert said.distress.abs().max() == 0


@every_network
@quick
@given(seed=st.integers(0, 2**32 - 1))
def test_what_is_heard_ever_less_fades_to_the_prior(network: FusionNetwork, seed: int) -> None:
    batch = batch_of(network, seed)
    faint = network(replace(batch, weight=torch.full_like(batch.weight, 1e-5)))
    assert faint.logits.abs().max() < 1e-2


@every_network
@quick
@given(seed=st.integers(0, 2**32 - 1))
def test_shares_of_what_is_present_sum_to_one(network: FusionNetwork, seed: int) -> None:
    batch = batch_of(network, seed).masked()
    shares = network(batch).shares
    if shares is not None:
        assert torch.allclose(shares.sum(-1), batch.present.any(-1).float(), atol=CLOSE)
        assert (shares[~batch.present] == 0).all()


def test_z_halves_into_what_is_shared_and_what_is_private() -> None:
    network = NETWORKS["attention", 7]
    said = network(batch_of(network, 0))
    assert said.shared.shape == said.private.shape == (5, 2, 8)
    assert torch.equal(torch.cat([said.shared, said.private], dim=-1), said.z)


def evidential(seed: int, labels: int = 7) -> tuple[EvidentialNetwork, FusionBatch]:
    network = NETWORKS["evidential", labels]
    assert isinstance(network, EvidentialNetwork)
    return network, batch_of(network, seed)


@quick
@given(st.integers(0, 2**32 - 1), st.integers(0, 6), st.floats(0, 4))
def test_more_support_of_a_label_never_makes_it_less_likely(
    seed: int, label: int, more: float
) -> None:
    network, batch = evidential(seed)
    raised = batch.support.clone()
    raised[:, 0, label] += more
    before, after = (network(replace(batch, support=one)) for one in (batch.support, raised))
    # what is added is log(p / prior), so a label's own is its probability up to a constant
    assert (after.logits[:, label] >= before.logits[:, label] - 1e-5).all()


@quick
@given(st.integers(0, 2**32 - 1))
def test_evidence_combines_as_dempsters_reduced_rule_does_two_at_a_time(seed: int) -> None:
    network, batch = evidential(seed)
    found = network.opinions(batch)
    trust = batch.masked().weight.clamp(max=1.0)[..., None]
    strength = found.alpha.sum(dim=-1, keepdim=True)
    belief = trust * (found.alpha - 1) / strength
    doubt = 1 - belief.sum(dim=-1, keepdim=True)
    (one, other), (u, v) = belief.unbind(dim=1), doubt.unbind(dim=1)
    agreed = one * other + one * v + other * u  # Han et al. 2021, eq. 5, before 1 / (1 - conflict)
    total = agreed.sum(dim=-1, keepdim=True) + u * v
    assert torch.allclose(found.belief, agreed / total, atol=1e-5)
    assert torch.allclose(found.uncertainty, u * v / total, atol=1e-5)
    assert torch.allclose(
        found.belief.sum(-1) + found.uncertainty.squeeze(-1), torch.ones(len(batch)), atol=1e-5
    )


@quick
@given(st.integers(0, 2**32 - 1))
def test_modalities_without_support_hold_no_evidence_and_leave_the_prior(seed: int) -> None:
    network, batch = evidential(seed)
    vacuous = replace(batch, support=torch.zeros_like(batch.support))
    opinions_ = network.opinions(vacuous)
    assert torch.equal(opinions_.alpha, torch.ones_like(opinions_.alpha))
    assert network(vacuous).logits.abs().max() < CLOSE


@quick
@given(opinions(Modality.SPEECH, numbers=True))
def test_a_network_says_nothing_of_a_voice_without_weight(speech: Evidence) -> None:
    unheard = replace(speech, quality=Quality(present_share=0.0))
    for fusion in LEARNED:
        fused = fuser(fusion).fuse([unheard])
        np.testing.assert_allclose(fused.log_probs, DEFAULT_PRIOR.log_shares, atol=EXACT)


def test_a_batch_has_the_full_late_weight_where_none_is_given() -> None:
    batch = FusionBatch.of_vectors(
        torch.zeros(2, 1, 7), torch.ones(2, 1).bool(), [torch.ones(2, 3)]
    )
    assert (batch.weight == FULL_WEIGHT).all()
    assert (batch.gain == 1).all()
    assert len(batch.rows(torch.tensor([1]))) == 1


def test_a_modality_keeps_a_token_however_many_are_dropped() -> None:
    network = NETWORKS["attention", 7]
    batch = batch_of(network, 1)
    bare = batch.without_tokens([torch.ones_like(one) for one in batch.token_present])
    for before, after in zip(batch.token_present, bare.token_present, strict=True):
        assert torch.equal(after.sum(dim=1), before.any(dim=1).long())
    untouched = batch.without_tokens([torch.zeros_like(one) for one in batch.token_present])
    assert all(
        torch.equal(*pair)
        for pair in zip(batch.token_present, untouched.token_present, strict=True)
    )
