"""Several methods on one material: judged seed by seed, compared item by item."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from inference.evaluation.fusion_crema import Target, Votes, judge_votes
from inference.evaluation.fusion_pairs import judge_pairs
from inference.evaluation.fusion_ravdess import DROP_RATES, Posteriors, judge_posteriors
from inference.evaluation.methods.figures import Predictions, judged
from inference.evaluation.methods.results import REFERENCE, Comparison
from inference.evaluation.row_recipes import RowRecipe
from inference.evaluation.rows import Columns, Floats
from inference.training.paired import Pairs

PRODUCTS: Final = ("late", "adaptive")
LEARNED: Final = ("feature", "attention", "hybrid", "evidential")
METHODS: Final = (*PRODUCTS, *LEARNED)
SEEDS: Final = 5
WHOLE: Final = "speech+face"
DROPPED: Final = "dropped with p"

RecipeOf = Callable[[str, int], RowRecipe]
"""Of the name of a method and a seed."""
Masks = tuple[Floats, ...]


class Judge(Protocol):
    """Judges one recipe on one material."""

    def __call__(self, recipe: RowRecipe) -> "Run":
        """Every item by what was fitted on other speakers."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """What one recipe with one seed says.

    Attributes:
        truth: (n,) columns, the same for every recipe.
        speakers: (n,) likewise.
        parts: by what is present, (n, labels) log-probabilities; several of dropped rows.
    """

    truth: Columns
    speakers: NDArray[np.str_]
    parts: Mapping[str, Masks]


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """What methods are compared on; for the fields see `Comparison`."""

    name: str
    title: str
    about: str
    judge: Judge


def compare(
    material: Material,
    recipe_of: RecipeOf,
    *,
    seeds: int = SEEDS,
    methods: Sequence[str] = METHODS,
    on_run: Callable[[], None] = lambda: None,
) -> Comparison:
    """Judge every method, learned ones once a seed.

    Args:
        material: what on.
        recipe_of: how a method comes about.
        seeds: of learned methods.
        methods: the reference among them.
        on_run: called after each of `runs`.
    """
    found: dict[str, list[Run]] = {}
    for method in methods:
        found[method] = []
        for seed in range(seeds if method in LEARNED else 1):
            found[method].append(material.judge(recipe_of(method, seed)))
            on_run()
    first = found[REFERENCE][0]
    lines = []
    for part in first.parts:
        said = {
            method: Predictions(method, part, tuple(run.parts[part] for run in runs))
            for method, runs in found.items()
        }
        lines += [
            judged(
                one,
                said[REFERENCE],
                first.truth,
                first.speakers,
                curve=not part.startswith(DROPPED),
            )
            for one in said.values()
        ]
    return Comparison(
        name=material.name,
        title=material.title,
        about=material.about,
        n=len(first.truth),
        speakers=len(np.unique(first.speakers)),
        seeds=seeds,
        whole=WHOLE,
        lines=lines,
    )


def runs(seeds: int, methods: Sequence[str] = METHODS) -> int:
    """How often a recipe is judged."""
    return sum(seeds if method in LEARNED else 1 for method in methods)


def of_posteriors(posteriors: Posteriors) -> Material:
    """Published predictions for RAVDESS."""

    def judge(recipe: RowRecipe) -> Run:
        clips = judge_posteriors(posteriors, recipe)
        patterns = {
            name: (np.concatenate([part.fused[name] for part in clips]),) for name in clips[0].fused
        }
        masks = [
            tuple(map(np.concatenate, zip(*(part.dropped[rate] for part in clips), strict=True)))
            for rate in range(len(DROP_RATES))
        ]
        return Run(
            np.concatenate([part.truth for part in clips]),
            np.concatenate([part.actors for part in clips]),
            patterns | _dropped(masks),
        )

    return Material(
        name="posteriors",
        title="Published predictions for RAVDESS",
        about="One voice and two face experts of other people (Luna-Jimenez et al. 2022), eight "
        "classes, folds of unseen actors. Everything is fitted on the test files of the other "
        "folds; a network reads calibrated log-probabilities only. Dropped: each modality with "
        "that chance, 20 masks.",
        judge=judge,
    )


def of_pairs(pairs: Pairs) -> Material:
    """Real pairs of RAVDESS through our encoder."""

    def judge(recipe: RowRecipe) -> Run:
        takes = judge_pairs(pairs, recipe)
        patterns = {name: (log_probs,) for name, log_probs in takes.fused.items()}
        return Run(takes.truth, takes.actors, patterns | _dropped(takes.dropped))

    return Material(
        name="pairs",
        title="Real pairs: voice and face of the same takes",
        about="Takes of RAVDESS, seven labels: the voice through the encoder of this library (768 "
        "numbers), 35 mean action units of the face, and what heads say that never met the actor. "
        "Four folds of actors. Networks read numbers and opinions, products opinions alone.",
        judge=judge,
    )


def of_votes(votes: Votes) -> Material:
    """Crowd votes of CREMA-D."""

    def judge(recipe: RowRecipe) -> Run:
        clips = judge_votes(votes, Target.AV, recipe)
        return Run(clips.truth, clips.actors, {name: (said,) for name, said in clips.fused.items()})

    return Material(
        name="votes",
        title="Crowd votes of CREMA-D",
        about="People who only heard, or only saw, guess what those say who did both; six "
        "classes, five folds of actors, an affine calibration of each channel. Contains "
        "information from CREMA-D (Cao et al. 2014), which is made available under the Open "
        "Database License (ODbL) 1.0.",
        judge=judge,
    )


def _dropped(masks: Sequence[Masks]) -> dict[str, Masks]:
    return {f"{DROPPED} {rate:g}": each for rate, each in zip(DROP_RATES, masks, strict=True)}
