"""Fits a head of our own on a frozen encoder, from somebody's own material."""

import platform
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Final

import numpy as np
from numpy.typing import NDArray

from inference.experts.huggingface.encoder import Encoder, Vector
from inference.experts.huggingface.encoder_head import SIDES, EncoderHead, EncoderHeadConfig
from inference.experts.huggingface.source import Source, fingerprint
from inference.experts.linear_head import LinearHead
from inference.experts.speech import MINIMUM_VOICED_SHARE
from inference.experts.text_features import as_recognised, clean
from inference.experts.voice_activity import VoiceActivity
from inference.labels import DISTRESS, EMOTIONS, NOT_DISTRESS, Modality
from inference.training.audio_file import read_audio
from inference.training.degrade import Samples, telephone
from inference.training.head_fit import (
    FEWEST_FOLDS,
    INVERSE_PENALTIES,
    NothingToLearnError,
    fit_head,
)
from inference.training.manifest import Item, Manifest, ManifestError
from inference.window import SPEECH_RATE_HZ

PIECE_SAMPLES: Final = 3 * SPEECH_RATE_HZ
"""A recording is read in pieces as long as a window, since windows are what will be scored."""
MOST_FOLDS: Final = 10
"""Of more people several are left out together: each fold is a fit."""
STRANGER_FOLDS: Final = 5
"""Where nobody says who wrote a line."""

Names = NDArray[np.str_]


@dataclass(frozen=True, slots=True)
class Embedded:
    """What the encoder makes of the material.

    Attributes:
        vectors: (rows, size) float32; an item has several.
        labels: (rows,) of the product's vocabulary.
        folds: (rows,) who is left out together when the temperature is fitted.
        items: that have a row.
        unheard: recordings without a piece in which somebody speaks.
    """

    vectors: NDArray[np.float32]
    labels: Names
    folds: Names
    items: int
    unheard: int


def embed_voices(
    items: Sequence[Item],
    encoder: Encoder[Samples],
    voice_activity: VoiceActivity,
    on_item: Callable[[], None] = lambda: None,
) -> Embedded:
    """Embed every piece of every recording, as it is and as a telephone carries it.

    Raises:
        ManifestError: an item without a file or a speaker: without speakers nobody is a
            stranger, and the head would be calibrated on voices that it knows.
        UnreadableAudioError: a file without audio.
    """
    rows = []
    for item in items:
        if item.speaker is None:
            raise ManifestError(
                f"line {item.line}: no speaker; voices need a column `speaker`, so that the "
                "head is calibrated on people that it never heard"
            )
        heard = spoken_pieces(read_audio(item.file), voice_activity)
        rows.append([encoder.embed(piece) for piece in heard])
        on_item()
    return _embedded(items, rows, _folds([str(item.speaker) for item in items]))


def embed_words(
    items: Sequence[Item],
    encoder: Encoder[str],
    on_item: Callable[[], None] = lambda: None,
) -> Embedded:
    """Embed every line, as written and as a recogniser would write it.

    Where a line has no speaker, equal lines are left out together.
    """
    rows = []
    for item in items:
        forms = dict.fromkeys(filter(None, (clean(item.text), as_recognised(item.text))))
        rows.append([encoder.embed(form) for form in forms])
        on_item()
    return _embedded(items, rows, _folds([item.speaker or _stranger(item) for item in items]))


