"""The experts run once before a worker is ready."""

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from inference.evidence import Absent, Evidence
from inference.experts.face import FaceExpert
from inference.experts.speech import SpeechExpert
from inference.experts.synthetic import synthetic_voice, synthetic_window
from inference.experts.text import TextExpert
from inference.experts.voice_activity import VoiceActivity
from inference.labels import AbsenceReason
from inference.scorer import Scored
from inference.window import WindowInput
from streams.cli import _scoring
from streams.settings import Settings
from streams.worker.scoring_thread import ScoringThread


class NotingScorer:
    """Notes the windows and on which thread they came."""

    look_back_ns: Mapping[object, int] = {}

    def __init__(self) -> None:
        self.windows: list[WindowInput] = []
        self.threads: list[str] = []

    def score(self, windows: Sequence[WindowInput], states: object) -> Scored:
        self.windows += windows
        self.threads.append(threading.current_thread().name)
        return Scored((), {}, ())


def test_the_synthetic_voice_is_taken_for_speech_throughout() -> None:
    voice = synthetic_voice()
    assert voice.shape == (48_000,)
    assert np.abs(voice).max() < 0.5
    assert VoiceActivity.load().detect(voice).voiced_samples > 0.8 * len(voice)


def test_the_synthetic_window_takes_every_expert_all_the_way() -> None:
    window = synthetic_window()
    (heard,) = SpeechExpert.load().assess([window])
    (read,) = TextExpert.load().assess([window])
    (seen,) = FaceExpert.load(None).assess([window])
    assert isinstance(heard, Evidence)
    assert isinstance(read, Evidence)
    assert isinstance(seen, Absent)
    assert seen.reason is AbsenceReason.NO_FACE  # decoded and looked at


async def test_warming_up_happens_on_the_scoring_thread_and_leaves_nothing() -> None:
    scorer = NotingScorer()
    thread = ScoringThread(scorer, "live")
    try:
        assert await thread.warm_up() >= 0.0
        assert await thread.provisional([]) == ()
    finally:
        thread.close()
    assert [window.run for window in scorer.windows] == ["warm-up"]
    assert set(scorer.threads) == {"scorer_0"}


async def test_a_worker_is_warm_before_it_runs(tmp_path: Path) -> None:
    scorer = NotingScorer()
    async with _scoring.scoring(
        Settings(),
        scorer=scorer,  # type: ignore[arg-type]
        engine=None,  # type: ignore[arg-type]
        cache=None,  # type: ignore[arg-type]
        output=None,  # type: ignore[arg-type]
        data_dir=tmp_path,
    ):
        assert len(scorer.windows) == 1
