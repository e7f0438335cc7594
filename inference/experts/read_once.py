"""An expert that does not read again what it has read: provisional windows become final ones."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from inference.evidence import Absent, Evidence, Expert
from inference.experts.recent import Recent, digest
from inference.labels import Modality
from inference.window import WindowInput

MOST_WINDOWS: Final = 512
"""A window is final some seconds after it was provisional: this is many calls' worth of both, and
about a megabyte, as evidence holds a few numbers."""


class ReadOnce:
    """Answers of `expert`, found again where participant, window and input are the same.

    Args:
        expert: one whose answer follows from its modality's part of the window alone.
        most: windows whose answers are kept.
    """

    def __init__(self, expert: Expert, most: int = MOST_WINDOWS) -> None:
        self._expert = expert
        self._answers: Recent[Evidence | Absent] = Recent(most)

    @property
    def modality(self) -> Modality:
        """Of the expert."""
        return self._expert.modality

    @property
    def version(self) -> str:
        """Of the expert."""
        return self._expert.version

    @property
    def look_back_ns(self) -> int:
        """Of the expert."""
        return self._expert.look_back_ns

    def assess(self, windows: Sequence[WindowInput]) -> list[Evidence | Absent]:
        """Read the windows that are new, all in one call; see `inference.evidence.Expert`."""
        keys = [_key(window, self.modality) for window in windows]
        answers = {key: answer for key in keys if (answer := self._answers.find(key)) is not None}
        new = {key: window for key, window in zip(keys, windows, strict=True) if key not in answers}
        read = self._expert.assess(tuple(new.values())) if new else []
        for key, answer in zip(new, read, strict=True):
            answers[key] = answer
            self._answers.keep(key, answer)
        return [answers[key] for key in keys]


def _key(window: WindowInput, modality: Modality) -> bytes:
    """Digest of all that an expert of `modality` may read in `window`."""
    named = (window.tenant, window.run, window.conversation, window.participant)
    where = repr((named, window.start_ns, window.end_ns)).encode()
    return digest(where, *_CONTENT[modality](window))


def _sound(window: WindowInput) -> Iterator[bytes | memoryview]:
    for span in window.audio:
        yield repr(span.start_ns).encode()
        yield span.samples.tobytes()


def _words(window: WindowInput) -> Iterator[bytes]:
    for span in window.words:
        yield repr(span).encode()


def _pictures(window: WindowInput) -> Iterator[bytes]:
    for frame in window.frames:
        yield repr(frame.captured_ns).encode()
        yield frame.jpeg


_CONTENT: Final[Mapping[Modality, Callable[[WindowInput], Iterator[bytes | memoryview]]]] = {
    Modality.SPEECH: _sound,
    Modality.TEXT: _words,
    Modality.FACE: _pictures,
}
