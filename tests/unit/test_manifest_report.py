import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from inference.calibration.patterns import PatternCalibration
from inference.evaluation.item_windows import picture_windows, sound_windows, starts, text_window
from inference.evaluation.manifest_report import judge_manifest, read
from inference.evaluation.report import from_json, to_json
from inference.evidence import Absent, Evidence, Quality
from inference.experts.speech import SpeechExpert
from inference.experts.text import TextExpert
from inference.fusion.artefact import UNCALIBRATED
from inference.fusion.late import LateWeighting
from inference.fusion.prior import EVEN_PRIOR
from inference.fusion.product_fuser import ProductFuser
from inference.labels import AbsenceReason, Emotion, Modality
from inference.training.audio_file import read_audio
from inference.training.manifest import Item, Manifest, read_manifest
from inference.units import SECOND_NS
from inference.window import CameraFrame, WindowInput

CLIPS = Path(__file__).parents[1] / "data" / "emodb"
FUSER = UNCALIBRATED.default
KNOWN = (Emotion.ANGER, Emotion.JOY, Emotion.NEUTRAL)


@dataclass(frozen=True)
class Believer:
    """Believes the word that it reads, three to one against each other label that it knows."""

    modality: Modality = Modality.TEXT
    version: str = "believer-1"
    look_back_ns: int = 0

    def assess(self, windows: Sequence[WindowInput]) -> list[Evidence | Absent]:
        return [self._assess(window.words[0].text) for window in windows]

    def _assess(self, word: str) -> Evidence | Absent:
        if word not in KNOWN:
            return Absent(Modality.TEXT, AbsenceReason(word or "silence"))
        return Evidence(
            modality=Modality.TEXT,
            expert=self.version,
            labels=KNOWN,
            log_probs=np.log([0.6 if label == word else 0.2 for label in KNOWN]),
            distress_log_odds=1.0 if word == "anger" else -1.0,
            quality=Quality(),
        )


def manifest(*rows: tuple[str, str], **groups: Sequence[str]) -> Manifest:
    """Items of (text, label), every one by a speaker of its own."""
    return Manifest(
        items=tuple(
            Item(
                line=number + 2,
                path=None,
                text=text,
                label=Emotion(label),
                speaker=f"s{number}",
                language="en",
                groups={column: values[number] for column, values in groups.items()},
            )
            for number, (text, label) in enumerate(rows)
        )
    )


def words(item: Item) -> list[WindowInput]:
    return [text_window(item.text, item.language)]


def test_items_that_were_not_read_are_counted_by_reason_and_get_the_prior() -> None:
    report = judge_manifest(
        manifest(("anger", "anger"), ("joy", "joy"), ("", "joy"), ("failed", "neutral")),
        Believer(),
        words,
        FUSER,
    ).report
    assert report.by.group["absent"] == {"failed": 1.0, "silence": 1.0}
    assert report.by.pattern["text"]["n"] == 2.0
    assert report.by.pattern["text"]["accuracy"] == 1.0
    assert report.metrics["accuracy"] == 0.75  # who says nothing calls neutral
    assert report.metrics["nll"] == pytest.approx(-(math.log(0.6) + math.log(1 / 3)) / 2)
    assert report.metrics["mean_set_size"] == 3.0  # without a threshold nothing is ruled out
    assert from_json(to_json(report)) == report


def test_an_expert_that_read_nothing_has_only_the_prior() -> None:
    report = judge_manifest(manifest(("", "joy"), ("", "joy")), Believer(), words, FUSER).report
    assert report.by.pattern == {}
    assert report.metrics["accuracy"] == 0.0
    assert report.metrics["nll"] == pytest.approx(math.log(7))
    assert "distress_auc" not in report.metrics


def test_a_label_that_the_expert_does_not_know_keeps_its_prior() -> None:
    judged = judge_manifest(
        manifest(("anger", "anger"), ("anger", "surprise")), Believer(), words, FUSER
    )
    assert judged.rows.names == ("neutral", "anger", "joy", "surprise")
    probs = np.exp(judged.rows.log_probs)
    assert probs[:, 3] == pytest.approx([0.25, 0.25])
    assert probs[0] == pytest.approx([0.15, 0.45, 0.15, 0.25])


def test_each_value_of_a_column_has_its_figures_and_intervals() -> None:
    said = [("anger", "anger"), ("joy", "anger")] * 6
    report = judge_manifest(manifest(*said, sex=["f", "m"] * 6), Believer(), words, FUSER).report
    assert report.by.group["sex=f"]["accuracy"] == 1.0
    assert report.by.group["sex=m"]["accuracy"] == 0.0
    assert report.by.group["sex=m"]["n"] == 6.0
    assert report.intervals
    assert (report.intervals.unit, report.intervals.units) == ("speaker", 12)
    low, high = report.intervals.metrics["accuracy"]
    assert 0.0 < low < 0.5 < high < 1.0
    assert report.intervals.group["sex=f"]["accuracy"] == (1.0, 1.0)
    assert set(report.metrics) - set(report.intervals.metrics) == {"expected_ece"}


