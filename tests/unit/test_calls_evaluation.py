"""Calls built by code: their timelines are true, and figures follow from what is said of them."""

import wave
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
import pytest

from inference.evaluation.built_calls import (
    GLAD_EVERY,
    TROUBLES,
    VOICES,
    BuiltCall,
    NothingToSayError,
    Turn,
    build_calls,
    spoken_part,
)
from inference.evaluation.calls import (
    ONSET,
    Condition,
    HeardCall,
    counted,
    evaluate_calls,
    onset_figures,
    onsets_ns,
)
from inference.evaluation.report import from_json, to_json
from inference.evidence import Absent, Evidence, Quality
from inference.experts.line import Line
from inference.experts.speech import window_samples
from inference.labels import DISTRESS, EMOTIONS, AbsenceReason, Emotion, Modality, Role
from inference.score import Distress, WindowScore
from inference.scorer import Scorer
from inference.training.emodb import EMOTION_OF, Category, Clip, find_clips
from inference.training.goemotions import Comments
from inference.units import SECOND_NS
from inference.window import SPEECH_RATE_HZ, WindowInput
from storage.values import LIVE_RUN
from streams.cli._scoring import gate_maker, open_aligner
from streams.evaluation.calls import CONDITIONS, Service, hear_calls
from streams.settings import Settings
from tests.scores import absent_score

CALM_HZ, DISTRESSED_HZ = 500, 1_500
"""Both pass a telephone line."""
NEEDED = {
    Role.AGENT: (Category.NEUTRAL,),
    Role.CUSTOMER: (*Category,),
}


def tone(path: Path, hz: int) -> None:
    """1.8 s with silence around it, to 2.2 s."""
    seconds = np.arange(round(1.8 * SPEECH_RATE_HZ)) / SPEECH_RATE_HZ
    samples = np.pad(0.5 * np.sin(2 * np.pi * hz * seconds), round(0.2 * SPEECH_RATE_HZ))
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, SPEECH_RATE_HZ, len(samples), "NONE", ""))
        file.writeframes((samples * 32_767).astype("<i2").tobytes())


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> tuple[Clip, ...]:
    """One tone of each class: high is distressed."""
    folder = tmp_path_factory.mktemp("emodb")
    for role, categories in NEEDED.items():
        for category in categories:
            distressed = EMOTION_OF[category] in DISTRESS
            path = folder / f"{VOICES[role]}a01{category}a.wav"
            tone(path, DISTRESSED_HZ if distressed else CALM_HZ)
    return find_clips(folder)


LINES = Comments(
    tuple(f"these are words of {label}" for label in EMOTIONS), np.eye(len(EMOTIONS), dtype=bool)
)


def built(clips: Sequence[Clip], count: int, seed: int = 0) -> list[BuiltCall]:
    return list(build_calls(clips, LINES, count=count, seed=seed))


