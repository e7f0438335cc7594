"""What `train calibration` fits, on evidence whose truth is known."""

from pathlib import Path

import numpy as np
import pytest

from inference.evidence import Evidence, Quality
from inference.fusion.adaptive import AdaptiveWeighting, QualitySlopes
from inference.fusion.artefact import FusionArtefact
from inference.fusion.prior import EVEN_PRIOR
from inference.fusion.product_fuser import ProductFuser
from inference.labels import DISTRESS, EMOTIONS, NOT_DISTRESS, Emotion, Modality
from inference.training.calibration import Labelled, fit_slopes, pair, pair_loss, train_calibration

ITEMS = 280


def judged(modality: Modality, seed: int, *, noisy: bool = True) -> list[Labelled]:
    """Items of every label. A low level or confidence, on every other one, says it is a guess."""
    random = np.random.default_rng(seed)
    found = []
    for number in range(ITEMS):
        truth = EMOTIONS[number % len(EMOTIONS)]
        good = not noisy or number % 2 == 0
        called = truth if good else EMOTIONS[random.integers(len(EMOTIONS))]
        probs = np.array([0.7 if label is called else 0.05 for label in EMOTIONS])
        quality = 1.0 if good else 0.2
        found.append(
            Labelled(
                Evidence(
                    modality=modality,
                    expert=f"{modality}-1+abc",
                    labels=EMOTIONS,
                    log_probs=np.log(probs),
                    distress_log_odds=1.5 if called in DISTRESS else -1.5,
                    quality=(
                        Quality(present_share=1.0, level=quality)
                        if modality is Modality.SPEECH
                        else Quality(present_share=1.0, confidence=quality)
                    ),
                ),
                truth,
            )
        )
    return found


def test_the_loss_of_pairs_is_that_of_the_fuser_itself() -> None:
    pairs = pair(judged(Modality.SPEECH, 1), judged(Modality.TEXT, 2), 3)[:140]
    slopes = {Modality.SPEECH: QualitySlopes(slopes={"level": 2.0})}
    fuser = ProductFuser(AdaptiveWeighting(slopes), EVEN_PRIOR)
    by_label: dict[Emotion, list[float]] = {}
    for evidence, truth in pairs:
        fused = fuser.fuse(evidence)
        assert fused.distress is not None
        loss = -fused.log_probs[EMOTIONS.index(truth)]
        if truth in DISTRESS | NOT_DISTRESS:
            loss -= np.log(fused.distress if truth in DISTRESS else 1 - fused.distress)
        by_label.setdefault(truth, []).append(float(loss))
    expected = np.mean([np.mean(losses) for losses in by_label.values()])
    assert pair_loss(pairs, slopes) == pytest.approx(expected, rel=1e-12)


def test_pairs_share_their_label() -> None:
    lines = judged(Modality.TEXT, 2)
    truth_of = {id(one.evidence): one.truth for one in lines}
    for evidence, truth in pair(judged(Modality.SPEECH, 1), lines, 0):
        assert truth_of[id(evidence[1])] is truth


def test_bad_input_loses_weight_where_it_misleads() -> None:
    slopes = fit_slopes(pair(judged(Modality.SPEECH, 1), judged(Modality.TEXT, 2), 0))
    assert slopes[Modality.SPEECH].slopes["level"] > 1
    assert slopes[Modality.TEXT].slopes["confidence"] > 1


def test_thresholds_cover_as_promised_and_the_artefact_survives_its_file(tmp_path: Path) -> None:
    artefact = train_calibration(
        judged(Modality.SPEECH, 1), judged(Modality.TEXT, 2), seed=0, data="made up"
    )
    artefact.save(tmp_path)
    assert FusionArtefact.load(tmp_path) == artefact
    assert set(artefact.calibration.thresholds) == {"speech", "text", "speech+text", "shared"}
    assert artefact.calibration.temperatures == {}, "pairs calibrate no probabilities"
    again = train_calibration(
        judged(Modality.SPEECH, 1), judged(Modality.TEXT, 2), seed=0, data="made up"
    )
    assert again.digest == artefact.digest
