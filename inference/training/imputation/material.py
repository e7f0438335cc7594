"""Pairs of what experts read, as rows of the shared space."""

from collections.abc import Callable, Mapping

import numpy as np

from inference.evidence import Evidence, Features, Prosody, Quality
from inference.imputation.contract import Floats
from inference.labels import EMOTIONS, MODALITIES, Emotion, Modality
from inference.methods import SharedSpace
from inference.projection import SIZE
from inference.training.imputation.rows import SharedRows
from inference.training.paired import Pairs, Part

Rows = Mapping[Modality, Floats]
"""(items, 256) of each part."""


def shared_rows(pairs: Pairs, rows: Rows) -> SharedRows:
    """Stand the rows of each part beside one another as `pairs` says.

    Args:
        pairs: which item stands beside which.
        rows: of the items of each part; a row of zeros counts as absent.
    """
    parts = np.zeros((len(pairs.truth), len(MODALITIES), SIZE), dtype=np.float32)
    for modality, items in rows.items():
        place = MODALITIES.index(modality)
        there = pairs.rows[:, place] >= 0
        parts[there, place] = items[pairs.rows[there, place]]
    shown = set(pairs.truth.tolist())
    labels = tuple(label for label in EMOTIONS if label.value in shown)
    columns = {label.value: column for column, label in enumerate(labels)}
    return SharedRows(
        parts,
        np.any(parts != 0, axis=2),
        np.array([columns[Emotion(label).value] for label in pairs.truth.tolist()]),
        labels,
        pairs.groups,
    )


def projected(part: Part, space: SharedSpace, on_item: Callable[[], None] = lambda: None) -> Floats:
    """(items, 256) of what `space` makes of each item, zero where it reads no such features.

    Each goes the way of a window in a service. Of prosody only vocal effort is kept with
    the material; a space takes what was not measured for usual.
    """
    place = MODALITIES.index(part.modality)
    found = np.zeros((len(part.vectors), SIZE), dtype=np.float32)
    for row, (vector, effort) in enumerate(zip(part.vectors, part.efforts_db, strict=True)):
        prosody = Prosody(effort_db=None if np.isnan(effort) else float(effort))
        evidence = Evidence(
            modality=part.modality,
            expert="training",
            labels=EMOTIONS,
            log_probs=np.full(len(EMOTIONS), -np.log(len(EMOTIONS))),
            distress_log_odds=None,
            quality=Quality(),
            prosody=prosody if part.modality is Modality.SPEECH else None,
            features=Features.whole(part.space, vector),
        )
        found[row] = space.project([evidence]).parts[place]
        on_item()
    return found
