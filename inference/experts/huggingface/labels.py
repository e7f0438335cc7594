"""From the labels of a checkpoint to ours: by name, by common synonyms, or as the sidecar says."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from inference.experts.huggingface.sidecar import Sidecar
from inference.experts.huggingface.source import SIDECAR, CheckpointError
from inference.labels import EMOTIONS, Emotion

Floats = NDArray[np.float64]

SYNONYMS: Final[Mapping[str, Emotion]] = {
    name: emotion
    for emotion, names in {
        Emotion.ANGER: "anger angry ang annoyance annoyed disapproval rage",
        Emotion.DISGUST: "disgust disgusted dis",
        Emotion.FEAR: "fear fearful fea afraid scared nervousness",
        Emotion.JOY: (
            "joy joyful happy happiness hap admiration amusement approval caring desire "
            "excitement excited exc gratitude love optimism pride relief"
        ),
        Emotion.NEUTRAL: "neutral neu neutrality calm bored boredom",
        Emotion.SADNESS: "sadness sad disappointment embarrassment grief remorse",
        Emotion.SURPRISE: "surprise surprised confusion curiosity realization",
    }.items()
    for name in names.split()
}
"""Common names in corpora of speech, text and faces. The fine labels of GoEmotions lie under the
seven as in its authors' own Ekman grouping (Demszky et al. 2020, section 5.2)."""


@dataclass(frozen=True, slots=True)
class LabelMap:
    """Columns of a checkpoint's logits to emotions.

    Attributes:
        emotions: those that the checkpoint knows, in the order of `EMOTIONS`.
        columns: of the logits, for each of `emotions`.
        prior: (logits,) share of each column before anything was read.
        several: more than one label may hold at once: each column is a yes or no of its own.
    """

    emotions: tuple[Emotion, ...]
    columns: tuple[tuple[int, ...], ...]
    prior: Floats
    several: bool = False

    def log_probs(self, logits: Floats) -> Floats:
        """(emotions,) natural log, against an even prior over `emotions`.

        What the checkpoint says of an emotion, the sum over its columns, is divided by the
        sum of their priors; columns that belong to no emotion are left out, as if the rest
        were all there is. Where several labels may hold at once, odds take the place of
        probabilities: those that at least one of the emotion's labels holds.

        Args:
            logits: (logits,) of one item.
        """
        if self.several:
            said = [_any_log_odds(_log_no(logits[list(ones)])) for ones in self.columns]
            expected = [_any_log_odds(np.log1p(-self.prior[list(ones)])) for ones in self.columns]
        else:
            said = [np.logaddexp.reduce(logits[list(ones)]) for ones in self.columns]
            expected = [np.log(self.prior[list(ones)].sum()) for ones in self.columns]
        scores = np.array(said) - np.array(expected)
        log_probs: Floats = scores - np.logaddexp.reduce(scores)
        return log_probs


def map_labels(
    what: str, folder: Path, names: Mapping[int, str], sidecar: Sidecar, *, several: bool = False
) -> LabelMap:
    """Find a meaning for every label of a checkpoint.

    Args:
        what: names the checkpoint in errors.
        folder: where its sidecar would lie.
        names: of the columns of its logits.
        sidecar: what its operator says; it wins over synonyms.
        several: see `LabelMap`.

    Raises:
        CheckpointError: a label without a meaning, or a sidecar that names others.
    """
    own = {name.casefold(): meaning for name, meaning in sidecar.labels.items()}
    known = {name.casefold() for name in names.values()}
    path = folder / SIDECAR
    _refuse_strangers(path, own, known)
    meanings = {**SYNONYMS, **own}
    strange = sorted(name for name in names.values() if name.casefold() not in meanings)
    if strange:
        example = f'{{"labels": {{"{strange[0]}": "{Emotion.ANGER}"}}}}'
        raise CheckpointError(
            f"{what}: no known meaning of {', '.join(map(repr, strange))}; say it in {path}, "
            f"such as {example}, one of {', '.join(EMOTIONS)}, or null to leave one out"
        )
    columns = {
        emotion: tuple(
            column for column, name in sorted(names.items()) if meanings[name.casefold()] is emotion
        )
        for emotion in EMOTIONS
    }
    found = tuple(emotion for emotion in EMOTIONS if columns[emotion])
    if len(found) < 2:  # noqa: PLR2004 - one label is no choice
        raise CheckpointError(
            f"{what}: its labels mean {', '.join(found) or 'none'} of ours; an expert tells "
            "at least two apart"
        )
    kept = tuple(columns[emotion] for emotion in found)
    return LabelMap(found, kept, _prior(path, names, kept, sidecar), several)


def _prior(
    path: Path, names: Mapping[int, str], kept: tuple[tuple[int, ...], ...], sidecar: Sidecar
) -> Floats:
    """(logits,) from the sidecar, else even over the columns."""
    if sidecar.prior is None:
        return np.full(len(names), 1.0 / len(names))
    given = {name.casefold(): share for name, share in sidecar.prior.items()}
    _refuse_strangers(path, given, {name.casefold() for name in names.values()})
    missing = [names[column] for ones in kept for column in ones]
    missing = [name for name in missing if name.casefold() not in given]
    if missing:
        raise CheckpointError(f"{path}: prior has no share for {', '.join(map(repr, missing))}")
    return np.array([given.get(names[column].casefold(), 0.0) for column in range(len(names))])


def _refuse_strangers(path: Path, named: Mapping[str, object], known: set[str]) -> None:
    strangers = sorted(named.keys() - known)
    if strangers:
        raise CheckpointError(
            f"{path}: {', '.join(map(repr, strangers))} is no label of the checkpoint; it has "
            f"{', '.join(sorted(known))}"
        )


def _log_no(logits: Floats) -> Floats:
    """Log-probability that a label does not hold, from its log-odds."""
    log_no: Floats = -np.logaddexp(0.0, logits)
    return log_no


def _any_log_odds(log_no: Floats) -> float:
    """Log-odds that at least one of several independent labels holds."""
    none = float(log_no.sum())
    return float(np.log(max(-np.expm1(none), np.finfo(np.float64).tiny)) - none)
