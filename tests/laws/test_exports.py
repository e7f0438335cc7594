"""Exports: what can be read back is what was stored, and every file fits its format."""

import asyncio
import csv
import io
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pysubs2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from inference.contract import format_time, from_json
from inference.labels import EMOTIONS, Emotion
from inference.score import WindowScore
from streams.serving.exports.comma_separated import FORMULA, harmless
from streams.serving.exports.emotion_ml import CATEGORIES, DIMENSIONS, NAMESPACE, OURS
from streams.serving.exports.flat import COLUMNS, Kind, row
from streams.serving.exports.formats import WRITTEN, Format
from streams.serving.exports.source import Source
from streams.serving.exports.web_vtt import words
from tests.emotionml_schema import emotionml_schema, vocabularies
from tests.scores import SECOND_NS, START_NS, distressed, window_scores

Pages = Sequence[Sequence[WindowScore]]


@st.composite
def paged(draw: st.DrawFn) -> Pages:
    """Scores in the order of the database, cut into pages at instants."""
    scores = draw(
        st.lists(window_scores(), max_size=6, unique_by=lambda s: (s.start_ns, s.participant))
    )
    scores.sort(key=lambda score: (score.start_ns, score.participant))
    size = draw(st.integers(1, 4))
    return [scores[at : at + size] for at in range(0, len(scores), size)] or [[]]


def written(form: Format, pages: Pages, started_ns: int = 0) -> bytes:
    async def source() -> AsyncIterator[Sequence[WindowScore]]:
        for page in pages:
            yield page

    async def all_of_it() -> bytes:
        about = Source(conversation="c-1", run="live", started_ns=started_ns, pages=source())
        return b"".join([part async for part in WRITTEN[form].encode(about)])

    return asyncio.run(all_of_it())


def flat(pages: Pages) -> list[WindowScore]:
    return [score for page in pages for score in page]


@given(paged())
def test_json_lines_are_the_scores(pages: Pages) -> None:
    lines = written(Format.JSONL, pages).splitlines()
    assert [from_json(line) for line in lines] == flat(pages)


@given(paged())
def test_csv_has_a_header_and_each_value_once(pages: Pages) -> None:
    text = written(Format.CSV, pages).decode()
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    scores = flat(pages)
    assert next(csv.reader(io.StringIO(text))) == list(COLUMNS)
    assert len(rows) == len(scores)
    for told, score in zip(rows, scores, strict=True):
        for name, value in row(score).items():
            assert told[name] == shown(COLUMNS[name], value)


def shown(kind: Kind, value: Any) -> str:
    if value is None:
        return ""
    if kind is Kind.TIME:
        return format_time(value)
    return (
        harmless(str(value))
        if kind is Kind.TEXT
        else str(value).replace("True", "true").replace("False", "false")
    )


@given(st.text(max_size=6))
def test_no_text_becomes_a_formula(text: str) -> None:
    assert not harmless(text).startswith(FORMULA)
    assert harmless(text).removeprefix("'") == text.removeprefix("'")


@settings(max_examples=50)
@given(paged())
def test_parquet_reads_back_as_the_same_rows(pages: Pages) -> None:
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    table = parquet.read_table(arrow.BufferReader(written(Format.PARQUET, pages)))
    assert table.column_names == list(COLUMNS)
    found = {
        name: (table[name].cast("int64") if kind is Kind.TIME else table[name]).to_pylist()
        for name, kind in COLUMNS.items()
    }
    for index, score in enumerate(flat(pages)):
        assert {name: found[name][index] for name in COLUMNS} == row(score)


