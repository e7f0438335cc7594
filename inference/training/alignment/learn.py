"""Learns the shared space: what a batch is, and what it costs."""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from inference.alignment.captions import caption
from inference.alignment.losses import (
    between_modalities_loss,
    invariance_loss,
    private_loss,
    symmetric_loss,
    window_caption_loss,
)
from inference.alignment.towers import SHARED, Tower, Towers, unit
from inference.labels import EMOTIONS, MODALITIES, Modality
from inference.projection import SIZE
from inference.training.alignment.facts import Facts, described, holds, no_facts, said_of
from inference.training.alignment.takes import Lines, Takes, Vectorises
from inference.training.alignment.warm_start import (
    begin,
    bend,
    coded,
    fact_axes,
    keep_words,
    shares_of,
)

JUDGED: Final = 512
"""Windows and captions of the judgement, always the same."""
PAIRED: Final = 0.5
"""Share of the windows that are a voice (maybe with a face); lines stand beside some of them."""
LINE_BESIDE: Final = 0.4
"""How often a line of the same label is put beside a voice: a pseudo-pair."""
DROPPED: Final = 0.25
"""How often a voice that has something beside it is dropped, or what stands beside it."""
BALANCE: Final = 0.5
"""A label is drawn in proportion to its count to this power less one."""
MODALITIES_WEIGHT: Final = 0.3
SYMMETRY_WEIGHT: Final = 0.05
INVARIANCE_WEIGHT: Final = 0.1
SMALLEST_SCALE: Final = 1e-4
"""A number that hardly varies is not blown up."""

Floats = NDArray[np.floating]


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """How much is drawn.

    Attributes:
        batch: windows with a caption each.
        batches: of an epoch: what it sees is drawn anew each time, so its length is a choice.
        captions: from which the tower of queries learns before the others move.
    """

    batch: int = 256
    batches: int = 30
    captions: int = 4_000


USUAL: Final = Extent()


@dataclass(frozen=True, slots=True)
class Material:
    """What the space is learnt from.

    Attributes:
        voices: with a face beside each, or without; None takes lines alone.
        lines: None takes voices alone.
        actions: names of the columns of `Facts.actions`.
    """

    voices: Takes | None
    lines: Lines | None
    actions: tuple[str, ...] = ()

    @property
    def sizes(self) -> dict[Modality, int]:
        """Of what each tower reads."""
        found: dict[Modality, int] = {}
        for takes in (self.voices, self.lines.takes if self.lines else None):
            if takes is not None:
                found |= {modality: rows.shape[-1] for modality, rows in takes.inputs.items()}
        return {modality: found[modality] for modality in MODALITIES if modality in found}


@dataclass(frozen=True, slots=True)
class Batch:
    """Windows with a caption each.

    Attributes:
        inputs: (batch, size) of each modality, one of its views; NaN where it is absent.
        clean: the same, in the first view.
        present: (batch, modality).
        facts: of the windows: of what is present alone.
        said: of the captions.
        captions: (batch, size) vectors of their words.
    """

    inputs: Mapping[Modality, Tensor]
    clean: Mapping[Modality, Tensor]
    present: Tensor
    facts: Facts
    said: Facts
    captions: Tensor


