"""What learned methods are trained on: a part for each modality, and items that join them.

Real pairs are takes of RAVDESS, of which voice and face are known (research only). Pseudo-pairs
join a voice of EmoDB and a line of GoEmotions with the same label: they may ship, and as they are
independent given the label by construction, nothing about two modalities together can be learnt
from them but what the label says.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from inference.calibration.temperature import apply_temperature, fit_temperature
from inference.evidence import Evidence
from inference.experts.text import TextExpert
from inference.experts.voice_activity import VoiceActivity
from inference.experts.voice_encoder import VOICE_SPACE, EmbedsVoice
from inference.experts.word_vectors import SPACE as WORD_SPACE
from inference.experts.word_vectors import WordVectors
from inference.fusion.groups import support_of
from inference.labels import DISTRESS, EMOTIONS, NOT_DISTRESS, Emotion, Modality
from inference.training.action_units import ACTION_UNIT_SPACE, read_action_units
from inference.training.goemotions import Comments
from inference.training.heard_cache import HeardCache
from inference.training.held_out_evidence import text_evidence
from inference.training.linear_fit import fit_linear
from inference.training.ravdess_speech import ActedClip
from inference.training.speaker_folds import speaker_folds
from inference.training.speech_corpus import NO_CACHE, Copy, EmbeddedClips, embed_clips
from inference.training.utterance import Utterance

INVERSE_PENALTY: Final = 1e-3
ACTORS_PER_FOLD: Final = 4
"""Of RAVDESS's 24; of EmoDB's ten speakers two."""
SPEAKERS_PER_FOLD: Final = 2

Floats = NDArray[np.float64]
Vectors = NDArray[np.float32]
Names = NDArray[np.str_]
Rows = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """Items of one modality.

    Attributes:
        space: of `vectors`, see `inference.evidence.Features`.
        vectors: (n, size) float32.
        support: (n, 7) log of a calibrated probability over an even prior, from a head that
            never met the item's group; 0 for labels that the head does not know.
        distress: (n,) log odds of distress against an even prior, likewise.
        truth: (n,) labels of the product's vocabulary.
        groups: (n,) who is left out together: speakers, or lines that are the same.
        said: (n,) words, empty where they are not known or always the same.
        efforts_db: (n,) vocal effort, NaN where there is no voice.
        views: other forms of the same items, each (n, size): telephone, noise, misheard.
    """

    modality: Modality
    space: str
    vectors: Vectors
    support: Floats
    distress: Floats
    truth: Names
    groups: Names
    said: Names
    efforts_db: Floats
    views: Mapping[str, Vectors]

    def of(self, rows: NDArray[np.intp] | Rows) -> Self:
        """Those items."""
        return type(self)(
            self.modality,
            self.space,
            self.vectors[rows],
            self.support[rows],
            self.distress[rows],
            self.truth[rows],
            self.groups[rows],
            self.said[rows],
            self.efforts_db[rows],
            {name: view[rows] for name, view in self.views.items()},
        )


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Which item of each part stands beside which.

    Attributes:
        parts: by modality.
        rows: (n, 3) row of each modality's part in the order of `MODALITIES`; -1 where it is
            missing.
        truth: (n,) label.
        groups: (n,) who is left out together.
    """

    parts: Mapping[Modality, Part]
    rows: NDArray[np.intp]
    truth: Names
    groups: Names

    def of(self, kept: NDArray[np.intp] | Rows) -> Self:
        """Those items, of the same parts."""
        return type(self)(self.parts, self.rows[kept], self.truth[kept], self.groups[kept])

    @property
    def present(self) -> Rows:
        """(n, 3) which modalities an item has."""
        return self.rows >= 0

    def folds(self, per_fold: int) -> Iterator[Rows]:
        """(n,) which items are held out, for each fold of `per_fold` groups."""
        return speaker_folds(self.groups, per_fold)


def real_pairs(
    acted: Sequence[ActedClip],
    action_units: Path,
    encoder: EmbedsVoice,
    voice_activity: VoiceActivity,
    *,
    seed: int = 0,
    cache: HeardCache = NO_CACHE,
    on_clip: Callable[[], None] = lambda: None,
) -> Pairs:
    """Takes of RAVDESS: a voice through our encoder, and the mean action units of its face.

    Heads of both are fitted on the actors of other folds, `ACTORS_PER_FOLD` at a time, and
    calibrated on what those folds held out. Words are left out: there are two sentences, each
    with every label.

    Args:
        acted: recordings of RAVDESS; those without action units are left out.
        action_units: the CSV file of means.
        encoder: of voices.
        voice_activity: finds them.
        seed: of cuts, codecs and noise.
        cache: of what was heard.
        on_clip: called after each recording.
    """
    units = read_action_units(action_units)
    clips = [clip for clip in acted if clip.path.stem[3:] in units]
    corpus = embed_clips(clips, encoder, voice_activity, seed, on_clip, 1, cache)
    voice = _voice(corpus, ACTORS_PER_FOLD)
    faces = np.stack([units[clip.path.stem[3:]] for clip in clips])
    face = _part(
        Modality.FACE, ACTION_UNIT_SPACE, faces, voice.truth, voice.groups, ACTORS_PER_FOLD
    )
    rows = np.arange(len(clips))
    absent = np.full(len(clips), -1)
    return Pairs(
        {Modality.SPEECH: voice, Modality.FACE: face},
        np.stack([rows, absent, rows], axis=1),
        voice.truth,
        voice.groups,
    )


