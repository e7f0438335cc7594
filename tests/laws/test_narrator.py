"""Laws of narration: what is written is read as it was meant, and nothing untrue survives."""

import random

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from inference.evaluation.narrator_incidents import ADVERSARIAL
from inference.evaluation.narrator_judge import borne_out
from inference.labels import EMOTIONS, MODALITIES, Role
from inference.narrator.check import check
from inference.narrator.contract import Clause, joined
from inference.narrator.cues import CueKind
from inference.narrator.incident import FigureName, IncidentRecord
from inference.narrator.language import read, write
from inference.narrator.script import performed, scripted
from inference.narrator.statement import (
    Called,
    Counted,
    Cued,
    Disagree,
    Distress,
    Moved,
    Nothing,
    Rests,
    Said,
    Share,
    Silent,
    Statement,
    Support,
    Sure,
    Unnamed,
    When,
)
from inference.narrator.support import supported
from inference.narrator.template import TemplateNarrator, chosen
from inference.training.narrator_records import draw_record

pytestmark = pytest.mark.laws

seeds = st.integers(0, 2**32 - 1)
clocks = st.builds("{}:{:02}".format, st.integers(0, 59), st.integers(0, 59)) | st.builds(
    "{}:{:02}:{:02}".format, st.integers(1, 30), st.integers(0, 59), st.integers(0, 59)
)
stretches = st.builds(When, clocks, clocks)
moments = st.builds(When, clocks)
whoever = st.sampled_from(Role)
ids = st.none() | st.from_regex(r"[A-Za-z0-9._:-]{1,64}", fullmatch=True)
labels = st.sampled_from(EMOTIONS)
words = labels | st.sampled_from(Distress)
numbers = st.integers(0, 10**6).map(str)
plain_figures = st.sampled_from([name for name in FigureName if name != "labelled_share"])
statements = st.one_of(
    st.builds(
        Statement,
        st.builds(Called, words)
        | st.builds(Moved, st.booleans())
        | st.sampled_from((Unnamed(), Disagree(), Silent())),
        whoever,
        ids,
        st.none() | stretches | moments,
    ),
    st.builds(
        Statement,
        st.builds(Called, labels | st.just(Distress.LIKELY), st.sampled_from((True,))),
        whoever,
        ids,
        moments,
    ),
    st.builds(Statement, st.just(Nothing()), st.none() | whoever),
    st.builds(
        Statement,
        st.builds(Cued, st.sampled_from([kind for kind in CueKind if kind != "other"])),
        when=st.none() | moments,
    ),
    st.builds(
        Statement,
        st.builds(Rests, st.sampled_from(MODALITIES), st.sampled_from(Share))
        | st.builds(Sure, st.sampled_from(Support))
        | st.builds(Counted, plain_figures, numbers)
        | st.builds(Counted, st.just(FigureName.LABELLED_SHARE), numbers, labels),
    ),
    st.builds(
        Statement,
        st.builds(Said, st.from_regex(r"[^\"\n]{1,40}", fullmatch=True)),
        whoever,
        when=st.none() | moments,
    ),
)


def record_of(seed: int, change: str | None = None) -> IncidentRecord:
    lottery = random.Random(seed)
    record = draw_record(lottery)
    return record if change is None else ADVERSARIAL[change](record, lottery)


records = st.builds(record_of, seeds, st.none() | st.sampled_from(sorted(ADVERSARIAL)))


@given(statements, seeds)
def test_whatever_is_written_is_read_as_what_it_says(statement: Statement, seed: int) -> None:
    text = write(statement, random.Random(seed).choice)
    found = read(text)
    # the transcript may be quoted without a name, and some patterns name nobody
    assert found is not None
    assert found.claim == statement.claim
    assert found.when == statement.when
    assert found.role in {statement.role, None}
    assert found.participant in {statement.participant, None}


@given(records)
def test_the_template_says_nothing_that_the_record_does_not(record: IncidentRecord) -> None:
    narrative = TemplateNarrator().tell(record)
    assert narrative.clauses
    assert check(narrative.clauses, record).kept == narrative.clauses
    assert all(borne_out(clause.text, record) for clause in narrative.clauses)
    assert narrative.text == joined(narrative.clauses)


@given(records, seeds)
def test_a_script_is_performed_as_the_points_it_was_written_from(
    record: IncidentRecord, seed: int
) -> None:
    sentences = chosen(record)
    clauses = performed(scripted(sentences, record, random.Random(seed).choice), record)
    points = [point for sentence in sentences for point in sentence]
    assert [clause.evidence for clause in clauses] == [point.evidence for point in points]
    assert check(clauses, record).untrue == ()


@given(records, st.text(max_size=80), st.lists(st.text(max_size=4), max_size=3))
def test_text_that_is_no_sentence_of_ours_never_survives(
    record: IncidentRecord, text: str, evidence: list[str]
) -> None:
    assume(read(text) is None)
    assert check([Clause(text, tuple(evidence))], record).kept == ()


@given(records, records, seeds)
def test_what_survives_of_another_records_story_is_true_of_this_one(
    record: IncidentRecord, other: IncidentRecord, seed: int
) -> None:
    """The strongest test of the check: fluent, well-formed, and about something else."""
    clauses = performed(scripted(chosen(other), other, random.Random(seed).choice), other)
    verdict = check(clauses, record)
    for clause in verdict.kept:
        statement = read(clause.text)
        assert statement is not None
        assert supported(statement, clause.evidence, record)
        assert borne_out(clause.text, record)
    assert len(verdict.kept) + len(verdict.untrue) + len(verdict.repeated) == len(clauses)
