"""What is found again is what would have been computed, in any order and company."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.evidence import Absent, Evidence, Quality
from inference.experts import sights
from inference.experts.face import FaceExpert
from inference.experts.face_detector import Face, FaceDetector
from inference.experts.jpeg import Picture
from inference.experts.read_once import ReadOnce
from inference.experts.sights import Sights
from inference.experts.text import WEIGHTS, TextExpert
from inference.experts.text_model import Reading, TextModel
from inference.labels import EMOTIONS, AbsenceReason, Modality, Role
from inference.units import SECOND_NS
from inference.window import AudioSpan, CameraFrame, TextSpan, WindowInput
from streams.demo import BUNDLED
from streams.ingest.media import MediaFile

LINES = (
    "I have been on hold for an hour and nobody helps me",
    "this is the third time that I am calling about the same bill",
    "thank you so much, that was very kind of you",
    "yeah",
    "okay, what happens next",
)
_decode = sights.decode
WINDOW = WindowInput(
    tenant="acme",
    run="live",
    conversation="c-1",
    participant="p-1",
    role=Role.CUSTOMER,
    start_ns=0,
    end_ns=3 * SECOND_NS,
)


def _same(one: Evidence | Absent, other: Evidence | Absent) -> bool:
    if isinstance(one, Absent) or isinstance(other, Absent):
        return one == other
    facts = ("labels", "distress_log_odds", "quality", "weight_limit", "cues", "expert")
    return np.array_equal(one.log_probs, other.log_probs) and all(
        getattr(one, fact) == getattr(other, fact) for fact in facts
    )


# words


@pytest.fixture(scope="module")
def model() -> TextModel:
    return TextModel.load(WEIGHTS)


@dataclass
class CountingModel:
    """A text model that notes what it is given."""

    model: TextModel
    read_texts: list[str] = field(default_factory=list)
    version: str = "counting"

    def read(self, text: str) -> Reading:
        self.read_texts.append(text)
        return self.model.read(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.model, name)


def _said(lines: Sequence[int], end_s: int = 3) -> WindowInput:
    words = tuple(
        TextSpan(place * SECOND_NS, (place + 1) * SECOND_NS, LINES[line], "en")
        for place, line in enumerate(lines)
    )
    return replace(WINDOW, start_ns=(end_s - 3) * SECOND_NS, end_ns=end_s * SECOND_NS, words=words)


@settings(max_examples=15, deadline=None)
@given(
    said=st.lists(st.lists(st.integers(0, len(LINES) - 1), max_size=3), min_size=1, max_size=8),
    ends=st.lists(st.integers(3, 6), min_size=8, max_size=8),
)
def test_words_are_read_the_same_whatever_was_read_before(
    model: TextModel, said: list[list[int]], ends: list[int]
) -> None:
    windows = [_said(lines, end_s) for lines, end_s in zip(said, ends, strict=False)]
    for window, answer in zip(windows, TextExpert(model).assess(windows), strict=True):
        assert _same(answer, TextExpert(model).assess([window])[0])


def test_who_listens_is_not_read_again(model: TextModel) -> None:
    counting = CountingModel(model)
    expert = TextExpert(counting)  # type: ignore[arg-type]
    expert.assess([_said([0, 1], end_s) for end_s in range(3, 15)])
    assert len(counting.read_texts) == 1
    expert.assess([_said([0, 1, 2], 15)])
    assert len(counting.read_texts) == 2


# frames


@pytest.fixture(scope="module")
def jpegs() -> list[bytes]:
    """Pictures of the bundled conversation, a blank one, and bytes that are no picture."""
    media = MediaFile.open(BUNDLED, lambda _: None)
    frames = media.frames(media.pictures[0], Fraction(2), lambda _: None)
    found = [next(frames).jpeg for _ in range(6)]
    blank = cv2.imencode(".jpg", np.full((120, 160, 3), 90, np.uint8))[1].tobytes()
    return [*found, blank, b"\xff\xd8 no picture"]


class CountingDetector:
    """The real one, and how often it looked."""

    def __init__(self) -> None:
        self.looked = 0
        self._detector = FaceDetector.load()

    def detect(self, picture: Picture) -> list[Face]:
        self.looked += 1
        return self._detector.detect(picture)


def _shown(jpegs: Sequence[bytes], end_s: int = 3) -> WindowInput:
    start_ns = (end_s - 3) * SECOND_NS
    frames = tuple(
        CameraFrame(start_ns + place * SECOND_NS // 2, jpeg) for place, jpeg in enumerate(jpegs)
    )
    return replace(WINDOW, start_ns=start_ns, end_ns=end_s * SECOND_NS, frames=frames)


@settings(max_examples=8, deadline=None)
@given(
    shown=st.lists(st.lists(st.integers(0, 7), min_size=1, max_size=3), min_size=1, max_size=5),
    most=st.integers(1, 4),
)
def test_frames_are_read_the_same_whatever_was_seen_before(
    jpegs: list[bytes], shown: list[list[int]], most: int
) -> None:
    detector = FaceDetector.load()
    expert = FaceExpert(detector, None)
    expert._sights = Sights(detector, most)
    windows = [_shown([jpegs[place] for place in places]) for places in shown]
    for window, answer in zip(windows, expert.assess(windows), strict=True):
        assert _same(answer, FaceExpert(detector, None).assess([window])[0])


def test_a_frame_passes_its_detector_once_however_many_windows_show_it(
    jpegs: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded: list[bytes] = []
    monkeypatch.setattr(sights, "decode", lambda jpeg: (decoded.append(jpeg), _decode(jpeg))[1])
    detector = CountingDetector()
    expert = FaceExpert(detector, None)  # type: ignore[arg-type]
    pictures = jpegs[:6]
    for end_s in (3, 4, 5):  # as windows of 3 s that begin each second show 2 frames a second
        expert.assess([_shown(pictures[2 * (end_s - 3) :], end_s)])
    assert detector.looked == len(set(pictures))
    assert len(decoded) == len(set(pictures))


def test_a_remembered_frame_still_shows_its_picture(jpegs: list[bytes]) -> None:
    seen = Sights(FaceDetector.load())
    first, again = (seen.see(CameraFrame(at_ns, jpegs[0])) for at_ns in (0, SECOND_NS))
    assert first is not None
    assert again is not None
    assert again.captured_ns == SECOND_NS
    assert np.array_equal(first.picture, again.picture)
    assert [face.box for face in first.faces] == [face.box for face in again.faces]


# whole windows


@dataclass
class CountingExpert:
    """Says something that depends on its sound; counts what it is asked."""

    modality: Modality = Modality.SPEECH
    version: str = "counting-1"
    look_back_ns: int = 0
    asked: list[int] = field(default_factory=list)

    def assess(self, windows: Sequence[WindowInput]) -> list[Evidence | Absent]:
        self.asked.append(len(windows))
        return [self._one(window) for window in windows]

    def _one(self, window: WindowInput) -> Evidence | Absent:
        if not window.audio:
            return Absent(self.modality, AbsenceReason.SILENCE)
        loud = float(np.abs(window.audio[0].samples).mean()) + window.start_ns / SECOND_NS
        logits = np.arange(len(EMOTIONS)) * loud
        return Evidence(
            modality=self.modality,
            expert=self.version,
            labels=EMOTIONS,
            log_probs=logits - np.logaddexp.reduce(logits),
            distress_log_odds=loud,
            quality=Quality(level=0.5),
        )


def _heard(level: int, start_s: int, participant: str, *, final: bool) -> WindowInput:
    start_ns = start_s * SECOND_NS
    samples = np.full(16_000, level / 10, dtype=np.float32)
    return replace(
        WINDOW,
        participant=participant,
        start_ns=start_ns,
        end_ns=start_ns + 3 * SECOND_NS,
        audio=(AudioSpan(start_ns, samples),) if level else (),
        final=final,
    )


WINDOWS = st.lists(
    st.builds(
        _heard,
        st.integers(0, 2),
        st.integers(0, 2),
        st.sampled_from(["p-1", "p-2"]),
        final=st.booleans(),
    ),
    max_size=6,
)


@given(batches=st.lists(WINDOWS, max_size=4), most=st.integers(1, 8))
def test_a_window_that_was_read_before_has_its_answer(
    batches: list[list[WindowInput]], most: int
) -> None:
    once = ReadOnce(CountingExpert(), most)
    for windows in batches:
        plain = CountingExpert().assess(windows)
        for answer, expected in zip(once.assess(windows), plain, strict=True):
            assert _same(answer, expected)


def test_a_provisional_window_is_not_read_again_when_it_is_final() -> None:
    expert = CountingExpert()
    once = ReadOnce(expert)
    provisional = _heard(1, 0, "p-1", final=False)
    once.assess([provisional, provisional])
    once.assess([replace(provisional, final=True), _heard(2, 1, "p-1", final=True)])
    assert expert.asked == [1, 1]


def test_more_sound_is_another_window_to_read_and_more_words_are_not() -> None:
    expert = CountingExpert()
    once = ReadOnce(expert)
    provisional = _heard(1, 0, "p-1", final=False)
    once.assess([provisional])
    once.assess([replace(provisional, words=(TextSpan(0, SECOND_NS, "late words"),))])
    assert expert.asked == [1]
    once.assess([replace(provisional, audio=(AudioSpan(0, provisional.audio[0].samples[:-1]),))])
    assert expert.asked == [1, 1]


def test_it_passes_for_the_expert_it_wraps() -> None:
    once = ReadOnce(CountingExpert())
    assert (once.modality, once.version, once.look_back_ns) == (Modality.SPEECH, "counting-1", 0)
