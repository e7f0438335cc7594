"""Texts of alerts: told once, the same in any pieces, and never at the cost of an alert."""

from dataclasses import dataclass, field, replace
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from inference.narrator.contract import Clause, Narrative, Narrator
from inference.narrator.incident import IncidentRecord, SpanFact
from inference.narrator.template import TemplateNarrator
from storage import schema
from storage.alerts import AlertFilter, AlertNews, list_alerts
from storage.engine import snapshot
from storage.results import ResultStore
from storage.values import ParticipantBatch, Progress, Transition, Utterance
from streams.cli._telling import open_teller
from streams.settings import load
from streams.telling import Teller
from streams.worker.alerting import Alerting
from streams.worker.sinks.alertmanager import alertmanager_alert
from streams.worker.sinks.news import read_news
from streams.worker.telling import told
from tests.alert_batches import Known, judged, rises_and_falls
from tests.scores import SECOND_NS, START_NS, batch

TEMPLATE = TemplateNarrator()
LOUD_FROM_S, FIRED_S = 2, 7


@dataclass
class Scribe:
    """Tells how much it was given, and remembers it."""

    version: str = "scribe-1"
    fell_back: bool = False
    records: list[IncidentRecord] = field(default_factory=list)

    def tell(self, record: IncidentRecord) -> Narrative:
        self.records.append(record)
        text = f"{len(record.windows)} windows, {record.base_rate} {len(record.spans)}\0"
        return Narrative(
            text=text,
            clauses=(Clause(text, ("w1",)),),
            narrator=self.version,
            fell_back=self.fell_back,
        )


class Broken:
    """A narrator with a bug."""

    version = "broken-1"

    def tell(self, record: IncidentRecord) -> Narrative:
        raise ZeroDivisionError(f"secret words of {record.participant}")


def beginning(batch_: ParticipantBatch) -> Transition:
    [one] = [step for step in batch_.transitions if step.begins_alert]
    return one


def teller(narrator: Narrator, fallback: Narrator = TEMPLATE) -> Teller:
    return Teller(narrator, fallback, base_rate=0.25)


def test_what_fires_is_told_and_nothing_else() -> None:
    result = judged(rises_and_falls(), teller=Teller(TEMPLATE, TEMPLATE))
    one = beginning(result)
    assert one.narrative is not None
    assert one.narrative.startswith("The customer would be called distressed from 0:02 to 0:07")
    assert one.narrator == TEMPLATE.version
    assert [step.narrative for step in result.transitions if step is not one] == [None] * 3


def test_without_a_narrator_everything_else_is_the_same() -> None:
    plain, spoken = judged(rises_and_falls()), judged(rises_and_falls(), teller=teller(TEMPLATE))
    assert beginning(plain).narrative is None
    unsaid = [replace(one, narrative=None, narrator=None) for one in spoken.transitions]
    assert tuple(unsaid) == plain.transitions
    assert spoken.progress == plain.progress


def test_a_narrator_hears_the_base_rate_and_what_it_writes_can_be_stored() -> None:
    scribe = Scribe(version="x" * 200)
    one = beginning(judged(rises_and_falls(), teller=teller(scribe)))
    assert one.narrative == "3 windows, 0.25 0\N{REPLACEMENT CHARACTER}"
    assert one.narrator == "x" * 128


