"""Fits what fusion knows beyond its rule: conformal thresholds, and how much quality matters.

Speech comes from recordings of strangers to the heads that judge them, words from lines that
no head was trained on. Both kinds of evidence meet only as pseudo-pairs: items of the same label
put side by side. Such pairs are independent given the label by construction, so they can say
what bad input is worth, but not how much two modalities repeat each other: the full weight
stays below one by decision, and pairs calibrate no probabilities.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from inference.calibration.conformal import DEFAULT_COVERAGE, fit_threshold
from inference.calibration.patterns import SHARED, PatternCalibration, pattern_of
from inference.errors import AffectstreamError
from inference.evidence import Evidence
from inference.fusion.adaptive import FITTED, AdaptiveWeighting, QualitySlopes
from inference.fusion.artefact import FusionArtefact
from inference.fusion.groups import support_of
from inference.fusion.late import LateWeighting
from inference.fusion.prior import DEFAULT_PRIOR, EVEN_PRIOR
from inference.fusion.product import product
from inference.fusion.product_fuser import ProductFuser, Weighting
from inference.labels import DISTRESS, EMOTIONS, NOT_DISTRESS, Emotion, Modality

PAIRS_PER_ITEM: Final = 4
STEEPEST: Final = 10.0
FACE_SLOPES: Final = QualitySlopes(slopes={"level": 1.0, "confidence": 1.0})
"""Set by hand: no faces with a licence to fit on were at hand."""

Floats = NDArray[np.float64]


class NothingToPairError(AffectstreamError):
    """Speech and text that have no label in common."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """One window of one modality, judged by an expert that never met its speaker or line."""

    evidence: Evidence
    truth: Emotion


def train_calibration(
    speech: Sequence[Labelled],
    text: Sequence[Labelled],
    *,
    seed: int,
    data: str,
    licence: str = "Apache-2.0",
) -> FusionArtefact:
    """Fit thresholds under the deployment prior, and slopes of quality.

    1. Pair every item of speech with lines of the same label.
    2. For each pattern, and for all together, the conformal threshold of the fused
       probabilities; items are weighted to the label shares of the deployment prior.
    3. The slopes at which quality takes weight away, by the likelihood of labels and distress
       of the pairs under an even prior.

    Args:
        speech: several forms and qualities of each recording.
        text: lines with one label, written and misheard.
        seed: of the pairing.
        data: what both were made from, for the artefact.
        licence: of the artefact.

    Raises:
        NothingToPairError: speech and text share no label.
    """
    pairs = pair(speech, text, seed)
    if not pairs:
        raise NothingToPairError(
            f"{len(speech)} windows of speech and {len(text)} lines of text share no label: "
            "calibration needs items of the same labels in both"
        )
    patterns: dict[str, list[tuple[tuple[Evidence, ...], Emotion]]] = {
        pattern_of([Modality.SPEECH]): [((one.evidence,), one.truth) for one in speech],
        pattern_of([Modality.TEXT]): [((one.evidence,), one.truth) for one in text],
        pattern_of([Modality.SPEECH, Modality.TEXT]): pairs,
    }
    slopes = fit_slopes(pairs)
    return FusionArtefact(
        name="fusion",
        version=1,
        calibration=PatternCalibration(thresholds=fit_thresholds(patterns)),
        slopes=slopes | {Modality.FACE: FACE_SLOPES},
        data=data,
        licence=licence,
        experts={
            Modality.SPEECH: speech[0].evidence.expert.split("+", 1)[0],
            Modality.TEXT: text[0].evidence.expert,
        },
        training={
            "seed": seed,
            **{f"{pattern} items": len(items) for pattern, items in patterns.items()},
            "scipy": version("scipy"),
        },
    )


def pair(
    speech: Sequence[Labelled], text: Sequence[Labelled], seed: int
) -> list[tuple[tuple[Evidence, ...], Emotion]]:
    """Each item of speech beside `PAIRS_PER_ITEM` lines of its label, drawn with `seed`.

    Items of a label without lines are left out.
    """
    random = np.random.default_rng(seed)
    lines = {label: [one.evidence for one in text if one.truth is label] for label in EMOTIONS}
    return [
        ((one.evidence, lines[one.truth][int(choice)]), one.truth)
        for one in speech
        if lines[one.truth]
        for choice in random.integers(0, len(lines[one.truth]), PAIRS_PER_ITEM)
    ]


def fit_thresholds(
    patterns: Mapping[str, Sequence[tuple[tuple[Evidence, ...], Emotion]]],
) -> dict[str, float]:
    """Conformal threshold of each pattern and of all together, under the deployment prior."""
    fuser = ProductFuser(LateWeighting(), DEFAULT_PRIOR)
    fused: dict[str, tuple[Floats, NDArray[np.integer], Floats]] = {}
    for pattern, items in patterns.items():
        probs = np.exp([fuser.fuse(evidence).log_probs for evidence, _ in items])
        truth = np.array([EMOTIONS.index(label) for _, label in items])
        counts = np.bincount(truth, minlength=len(EMOTIONS))
        shares = np.exp(DEFAULT_PRIOR.log_shares)[truth] / counts[truth]
        fused[pattern] = (probs, truth, shares / shares.mean())
    thresholds = {
        pattern: fit_threshold(probs, truth, DEFAULT_COVERAGE, shares)
        for pattern, (probs, truth, shares) in fused.items()
    }
    everything = [np.concatenate(parts) for parts in zip(*fused.values(), strict=True)]
    return thresholds | {
        SHARED: fit_threshold(everything[0], everything[1], DEFAULT_COVERAGE, everything[2])
    }


def fit_slopes(
    pairs: Sequence[tuple[tuple[Evidence, ...], Emotion]],
) -> dict[Modality, QualitySlopes]:
    """Slopes of at least zero that make labels and distress of the pairs most likely."""
    modalities = [Modality.SPEECH, Modality.TEXT]
    usual = {
        modality: _mean_qualities(evidence[place] for evidence, _ in pairs)
        for place, modality in enumerate(modalities)
    }
    keys = [
        (modality, name) for modality in modalities for name in FITTED if name in usual[modality]
    ]

    def slopes_of(values: Iterable[float]) -> dict[Modality, QualitySlopes]:
        found: dict[Modality, dict[str, float]] = {modality: {} for modality in modalities}
        for (modality, name), value in zip(keys, values, strict=True):
            found[modality][name] = round(float(value), 3)
        return {
            modality: QualitySlopes(slopes=found[modality], usual=usual[modality])
            for modality in modalities
        }

    rows = _Pairs.of(pairs)
    best = minimize(
        lambda values: rows.loss(AdaptiveWeighting(slopes_of(np.maximum(values, 0.0)))),
        np.full(len(keys), 0.5),
        method="Powell",
        bounds=[(0.0, STEEPEST)] * len(keys),
        options={"xtol": 1e-2, "ftol": 1e-5},
    ).x
    return slopes_of(best)


def pair_loss(
    pairs: Sequence[tuple[tuple[Evidence, ...], Emotion]],
    slopes: Mapping[Modality, QualitySlopes],
) -> float:
    """Mean NLL of the label plus that of distress, every label weighing the same, nats."""
    return _Pairs.of(pairs).loss(AdaptiveWeighting(slopes))


@dataclass(frozen=True, slots=True)
class _Pairs:
    """Pairs as arrays: only their weights depend on what is being fitted.

    Attributes:
        support: (pairs, 2, labels) see `support_of`.
        log_odds: (pairs, 2) of distress, 0 where nothing is said.
        truth: (pairs,) columns.
        distress: (pairs,) 1 or 0; a half where the label is on neither side.
    """

    evidence: tuple[tuple[Evidence, ...], ...]
    support: Floats
    log_odds: Floats
    truth: NDArray[np.integer]
    distress: Floats

    @classmethod
    def of(cls, pairs: Sequence[tuple[tuple[Evidence, ...], Emotion]]) -> Self:
        sides = dict.fromkeys(EMOTIONS, 0.5)
        sides |= dict.fromkeys(DISTRESS, 1.0) | dict.fromkeys(NOT_DISTRESS, 0.0)
        return cls(
            evidence=tuple(evidence for evidence, _ in pairs),
            support=np.array([[support_of(one) for one in evidence] for evidence, _ in pairs]),
            log_odds=np.array(
                [[one.distress_log_odds or 0.0 for one in evidence] for evidence, _ in pairs]
            ),
            truth=np.array([EMOTIONS.index(label) for _, label in pairs]),
            distress=np.array([sides[label] for _, label in pairs]),
        )

    def loss(self, weigh: Weighting) -> float:
        """See `pair_loss`; the rule is that of `ProductFuser.fuse` under an even prior."""
        weights = np.array([[weigh(one) for one in evidence] for evidence in self.evidence])
        log_probs = product(EVEN_PRIOR.log_shares, self.support, weights)
        losses = -log_probs[np.arange(len(self.truth)), self.truth]
        towards = (2 * self.distress - 1) * (weights * self.log_odds).sum(axis=1)
        losses += np.where(self.distress == 0.5, 0.0, np.logaddexp(0.0, -towards))  # noqa: PLR2004
        counts = np.bincount(self.truth, minlength=len(EMOTIONS))
        return float((losses / counts[self.truth]).sum() / np.count_nonzero(counts))


def _mean_qualities(evidence: Iterable[Evidence]) -> dict[str, float]:
    """Mean of each fitted quality that is ever known."""
    known: dict[str, list[float]] = {name: [] for name in FITTED}
    for one in evidence:
        for name in FITTED:
            value = getattr(one.quality, name)
            if value is not None:
                known[name].append(value)
    return {name: round(float(np.mean(values)), 3) for name, values in known.items() if values}
