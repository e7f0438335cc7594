"""The public JSON of a score: nothing is lost, and the schema in the docs is this one."""

import json
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.contract import format_time, from_json, json_schema, parse_time, to_json
from inference.score import WindowScore
from tests.scores import window_scores

PUBLISHED = Path(__file__).parents[2] / "docs" / "score.schema.json"


@given(window_scores())
def test_a_score_survives_its_json(score: WindowScore) -> None:
    assert from_json(to_json(score)) == score


@given(window_scores())
def test_every_score_fits_the_published_schema(score: WindowScore) -> None:
    jsonschema.validate(json.loads(to_json(score)), json.loads(PUBLISHED.read_text()))


def test_the_published_schema_is_generated_from_the_type() -> None:
    current = json.loads(json.dumps(json_schema()))
    assert json.loads(PUBLISHED.read_text()) == current, (
        "write inference.contract.json_schema() to docs/score.schema.json, and a line to CHANGELOG"
    )


@given(st.integers(0, 9_000_000_000_000_000_000))
def test_times_are_exact_to_the_nanosecond(at_ns: int) -> None:
    assert parse_time(format_time(at_ns)) == at_ns


@pytest.mark.parametrize(
    ("at_ns", "text"),
    [
        (0, "1970-01-01T00:00:00Z"),
        (1_764_000_000_200_000_000, "2025-11-24T16:00:00.2Z"),
        (1, "1970-01-01T00:00:00.000000001Z"),
    ],
)
def test_times_read_as_people_write_them(at_ns: int, text: str) -> None:
    assert format_time(at_ns) == text