def test_the_template_tells_what_a_narrator_could_not(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    broken = teller(Broken())
    result = judged(rises_and_falls(), teller=broken)
    assert result == judged(rises_and_falls(), teller=teller(TEMPLATE))
    assert (broken.errors, broken.fell_back) == (1, 1)
    logged = capsys.readouterr().out + caplog.text  # wherever logs go by now
    assert "narrator_failed" in logged
    assert "secret" not in logged


def test_where_the_template_raises_too_the_alert_goes_without_words() -> None:
    broken = teller(Broken(), Broken())
    assert judged(rises_and_falls(), teller=broken) == judged(rises_and_falls())
    assert broken.errors == 2


def test_a_record_that_cannot_be_made_costs_the_text_only() -> None:
    plain = judged(rises_and_falls())
    odd = replace(plain, words=(None,))  # type: ignore[arg-type]
    one = teller(TEMPLATE)
    assert told(odd, one) == odd
    assert one.errors == 1


def test_who_fell_back_by_itself_is_counted() -> None:
    one = teller(Scribe(fell_back=True))
    judged(rises_and_falls(), teller=one)
    assert (one.errors, one.fell_back) == (0, 1)


def said(second: float, text: str = "No.") -> Utterance:
    end_ns = START_NS + int(second * SECOND_NS)
    return Utterance(
        participant="p-1", segment=f"s-{second}", start_ns=end_ns - SECOND_NS, end_ns=end_ns,
        text=text, language="en",
    )  # fmt: skip


SAID = tuple(said(second) for second in (1, 4.5, 6, 6.25, 7, 7.5, 9))
"""Words by the second at which they end; the alert fires with the window that ends at 7."""


def in_pieces(cuts: set[int], narrator: Narrator) -> list[Transition]:
    """The steps of a call whose windows are stored in pieces, with the words new in each."""
    scores = rises_and_falls()
    alerting = Alerting(Known(), teller(narrator))
    steps: list[Transition] = []
    progress: Progress | None = None
    for begin, end in pairwise(sorted({0, *cuts, len(scores)})):
        part = scores[begin:end]
        seen_ns = 0 if progress is None else progress.closed_until_ns
        plain = batch(part, progress)
        given_ = replace(
            plain,
            conversation=replace(plain.conversation, started_ns=START_NS),
            progress=replace(plain.progress, alerts=b"" if progress is None else progress.alerts),
            words=tuple(word for word in SAID if seen_ns < word.end_ns <= part[-1].end_ns),
        )
        result = alerting(given_)
        steps += result.transitions
        progress = result.progress
    return steps


@given(st.sets(st.integers(1, 9)))
def test_a_replay_in_other_pieces_says_the_same(cuts: set[int]) -> None:
    scribe = Scribe()
    steps = in_pieces(cuts, scribe)
    assert steps == in_pieces(set(), Scribe())
    [record] = scribe.records
    assert record.spans == (
        SpanFact(id="s1", start_ns=int(5.25 * SECOND_NS), end_ns=int(6.25 * SECOND_NS), text="No."),
        SpanFact(id="s2", start_ns=6 * SECOND_NS, end_ns=7 * SECOND_NS, text="No."),
    )


def test_words_are_quoted_only_where_they_are_kept() -> None:
    plain = judged(rises_and_falls())
    words = (said(6.5, "I was charged twice"),)
    kept = told(replace(plain, words=words), teller(TEMPLATE))
    assert '"I was charged twice"' in str(beginning(kept).narrative)
    assert "charged" not in str(beginning(told(plain, teller(TEMPLATE))).narrative)


async def test_the_text_is_stored_and_goes_out_with_the_beginning_and_the_end(
    engine: AsyncEngine,
) -> None:
    one = judged(rises_and_falls(), teller=teller(TEMPLATE))
    assert not (await ResultStore(engine).commit([one])).failed
    [(_, alert)] = await list_alerts(engine, "acme", AlertFilter(), limit=9)
    assert (alert.narrative, alert.narrator) == (beginning(one).narrative, "template-1")
    query = select(schema.outbox.c.payload).where(schema.outbox.c.kind == "alert")
    async with snapshot(engine) as connection:
        payloads = [bytes(row.payload) for row in await connection.execute(query)]
    news = [read_news(payload) for payload in payloads]
    assert sorted(one.transition for one in news) == ["firing", "resolved"]
    assert {one.alert.narrative for one in news} == {alert.narrative}
    annotations = alertmanager_alert(news[0], "acme", until_ns=START_NS)["annotations"]
    assert annotations["description"] == alert.narrative


async def test_an_alert_that_nobody_told_says_so(engine: AsyncEngine) -> None:
    assert not (await ResultStore(engine).commit([judged(rises_and_falls())])).failed
    [(_, alert)] = await list_alerts(engine, "acme", AlertFilter(), limit=9)
    assert (alert.narrative, alert.narrator) == (None, None)
    news = AlertNews(transition="firing", alert=alert)
    assert "description" not in alertmanager_alert(news, "acme", until_ns=0)["annotations"]


def test_what_an_older_version_queued_still_reads() -> None:
    """Outbox rows of before the upgrade have neither field."""
    one = judged(rises_and_falls())
    assert one.transitions
    news = msgspec.json.decode(OLD_NEWS, type=AlertNews)
    assert (news.alert.narrative, news.alert.narrator) == (None, None)


OLD_NEWS = b"""{"transition":"firing","alert":{"id":"a","run":"live","conversation":"c",
"participant":"p","role":"customer","queue":"q","language":"en","rule":"r","rule_version":0,"severity":"info",
"metric":"distress","state":"firing","since":"2026-01-01T00:00:00Z","fired":"2026-01-01T00:00:03Z",
"resolved":null,"reason":null,"peak":0.5,"evidence":[],"acknowledged":null,"snoozed":null,
"verdict":null,"link":"/"}}"""


def test_the_settings_say_who_tells() -> None:
    assert open_teller(load(narrator="none"), "worker") is None
    one = open_teller(load(narrator="template", distress_base_rate=0.2), "worker")
    assert one is not None
    assert one.base_rate == 0.2
    record = beginning(judged(rises_and_falls())).incident
    assert record is not None
    assert one.tell(record) is not None
