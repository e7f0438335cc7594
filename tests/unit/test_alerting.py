"""Alert rules in a worker: nothing that a rule does costs a score, and none is applied late."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from inference.score import WindowScore
from storage.errors import StoreUnavailableError
from storage.rules import MARGIN_NS, StoredRule
from storage.values import ParticipantKey
from streams.alerts import machine
from streams.alerts.book import RuleBook, RuleVersion
from streams.worker.alerting import Alerting, end_alerts
from streams.worker.rule_reader import RuleReader
from tests.alert_batches import BOOK, LOUD, Known, judged, rises_and_falls
from tests.scores import START_NS, batch

KEY = ParticipantKey("acme", "live", "c-1", "p-1")
TWO = RuleBook.of((), {"broken": LOUD, "loud": LOUD})


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> None:
    """The rule of this name raises at every window."""
    step = machine._step

    def raising(name: str, rule: RuleVersion | None, *rest: Any) -> machine.Standing:
        if name == "broken" and rule is not None:
            raise ZeroDivisionError("a bug")
        return step(name, rule, *rest)

    monkeypatch.setattr(machine, "_step", raising)


@pytest.mark.usefixtures("broken")
def test_a_rule_that_raises_is_left_out_and_the_others_go_on() -> None:
    alerting = Alerting(Known(TWO))
    result = alerting(batch(rises_and_falls(), None))
    assert result == judged(rises_and_falls(), book=BOOK)
    assert len(result.transitions) == 4
    assert alerting.errors == 1


def test_where_nothing_helps_the_scores_are_kept_and_the_state_stays(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def raising(*_: Any) -> None:
        raise ZeroDivisionError("a bug")

    first = judged(rises_and_falls()[:5])
    plain = batch(rises_and_falls()[5:], first.progress)
    plain = replace(plain, progress=replace(plain.progress, alerts=first.progress.alerts))
    monkeypatch.setattr(machine, "_window", raising)
    alerting = Alerting(Known())
    assert alerting(plain) == plain
    assert alerting.errors == 2


def test_state_that_cannot_be_read_begins_anew() -> None:
    plain = batch(rises_and_falls(), None)
    foreign = replace(plain, progress=replace(plain.progress, alerts=b"\xc1 foreign"))
    alerting = Alerting(Known())
    assert alerting(foreign) == judged(rises_and_falls())
    assert alerting.errors == 1


def test_a_batch_without_scores_hands_the_state_on() -> None:
    carried = judged(rises_and_falls()[:5])
    empty = replace(carried, scores=(), transitions=())
    assert Alerting(Known())(empty) == empty


def test_rules_of_who_left_end_with_their_last_windows_scored_or_not() -> None:
    firing = judged(rises_and_falls()[:5])
    last_ns = firing.scores[-1].end_ns
    gone = replace(firing, scores=(), transitions=())
    for batched in (batch(rises_and_falls()[:5], None), gone):
        result = Alerting(Known())(batched, left_ns=START_NS)
        assert [(one.state, one.at_ns, one.reason) for one in result.transitions[-1:]] == [
            ("ok", last_ns, "ended")
        ]
        assert result.progress.alerts == b""


def test_the_end_asks_the_machine_and_survives_foreign_state() -> None:
    fired = judged(rises_and_falls()[:5])
    [last] = end_alerts(fired.progress.alerts, START_NS, KEY)
    assert (last.rule, last.reason) == ("loud", "ended")
    assert end_alerts(b"\xc1 foreign", START_NS, KEY) == ()


def test_pieces_carry_what_the_whole_does() -> None:
    scores = rises_and_falls()
    progress, steps = None, []
    for score in scores:
        part = judged([score], progress)
        progress = part.progress
        steps += part.transitions
    whole = judged(scores)
    assert tuple(steps) == whole.transitions
    assert progress is not None
    assert progress.alerts == whole.progress.alerts


class Stored:
    """Rules of a database that may be away, and its clock."""

    def __init__(self) -> None:
        self.now_ns = START_NS
        self.rules: list[StoredRule] = []
        self.away = False

    async def clock(self) -> int:
        return self.now_ns

    async def read(self) -> Sequence[StoredRule]:
        if self.away:
            raise StoreUnavailableError("connection refused")
        self.now_ns += 1
        return list(self.rules)


def stored_rule(body: dict[str, Any] | None, version: int = 1) -> StoredRule:
    return StoredRule(
        tenant="acme",
        name="loud",
        version=version,
        valid_from_ns=START_NS + MARGIN_NS,
        body=body,
        author="kim",
        stored_ns=START_NS,
    )


async def test_a_window_waits_for_the_rules_that_may_hold_for_it() -> None:
    stored = Stored()
    reader = RuleReader(stored.read, stored.clock)
    assert not reader.knows(0)
    await reader.refresh()
    assert reader.knows(START_NS + MARGIN_NS)
    assert not reader.knows(START_NS + MARGIN_NS + 1), "counted from before the read"
    body = {"metric": "distress", "enter": 0.5, "exit": 0.4}
    stored.rules = [stored_rule(body)]
    await reader.refresh()
    start_ns = START_NS + MARGIN_NS
    assert reader.knows(start_ns + 1)
    assert "loud" in {rule.name for rule in reader.book.in_force("acme", start_ns)}
    assert "loud" not in {rule.name for rule in reader.book.in_force("acme", start_ns - 1)}


async def test_an_outage_keeps_the_book_and_windows_wait() -> None:
    stored = Stored()
    reader = RuleReader(stored.read, stored.clock)
    await reader.refresh()
    book, stored.away = reader.book, True
    stored.now_ns += 2 * MARGIN_NS
    with pytest.raises(StoreUnavailableError):
        await reader.refresh()
    assert reader.book is book
    assert not reader.knows(stored.now_ns)


async def test_a_version_that_cannot_be_read_stops_nobody() -> None:
    stored = Stored()
    stored.rules = [stored_rule({"metric": "unheard of"})]
    reader = RuleReader(stored.read, stored.clock)
    await reader.refresh()
    await reader.refresh()
    assert len(reader.book.unreadable) == 1
    assert reader.knows(START_NS)


async def test_the_reader_reads_until_cancelled_through_an_outage(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("streams.worker.rule_reader.READ_EVERY_S", 0)
    stored = Stored()
    stored.away = True
    reader = RuleReader(stored.read, stored.clock)
    task = asyncio.create_task(reader.run())
    await asyncio.sleep(0)
    assert not reader.knows(START_NS)
    stored.away = False
    async with asyncio.timeout(5):
        while not reader.knows(START_NS):
            await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def test_scores_are_untouched_by_the_rules() -> None:
    scores: list[WindowScore] = rises_and_falls()
    assert judged(scores).scores == tuple(scores)
