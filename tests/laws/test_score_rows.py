"""Scores as rows and back, and rollups as sums of scores in any order."""

import random
from collections import Counter
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from inference.contract import to_json
from inference.score import WindowScore
from storage import rollups
from storage.rollups import COUNTED, KEY
from storage.rows import evidence_rows, score_of, score_row
from storage.values import ConversationFacts
from tests.scores import window_scores

FACTS = ConversationFacts(tenant="acme", conversation="c-1", started_ns=0)


@given(window_scores())
def test_a_score_survives_its_rows(score: WindowScore) -> None:
    evidence = evidence_rows(score)
    random.shuffle(evidence)
    assert score_of(score_row(score), evidence) == score


def reordered(value: Any) -> Any:
    """As a database may hand an object back: the same keys, in another order."""
    if not isinstance(value, dict):
        return value
    return {key: reordered(value[key]) for key in sorted(value, reverse=True)}


@given(window_scores())
def test_a_score_reads_the_same_however_the_database_orders_objects(score: WindowScore) -> None:
    row = reordered(score_row(score))
    assert to_json(score_of(row, evidence_rows(score))) == to_json(score)


def added(*parts: list[dict[str, Any]]) -> dict[tuple[Any, ...], Counter[str]]:
    sums: dict[tuple[Any, ...], Counter[str]] = {}
    for row in (row for part in parts for row in part):
        counts = sums.setdefault(tuple(row[name] for name in KEY), Counter())
        for name in COUNTED:
            counts[name] += row[name]
    return sums


@given(st.lists(window_scores(), max_size=12), st.integers(0, 12))
def test_counting_in_pieces_equals_counting_whole(scores: list[WindowScore], cut: int) -> None:
    whole = added(rollups.count(scores, FACTS))
    pieces = added(rollups.count(scores[cut:], FACTS), rollups.count(scores[:cut], FACTS))
    assert whole == pieces
