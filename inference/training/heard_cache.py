"""What was heard once need not be heard again: a folder of embeddings by content.

Training that was broken off goes on where it was, and one with more recordings hears the new
ones only.
"""

import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load as parse_tensors
from safetensors.numpy import save as serialise_tensors

from inference.errors import AffectstreamError
from inference.experts.line import Line, beyond_db, line_of
from inference.experts.speech_effort import vocal_effort_db
from inference.experts.voice_activity import VoiceActivity
from inference.experts.voice_encoder import INT8, EmbedsVoice

_SIDES: Final = "sides"


class CacheFolderError(AffectstreamError):
    """A folder in which nothing can be kept."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What the expert's ears make of one recording.

    Attributes:
        embedding: (768,) float32 from the first to the last spoken sample.
        effort_db: vocal effort; NaN where the detector hears nobody.
        beyond_db: what the voice holds above a telephone's band; see `inference.experts.line`.
    """

    embedding: NDArray[np.float32]
    effort_db: float
    beyond_db: float

    @property
    def line(self) -> Line:
        """Which line it sounds like."""
        return line_of(self.beyond_db)


def encoder_key(encoder: EmbedsVoice) -> tuple[str, ...]:
    """Part of the key of all that `encoder` heard: what it is, and in which form it ran."""
    return (encoder.sha256,) if encoder.backend == INT8 else (encoder.sha256, encoder.backend)


def hear(
    samples: NDArray[np.float32], encoder: EmbedsVoice, voice_activity: VoiceActivity
) -> Heard:
    """Embed and measure `samples` as the expert does.

    A recording in which the detector finds nothing is embedded whole: it is known to hold
    speech.
    """
    voicing = voice_activity.detect(samples)
    beyond = beyond_db(samples, voicing)
    if not voicing.spans:
        return Heard(encoder.embed(samples), float("nan"), beyond)
    effort = vocal_effort_db(samples, voicing)
    return Heard(encoder.embed(samples[voicing.extent]), effort, beyond)


@dataclass(frozen=True, slots=True)
class HeardCache:
    """Keeps what was heard in `folder`; None keeps nothing.

    A file is written whole or not at all, and one that is torn is made anew.
    """

    folder: Path | None = None

    def get(
        self, key: Sequence[str | int], hear_all: Callable[[], Mapping[str, Heard]]
    ) -> dict[str, Heard]:
        """What is kept under `key`, or what `hear_all` gives, which is then kept.

        Args:
            key: everything on which the answer depends.
            hear_all: makes the answer, by form.

        Raises:
            CacheFolderError: the folder cannot be written.
        """
        if self.folder is None:
            return dict(hear_all())
        name = hashlib.sha256("\0".join(map(str, key)).encode()).hexdigest()
        path = self.folder / name[:2] / f"{name[2:]}.safetensors"
        kept = _read(path)
        if kept is None:
            kept = dict(hear_all())
            try:
                _write(path, kept)
            except OSError as exc:
                raise CacheFolderError(
                    f"{self.folder}: cannot keep what was heard ({exc.strerror}); name another "
                    "folder with --cache"
                ) from exc
        return kept


def _read(path: Path) -> dict[str, Heard] | None:
    try:
        tensors = parse_tensors(path.read_bytes())
        sides = tensors.pop(_SIDES)
        return {
            form: Heard(tensors[form], float(effort), float(beyond))
            for form, (effort, beyond) in zip(sorted(tensors), sides, strict=True)
        }
    except (FileNotFoundError, NotADirectoryError, KeyError, ValueError, SafetensorError):
        return None


def _write(path: Path, heard: Mapping[str, Heard]) -> None:
    """First beside `path`, then under its name: whoever reads finds all of it or nothing."""
    sides = np.array([(heard[form].effort_db, heard[form].beyond_db) for form in sorted(heard)])
    tensors = {form: one.embedding for form, one in heard.items()} | {_SIDES: sides}
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(f".{os.getpid()}")
    unfinished.write_bytes(serialise_tensors(tensors))
    unfinished.replace(path)
