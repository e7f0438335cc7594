from pathlib import Path

import numpy as np
import pytest

from inference.evaluation.line_forms import Ears, Form, carried
from inference.evaluation.telephone import (
    COMPARED,
    evaluate_telephone,
    recordings,
    with_losses,
    worst,
)
from inference.experts.speech_head import SpeechHead
from inference.experts.voice_activity import VoiceActivity
from inference.experts.voice_encoder import VoiceEncoder
from inference.training.emodb import find_clips

EVERY = 6
"""Every sixth recording: all speakers and categories."""


def _figures(uar: float, distress: float, arousal: float) -> dict[str, float]:
    return {"uar": uar, "distress_auc": distress, "arousal_auc": arousal}


def test_a_loss_is_what_the_clean_recordings_do_better_in_points() -> None:
    by_form = with_losses(
        {Form.CLEAN: _figures(0.8, 0.9, 0.95), Form.A_LAW: _figures(0.75, 0.92, 0.95)}
    )
    assert by_form[Form.CLEAN] == _figures(0.8, 0.9, 0.95)
    lost = {name: by_form[Form.A_LAW][f"{name}_points_lost"] for name in COMPARED}
    assert lost == pytest.approx({"uar": 5.0, "distress_auc": -2.0, "arousal_auc": 0.0})


def test_the_headline_is_the_worst_of_all() -> None:
    groups = {
        "one, clean": _figures(0.8, 0.9, 0.95),
        "one, A-law": {"uar_points_lost": 5.0, "distress_auc_points_lost": 3.0},
        "two, A-law": {"uar_points_lost": 1.0, "distress_auc_points_lost": 3.5},
    }
    assert worst(groups) == {
        "most_uar_points_lost": 5.0,
        "most_distress_auc_points_lost": 3.5,
        "over_3_points": 2.0,
    }


def test_every_form_is_another_sound_and_by_its_seed() -> None:
    samples = np.random.default_rng(0).normal(0, 0.1, 48_000).astype(np.float32)
    heard = [carried(samples, form, np.random.default_rng(1)) for form in Form]
    again = [carried(samples, form, np.random.default_rng(1)) for form in Form]
    for first, (one, same) in enumerate(zip(heard, again, strict=True)):
        assert one.shape == samples.shape
        assert np.array_equal(one, same)
        assert not any(np.array_equal(one, other) for other in heard[:first])


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_telephone_costs_little_of_what_strangers_say(shared_data: Path) -> None:
    clips = find_clips(shared_data / "speech")[::EVERY]
    heard: list[None] = []
    ears = Ears(VoiceEncoder.load(), VoiceActivity.load(), lambda: heard.append(None))
    report = evaluate_telephone(clips, (), SpeechHead.load(), ears, seed=0, draws=1)
    assert len(heard) == recordings(clips, ())
    for corpus in ("EmoDB, recipe", "EmoDB, shipped, held-out speakers"):
        assert "uar_points_lost" not in report.by.group[f"{corpus}, clean"]
        for form in Form:
            figures = report.by.group[f"{corpus}, {form.value}"]
            assert figures["arousal_auc"] >= 0.9
            assert (figures["sounds_like_telephone"] > 0.5) is (form is not Form.CLEAN)
    assert report.metrics == worst(report.by.group)
