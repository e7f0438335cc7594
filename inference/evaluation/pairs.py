"""Does fusion help, and does adaptive fusion help where input is bad? On pairs put together.

A recorded voice stands beside a written line of the same class. Such pairs are independent given
the class by construction, so fusion must gain on them: they test the code, and nothing follows
for real calls. None of these figures belongs into a card.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from inference.evaluation.figures import BOOTSTRAPS
from inference.evaluation.intervals import drawn, resampled
from inference.evaluation.item_windows import sound_windows
from inference.evaluation.judged import JudgedRows
from inference.evaluation.report import Breakdown, EvaluationReport, Metrics
from inference.evidence import Evidence
from inference.experts.speech import SpeechExpert
from inference.fusion.artefact import FusionArtefact
from inference.fusion.prior import EVEN_PRIOR
from inference.fusion.product_fuser import ProductFuser
from inference.labels import DISTRESS, EMOTIONS, Emotion
from inference.training.calibration import PAIRS_PER_ITEM, Labelled, pair
from inference.training.degrade import Samples, random_noise
from inference.training.emodb import HELD_OUT_SPEAKERS, Clip
from inference.training.held_out_evidence import BAD_LINE_DB, CLEAN_CONFIDENCE, DRAW
from inference.training.speech_corpus import Copy, degraded_copies, prepare_clip
from inference.training.utterance import chance, digest_of

Pairs = list[tuple[tuple[Evidence, ...], Emotion]]


class Voice(StrEnum):
    """How a voice comes in."""

    WIDEBAND = "wideband"
    TELEPHONE = "telephone"
    NOISE = "noise"
    """Down to a noise 5 dB louder than the voice."""


class Words(StrEnum):
    """How words come in."""

    HEARD = "words"
    LOST = "lost words"
    """Up to six words of ten are missing."""


DEGRADED: Final = (
    (Voice.WIDEBAND, Words.HEARD),
    (Voice.NOISE, Words.HEARD),
    (Voice.WIDEBAND, Words.LOST),
    (Voice.NOISE, Words.LOST),
)
COMPARED: Final = {
    "joy": frozenset({Emotion.JOY}),
    "neutral": frozenset({Emotion.NEUTRAL}),
    "distressed": DISTRESS,
}
"""Joy sounds excited and is no distress: where does it lie between the others?"""


@dataclass(frozen=True, slots=True)
class Difference:
    """A gain on the same items, and its standard error over clips drawn anew."""

    gain: float
    error: float


def voices(
    clips: Sequence[Clip],
    expert: SpeechExpert,
    seed: int,
    on_clip: Callable[[], None] = lambda: None,
) -> dict[Voice, list[Labelled]]:
    """What the shipped heads say of the speakers that they have never heard.

    Args:
        clips: of EmoDB; those of other speakers are left out.
        expert: to be asked.
        seed: of cuts, codecs and noise.
        on_clip: called after each clip of theirs.
    """
    found: dict[Voice, list[Labelled]] = {voice: [] for voice in Voice}
    for clip in clips:
        if clip.speaker not in HELD_OUT_SPEAKERS:
            continue
        for voice, samples in _forms(clip, expert, seed).items():
            (answer,) = expert.assess(sound_windows(samples)[:1])
            if isinstance(answer, Evidence):
                found[voice].append(Labelled(answer, clip.emotion))
        on_clip()
    return found


def _forms(clip: Clip, expert: SpeechExpert, seed: int) -> dict[Voice, Samples]:
    random = chance(digest_of(clip), seed, draw=DRAW)
    prepared = prepare_clip(clip, expert.voice_activity)
    copies = degraded_copies(prepared, random, expert.voice_activity)
    return {
        Voice.WIDEBAND: copies[Copy.WIDEBAND],
        Voice.TELEPHONE: copies[Copy.TELEPHONE],
        Voice.NOISE: random_noise(copies[Copy.WIDEBAND], random, BAD_LINE_DB),
    }


def by_words(lines: Iterable[Labelled]) -> dict[Words, list[Labelled]]:
    """What `text_evidence` made, apart by whether words were lost."""
    found: dict[Words, list[Labelled]] = {words: [] for words in Words}
    for line in lines:
        clean = line.evidence.quality.confidence == CLEAN_CONFIDENCE
        found[Words.HEARD if clean else Words.LOST].append(line)
    return found


def evaluate_pairs(
    heard: Mapping[Voice, Sequence[Labelled]],
    said: Mapping[Words, Sequence[Labelled]],
    artefact: FusionArtefact,
    versions: Mapping[str, str],
    seed: int = 0,
) -> EvaluationReport:
    """Fusion against each modality alone; joy against neutral; adaptive against late.

    Under an even prior, but for the mean distress of some labels, which is that of a service.
    The headline is late fusion of a wideband voice and its words.

    Args:
        heard: from `voices`.
        said: from `by_words`.
        artefact: with the slopes to be judged.
        versions: of the experts.
        seed: of pairs and of the bootstrap.
    """
    late, adaptive = (artefact.fuser(name, EVEN_PRIOR) for name in ("late", "adaptive"))
    groups: dict[str, Metrics] = {}
    for voice in (Voice.WIDEBAND, Voice.TELEPHONE):
        pairs = pair(heard[voice], said[Words.HEARD], seed)
        groups |= _together(voice, pairs, late, artefact.fuser("late"))
    for voice, words in DEGRADED:
        groups |= _weighed(
            f"{voice} with {words}", pair(heard[voice], said[words], seed), late, adaptive
        )
    headline = groups[f"{Voice.WIDEBAND}, speech+text"]
    return EvaluationReport(
        task="pairs",
        n=int(headline["n"]),
        metrics={name: value for name, value in headline.items() if name != "n"},
        by=Breakdown(group=groups),
        versions={
            **versions,
            "fusion": f"{late.version}, {adaptive.version}",
            "pairs": "voices and lines of the same class put together: a test of the code only",
        },
    )


def _together(
    voice: Voice, pairs: Pairs, fuser: ProductFuser, deployed: ProductFuser
) -> dict[str, Metrics]:
    """Each modality alone, both, and what joy does where it is deployed."""
    both, in_service = fused_rows(pairs, fuser), fused_rows(pairs, deployed)
    alone = {
        name: fused_rows([((evidence[place],), truth) for evidence, truth in pairs], fuser)
        for place, name in enumerate(("speech", "text"))
    }
    gains: Metrics = {}
    for name, rows in alone.items():
        gain = difference(rows, both, "distress_auc")
        gains |= {f"auc_over_{name}": gain.gain, f"auc_over_{name}_se": gain.error}
    return {
        **{f"{voice}, {name}": {"n": float(len(pairs)), **rows.figures()}
           for name, rows in alone.items()},
        f"{voice}, speech+text": {
            "n": float(len(pairs)),
            **both.figures(),
            **gains,
            **{
                f"mean_distress_of_{name}": mean_distress(in_service, labels)
                for name, labels in COMPARED.items()
            },
        },
    }  # fmt: skip


def _weighed(
    name: str, pairs: Pairs, late: ProductFuser, adaptive: ProductFuser
) -> dict[str, Metrics]:
    """Late and adaptive weights on the same pairs, and what the second gains."""
    rows = {fuser.weigh.name: fused_rows(pairs, fuser) for fuser in (late, adaptive)}
    found: Metrics = {}
    for metric, sign in (("nll", -1), ("distress_auc", 1)):
        gain = difference(rows["late"], rows["adaptive"], metric)
        found |= {f"{metric}_gain": sign * gain.gain, f"{metric}_gain_se": gain.error}
    return {
        f"{name}, late": {"n": float(len(pairs)), **rows["late"].figures()},
        f"{name}, adaptive": {"n": float(len(pairs)), **rows["adaptive"].figures(), **found},
    }


def fused_rows(pairs: Pairs, fuser: ProductFuser) -> JudgedRows:
    """One row a pair; the pairs of one clip are drawn together."""
    fused = [fuser.fuse(evidence) for evidence, _ in pairs]
    distress = np.clip([one.distress or 0.5 for one in fused], 1e-9, 1 - 1e-9)
    return JudgedRows(
        labels=np.array([truth.value for _, truth in pairs]),
        log_probs=np.array([one.log_probs for one in fused]),
        names=tuple(EMOTIONS),
        units=np.array([str(row // PAIRS_PER_ITEM) for row in range(len(pairs))]),
        distress_log_odds=np.log(distress / (1 - distress)),
    )


def difference(
    before: JudgedRows, after: JudgedRows, metric: str, seed: int = 0, draws: int = BOOTSTRAPS
) -> Difference:
    """`metric` of `after` less that of `before`, the same clips drawn for both."""
    _, who = np.unique(before.units, return_inverse=True)
    spread: list[NDArray[np.float64]] = [
        resampled(after, counts)[metric] - resampled(before, counts)[metric]
        for counts in drawn(who, seed, draws)
    ]
    return Difference(
        gain=after.figures()[metric] - before.figures()[metric],
        error=float(np.concatenate(spread).std(ddof=1)),
    )


def mean_distress(rows: JudgedRows, labels: frozenset[Emotion]) -> float:
    """Mean probability of distress of the items of some labels."""
    if rows.distress_log_odds is None:
        raise ValueError("rows without a say in distress")
    odds = rows.distress_log_odds[np.isin(rows.labels, list(labels))]
    return float((1 / (1 + np.exp(-odds))).mean())
