"""Context: what the filter holds on to, what the network learns, which context is opened."""

from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch

from inference.context.artefact import WEIGHTS, load_context, save_context
from inference.context.carried import Carried, CarriedTooLargeError, encode
from inference.context.filter import HiddenMarkovFilter
from inference.context.observation import Assumed
from inference.context.opening import open_context
from inference.context.party_network import PartySizes
from inference.context.recurrent import RecurrentContext
from inference.context.smoothing import HALF_LIFE_NS, Smoothing
from inference.evidence import Absent, Evidence, Quality
from inference.fusion.prior import DEFAULT_PRIOR
from inference.labels import EMOTIONS, Emotion, Modality, Role
from inference.methods import Methods
from inference.networks.folder import WeightsError
from inference.score import Distress, WindowScore
from inference.scorer import Scorer
from inference.training.context import (
    CallTensors,
    KnownCall,
    TooFewCallsError,
    checkpoint_in,
    config_of,
    run,
    shut,
    train_context,
)
from inference.training.loop import Plan
from inference.units import SECOND_NS
from inference.window import WindowInput
from streams.cli._context import context_of
from streams.settings import Settings
from tests.context import SIZES, network
from tests.scores import distressed

pytestmark = pytest.mark.unit

ASSUMED = Assumed(DEFAULT_PRIOR.log_shares, DEFAULT_PRIOR.distress_log_odds)


def sure(index: int, emotion: Emotion, share: float = 0.7, participant: str = "p-1") -> WindowScore:
    """A window in which `emotion` is as likely as `share`."""
    rest = round((1 - share) / 6, 4)
    return msgspec.structs.replace(
        distressed(index, participant=participant),
        emotions={label: share if label is emotion else rest for label in EMOTIONS},
        distress=Distress(probability=0.05, smoothed=0.05),
    )


def told(context: Smoothing | HiddenMarkovFilter, scores: list[WindowScore]) -> list[float]:
    """What is said of anger."""
    state, found = b"", []
    for score in scores:
        report, state = context.advance(state, score)
        assert report is not None
        found.append(report.emotions[Emotion.ANGER])
    return found


def test_one_odd_window_does_not_turn_the_filter() -> None:
    scores = [sure(index, Emotion.ANGER, 0.8) for index in range(10)]
    scores[6] = sure(6, Emotion.JOY)
    anger = told(HiddenMarkovFilter(ASSUMED), scores)
    assert told(Smoothing(), [scores[6]]) == [0.05]
    assert anger[6] > 0.5


def test_after_a_gap_the_filter_begins_from_what_is_assumed() -> None:
    known = HiddenMarkovFilter(ASSUMED)
    before = [sure(index, Emotion.ANGER, 0.9) for index in range(10)]
    alone = told(known, [sure(400, Emotion.NEUTRAL, 0.7)])[-1]
    assert told(known, [*before, sure(400, Emotion.NEUTRAL, 0.7)])[-1] == pytest.approx(alone)
    assert told(known, [*before, sure(11, Emotion.NEUTRAL, 0.7)])[-1] > 3 * alone


def test_overlapping_windows_do_not_count_three_times() -> None:
    known = HiddenMarkovFilter(ASSUMED, half_life_ns=10**15)
    hopping = told(known, [sure(index, Emotion.ANGER, 0.3) for index in range(10)])
    apart = told(known, [sure(index, Emotion.ANGER, 0.3) for index in (0, 3, 6, 9)])
    assert hopping[9] == pytest.approx(apart[3], abs=2e-4)


def test_smoothing_halves_what_is_left_of_a_label_every_half_life() -> None:
    scores = [sure(0, Emotion.ANGER, 0.9)] + [
        sure(int(times * HALF_LIFE_NS / 1e9), Emotion.JOY, 0.94) for times in (1, 2)
    ]
    assert told(Smoothing(), scores) == pytest.approx([0.9, 0.455, 0.2325], abs=1e-3)


def test_the_state_of_the_usual_network_fits_beside_progress() -> None:
    context = RecurrentContext.untrained(ASSUMED, network(0.5, PartySizes()))
    _, state = context.advance(b"", distressed(0))
    assert 512 < len(state) <= 1024


def test_a_state_that_would_not_fit_is_refused_with_its_size() -> None:
    record = Carried(made_by="x" * 2000, until_ns=0)
    with pytest.raises(CarriedTooLargeError, match=r"20.. bytes .* 1024"):
        encode(record)


def test_none_is_no_context_and_the_others_are_named() -> None:
    assert open_context("none", ASSUMED) is None
    filtered = open_context("filter", ASSUMED)
    assert filtered is not None
    assert filtered.version == "filter-1+4s"
    recurrent = open_context("recurrent", ASSUMED)
    assert recurrent is not None
    assert recurrent.version == load_context(ASSUMED, WEIGHTS).version


def test_a_folder_without_weights_says_what_makes_them(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="affectstream train context"):
        open_context("recurrent", ASSUMED, tmp_path)


def lasting(seed: int) -> KnownCall:
    """A call whose windows lie at times, but what happens lasts: context must help."""
    random = np.random.default_rng(seed)
    either = (Emotion.ANGER, Emotion.JOY)
    truths = [either[(passage + seed) % 2] for passage in range(4) for _ in range(8)]
    heard = [truth if random.random() < 0.7 else either[random.integers(2)] for truth in truths]
    scores = [sure(index, emotion, 0.5) for index, emotion in enumerate(heard)]
    return KnownCall(tuple(scores), tuple(truths))


