"""What is only expected never reaches a probability: by type, by mark, and by the scores."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, get_type_hints

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from inference.evidence import Absent, Evidence, Features, Quality
from inference.fusion.contract import Fuser
from inference.fusion.late import LateWeighting
from inference.fusion.product_fuser import ProductFuser
from inference.imputation.contract import IMPUTERS, ImputerName
from inference.imputation.foresight import ImputedForesight
from inference.imputed import Imputed, ImputedEvidenceError, imputed
from inference.labels import EMOTIONS, MODALITIES, AbsenceReason, Modality, Role
from inference.methods import Methods
from inference.projection import Projection
from inference.scorer import Scorer
from inference.training.imputation.probe_fit import fit_probe
from inference.units import SECOND_NS
from inference.window import WindowInput
from tests.imputers import SIZE, shared_rows, tiny

few = settings(max_examples=15)  # each asks a network several times
numbers = arrays.arrays(np.float32, (3, SIZE), elements=st.floats(-1, 1, width=32))
UNUSUAL = 4.0
"""How far what the straw expert reads lies from anything an imputer was fitted on."""


@dataclass(frozen=True)
class StrawExpert:
    """Reads a few numbers off the window's time; hears nothing in some windows."""

    modality: Modality
    missing: frozenset[int] = frozenset()
    version: str = "straw-1"
    look_back_ns: int = 0

    def assess(self, windows: Sequence[WindowInput]) -> list[Evidence | Absent]:
        return [self._one(window) for window in windows]

    def _one(self, window: WindowInput) -> Evidence | Absent:
        second = window.start_ns // SECOND_NS
        if second in self.missing:
            return Absent(self.modality, AbsenceReason.SILENCE)
        logits = UNUSUAL * np.sin(np.arange(7) * (second + 1) + len(self.modality))
        vector = np.sin(np.arange(SIZE) + second * len(self.modality)).astype(np.float32)
        return Evidence(
            modality=self.modality,
            expert=self.version,
            labels=EMOTIONS,
            log_probs=logits - math.log(np.exp(logits).sum()),
            distress_log_odds=math.sin(second),
            quality=Quality(present_share=0.7),
            features=Features.whole("straw-6", vector),
        )


@dataclass(frozen=True)
class StrawSpace:
    """Takes the features for rows of the shared space."""

    version: str = "straw-space-1"

    def project(self, evidence: Sequence[Evidence]) -> Projection:
        parts = np.zeros((len(MODALITIES), SIZE), dtype=np.float32)
        for one in evidence:
            assert one.features is not None
            length = np.linalg.norm(one.features.vector)
            parts[MODALITIES.index(one.modality)] = one.features.vector / length
        heard = {one.modality for one in evidence}
        return Projection(parts, np.array([modality in heard for modality in MODALITIES]))

    def query(self, text: str) -> np.ndarray:
        raise NotImplementedError(text)


PROBE = fit_probe(shared_rows())


def foresight(name: ImputerName) -> ImputedForesight:
    return ImputedForesight(tiny(name), PROBE, f"imputation-{name}-1+00000000")


def window(second: int) -> WindowInput:
    return WindowInput(
        tenant="acme",
        run="live",
        conversation="c-1",
        participant="p-1",
        role=Role.CUSTOMER,
        start_ns=second * SECOND_NS,
        end_ns=(second + 3) * SECOND_NS,
        absent={},
        final=True,
    )


@pytest.mark.parametrize("name", IMPUTERS)
@few
@given(
    missing=st.fixed_dictionaries(
        {modality: st.frozensets(st.integers(0, 5)) for modality in MODALITIES}
    )
)
def test_no_figure_of_a_score_changes_when_imputation_is_switched_on(
    name: ImputerName, missing: dict[Modality, frozenset[int]]
) -> None:
    experts = [StrawExpert(modality, missing[modality]) for modality in MODALITIES]
    windows = [window(second) for second in range(6)]
    off = Scorer(experts).score(windows, {})
    methods = Methods(space=StrawSpace(), foresight=foresight(name), keeps_moments=True)
    on = Scorer(experts, methods=methods).score(windows, {})
    for without, beside in zip(off.scores, on.scores, strict=True):
        plain = msgspec.structs.replace(beside, expected={}, versions=without.versions)
        assert msgspec.msgpack.encode(plain) == msgspec.msgpack.encode(without)
        partly = beside.emotions is not None and any(
            not report.present for report in beside.modalities.values()
        )
        if partly:
            absent = [m for m, report in beside.modalities.items() if not report.present]
            assert any(beside.expected[m].would_change is not None for m in absent)
    assert off.states == on.states
    assert any(moment is not None and moment.imputed for moment in on.moments) == any(
        0 < len(MODALITIES) - sum(second in missing[m] for m in MODALITIES) < len(MODALITIES)
        for second in range(6)
    )


@few
@given(
    numbers,
    st.sampled_from(
        [
            lambda one: one[0],
            lambda one: one.sum(axis=0),
            lambda one: one[0] + np.ones(SIZE, dtype=np.float32),
            lambda one: np.ones(SIZE, dtype=np.float32) * one[1],
            lambda one: one[2].astype(np.float64),
            lambda one: one.mean(axis=0).copy(),
            lambda one: np.concatenate([np.zeros(2, dtype=np.float32), one[0]]),
        ]
    ),
)
def test_the_mark_outlives_arithmetic_and_no_features_are_made_of_it(
    rows: np.ndarray, compute: Any
) -> None:
    vector = compute(imputed(rows))
    assert isinstance(vector, Imputed)
    with pytest.raises(ImputedEvidenceError, match="is no evidence"):
        Features.whole("voice-768", vector)
    with pytest.raises(ImputedEvidenceError, match="is no evidence"):
        Evidence(
            modality=Modality.FACE,
            expert="straw",
            labels=EMOTIONS,
            log_probs=vector,
            distress_log_odds=None,
            quality=Quality(),
        )


@pytest.mark.parametrize("name", IMPUTERS)
def test_a_window_completed_by_an_imputer_bears_the_mark_and_stays_incomplete(
    name: ImputerName,
) -> None:
    seen = StrawSpace().project(
        [
            one
            for one in StrawExpert(Modality.SPEECH).assess([window(1)])
            if isinstance(one, Evidence)
        ]
    )
    completed = foresight(name).complete(seen)
    assert isinstance(completed.parts, Imputed)
    assert isinstance(completed.moment, Imputed)
    assert completed.expected
    np.testing.assert_array_equal(completed.present, seen.present)
    speech = MODALITIES.index(Modality.SPEECH)
    np.testing.assert_array_equal(completed.parts[speech], seen.parts[speech])
    np.testing.assert_allclose(np.linalg.norm(completed.parts, axis=1), 1, rtol=1e-5)
    with pytest.raises(ImputedEvidenceError):
        Features.whole("straw-6", completed.parts[MODALITIES.index(Modality.FACE)])


def test_fusers_are_given_evidence_and_choke_on_anything_else() -> None:
    hints = get_type_hints(Fuser.fuse), get_type_hints(Fuser.fuse_many)
    assert hints[0]["evidence"] == Sequence[Evidence]
    assert hints[1]["windows"] == Sequence[Sequence[Evidence]]
    completed = foresight("ridge").complete(
        Projection(np.eye(3, SIZE, dtype=np.float32), np.eye(3)[0] > 0)
    )
    with pytest.raises(AttributeError, match="modality"):
        ProductFuser(LateWeighting()).fuse([completed])  # type: ignore[list-item]
