"""Windows to align, with the views in which each modality of them comes."""

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from inference.alignment.captions import MEASURES
from inference.experts.text_features import as_recognised
from inference.labels import EMOTIONS, Emotion, Modality
from inference.training.alignment.facts import Facts, no_facts, third_edges, thirds_of
from inference.training.alignment.voices import FORMS, Voices
from inference.training.speech_corpus import Copy
from inference.training.word_errors import misheard

ERROR_RATES: Final = (0.05, 0.2)
"""Of words, as INFERENCE says of recognisers that do well enough."""

Rows = NDArray[np.float32]
"""(views, takes, size) of one modality, the first view as it was, the others degraded."""
Sides = NDArray[np.bool_]
Floats = NDArray[np.float64]


class Vectorises(Protocol):
    """Makes a vector of words."""

    @property
    def version(self) -> str:
        """Name, version and digest of its vectors."""
        ...

    def vector(self, text: str) -> NDArray[np.float32]:
        """(size,) float32."""
        ...


@dataclass(frozen=True, slots=True)
class Takes:
    """Windows, all with the same modalities.

    Attributes:
        inputs: what the towers read.
        facts: what is known of each.
        speakers: (takes,) names.
        units: (takes,) which recording each is of: several draws of one share it.
    """

    inputs: dict[Modality, Rows]
    facts: Facts
    speakers: NDArray[np.str_]
    units: NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.facts)

    def of(self, kept: Sides | NDArray[np.integer]) -> Self:
        """Some of them."""
        return type(self)(
            {modality: rows[:, kept] for modality, rows in self.inputs.items()},
            self.facts.of(kept),
            self.speakers[kept],
            self.units[kept],
        )


@dataclass(frozen=True, slots=True)
class Lines:
    """Written lines of one label each, in the order of `facts`."""

    texts: tuple[str, ...]
    takes: Takes


@dataclass(frozen=True, slots=True)
class Seen:
    """Faces beside the voices: one for each clip.

    Attributes:
        rows: (clips, size) what the tower reads.
        shown: (clips, actions) which parts move.
        actions: their names.
        views: (views, clips, size) the same faces worse seen; none by default.
    """

    rows: Rows
    shown: Sides
    actions: tuple[str, ...]
    views: Rows = field(default_factory=lambda: np.zeros((0, 0, 0), dtype=np.float32))


def edges_of(voices: Voices, kept: Sides | None = None) -> Floats:
    """(2, measures) edges of thirds of the clips that are `kept`, (clips,), in the first form.

    None keeps all.
    """
    measured = voices.measures[Copy.WIDEBAND]
    measured = measured if kept is None else measured[:, kept]
    return third_edges(measured.reshape(-1, len(MEASURES)))


def voice_takes(voices: Voices, edges: Floats, seen: Seen | None = None) -> Takes:
    """A take for each draw of each clip, draw by draw, its forms as views.

    Whatever line a voice comes over, its thirds are those of the wideband form: what a caption
    says of it does not change with the line.

    Args:
        voices: heard.
        edges: see `edges_of`.
        seen: faces of the same clips.
    """
    corpus = voices.corpus
    draws = len(corpus.embeddings[Copy.WIDEBAND])
    clips = len(corpus.clips)
    measured = voices.measures[Copy.WIDEBAND].reshape(draws * clips, -1)
    views = [
        np.concatenate(
            [
                corpus.embeddings[form].reshape(draws * clips, -1),
                voices.measures[form].reshape(draws * clips, -1),
            ],
            axis=1,
        )
        for form in FORMS
    ]
    inputs = {Modality.SPEECH: np.array(views, dtype=np.float32)}
    shown = np.zeros((clips, 0), dtype=np.bool_)
    if seen is not None:
        faces = [seen.rows, *seen.views]
        inputs[Modality.FACE] = np.tile(np.array(faces, dtype=np.float32), (1, draws, 1))
        shown = seen.shown
    facts = Facts(
        np.tile(_places(clip.emotion for clip in corpus.clips), draws),
        thirds_of(measured, edges),
        np.tile(shown, (draws, 1)),
        no_facts(draws * clips, 0).lines,
    )
    units = np.array([clip.path.stem for clip in corpus.clips])
    return Takes(inputs, facts, np.tile(corpus.speakers, draws), np.tile(units, draws))


def line_takes(
    lines: Sequence[tuple[str, Emotion]], words: Vectorises, actions: int, seed: int
) -> Lines:
    """Lines as windows: as written, then as a poor recogniser gives them.

    Args:
        lines: and their labels.
        words: makes vectors of them; a line without any known word is left out.
        actions: columns of `Facts.actions`.
        seed: of the recogniser's errors.
    """
    vectors = [words.vector(text) for text, _ in lines]
    kept = [place for place, vector in enumerate(vectors) if vector.any()]
    texts = tuple(lines[place][0] for place in kept)
    lottery = random.Random(seed)  # noqa: S311 - a recogniser's errors are no secret
    others = [word for text in texts for word in text.split()]
    heard = [
        words.vector(as_recognised(misheard(text, lottery.uniform(*ERROR_RATES), others, lottery)))
        for text in texts
    ]
    facts = no_facts(len(texts), actions)
    facts = Facts(
        _places(lines[place][1] for place in kept),
        facts.thirds,
        facts.actions,
        np.arange(len(texts)),
    )
    views = np.array([[vectors[place] for place in kept], heard], dtype=np.float32)
    names = np.array([f"line {place}" for place in range(len(texts))])
    return Lines(texts, Takes({Modality.TEXT: views}, facts, names, names))


def _places(labels: Iterable[Emotion]) -> NDArray[np.int64]:
    return np.array([EMOTIONS.index(label) for label in labels], dtype=np.int64)
