"""A whole call through pump and database: what a withdrawal leaves, and what is on record."""

import asyncio
from typing import Any, cast

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from inference.labels import Modality
from storage.conversations import read_conversation
from storage.decisions import read_decisions
from storage.results import ResultStore
from storage.rollups import read_rollups, recount
from storage.scores import read_scores
from storage.values import ConversationFacts
from storage.withdrawal import PolicyStore
from streams.policy import new_gate
from streams.records import ControlKind
from tests.scores import SECOND_NS
from tests.unit.test_policy_worker import (
    KEY,
    START_NS,
    SpyScorer,
    WithdrawingScorer,
    call,
    event,
    joined,
    notice,
)
from tests.unit.test_pump import Bench, FakeResults, no_waiting

__all__ = ["no_waiting"]  # the fixture


class Results(ResultStore):
    """The database, which says when an end is stored."""

    def __init__(self, engine: AsyncEngine) -> None:
        super().__init__(engine, pause_s=0)
        self.end_stored: asyncio.Queue[str] = asyncio.Queue()

    async def end_conversation(self, facts: ConversationFacts, ended_ns: int) -> None:
        await super().end_conversation(facts, ended_ns)
        self.end_stored.put_nowait(facts.conversation)


def bench(engine: AsyncEngine, spy: SpyScorer) -> Bench:
    scene = Bench(cast("FakeResults", Results(engine)), spy, gate=new_gate("eu"))
    scene.pump._policy = PolicyStore(engine)
    return scene


@pytest.mark.parametrize("scorer", [SpyScorer, WithdrawingScorer])
async def test_a_withdrawal_leaves_windows_that_ended_before_it_whenever_it_comes(
    engine: AsyncEngine, scorer: Any
) -> None:
    spy = scorer()
    scene = bench(engine, spy)
    facts = [
        notice(notice="yes"),
        joined(),
        event(ControlKind.PARTICIPANT_JOINED, 0, "a-1", role="agent"),
    ]
    if isinstance(spy, WithdrawingScorer):
        scene.loop, spy.scene = asyncio.get_running_loop(), scene
    else:
        facts.append(event(ControlKind.CONSENT_CHANGED, 3, consent="no"))
    scene.feed(*call(*facts))
    await scene.until_ended()
    scores = await read_scores(engine, KEY, "live")
    assert [score.end_ns - START_NS for score in scores] == [
        SECOND_NS,
        2 * SECOND_NS,
        3 * SECOND_NS,
    ]
    whole = ConversationFacts(tenant="acme", conversation="c-1", queue="unknown", started_ns=0)
    assert await read_rollups(engine, KEY, "live") == await recount(engine, KEY, "live", whole)
    decided = [
        (one.ruling.participant, one.ruling.allowed, (one.ruling.at_ns - START_NS) // SECOND_NS)
        for one in await read_decisions(engine, KEY)
        if one.ruling.modality is Modality.SPEECH
    ]
    assert decided == [("a-1", False, 0), ("p-1", True, 0), ("p-1", False, 3)]
    stored = await read_conversation(engine, KEY)
    assert stored is not None
    assert stored.ended_ns is not None


async def test_facts_that_no_database_keeps_as_they_are_cost_no_call_its_end(
    engine: AsyncEngine,
) -> None:
    """PostgreSQL keeps no zero character; neither keeps half of a surrogate pair."""
    scene = bench(engine, SpyScorer())
    odd = {"queue": "bill\0ing", "language": "e\0n", "region": "\0", "channel": "te\0l"}
    scene.feed(
        notice(notice="yes", purpose="care\0", **odd),
        event(ControlKind.PARTICIPANT_JOINED, 0, role="customer"),
        event(ControlKind.ENDED, 6, "-"),
    )
    await scene.until_ended()
    stored = await read_conversation(engine, KEY)
    assert stored is not None
    assert stored.ended_ns is not None
    assert (stored.queue, stored.language, stored.region) == ("bill\ufffding", "e\ufffdn", "\ufffd")
    assert (stored.channel, stored.purpose) == ("te\ufffdl", "care\ufffd")
    assert len(await read_scores(engine, KEY, "live")) == 8
    rulings = [one.ruling for one in await read_decisions(engine, KEY)]
    assert {ruling.facts["purpose"] for ruling in rulings} == {"care\ufffd"}
