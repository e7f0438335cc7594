"""Moments to store and to search for in tests, and a space of few words."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from inference.evidence import Evidence
from inference.projection import SIZE, Projection
from inference.score import WindowScore
from storage.values import ParticipantBatch, Progress, StoredMoment
from tests.scores import batch

SPACE = "test-space-1"
Vector = NDArray[np.float32]


def unit(values: Sequence[float]) -> Vector:
    """(256,) of length one: these values, then zeros."""
    vector = np.zeros(SIZE)
    vector[: len(values)] = values
    return (vector / np.linalg.norm(vector)).astype(np.float32)


def noise(seed: int) -> Vector:
    """(256,) of length one, in no direction."""
    return unit(np.random.default_rng(seed).standard_normal(SIZE).tolist())


def towards(cosine: float, axis: int = 0, *, aside: int = 1) -> Vector:
    """(256,) of length one whose cosine with one axis is this."""
    vector = np.zeros(SIZE)
    vector[axis], vector[aside] = cosine, np.sqrt(1 - cosine**2)
    return unit(vector.tolist())


@dataclass
class FakeSpace:
    """Every word has a direction of its own; a few have one that a test chose."""

    version: str = SPACE
    known: Mapping[str, Vector] = field(default_factory=dict)

    def project(self, evidence: Sequence[Evidence]) -> Projection:
        """Sees nothing."""
        return Projection.of({})

    def query(self, text: str) -> Vector:
        """The mean of its words."""
        return unit(np.sum([self.word(one) for one in text.lower().split()], axis=0).tolist())

    def word(self, one: str) -> Vector:
        """By its letters."""
        seed = int.from_bytes(hashlib.sha256(one.encode()).digest()[:8], "little")
        return self.known[one] if one in self.known else noise(seed)


def moment(
    score: WindowScore, vector: Vector, *, imputed: bool = False, space: str = SPACE
) -> StoredMoment:
    """What is stored beside `score` to find it by."""
    return StoredMoment(
        start_ns=score.start_ns,
        end_ns=score.end_ns,
        vector=vector,
        imputed=imputed,
        space=space,
    )


def searchable(
    scores: Sequence[WindowScore],
    vectors: Sequence[Vector],
    expected: Progress | None = None,
    *,
    queue: str = "billing",
    space: str = SPACE,
) -> ParticipantBatch:
    """The batch of one participant, each window with its vector."""
    stored = [moment(one, vector, space=space) for one, vector in zip(scores, vectors, strict=True)]
    return replace(batch(scores, expected, queue=queue), moments=tuple(stored))


@st.composite
def exact_vectors(draw: st.DrawFn) -> Vector:
    """(256,) of length one, of sixteenths: their products are exact in float32 and any order."""
    seed = draw(st.integers(0, 1 << 32))
    signs = np.random.default_rng(seed).integers(0, 2, SIZE) * 2 - 1
    return (signs / 16).astype(np.float32)
