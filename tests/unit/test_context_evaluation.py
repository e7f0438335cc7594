"""Context on built calls: who hears whom, what is compared, what earns its place."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest

from inference.context.filter import HiddenMarkovFilter
from inference.context.observation import Assumed
from inference.context.recurrent import RecurrentContext
from inference.context.smoothing import Smoothing
from inference.evaluation.built_calls import BuiltCall, NothingToSayError, Turn
from inference.evaluation.calls import HeardCall
from inference.evaluation.context import (
    FORGETFUL,
    RAW,
    WHOLE,
    NoWindowsError,
    Worth,
    evaluate_context,
    worth,
)
from inference.evaluation.heard_calls import Listeners, hear_call, known, pairs_of, wandering_calls
from inference.evaluation.pairs import Difference
from inference.evaluation.report import from_json, to_json
from inference.evidence import Absent, Evidence, Quality
from inference.fusion.prior import DEFAULT_PRIOR
from inference.labels import EMOTIONS, AbsenceReason, Emotion, Modality, Role
from inference.score import Distress
from inference.training.emodb import Category, Clip
from inference.units import SECOND_NS
from inference.window import SPEECH_RATE_HZ, WindowInput
from tests.context import network
from tests.scores import distressed

pytestmark = pytest.mark.unit

ASSUMED = Assumed(DEFAULT_PRIOR.log_shares, DEFAULT_PRIOR.distress_log_odds)
FILTER = HiddenMarkovFilter(ASSUMED)


def heard(seed: int) -> HeardCall:
    """A customer who is calm, angry from second 20 on, and calm from 40 on; windows err."""
    random = np.random.default_rng(seed)
    moods = [Emotion.NEUTRAL] * 20 + [Emotion.ANGER] * 20 + [Emotion.NEUTRAL] * 20
    turns = [
        Turn(Role.CUSTOMER, mood, at * SECOND_NS, (at + 1) * SECOND_NS, "")
        for at, mood in enumerate(moods)
    ]
    scores = []
    for at in range(57):
        said = moods[at + 1] if random.random() < 0.7 else Emotion(random.choice(EMOTIONS))
        emotions = {label: 0.6 if label is said else 0.0667 for label in EMOTIONS}
        probability = 0.4 if said is Emotion.ANGER else 0.05
        score = msgspec.structs.replace(
            distressed(at, start_ns=0),
            emotions=emotions,
            distress=Distress(probability=probability, smoothed=probability),
        )
        scores.append(score)
    call = BuiltCall(f"call-{seed}", Emotion.ANGER, np.zeros((2, 1), np.float32), tuple(turns))
    return HeardCall(call, tuple(scores), 0)


CALLS = [heard(seed) for seed in range(6)]


def test_every_method_is_judged_on_the_same_windows() -> None:
    contexts = {
        "smoothing": Smoothing(),
        "filter": FILTER,
        "recurrent": RecurrentContext.untrained(ASSUMED, network(0.0)),
    }
    report = evaluate_context({"wideband": CALLS}, contexts, {})
    groups = {name.removeprefix("wideband, "): one for name, one in report.by.group.items()}
    assert set(groups) == {
        RAW,
        *contexts,
        f"recurrent, {WHOLE}",
        f"recurrent, {FORGETFUL}",
    }
    assert len({one["n"] for one in groups.values()}) == 1
    assert groups["filter"]["nll_gain"] > 2 * groups["filter"]["nll_gain_se"] > 0
    for closed in ("recurrent", f"recurrent, {WHOLE}"):
        assert groups[closed]["nll"] == pytest.approx(groups[RAW]["nll"], abs=2e-3)
    assert from_json(to_json(report)) == report


def test_what_lasts_is_worth_remembering() -> None:
    found = worth(CALLS, FILTER)
    assert found.by_memory.gain > 2 * found.by_memory.error
    closed = worth(CALLS, RecurrentContext.untrained(ASSUMED, network(0.0)))
    assert not closed.earned


@pytest.mark.parametrize(
    ("nll", "memory", "accuracy", "earned"),
    [
        (0.1, 0.1, 0.0, True),
        (0.1, 0.01, 0.0, False),
        (0.01, 0.1, 0.0, False),
        (0.1, 0.1, -0.1, False),
    ],
)
def test_a_place_is_earned_by_memory_and_without_loss(
    nll: float, memory: float, accuracy: float, *, earned: bool
) -> None:
    gains = {"nll": nll, "accuracy": accuracy, "distress_auc": 0.0}
    over_raw = {name: Difference(gain, 0.02) for name, gain in gains.items()}
    assert Worth(over_raw, Difference(memory, 0.02)).earned is earned


def test_nothing_to_judge_is_said() -> None:
    with pytest.raises(NoWindowsError, match="no calls"):
        evaluate_context({}, {}, {})
    silent = HeardCall(CALLS[0].call, (), 0)
    with pytest.raises(NoWindowsError, match="1 calls"):
        worth([silent], FILTER)


def test_everybody_is_the_customer_in_turn_and_nobody_talks_to_themselves() -> None:
    casts = list(pairs_of(["a", "b", "c"], 6))
    assert [cast[Role.CUSTOMER] for cast in casts] == ["a", "b", "c"] * 2
    assert all(cast[Role.AGENT] != cast[Role.CUSTOMER] for cast in casts)
    assert len({(cast[Role.AGENT], cast[Role.CUSTOMER]) for cast in casts}) == 6


class Ear:
    """Hears how loud somebody is; distressed voices shout."""

    modality = Modality.SPEECH
    version = "ear"
    look_back_ns = 0

    def assess(self, windows: Sequence[WindowInput]) -> list[Evidence | Absent]:
        return [self._one(window) for window in windows]

    def _one(self, window: WindowInput) -> Evidence | Absent:
        loudest = max(float(np.abs(span.samples).max()) for span in window.audio)
        if loudest < 0.1:
            return Absent(Modality.SPEECH, AbsenceReason.SILENCE)
        said = Emotion.ANGER if loudest > 0.5 else Emotion.NEUTRAL
        return Evidence(
            modality=Modality.SPEECH,
            expert="ear",
            labels=(Emotion.ANGER, Emotion.NEUTRAL),
            log_probs=np.log([0.9, 0.1] if said is Emotion.ANGER else [0.1, 0.9]),
            distress_log_odds=2.0 if said is Emotion.ANGER else -2.0,
            quality=Quality(present_share=1.0),
        )


@pytest.mark.parametrize("over_telephone", [False, True])
def test_a_call_is_heard_party_by_party_in_order_of_time(*, over_telephone: bool) -> None:
    seconds = np.arange(6 * SPEECH_RATE_HZ) / SPEECH_RATE_HZ
    tone = np.sin(2 * np.pi * 800 * seconds).astype(np.float32)
    call = replace(CALLS[0].call, sound=np.stack([0.3 * tone, 0.9 * tone]))
    voices = {Role.AGENT: "08", Role.CUSTOMER: "16"}
    found = hear_call(call, voices, Listeners(Ear(), {"08": Ear()}), over_telephone=over_telephone)
    assert [(score.start_ns, score.role) for score in found.scores] == [
        (at * SECOND_NS, role) for at in range(4) for role in (Role.AGENT, Role.CUSTOMER)
    ]
    for score in found.scores:
        assert score.final
        assert score.emotions is not None
        shouts = score.emotions[Emotion.ANGER] > score.emotions[Emotion.JOY]
        assert shouts is (score.role is Role.CUSTOMER)
        assert not score.modalities[Modality.FACE].present


def test_training_knows_what_each_window_holds() -> None:
    call = known(CALLS[0])
    assert call.scores == CALLS[0].scores
    assert call.truths[0] is Emotion.NEUTRAL
    assert call.truths[25] is Emotion.ANGER


def test_a_voice_that_never_speaks_calmly_makes_no_call(tmp_path: Path) -> None:
    clips = [Clip(tmp_path / f"{one}a01Wa.wav", one, Category.ANGER) for one in ("08", "09")]
    with pytest.raises(NothingToSayError, match="neutral"):
        next(wandering_calls(clips, ["08", "09"], count=1, seed=0))
