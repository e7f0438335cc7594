"""Voices to align: what the encoder makes of every form of a recording, and its measures."""

import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from inference.alignment.captions import MEASURES, measures_of
from inference.experts.prosody import prosody_of
from inference.experts.voice_activity import VoiceActivity
from inference.experts.voice_encoder import EmbedsVoice
from inference.training.degrade import Samples
from inference.training.heard_cache import CacheFolderError, HeardCache
from inference.training.speech_corpus import (
    NO_CACHE,
    REVISION,
    Copy,
    EmbeddedClips,
    degraded_copies,
    embed_clips,
    prepare_clip,
)
from inference.training.utterance import Utterance, chance, digest_of

FORMS: Final = tuple(Copy)
"""Each is a view of what was said: a space that hears through lines calls them the same."""
MEASURING: Final = 1
"""Raised whenever the measures change: what a cache holds of others is then measured anew."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Voices:
    """Recordings in every form, drawn several times.

    Attributes:
        corpus: their embeddings.
        measures: (draws, clips, measures) for each form, in the order of `Measure`; NaN where
            there was nothing to measure.
    """

    corpus: EmbeddedClips
    measures: dict[Copy, Floats]


def hear_voices(
    clips: Sequence[Utterance],
    encoder: EmbedsVoice,
    voice_activity: VoiceActivity,
    seed: int,
    draws: int,
    cache: HeardCache = NO_CACHE,
    on_clip: Callable[[], None] = lambda: None,
) -> Voices:
    """Embed and measure every clip in every form, as `embed_clips` does.

    `on_clip` is called twice for each.

    Raises:
        CacheFolderError: the folder of the cache cannot be written.
    """
    corpus = embed_clips(clips, encoder, voice_activity, seed, on_clip, draws, cache)
    found: list[Floats] = []
    for clip in clips:
        found.append(_measured(clip, voice_activity, seed, draws, cache.folder))
        on_clip()
    by_form = np.array(found).reshape(len(clips), draws, len(FORMS), len(MEASURES))
    return Voices(
        corpus,
        {form: by_form[:, :, place].swapaxes(0, 1) for place, form in enumerate(FORMS)},
    )


def measure(samples: Samples, voice_activity: VoiceActivity) -> Floats:
    """(measures,) of one recording, as the speech expert measures it; NaN where it cannot."""
    voicing = voice_activity.detect(samples)
    if not voicing.spans:
        return np.full(len(MEASURES), np.nan)
    measures = measures_of(prosody_of(samples, voicing, 0))
    return np.array([np.nan if value is None else value for value in measures])


def _measured(
    clip: Utterance, voice_activity: VoiceActivity, seed: int, draws: int, folder: Path | None
) -> Floats:
    """(draws, forms, measures); decodes the clip only if some of it was never measured."""
    digest = digest_of(clip)
    samples: Samples | None = None
    rows: list[Floats] = []
    for draw in range(draws):
        path = None if folder is None else _place(folder, digest, seed, draw)
        kept = _kept(path)
        if kept is None:
            samples = prepare_clip(clip, voice_activity) if samples is None else samples
            copies = degraded_copies(samples, chance(digest, seed, draw), voice_activity)
            kept = np.array([measure(copies[form], voice_activity) for form in FORMS])
            _keep(path, kept)
        rows.append(kept)
    return np.array(rows)


def _place(folder: Path, digest: str, seed: int, draw: int) -> Path:
    key = (MEASURING, REVISION, version("silero-vad"), version("av"), digest, seed, draw)
    name = hashlib.sha256("\0".join(map(str, key)).encode()).hexdigest()
    return folder / "measures" / name[:2] / f"{name[2:]}.npy"


def _kept(path: Path | None) -> Floats | None:
    if path is None:
        return None
    try:
        found: Floats = np.load(path, allow_pickle=False)
    except (FileNotFoundError, NotADirectoryError, ValueError, EOFError):
        return None
    return found if found.shape == (len(FORMS), len(MEASURES)) else None


def _keep(path: Path | None, measures: Floats) -> None:
    """First beside `path`, then under its name: whoever reads finds all of it or nothing."""
    if path is None:
        return
    unfinished = path.with_suffix(f".{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with unfinished.open("wb") as file:
            np.save(file, measures)
        unfinished.replace(path)
    except OSError as exc:
        raise CacheFolderError(
            f"{path.parent}: cannot keep what was measured ({exc.strerror}); name another folder "
            "with --cache"
        ) from exc