def voice_part(
    clips: Sequence[Utterance],
    encoder: EmbedsVoice,
    voice_activity: VoiceActivity,
    *,
    seed: int = 0,
    draws: int = 1,
    cache: HeardCache = NO_CACHE,
    on_clip: Callable[[], None] = lambda: None,
) -> Part:
    """Recordings of EmoDB (or like it), each drawn `draws` times, in all forms.

    The wideband form is the item, the others are its views.
    """
    corpus = embed_clips(clips, encoder, voice_activity, seed, on_clip, draws, cache)
    return _voice(corpus, SPEAKERS_PER_FOLD)


def text_part(
    comments: Comments, expert: TextExpert, vectors: WordVectors, *, seed: int = 0
) -> Part:
    """Lines with one label that `expert` was not trained on, and how they are misheard.

    Lines in which no word has a place are left out; a line that was lost altogether is its own
    misheard form.
    """
    lines = [line for line in comments.single_lines if vectors.vector(line[0]).any()]
    kept: list[tuple[str, Emotion]] = []
    said: list[Evidence] = []
    for line in lines:
        heard = text_evidence([line], expert, seed)
        if heard:
            kept.append(line)
            said.append(heard[0].evidence)
    written = np.stack([vectors.vector(text) for text, _ in kept])
    random = np.random.default_rng(seed)
    misheard = np.stack([vectors.vector(_misheard(text, random)) for text, _ in kept])
    lost = ~misheard.any(axis=1)
    misheard[lost] = written[lost]
    return Part(
        modality=Modality.TEXT,
        space=WORD_SPACE,
        vectors=written,
        support=np.stack([support_of(one) for one in said]),
        distress=np.array([one.distress_log_odds or 0.0 for one in said]),
        truth=np.array([label.value for _, label in kept]),
        groups=np.array([f"line {number}" for number in range(len(kept))]),
        said=np.array([text for text, _ in kept]),
        efforts_db=np.full(len(kept), np.nan),
        views={"misheard": misheard},
    )


def pseudo_pairs(voice: Part, text: Part, per_item: int, random: np.random.Generator) -> Pairs:
    """Each voice beside `per_item` lines of its label; labels without lines are left out."""
    lines = {label: np.flatnonzero(text.truth == label) for label in np.unique(voice.truth)}
    voices = np.repeat(
        [row for row, label in enumerate(voice.truth) if len(lines[label])], per_item
    )
    drawn = np.array([random.choice(lines[voice.truth[row]]) for row in voices.tolist()])
    absent = np.full(len(voices), -1)
    return Pairs(
        {Modality.SPEECH: voice, Modality.TEXT: text},
        np.stack([voices, drawn, absent], axis=1),
        voice.truth[voices],
        voice.groups[voices],
    )


def _voice(corpus: EmbeddedClips, per_fold: int) -> Part:
    """All draws of `corpus`, one after the other."""
    draws = len(corpus.embeddings[Copy.WIDEBAND])
    forms = {copy: np.concatenate(corpus.embeddings[copy]) for copy in Copy}
    part = _part(
        Modality.SPEECH,
        VOICE_SPACE,
        forms[Copy.WIDEBAND],
        np.tile(corpus.emotions, draws),
        np.tile(corpus.speakers, draws),
        per_fold,
    )
    return Part(
        part.modality,
        part.space,
        part.vectors,
        part.support,
        part.distress,
        part.truth,
        part.groups,
        part.said,
        np.concatenate(corpus.efforts_db[Copy.WIDEBAND]),
        {copy.value: forms[copy] for copy in Copy if copy is not Copy.WIDEBAND},
    )


def _part(
    modality: Modality, space: str, vectors: Vectors, truth: Names, groups: Names, per_fold: int
) -> Part:
    log_probs = out_of_fold(vectors, truth, groups, per_fold)
    names = np.unique(truth)
    support = np.zeros((len(truth), len(EMOTIONS)))
    columns = [EMOTIONS.index(Emotion(name)) for name in names.tolist()]
    support[:, columns] = log_probs + np.log(len(names))
    return Part(
        modality=modality,
        space=space,
        vectors=vectors.astype(np.float32),
        support=support,
        distress=_distress(log_probs, names),
        truth=truth,
        groups=groups,
        said=np.full(len(truth), ""),
        efforts_db=np.full(len(truth), np.nan),
        views={},
    )


def out_of_fold(vectors: Vectors, truth: Names, groups: Names, per_fold: int) -> Floats:
    """(n, names) calibrated log-probabilities in the order of the sorted names.

    Each row is judged by a head that never met its group; its temperature is fitted on what
    the other folds held out.
    """
    names = np.unique(truth)
    columns = np.searchsorted(names, truth)
    log_probs = np.empty((len(truth), len(names)))
    folds = list(speaker_folds(groups, per_fold))
    for held_out in folds:
        head = fit_linear(vectors[~held_out], truth[~held_out], names.tolist(), INVERSE_PENALTY)
        log_probs[held_out] = head.log_probs(vectors[held_out])
    calibrated = np.empty_like(log_probs)
    for held_out in folds:
        temperature = fit_temperature(log_probs[~held_out], columns[~held_out])
        calibrated[held_out] = apply_temperature(log_probs[held_out], temperature)
    return calibrated


def _distress(log_probs: Floats, names: Names) -> Floats:
    """(n,) log odds of the two sides, each side's labels weighing the same."""
    sides = []
    for side in (DISTRESS, NOT_DISTRESS):
        columns = np.isin(names, [label.value for label in side])
        sides.append(np.logaddexp.reduce(log_probs[:, columns], axis=1) - np.log(columns.sum()))
    odds: Floats = sides[0] - sides[1]
    return odds


def _misheard(text: str, random: np.random.Generator) -> str:
    """Without some of its words, as a recogniser of 5 to 40 % errors would have it."""
    lost = random.uniform(0.05, 0.4)
    return " ".join(word for word in text.split() if random.random() >= lost)