def fit_encoder_head(
    embedded: Embedded, modality: Modality, source: Source, manifest: Manifest, licence: str
) -> EncoderHead:
    """Fit emotion, and distress where both of its sides are there, on frozen vectors.

    Standard scaling and a multinomial logistic regression, as for the shipped voice; penalty
    and temperature from predictions for people who were left out.

    Args:
        embedded: of `manifest`.
        modality: that the encoder reads.
        source: of the encoder.
        manifest: what was embedded.
        licence: of the material.

    Raises:
        NothingToLearnError: fewer than two labels, or one that fewer than two folds show.
    """
    labels = tuple(emotion for emotion in EMOTIONS if emotion in set(embedded.labels.tolist()))
    emotion = fit_head(embedded.vectors, embedded.labels, embedded.folds, labels)
    distress = _fit_distress(embedded)
    short = source.name.rpartition("/")[2]
    config = EncoderHeadConfig(
        name=f"{modality}-{short}",
        version=1,
        modality=modality,
        encoder=source.spec if "@" in source.name else str(source.folder.resolve()),
        encoder_sha256=fingerprint(source.folder),
        labels=labels,
        temperature=emotion.temperature,
        distress_temperature=None if distress is None else distress.temperature,
        languages=_languages(manifest.items) if modality is Modality.TEXT else (),
        data=manifest.about.get("manifest", ""),
        licence=licence,
        training={
            "items": embedded.items,
            "rows": len(embedded.labels),
            "folds": len(set(embedded.folds.tolist())),
            "unheard": embedded.unheard,
            "inverse_penalties": list(INVERSE_PENALTIES),
            **{name: version(name) for name in ("torch", "transformers", "scikit-learn")},
            "python": platform.python_version(),
        },
    )
    return EncoderHead(config, emotion, distress)


def spoken_pieces(samples: Samples, voice_activity: VoiceActivity) -> Iterator[Samples]:
    """What the expert would read of each piece, from its first to its last spoken sample."""
    for copy in (samples, telephone(samples)):
        for begin in range(0, len(copy), PIECE_SAMPLES):
            piece = np.zeros(PIECE_SAMPLES, dtype=np.float32)
            said = copy[begin : begin + PIECE_SAMPLES]
            piece[: len(said)] = said
            voicing = voice_activity.detect(piece)
            if voicing.voiced_samples >= MINIMUM_VOICED_SHARE * PIECE_SAMPLES and voicing.spans:
                yield piece[voicing.extent]


def _fit_distress(embedded: Embedded) -> LinearHead | None:
    """None where a side is missing, or shown by too few to test it on a stranger."""
    sided = np.isin(embedded.labels, [*DISTRESS, *NOT_DISTRESS])
    sides = np.where(np.isin(embedded.labels, list(DISTRESS)), *reversed(SIDES))[sided]
    folds = embedded.folds[sided]
    if any(len(set(folds[sides == side].tolist())) < FEWEST_FOLDS for side in SIDES):
        return None
    return fit_head(embedded.vectors[sided], sides, folds, SIDES)


def _embedded(
    items: Sequence[Item], rows: Sequence[Sequence[Vector]], folds: Sequence[str]
) -> Embedded:
    counts = [len(vectors) for vectors in rows]
    if not any(counts):
        raise NothingToLearnError(f"{len(items)} items: nothing is said in any of them")
    return Embedded(
        vectors=np.stack([vector for vectors in rows for vector in vectors]),
        labels=np.repeat([item.label.value for item in items], counts),
        folds=np.repeat(list(folds), counts),
        items=sum(count > 0 for count in counts),
        unheard=sum(count == 0 for count in counts),
    )


def _folds(people: Sequence[str]) -> list[str]:
    """Each person's fold: one a person, or people in turn where there are many."""
    names = sorted(set(people))
    if len(names) <= MOST_FOLDS:
        return list(people)
    fold = {name: f"fold {place % MOST_FOLDS}" for place, name in enumerate(names)}
    return [fold[name] for name in people]


def _stranger(item: Item) -> str:
    return f"stranger {zlib.crc32(as_recognised(item.text).encode()) % STRANGER_FOLDS}"


def _languages(items: Sequence[Item]) -> tuple[str, ...]:
    """First subtags of the items' languages; none where one does not say."""
    found = {item.language.split("-", 1)[0].lower() for item in items}
    return () if "und" in found else tuple(sorted(found))