@given(
    st.lists(
        st.tuples(st.integers(0, 40), st.sampled_from(["p-1", "p-2"])), min_size=1, unique=True
    )
)
def test_cues_come_in_order_and_one_of_each_participant_at_a_time(
    windows: list[tuple[int, str]],
) -> None:
    scores = [distressed(at, at / 40, participant=who) for at, who in sorted(windows)]
    pages = [scores[at : at + 3] for at in range(0, len(scores), 3)]
    text = written(Format.VTT, pages, started_ns=START_NS).decode()
    assert text.startswith("WEBVTT\n\n")
    cues = pysubs2.SSAFile.from_string(text, format_="vtt").events
    assert len(cues) == len(scores)
    assert [cue.start for cue in cues] == sorted(cue.start for cue in cues)
    for who in ("p-1", "p-2"):
        own = [score for score in scores if score.participant == who]
        said = [cue for cue in cues if f"customer {who}:" in cue.text]
        ends = [score.start_ns for score in [*own[1:], distressed(10**6)]][: len(own)]
        for cue, score, next_ns in zip(said, own, ends, strict=True):
            assert cue.start == (score.start_ns - START_NS) // 10**6
            assert cue.end == (min(score.end_ns, next_ns) - START_NS) // 10**6


def test_a_cue_says_what_a_score_says() -> None:
    assert words(distressed(0, 0.74)).endswith(">customer p-1: anger 74 %, distress 74 %")
    named = words(distressed(0, 0.74, participant="customer"))
    assert named == "<v customer>customer: anger 74 %, distress 74 %"


@given(window_scores())
def test_a_cue_names_an_emotion_only_where_the_decision_does(score: WindowScore) -> None:
    text = words(score)
    assert ("nothing to go by" in text) == (score.emotions is None)
    named = score.decision.label is not None and not score.decision.abstained
    if score.emotions is not None:
        assert ("not sure" in text) != named


def test_windows_before_the_start_are_cut_and_those_wholly_before_it_left_out() -> None:
    scores = [distressed(at) for at in (0, 4, 5)]
    text = written(Format.VTT, [scores], started_ns=START_NS + 5 * SECOND_NS).decode()
    assert "-->" in text
    assert text.count("-->") == 1
    assert "00:00:00.000 --> 00:00:03.000" in text


@settings(max_examples=50)
@given(paged())
def test_emotion_ml_is_valid_against_its_schema_and_its_vocabularies(pages: Pages) -> None:
    schema = emotionml_schema()
    document = etree.fromstring(written(Format.EMOTIONML, pages))
    schema.assertValid(document)
    assert document.get("category-set") == f"#{CATEGORIES}"
    assert document.get("dimension-set") == DIMENSIONS
    names = {"n": NAMESPACE, "as": OURS}
    [vocabulary] = document.xpath(f"n:vocabulary[@id='{CATEGORIES}']", namespaces=names)
    assert [item.get("name") for item in vocabulary] == list(EMOTIONS)
    told = document.xpath("n:emotion", namespaces=names)
    scores = [score for score in flat(pages) if score.emotions is not None]
    assert len(told) == len(scores)
    for emotion, score in zip(told, scores, strict=True):
        assert int(emotion.get("start")) == score.start_ns // 10**6
        assert int(emotion.get("end")) == score.end_ns // 10**6
        assert {
            Emotion(one.get("name")): float(one.get("confidence"))
            for one in emotion.xpath("n:category", namespaces=names)
        } == score.emotions
        [window] = emotion.xpath("n:info/as:window", namespaces=names)
        assert window.get("participant") == score.participant
        placed = {
            one.get("name"): float(one.get("value"))
            for one in emotion.xpath("n:dimension", namespaces=names)
        }
        assert score.valence is not None
        assert placed == pytest.approx(
            {"arousal": score.arousal, "valence": (score.valence + 1) / 2}, abs=1e-4
        )


def test_the_vocabularies_that_are_named_are_as_they_are_used() -> None:
    known = vocabularies()
    kind, names = known[DIMENSIONS.rpartition("#")[2]]
    assert kind == "dimension"
    assert {"arousal", "valence"} <= names
    ours = set(EMOTIONS)
    assert not any(kind == "category" and ours <= names for kind, names in known.values())