def test_nobody_talks_over_anybody_and_channels_are_silent_outside_of_turns(
    clips: tuple[Clip, ...],
) -> None:
    for call in built(clips, 3):
        for turn, following in zip(call.turns, call.turns[1:], strict=False):
            assert turn.start_ns < turn.end_ns < following.start_ns
        for channel, role in enumerate(VOICES):
            sound = call.sound[channel].copy()
            for turn in call.turns:
                if turn.role is role:
                    place = slice(*(at // 62_500 for at in (turn.start_ns, turn.end_ns)))
                    assert np.abs(sound[place]).max() > 0.5
                    sound[place] = 0
            assert np.abs(sound).max() < 0.05


def test_the_customer_is_calm_then_overcome_then_calm_and_the_agent_always_calm(
    clips: tuple[Clip, ...],
) -> None:
    for call in built(clips, 6):
        moods = [turn.emotion for turn in call.turns if turn.role is Role.CUSTOMER]
        strong = [place for place, mood in enumerate(moods) if mood is not Emotion.NEUTRAL]
        assert strong == list(range(strong[0], strong[-1] + 1))
        assert 0 < strong[0] < strong[-1] < len(moods) - 1
        assert {moods[place] for place in strong} == {call.emotion}
        assert {turn.emotion for turn in call.turns if turn.role is Role.AGENT} == {Emotion.NEUTRAL}
        assert all(turn.text == f"these are words of {turn.emotion}" for turn in call.turns)


def test_troubles_come_in_turn_and_each_fifth_customer_is_glad(clips: tuple[Clip, ...]) -> None:
    moods = [call.emotion for call in built(clips, 2 * GLAD_EVERY)]
    assert moods == [*TROUBLES, Emotion.JOY] * 2


def test_a_call_depends_on_its_seed_and_number_alone(clips: tuple[Clip, ...]) -> None:
    short, long, other = built(clips, 2), built(clips, 3), built(clips, 2, seed=1)
    assert [call.turns for call in long[:2]] == [call.turns for call in short]
    assert np.array_equal(long[1].sound, short[1].sound)
    assert other[0].turns != short[0].turns


def test_what_a_call_needs_and_is_not_there_is_named(clips: tuple[Clip, ...]) -> None:
    without = [clip for clip in clips if clip.category is not Category.DISGUST]
    with pytest.raises(NothingToSayError, match="no recording of disgust by EmoDB speaker 16"):
        built(without, 1)
    with pytest.raises(NothingToSayError, match="0 calls: at least one"):
        built(clips, 0)
    wordless = Comments(LINES.texts[:1] * len(EMOTIONS), LINES.labels[:, ::-1] & False)
    with pytest.raises(NothingToSayError, match="no test line"):
        list(build_calls(clips, wordless, count=1, seed=0))


def test_what_is_spoken_is_found_to_the_frame() -> None:
    samples = np.zeros(SPEECH_RATE_HZ, np.float32)
    samples[3_200:9_600] = 0.5
    assert spoken_part(samples) == slice(3_200, 9_600)


TURNS = (
    Turn(Role.CUSTOMER, Emotion.NEUTRAL, 0, 2 * SECOND_NS, ""),
    Turn(Role.CUSTOMER, Emotion.ANGER, 10 * SECOND_NS, 12 * SECOND_NS, ""),
    Turn(Role.CUSTOMER, Emotion.ANGER, 19 * SECOND_NS, 20 * SECOND_NS, ""),
)
CALL = BuiltCall("c", Emotion.ANGER, np.zeros((2, 0), np.float32), TURNS)


@pytest.mark.parametrize(
    ("start_s", "end_s", "said"),
    [(0, 3, Emotion.NEUTRAL), (1, 4, None), (9, 12, Emotion.ANGER), (18, 21, None), (4, 7, None)],
)
def test_a_window_counts_if_half_of_it_is_speech_of_one_label(
    start_s: int, end_s: int, said: Emotion | None
) -> None:
    assert CALL.spoken(Role.CUSTOMER, start_s * SECOND_NS, end_s * SECOND_NS) is said
    assert CALL.spoken(Role.AGENT, start_s * SECOND_NS, end_s * SECOND_NS) is None


def scored(smoothed: Sequence[float | None]) -> list[WindowScore]:
    """A score a second, the first ending at 3 s."""
    found = []
    for second, value in enumerate(smoothed):
        window = WindowInput(
            tenant="t", run="r", conversation="c", participant="p", role=Role.CUSTOMER,
            start_ns=second * SECOND_NS, end_ns=(second + 3) * SECOND_NS,
        )  # fmt: skip
        distress = None if value is None else Distress(probability=value, smoothed=value)
        found.append(msgspec.structs.replace(absent_score(window), distress=distress))
    return found


HIGH, LOW = ONSET, ONSET - 0.01


def test_an_onset_is_a_rise_that_stays() -> None:
    rises_twice = [LOW, HIGH, HIGH, LOW, HIGH, HIGH, None, HIGH, HIGH, LOW, HIGH]
    assert onsets_ns(scored(rises_twice)) == [7 * SECOND_NS, 13 * SECOND_NS]
    assert onsets_ns(scored([HIGH] * 5)) == [3 * SECOND_NS]
    assert onsets_ns(scored([LOW] * 5)) == []


def heard(smoothed: Sequence[float | None]) -> HeardCall:
    return HeardCall(CALL, tuple(scored(smoothed)), zero_ns=0)


def test_delays_count_from_the_first_distressed_word_and_a_miss_is_later_than_any() -> None:
    calm, strong = [LOW] * 9, [HIGH] * 12  # the tenth window ends at 12 s, 2 s into the anger
    in_time = heard([*calm, *strong])
    late = heard([*calm, *[LOW] * 4, *strong])
    never = heard([LOW] * 20)
    assert onset_figures([in_time]) == {
        "onset_found_share": 1.0,
        "onset_delay_s": 2.0,
        "onset_in_time_share": 1.0,
        "false_onset_share": 0.0,
    }
    assert onset_figures([in_time, late, never])["onset_delay_s"] == 6.0
    assert "onset_delay_s" not in onset_figures([in_time, never, never])


def test_who_is_called_distressed_while_calm_is_a_false_onset_and_no_true_one() -> None:
    figures = onset_figures([heard([HIGH] * 20)])
    assert figures["false_onset_share"] == 1.0
    assert figures["onset_found_share"] == 0.0


class Ear:
    """Hears how high a tone is."""

    modality = Modality.SPEECH
    version = "ear"
    look_back_ns = 0

    def assess(self, windows: Sequence[WindowInput]) -> list[Evidence | Absent]:
        return [self._one(window) for window in windows]

    def _one(self, window: WindowInput) -> Evidence | Absent:
        samples = window_samples(window)
        loud = samples[np.abs(samples) > 0.01]
        if len(loud) < SPEECH_RATE_HZ // 2:
            return Absent(self.modality, AbsenceReason.SILENCE)
        spectrum = np.abs(np.fft.rfft(samples))
        hz = np.argmax(spectrum) * SPEECH_RATE_HZ / len(samples)
        return said(self.modality, distressed=bool(hz > (CALM_HZ + DISTRESSED_HZ) / 2))


class Eye:
    """Reads the newest words."""

    modality = Modality.TEXT
    version = "eye"
    look_back_ns = 0

    def assess(self, windows: Sequence[WindowInput]) -> list[Evidence | Absent]:
        return [
            said(self.modality, distressed=Emotion(window.words[-1].text.split()[-1]) in DISTRESS)
            if window.words
            else Absent(self.modality, AbsenceReason.SILENCE)
            for window in windows
        ]


def said(modality: Modality, *, distressed: bool) -> Evidence:
    called = Emotion.ANGER if distressed else Emotion.NEUTRAL
    return Evidence(
        modality=modality,
        expert=str(modality),
        labels=EMOTIONS,
        log_probs=np.log([0.94 if label is called else 0.01 for label in EMOTIONS]),
        distress_log_odds=6.0 if distressed else -6.0,
        quality=Quality(present_share=1.0),
    )


def test_ears_that_hear_everything_right_have_perfect_figures_on_both_lines(
    clips: tuple[Clip, ...], tmp_path: Path
) -> None:
    settings = Settings(policy="research")
    scorer = Scorer([Ear(), Eye()])
    service = Service(
        scorer, lambda: open_aligner(settings, scorer, LIVE_RUN), gate_maker(settings)
    )
    calls = built(clips, GLAD_EVERY)
    found = hear_calls(calls, service, tmp_path)
    report = evaluate_calls(found, {})
    assert list(report.by.group) == list(map(str, CONDITIONS))
    for condition, of_calls in found.items():
        assert {one.call.name for one in of_calls} == {call.name for call in calls}
        present = {
            modality
            for one in of_calls
            for score in one.scores
            for modality, rests in score.modalities.items()
            if rests.present
        }
        assert present == set(condition.modalities)
    for line in Line:
        figures = report.by.group[f"{line}, speech"]
        assert figures["distress_auc"] == figures["distress_auc_with_glad"] == 1.0
        assert figures["onset_found_share"] == figures["onset_in_time_share"] == 1.0
        assert figures["false_onset_share"] == figures["glad_false_onset_share"] == 0.0
    assert report.n > 50
    assert from_json(to_json(report)) == report


def test_figures_with_words_are_marked() -> None:
    voice, both = (Modality.SPEECH,), (Modality.SPEECH, Modality.TEXT)
    assert str(Condition(Line.TELEPHONE, voice)) == "telephone, speech"
    assert str(Condition(Line.TELEPHONE, both)) == "telephone, speech+text (pseudo)"


def test_windows_that_hold_no_half_of_speech_are_not_counted() -> None:
    windows = counted(heard([LOW] * 20))
    assert [(one.score.start_ns // SECOND_NS, one.truth) for one in windows] == [
        (0, Emotion.NEUTRAL), (9, Emotion.ANGER), (10, Emotion.ANGER),
    ]  # fmt: skip
