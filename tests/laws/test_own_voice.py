"""Laws of a participant's own voice: counted once, slow, and of no weight in any probability."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.evidence import Absent, Cue, Evidence, Prosody, Quality
from inference.experts.own_voice import (
    FIRST_S,
    FURTHEST_SD,
    HALF_LIFE_S,
    KNOWN_FROM_S,
    MEASURES,
    MOST_CUES,
    NOTABLE_SD,
    TYPICAL_S,
    change_of,
    compare,
    distances,
    taught,
)
from inference.labels import EMOTIONS, AbsenceReason, Modality, Role
from inference.score import (
    ParticipantState,
    UsualMeasure,
    UsualVoice,
    WindowScore,
    decode_state,
    encode_state,
)
from inference.scorer import HALF_LIFE_NS, Scorer
from inference.units import SECOND_NS
from inference.window import WindowInput

KEY = ("acme", "live", "c-1", "p-1")
USUAL = Prosody(pitch_semitones=30.0, melody_semitones=2.0, effort_db=-6.0, pace_per_s=4.0)
RAISED = replace(USUAL, pitch_semitones=36.0, effort_db=2.0)
KNOWN = UsualVoice(
    heard_until_ns=0,
    measures={
        name: UsualMeasure(mean=getattr(USUAL, name), variance=0.0, seconds=FIRST_S)
        for name in MEASURES
    },
)
known = st.none() | st.floats(-20.0, 60.0).map(lambda value: round(value, 4))
prosodies = st.builds(
    Prosody, pitch_semitones=known, melody_semitones=known, effort_db=known, pace_per_s=known
)


@dataclass
class StrawVoice:
    """A voice that was written down before: prosody by second, silence where there is none."""

    prosody: Sequence[Prosody | None]
    distress_log_odds: float | None = None
    modality: Modality = Modality.SPEECH
    version: str = "straw-1"
    look_back_ns: int = 0

    def assess(self, windows: Sequence[WindowInput]) -> list[Evidence | Absent]:
        return [self._one(window) for window in windows]

    def _one(self, window: WindowInput) -> Evidence | Absent:
        second = window.start_ns // SECOND_NS
        heard = self.prosody[second % len(self.prosody)]
        if heard is None:
            return Absent(self.modality, AbsenceReason.SILENCE)
        logits = np.sin(np.arange(7) + second)
        begin_ns = window.start_ns + SECOND_NS // 2
        return Evidence(
            modality=self.modality,
            expert=self.version,
            labels=EMOTIONS,
            log_probs=logits - math.log(np.exp(logits).sum()),
            distress_log_odds=self.distress_log_odds,
            quality=Quality(present_share=0.7),
            cues=(Cue(modality=self.modality, cue="raised voice", against_others=True),),
            prosody=replace(heard, spoken_ns=((begin_ns, window.end_ns),)),
        )


@dataclass
class StrawWords:
    """Words in every window."""

    modality: Modality = Modality.TEXT
    version: str = "straw-2"
    look_back_ns: int = 0

    def assess(self, windows: Sequence[WindowInput]) -> list[Evidence | Absent]:
        return [
            Evidence(
                modality=self.modality,
                expert=self.version,
                labels=EMOTIONS,
                log_probs=np.full(7, -math.log(7)),
                distress_log_odds=2.0,
                quality=Quality(),
                cues=(Cue(modality=self.modality, cue="words of anger"),),
            )
            for _ in windows
        ]


def window(second: int, *, final: bool = True, participant: str = "p-1") -> WindowInput:
    return WindowInput(
        tenant="acme",
        run="live",
        conversation="c-1",
        participant=participant,
        role=Role.CUSTOMER,
        start_ns=second * SECOND_NS,
        end_ns=(second + 3) * SECOND_NS,
        final=final,
    )


def spoken(prosody: Prosody, start_s: float, end_s: float) -> Prosody:
    span = (round(start_s * SECOND_NS), round(end_s * SECOND_NS))
    return replace(prosody, spoken_ns=(span,))


def after(windows: Sequence[Prosody], hop_s: float, length_s: float = 3.0) -> UsualVoice:
    """What consecutive windows full of speech teach."""
    usual = UsualVoice()
    for number, heard in enumerate(windows):
        start_s, end_s = number * hop_s, number * hop_s + length_s
        moment = spoken(heard, start_s, end_s)
        usual = taught(usual, moment, round(end_s * SECOND_NS), distressed=False)
    return usual


@given(st.lists(st.none() | prosodies, min_size=1, max_size=40), st.integers(0, 40))
def test_a_voice_heard_in_pieces_is_the_voice_heard_whole(
    voice: list[Prosody | None], cut: int
) -> None:
    windows = [window(second) for second in range(len(voice))]
    scorer = Scorer([StrawVoice(voice)])
    whole = scorer.score(windows, {})
    first = scorer.score(windows[:cut], {})
    stored = {key: decode_state(encode_state(state)) for key, state in first.states.items()}
    rest = scorer.score(windows[cut:], stored)
    assert first.scores + rest.scores == whole.scores
    assert rest.states == whole.states


@settings(max_examples=25)
@given(st.lists(prosodies, min_size=14, max_size=24))
def test_no_probability_depends_on_the_own_voice(voice: list[Prosody]) -> None:
    scorer = Scorer([StrawVoice(voice, distress_log_odds=0.5), StrawWords()])
    whole = scorer.score([window(second) for second in range(len(voice))], {}).scores

    def said(score: WindowScore) -> tuple[object, ...]:
        raw = None if score.distress is None else score.distress.probability
        return score.emotions, raw, score.arousal, score.valence, score.decision, score.vacuity

    for second, score in enumerate(whole):
        (alone,) = scorer.score([window(second)], {}).scores
        assert said(score) == said(alone)
    known = {KEY: ParticipantState(voice=KNOWN)}
    with_voice = scorer.score([window(second) for second in range(len(voice))], known).scores
    assert [(said(one), one.distress) for one in with_voice] == [
        (said(one), one.distress) for one in whole
    ]


@given(st.lists(st.none() | prosodies, min_size=1, max_size=30))
def test_whether_there_are_words_changes_nothing_about_the_voice(
    voice: list[Prosody | None],
) -> None:
    windows = [window(second) for second in range(len(voice))]
    alone = Scorer([StrawVoice(voice, 0.5)]).score(windows, {})
    beside = Scorer([StrawVoice(voice, 0.5), StrawWords()]).score(windows, {})
    assert [score.change for score in alone.scores] == [score.change for score in beside.scores]
    if alone.states:
        assert alone.states[KEY].voice == beside.states[KEY].voice


def test_a_provisional_window_is_compared_and_teaches_nothing() -> None:
    state = ParticipantState(voice=KNOWN)
    result = Scorer([StrawVoice([RAISED])]).score([window(70, final=False)], {KEY: state})
    assert result.states[KEY] == state
    assert (result.scores[0].change or 0.0) > 1


def test_a_window_without_speech_has_no_change_and_leaves_the_voice_as_it_is() -> None:
    state = ParticipantState(voice=KNOWN, smoothed_change=2.0, changed_at_ns=70 * SECOND_NS)
    result = Scorer([StrawVoice([None])]).score([window(70)], {KEY: state})
    assert result.scores[0].change is None
    assert result.states[KEY] == state


@given(st.sampled_from([0.5, 1.0, 1.5, 3.0, 7.0]), st.integers(1, 12))
def test_speech_is_counted_once_however_windows_overlap(hop_s: float, windows: int) -> None:
    spoken_s = 3 + (windows - 1) * min(hop_s, 3.0)
    found = after([USUAL] * windows, hop_s).measures["pitch_semitones"]
    assert found.seconds == pytest.approx(min(spoken_s, FIRST_S))


@given(st.lists(st.floats(20.0, 40.0), min_size=2, max_size=19), st.sampled_from([1.0, 3.0]))
def test_the_first_minute_is_a_mean_by_seconds_of_speech(
    pitches: list[float], hop_s: float
) -> None:
    windows = [replace(USUAL, pitch_semitones=pitch) for pitch in pitches]
    found = after(windows, hop_s).measures["pitch_semitones"]
    seconds = np.array([3.0] + [hop_s] * (len(pitches) - 1))
    mean = np.average(pitches, weights=seconds)
    variance = np.average((np.array(pitches) - mean) ** 2, weights=seconds)
    assert found.mean == pytest.approx(mean, abs=2e-3)
    assert found.variance == pytest.approx(variance, abs=2e-2)


def test_after_the_first_minute_half_of_a_lasting_change_is_usual_after_ten_minutes() -> None:
    assert HALF_LIFE_S == 600
    usual = KNOWN
    for second in range(600):
        moment = spoken(RAISED, second, second + 1)
        usual = taught(usual, moment, (second + 1) * SECOND_NS, distressed=False)
    assert usual.measures["pitch_semitones"].mean == pytest.approx(33.0, abs=0.05)
    assert usual.measures["pitch_semitones"].seconds == FIRST_S


def test_a_long_hold_forgets_nothing() -> None:
    hour_ns = 3_600 * SECOND_NS
    word = replace(RAISED, spoken_ns=((hour_ns, hour_ns + SECOND_NS),))
    usual = taught(KNOWN, word, hour_ns + 3 * SECOND_NS, distressed=False)
    assert usual.measures["pitch_semitones"].mean == pytest.approx(30.0, abs=0.01)


def test_shouting_does_not_become_the_usual_voice() -> None:
    calm = after([USUAL] * 10, 1.0)
    usual = calm
    for second in range(12, 60):
        moment = spoken(RAISED, second, second + 3)
        usual = taught(usual, moment, (second + 3) * SECOND_NS, distressed=True)
    assert usual.measures == calm.measures
    assert usual.heard_until_ns == 62 * SECOND_NS


def test_who_shouts_from_the_start_is_compared_with_that_and_falls() -> None:
    usual = UsualVoice()
    for second in range(30):
        moment = spoken(RAISED, second, second + 3)
        usual = taught(usual, moment, (second + 3) * SECOND_NS, distressed=True)
    assert usual.measures["pitch_semitones"].seconds == KNOWN_FROM_S
    calmer = change_of(distances(usual, USUAL))
    assert calmer is not None
    assert calmer < -1


def test_nothing_is_compared_before_ten_seconds_of_own_speech() -> None:
    assert compare(None, USUAL) is None
    assert compare(after([USUAL] * 7, 1.0), RAISED) is None  # nine seconds
    assert compare(after([USUAL] * 8, 1.0), RAISED) is not None
    assert compare(after([USUAL] * 8, 1.0), None) is None
    assert compare(after([USUAL] * 8, 1.0), Prosody()) is None


def test_until_the_own_voice_is_known_the_cue_compares_with_others_then_with_oneself() -> None:
    voice = [USUAL] * 9 + [RAISED] * 3
    scorer = Scorer([StrawVoice(voice), StrawWords()])
    scores = scorer.score([window(second) for second in range(12)], {}).scores
    cues = [[cue.cue for cue in score.evidence] for score in scores]
    # Each holds 2.5 s of speech, of which the last second is new: eight windows are 9.5 s.
    assert cues[8] == ["raised voice", "words of anger"]
    assert cues[9] == [
        "voice raised +3.8 sd against own first 10 s of speech",
        "pitch +3.7 sd against own first 10 s of speech",
        "words of anger",
    ]
    assert [score.change is None for score in scores] == [True] * 9 + [False] * 3


def test_after_a_minute_the_cue_says_so_and_points_at_the_first_word() -> None:
    found = compare(KNOWN, spoken(RAISED, 70, 72))
    assert found is not None
    assert [cue.cue for cue in found.cues] == [
        "voice raised +6.2 sd against own first minute",
        "pitch +6.0 sd against own first minute",
    ]
    assert {cue.at_ns for cue in found.cues} == {70 * SECOND_NS}
    assert not any(cue.quotes or cue.against_others for cue in found.cues)


@pytest.mark.parametrize(
    ("moved", "told"),
    [
        ({"pitch_semitones": 24.0}, "pitch -6.0 sd"),
        ({"effort_db": -14.0}, "voice softer -6.2 sd"),
        ({"melody_semitones": 0.5}, "melody flatter -5.5 sd"),
        ({"melody_semitones": 3.5}, "melody livelier +5.5 sd"),
        ({"pace_per_s": 2.0}, "speech slower -5.7 sd"),
        ({"pace_per_s": 6.0}, "speech faster +5.7 sd"),
    ],
)
def test_each_measure_is_told_in_words_with_its_direction(
    moved: dict[str, float], told: str
) -> None:
    found = compare(KNOWN, replace(USUAL, **moved))
    assert found is not None
    assert [cue.cue for cue in found.cues] == [f"{told} against own first minute"]


@given(prosodies)
def test_cues_are_few_and_the_furthest_comes_first(heard: Prosody) -> None:
    found = compare(KNOWN, heard)
    if found is None:
        return
    assert len(found.cues) <= MOST_CUES
    far = sorted((abs(value) for value in found.distances_sd.values()), reverse=True)
    told = [abs(float(cue.cue.split(" sd")[0].rsplit(" ", 1)[1])) for cue in found.cues]
    assert told == pytest.approx(
        [value for value in far[:MOST_CUES] if value >= NOTABLE_SD], abs=0.051
    )


@given(prosodies, st.floats(0.0, 100.0))
def test_a_monotone_voice_makes_no_trifle_remarkable(heard: Prosody, variance: float) -> None:
    steady = distances(KNOWN, heard)
    floor = math.sqrt(TYPICAL_S / (TYPICAL_S + FIRST_S))
    for name, distance in steady.items():
        moved = abs(getattr(heard, name) - getattr(USUAL, name))
        assert abs(distance) <= moved / (floor * MEASURES[name].typical_sd) + 1e-9
    livelier = msgspec.structs.replace(
        KNOWN,
        measures={
            name: msgspec.structs.replace(one, variance=variance)
            for name, one in KNOWN.measures.items()
        },
    )
    for name, distance in distances(livelier, heard).items():
        assert abs(distance) <= abs(steady[name]), "who varies more is further away for more"


@given(prosodies)
def test_change_is_bounded_signed_by_arousal_and_needs_pitch_or_effort(heard: Prosody) -> None:
    found = distances(KNOWN, heard)
    moved = change_of(found)
    aroused = [found[name] for name in ("pitch_semitones", "effort_db") if name in found]
    if not aroused:
        assert moved is None
        return
    assert moved is not None
    assert abs(moved) <= FURTHEST_SD
    assert moved >= 0 or min(aroused) < 0
    assert moved <= 0 or max(aroused) > 0


def test_an_octave_slip_does_not_outvote_the_effort() -> None:
    slipped = replace(USUAL, pitch_semitones=18.0, effort_db=10.0)
    assert change_of(distances(KNOWN, slipped)) == pytest.approx(0.0, abs=1e-9)


@given(st.lists(st.booleans(), min_size=1, max_size=30))
def test_change_and_distress_are_smoothed_the_same_with_and_without_gaps(
    skipped: list[bool],
) -> None:
    """Of an even voice: what is left of an old level depends on the time that passed."""
    state = ParticipantState(
        voice=KNOWN,
        smoothed_change=0.0,
        changed_at_ns=3 * SECOND_NS,
        smoothed_distress=0.0,
        smoothed_at_ns=3 * SECOND_NS,
    )
    scorer = Scorer([StrawVoice([RAISED], distress_log_odds=1.0)])
    last = window(len(skipped) + 1)
    some = [window(second) for second, skip in enumerate(skipped, start=1) if not skip]
    every = [window(second) for second in range(1, len(skipped) + 1)]
    gaps, none = (scorer.score([*heard, last], {KEY: state}).scores[-1] for heard in (some, every))
    assert gaps.distress is not None
    assert none.distress is not None
    # each window rounds to 1e-4, and of each rounding 84 % are left after another second
    assert gaps.distress.smoothed == pytest.approx(none.distress.smoothed, abs=5e-4)
    assert gaps.change == pytest.approx(none.change, abs=5e-4)
    left = 2 ** (-(last.end_ns - 3 * SECOND_NS) / HALF_LIFE_NS)
    assert none.distress.smoothed == pytest.approx(none.distress.probability * (1 - left), abs=5e-4)


def test_a_state_of_the_first_version_is_still_read() -> None:
    old = {"version": 1, "smoothed_distress": 0.25, "smoothed_at_ns": 4 * SECOND_NS}
    state = decode_state(msgspec.msgpack.encode(old))
    assert state == ParticipantState(smoothed_distress=0.25, smoothed_at_ns=4 * SECOND_NS)
    assert state.voice is None


def test_a_state_holds_a_few_hundred_bytes_of_numbers() -> None:
    windows = [replace(USUAL, pitch_semitones=30 + math.sin(n)) for n in range(100)]
    state = ParticipantState(
        smoothed_distress=0.1234,
        smoothed_at_ns=1_764_000_000 * SECOND_NS,
        smoothed_change=1.2345,
        changed_at_ns=1_764_000_000 * SECOND_NS,
        voice=after(windows, 1.0),
    )
    assert decode_state(encode_state(state)) == state
    assert len(encode_state(state)) < 500


def test_company_changes_nothing() -> None:
    voice = [USUAL] * 9 + [RAISED] * 3
    scorer = Scorer([StrawVoice(voice)])
    company = [
        window(second, participant=name) for second in range(12) for name in ("p-1", "p-2", "p-3")
    ]
    together = scorer.score(company, {}).scores
    alone = scorer.score([window(second) for second in range(12)], {}).scores
    assert tuple(score for score in together if score.participant == "p-1") == alone
