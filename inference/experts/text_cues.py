"""From what moved a score of words to the phrases that a reader is shown."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from inference.evidence import Cue
from inference.labels import Emotion, Modality
from inference.window import TextSpan

LABEL_CUE_FROM: Final = 0.3
DISTRESS_CUE_FROM: Final = 0.5
LONGEST_PHRASE: Final = 5
MARKS: Final = ",.;:!?"
"""Not quoted at the ends of a phrase."""
PHRASE_FLOOR: Final = 1 / 3

Shares = NDArray[np.float64]
Targets = list[tuple[Emotion | None, str, int]]
"""What to explain, None being distress; the kind of its cues; and how many of them."""


def worth_explaining(
    labels: Sequence[Emotion], log_probs: Shares, distress_log_odds: float | None
) -> Targets:
    """The strongest label and distress, where they are likely enough to be asked about.

    Args:
        labels: columns of `log_probs`.
        log_probs: (labels,) natural log, against an even prior.
        distress_log_odds: natural log odds against an even prior.
    """
    best = int(np.argmax(log_probs))
    targets: Targets = []
    if labels[best] is not Emotion.NEUTRAL and log_probs[best] >= np.log(LABEL_CUE_FROM):
        targets.append((labels[best], f"words of {labels[best]}", 2))
    if distress_log_odds is not None and distress_log_odds >= DISTRESS_CUE_FROM:
        targets.append((None, "words of distress", 1))
    return targets


def phrase_cues(
    targets: Targets,
    tokens: Sequence[str],
    owners: Sequence[TextSpan],
    shares: Callable[[Emotion | None], Shares],
    kinds: Callable[[Emotion | None], Mapping[int, str]] = lambda _: {},
) -> tuple[Cue, ...]:
    """The phrases that moved each of `targets` most, quoted; each once.

    Args:
        targets: from `worth_explaining`.
        tokens: words of the text.
        owners: of each token, the span it was said in.
        shares: (tokens,) how far each token moved a target.
        kinds: names of phrases that are better than that of the target, by token.
    """
    cues: dict[tuple[str, int], Cue] = {}
    for label, kind, most in targets:
        named = kinds(label)
        for start, end in _strongest(shares(label), owners)[:most]:
            phrase = " ".join(tokens[start:end]).strip(MARKS)
            at_ns = owners[start].start_ns
            cue = Cue(
                modality=Modality.TEXT,
                cue=f'says "{phrase}"',
                at_ns=at_ns,
                quotes=True,
                kind=next((named[at] for at in range(start, end) if at in named), kind),
            )
            cues.setdefault((phrase, at_ns), cue)
    return tuple(cues.values())


def _strongest(shares: Shares, owners: Sequence[TextSpan]) -> list[tuple[int, int]]:
    """Runs of tokens of one span that each moved the score, the strongest run first."""
    floor = PHRASE_FLOOR * shares.max()
    runs: list[tuple[int, int]] = []
    if floor <= 0:
        return runs
    for place in np.flatnonzero(shares >= floor).tolist():
        if runs:
            start, end = runs[-1]
            near = end == place and owners[start] is owners[place]
            if near and place - start < LONGEST_PHRASE:
                runs[-1] = (start, place + 1)
                continue
        runs.append((place, place + 1))
    return sorted(runs, key=lambda run: (-shares[run[0] : run[1]].sum(), run))