def test_the_windows_of_an_item_are_averaged_where_the_expert_was_present() -> None:
    windows = [text_window(word) for word in ("anger", "", "joy", "joy")]
    reading = read(Believer(), windows)
    assert isinstance(reading, Evidence)
    said = dict(zip(reading.labels, reading.log_probs - reading.log_probs[2], strict=True))
    third = math.log(3) / 3
    assert said == pytest.approx({Emotion.ANGER: third, Emotion.JOY: 2 * third, Emotion.NEUTRAL: 0})
    assert np.exp(reading.log_probs).sum() == pytest.approx(1.0)
    assert reading.distress_log_odds == pytest.approx(-1 / 3)


def test_an_item_that_was_nowhere_read_has_its_commonest_reason() -> None:
    windows = [text_window(word) for word in ("", "failed", "failed")]
    assert read(Believer(), windows) is AbsenceReason.FAILED
    assert read(Believer(), AbsenceReason.UNDECODABLE) is AbsenceReason.UNDECODABLE


@pytest.mark.parametrize(
    ("seconds", "windows"), [(0.0, 1), (2.0, 1), (3.0, 1), (3.1, 2), (4.0, 2), (10.5, 9)]
)
def test_windows_cover_a_recording_of_any_length(seconds: float, windows: int) -> None:
    begun = starts(round(seconds * SECOND_NS))
    assert len(begun) == windows
    samples = np.arange(round(seconds * 16_000), dtype=np.float32)
    made = sound_windows(samples)
    assert [window.start_ns for window in made] == list(begun)
    heard = np.unique(np.concatenate([window.audio[0].samples for window in made]))
    assert np.array_equal(heard, samples)
    for window in made:
        assert window.audio[0].start_ns == window.start_ns
        assert window.audio[0].end_ns <= window.end_ns


def test_a_picture_is_in_every_window_that_it_was_taken_in() -> None:
    frames = [CameraFrame(at * SECOND_NS // 2, b"jpeg") for at in range(8)]  # 0 to 3.5 s
    first, second = picture_windows(frames)
    assert first.frames == tuple(frames[:6])
    assert second.frames == tuple(frames[2:])
    assert [window.frames for window in picture_windows([])] == [()]


def test_the_shipped_voice_is_judged_as_its_windows_are_scored(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text(
        "path,label,speaker\n"
        + "".join(
            f"{CLIPS / name},{label},03\n"
            for name, label in (("03a01Wa.flac", "anger"), ("03a01Nc.flac", "neutral"))
        )
    )
    expert = SpeechExpert.load()
    judged = judge_manifest(
        read_manifest(path, "path"),
        expert,
        lambda item: sound_windows(read_audio(item.path or path)),
        FUSER,
    )
    assert judged.report.metrics["accuracy"] == 1.0
    assert judged.report.metrics["distress_auc"] == 1.0
    assert judged.report.intervals is not None
    assert judged.report.intervals.metrics == {}, "one speaker has no interval"
    alone = expert.assess(sound_windows(read_audio(CLIPS / "03a01Wa.flac")))
    assert len(alone) == 1
    assert isinstance(alone[0], Evidence)
    row = dict(zip(judged.rows.names, judged.rows.log_probs[0], strict=True))
    assert [row[label] for label in alone[0].labels] == pytest.approx(alone[0].log_probs.tolist())


def test_the_shipped_words_are_judged_by_language() -> None:
    said = [
        ("I am furious, this is an outrage", "anger"),
        ("thank you, this is wonderful", "joy"),
        ("I am so sad and lonely", "sadness"),
        ("", "neutral"),
    ]
    report = judge_manifest(
        manifest(*said, language=["en", "en", "en", "de"]), TextExpert.load(), words, FUSER
    ).report
    assert report.by.group["absent"] == {"silence": 1.0}
    assert report.by.pattern["text"]["n"] == 3.0
    assert report.by.pattern["text"]["distress_auc"] == 1.0
    assert report.by.group["language=en"] == report.by.pattern["text"]


def test_sets_hold_what_the_service_would_not_rule_out() -> None:
    strict = ProductFuser(LateWeighting(), EVEN_PRIOR, PatternCalibration(thresholds={"text": 0.3}))
    said = manifest(("anger", "anger"), ("joy", "anger"), ("", "joy"))
    rows = judge_manifest(said, Believer(), words, strict).rows
    assert rows.sets is not None
    held = [{rows.names[i] for i in np.flatnonzero(row)} for row in rows.sets]
    assert held == [{"anger"}, {"joy"}, {"anger", "joy", "neutral"}]