@dataclass(slots=True)
class AlignmentLosses:
    """L = L_clip + .3 L_nt-xent + .05 (L_sym + L_private) + .1 L_inv, over random windows.

    Source: INFERENCE.md 5.4 and 6.1. Departure: NT-Xent is taken on the shared half, too, in its
    supervised form, since what stands beside a voice is often only a line of the same label.
    """

    towers: Towers
    material: Material
    held_out: Material
    words: Vectorises
    extent: Extent = USUAL
    _judged: list[Batch] = field(default_factory=list)

    def batches(self, generator: torch.Generator) -> int:
        """See `inference.training.loop.Losses`; batches are drawn one by one."""
        del generator
        return self.extent.batches

    def loss(self, batch: int, generator: torch.Generator) -> Tensor:
        """See `inference.training.loop.Losses`."""
        del batch
        seed = int(torch.randint(2**31, (1,), generator=generator))
        drawn = draw(self.material, self.words, self.extent.batch, np.random.default_rng(seed))
        # Dropout takes its chance from the process, not from a generator that it is given.
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return self._total(drawn)

    def judge(self) -> float:
        """Loss between windows and captions of people and lines that are not trained on."""
        if not self._judged:
            chance = np.random.default_rng(0)
            self._judged.append(draw(self.held_out, self.words, JUDGED, chance))
        (drawn,) = self._judged
        with torch.inference_mode():
            raw = self._projected(drawn.inputs, drawn.present)
            return float(self._between_captions(drawn, raw))

    def _total(self, drawn: Batch) -> Tensor:
        raw = self._projected(drawn.inputs, drawn.present)  # (batch, modality, 256)
        shared, private = raw[..., :SHARED], raw[..., SHARED:]
        temperature = self.towers.temperature()
        labels = torch.from_numpy(drawn.facts.labels)
        even = torch.zeros(len(labels))  # of the same label: they do not contradict each other
        return (
            self._between_captions(drawn, raw)
            + MODALITIES_WEIGHT
            * between_modalities_loss(unit(shared), drawn.present, temperature, labels)
            + SYMMETRY_WEIGHT * symmetric_loss(shared, drawn.present, even)
            + SYMMETRY_WEIGHT * private_loss(unit(shared), unit(private), drawn.present)
            + INVARIANCE_WEIGHT * self._invariance(drawn, raw)
        )

    def _between_captions(self, drawn: Batch, raw: Tensor) -> Tensor:
        moments = unit((unit(raw) * drawn.present[..., None]).sum(1))  # (batch, 256)
        captions = unit(self.towers.query(drawn.captions))
        true = torch.from_numpy(holds(drawn.facts, drawn.said))
        return window_caption_loss(moments, captions, true, self.towers.temperature())

    def _invariance(self, drawn: Batch, raw: Tensor) -> Tensor:
        clean = self._projected(drawn.clean, drawn.present)
        return invariance_loss(clean[drawn.present], raw[drawn.present])

    def _projected(self, inputs: Mapping[Modality, Tensor], present: Tensor) -> Tensor:
        """(batch, modality, 256), zero where absent."""
        found = torch.zeros(*present.shape, SIZE)
        for modality, rows in inputs.items():
            place = MODALITIES.index(modality)
            there = present[:, place]
            if there.any():
                column = found[:, place].clone()
                column[there] = self.towers.project(modality, rows[there])
                found = torch.cat([found[:, :place], column[:, None], found[:, place + 1 :]], 1)
        return found


def draw(material: Material, words: Vectorises, size: int, chance: np.random.Generator) -> Batch:
    """Windows of voices and of lines, pseudo-pairs of both, and a caption of each.

    1. Voices and lines are drawn, rare labels more often than they occur.
    2. A line of the same label is put beside some voices; then a modality may be dropped.
    3. Each modality comes in one of its views.
    4. A caption says some of what the present modalities show.
    """
    actions = len(material.actions)
    # 1.
    voiced = size if material.lines is None else round(PAIRED * size)
    voiced = 0 if material.voices is None else voiced
    voices = _drawn(material.voices, voiced, chance)
    lines = _drawn(material.lines.takes if material.lines else None, size - voiced, chance)
    present = np.zeros((size, len(MODALITIES)), dtype=np.bool_)
    speech, text, face = (
        MODALITIES.index(one) for one in (Modality.SPEECH, Modality.TEXT, Modality.FACE)
    )
    present[:voiced, speech] = True
    present[voiced:, text] = True
    # 2.
    line_of = np.concatenate([np.zeros(voiced, dtype=np.int64), lines])
    if material.voices is not None and Modality.FACE in material.voices.inputs:
        present[:voiced, face] = True
        lost = chance.random(voiced)
        present[:voiced, face] &= lost >= DROPPED
        present[:voiced, speech] &= lost < 1 - DROPPED
    if material.lines is not None and material.voices is not None and voiced:
        labels = material.voices.facts.labels[voices]
        beside = _same_label(material.lines.takes.facts.labels, labels, chance)
        line_of[:voiced] = beside
        joined = (beside >= 0) & (chance.random(voiced) < LINE_BESIDE)
        present[:voiced, text] = joined
        quiet = joined & (chance.random(voiced) < DROPPED)
        present[:voiced, speech] &= ~quiet
    # 3.
    inputs: dict[Modality, Tensor] = {}
    clean: dict[Modality, Tensor] = {}
    sources = []
    if material.voices is not None:
        sources += [
            (one, rows, voices, slice(0, voiced)) for one, rows in material.voices.inputs.items()
        ]
    if material.lines is not None:
        rows = material.lines.takes.inputs[Modality.TEXT]
        sources.append((Modality.TEXT, rows, line_of, slice(0, size)))
    for modality, rows, chosen, place in sources:
        view = chance.integers(len(rows), size=len(chosen))
        for target, which in ((inputs, view), (clean, np.zeros_like(view))):
            full = np.full((size, rows.shape[-1]), np.nan, dtype=np.float32)
            full[place] = rows[which, chosen]
            target[modality] = torch.from_numpy(full)
    # 4.
    facts = _known(material, voices, line_of, present, actions)
    said = said_of(facts, chance)
    lottery = random.Random(int(chance.integers(2**31)))  # noqa: S311 - captions are no secret
    texts = material.lines.texts if material.lines else ()
    spoken = [
        caption(described(said, row, texts, material.actions, lottery), lottery)
        for row in range(size)
    ]
    captions = torch.from_numpy(np.array([words.vector(one) for one in spoken]))
    return Batch(inputs, clean, torch.from_numpy(present), facts, said, captions)