CALLS = [lasting(seed) for seed in range(12)]


def loss_of(context: RecurrentContext, calls: list[KnownCall]) -> float:
    losses = []
    for call in calls:
        state = b""
        for score, truth in zip(call.scores, call.truths, strict=True):
            report, state = context.advance(state, score)
            assert report is not None
            assert truth is not None
            losses.append(-np.log(report.emotions[truth]))
    return float(np.mean(losses))


def test_the_network_learns_what_lasts() -> None:
    plan = Plan(epochs=30, learning_rate=2e-2, patience=30, seed=1)
    trained, history = train_context(CALLS[:8], CALLS[8:], ASSUMED, plan, SIZES)
    before = loss_of(RecurrentContext.untrained(ASSUMED, network(0.0)), CALLS[8:])
    assert loss_of(RecurrentContext.untrained(ASSUMED, trained), CALLS[8:]) < before - 0.1
    assert history.epochs[history.best].judged < history.epochs[0].judged
    shut(trained)
    closed = loss_of(RecurrentContext.untrained(ASSUMED, trained), CALLS[8:])
    assert closed == pytest.approx(before, abs=1e-3)


def test_training_is_the_same_twice_and_is_read_back_as_it_was_judged(tmp_path: Path) -> None:
    plan = Plan(epochs=2, seed=3)
    once, history = train_context(CALLS[:4], CALLS[4:6], ASSUMED, plan, SIZES)
    twice, _ = train_context(CALLS[:4], CALLS[4:6], ASSUMED, plan, SIZES)
    for one, other in zip(once.parameters(), twice.parameters(), strict=True):
        assert torch.equal(one, other)
    config = config_of(once, data="made up", seed=3, calls=4, history=history)
    digest = save_context(tmp_path, config, once)
    loaded = load_context(ASSUMED, tmp_path)
    assert loaded.version == f"recurrent-1+{digest}"
    direct = RecurrentContext(once, ASSUMED, loaded.version)
    assert loaded.advance(b"", distressed(0)) == direct.advance(b"", distressed(0))
    assert not checkpoint_in(tmp_path).exists()


def test_training_reads_a_call_as_the_worker_does() -> None:
    """The batched network of training and the one that goes window by window agree."""
    made = network(0.8)
    context = RecurrentContext.untrained(ASSUMED, made)
    scores = tuple(
        sure(index, (Emotion.ANGER, Emotion.JOY)[index % 2], participant=party)
        for index in range(5)
        for party in ("a", "b")
    )
    call = KnownCall(scores, (None,) * len(scores))
    tensors = CallTensors.of(call, ASSUMED)
    short = CallTensors.of(KnownCall(scores[:3], (None,) * 3), ASSUMED)
    with torch.no_grad():
        residual = run(made, [tensors, short], torch.tensor([False, True]))[0]
    logits = tensors.base + residual
    states = {"a": b"", "b": b""}
    for score, row in zip(scores, logits, strict=True):
        report, states[score.participant] = context.advance(states[score.participant], score)
        assert report is not None
        expected = row[:-1].softmax(dim=0)
        for place, label in enumerate(EMOTIONS):
            assert report.emotions[label] == pytest.approx(float(expected[place]), abs=1e-4)


def test_too_few_calls_are_refused() -> None:
    with pytest.raises(TooFewCallsError, match="1 calls to learn from and 2"):
        train_context(CALLS[:1], CALLS[1:3], ASSUMED, Plan(epochs=1), SIZES)


class Shouting:
    """Hears anger in every window."""

    modality = Modality.SPEECH
    version = "shouting"
    look_back_ns = 0

    def assess(self, windows: Sequence[WindowInput]) -> list[Evidence | Absent]:
        heard = Evidence(
            modality=Modality.SPEECH,
            expert="shouting",
            labels=(Emotion.ANGER, Emotion.NEUTRAL),
            log_probs=np.log([0.9, 0.1]),
            distress_log_odds=2.0,
            quality=Quality(present_share=1.0),
        )
        return [heard for _ in windows]


@pytest.mark.parametrize("name", ["filter", "recurrent"])
def test_the_scorer_puts_context_beside_a_score_that_stays_what_it_was(name: str) -> None:
    settings = Settings(context=name, _env_file=None)
    context = context_of(settings)
    assert context is not None
    windows = [
        WindowInput(
            tenant="acme",
            run="live",
            conversation="c-1",
            participant="p-1",
            role=Role.CUSTOMER,
            start_ns=at * SECOND_NS,
            end_ns=(at + 3) * SECOND_NS,
        )
        for at in range(6)
    ]
    raw = Scorer([Shouting()]).score(windows, {}).scores
    scorer = Scorer([Shouting()], methods=Methods(context=context))
    whole = scorer.score(windows, {})
    first = scorer.score(windows[:2], {})
    assert whole.scores[2:] == scorer.score(windows[2:], first.states).scores
    for score, before in zip(whole.scores, raw, strict=True):
        assert score.context is not None
        assert score.versions.methods == {"context": context.version}
        assert msgspec.structs.replace(score, context=None, versions=before.versions) == before
    state = b""  # a stored conversation that is played again gives what it gave live
    for score in whole.scores:
        report, state = context.advance(state, score)
        assert report == score.context


def test_settings_ask_for_no_context_unless_told_otherwise() -> None:
    assert context_of(Settings(_env_file=None)) is None