def _known(
    material: Material,
    voices: NDArray[np.int64],
    lines: NDArray[np.int64],
    present: NDArray[np.bool_],
    actions: int,
) -> Facts:
    """What the present modalities show: thirds of a voice, parts of a face, a line's words."""
    speech, text, face = (
        MODALITIES.index(one) for one in (Modality.SPEECH, Modality.TEXT, Modality.FACE)
    )
    facts = no_facts(len(present), actions)
    voiced = len(voices)
    if material.voices is not None:
        known = material.voices.facts.of(voices)
        facts.labels[:voiced] = known.labels
        facts.thirds[:voiced] = np.where(present[:voiced, speech, None], known.thirds, -1)
        facts.actions[:voiced] = known.actions & present[:voiced, face, None]
    if material.lines is not None:
        known = material.lines.takes.facts.of(lines)
        facts.labels[voiced:] = known.labels[voiced:]
        facts.lines[:] = np.where(present[:, text], known.lines, -1)
    return facts


def _drawn(takes: Takes | None, count: int, chance: np.random.Generator) -> NDArray[np.int64]:
    if takes is None or not count:
        return np.zeros(0, dtype=np.int64)
    labels = takes.facts.labels
    weights = np.bincount(labels, minlength=len(EMOTIONS))[labels] ** -BALANCE
    return chance.choice(len(takes), size=count, p=weights / weights.sum())


def _same_label(
    pool: NDArray[np.int64], wanted: NDArray[np.int64], chance: np.random.Generator
) -> NDArray[np.int64]:
    """For each wanted label some row of `pool` that has it; -1 where none has."""
    found = np.full(len(wanted), -1)
    for label in np.unique(wanted):
        rows = np.flatnonzero(pool == label)
        these = wanted == label
        if len(rows):
            found[these] = chance.choice(rows, size=int(these.sum()))
    return found


def fresh_towers(
    material: Material, words: Vectorises, seed: int, captions: int = USUAL.captions
) -> Towers:
    """Towers that guess facts in closed form; see `warm_start`.

    Each facts' place in the space is the same for all of them, so that a caption is near the
    windows of which it holds before anything is learnt.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        towers = Towers(material.sizes, len(words.vector("")))
    kinds = [one for one in (material.voices, material.lines and material.lines.takes) if one]
    codes = coded(no_facts(1, len(material.actions)), np.ones(1))
    axes = fact_axes(codes.shape[1], seed)
    for takes in kinds:
        shares = shares_of(takes.facts)
        for modality, views in takes.inputs.items():
            tower = _tower(towers, modality)
            rows = views.reshape(-1, views.shape[-1])
            _standardise(tower, rows)
            if tower.measured:
                bend(tower)
            targets = coded(_shown_by(takes.facts, modality), shares)
            begin(tower, rows, np.tile(targets, (len(views), 1)), axes)
    drawn = draw(material, words, captions, np.random.default_rng(seed))
    vectors = drawn.captions.numpy()
    _standardise(towers.query, vectors)
    begin(towers.query, vectors, coded(drawn.said, shares_of(kinds[0].facts)), axes)
    if material.lines is not None:
        keep_words(towers, _tower(towers, Modality.TEXT), axes, seed)
    return towers


def _shown_by(facts: Facts, modality: Modality) -> Facts:
    """What one modality can show of `facts`: no face shows how loud a voice is."""
    nothing = no_facts(len(facts), facts.actions.shape[1])
    return Facts(
        facts.labels,
        facts.thirds if modality is Modality.SPEECH else nothing.thirds,
        facts.actions if modality is Modality.FACE else nothing.actions,
        nothing.lines,
    )


def _standardise(tower: Tower, rows: Floats) -> None:
    tower.mean.copy_(torch.from_numpy(np.nanmean(rows, axis=0)))
    spread = np.nanstd(rows, axis=0)
    tower.scale.copy_(torch.from_numpy(np.maximum(spread, SMALLEST_SCALE)))


def _tower(towers: Towers, modality: Modality) -> Tower:
    tower = towers.modalities[str(modality)]
    if not isinstance(tower, Tower):
        raise TypeError(f"the tower of {modality} is a {type(tower).__name__}")
    return tower
