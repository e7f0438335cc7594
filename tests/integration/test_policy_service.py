"""A whole call through pump and database: what a withdrawal leaves, and what is on record."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any, cast

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from inference.labels import Modality
from storage.consents import list_consents
from storage.conversations import read_conversation
from storage.decisions import read_decisions
from storage.results import ResultStore
from storage.rollups import read_rollups, recount
from storage.scores import read_scores
from storage.values import ConversationFacts
from storage.withdrawal import PolicyStore
from streams import topics
from streams.policy import new_gate
from streams.records import AudioChunk, ControlKind, Kind
from tests.scores import SECOND_NS
from tests.unit.test_policy_worker import (
    KEY,
    LENGTH_S,
    START_NS,
    SpyScorer,
    WithdrawingScorer,
    call,
    event,
    joined,
    media,
    notice,
)
from tests.unit.test_pump import Bench, FakeResults, no_waiting

__all__ = ["no_waiting"]  # the fixture


class Results(ResultStore):
    """The database, which says when an end is stored."""

    def __init__(self, engine: AsyncEngine) -> None:
        super().__init__(engine, pause_s=0)
        self.end_stored: asyncio.Queue[str] = asyncio.Queue()
        self.meanwhile: Callable[[], None] = lambda: None
        """Called while an end is being stored."""

    async def end_conversation(self, facts: ConversationFacts, ended_ns: int) -> None:
        self.meanwhile()
        await super().end_conversation(facts, ended_ns)
        self.end_stored.put_nowait(facts.conversation)


def bench(engine: AsyncEngine, spy: SpyScorer, results: Results | None = None) -> Bench:
    stored = results or Results(engine)
    scene = Bench(cast("FakeResults", stored), spy, gate=new_gate("eu"))
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


@pytest.mark.parametrize(("of", "meanwhile"), [("p-1", False), ("p-1", True), ("-", False)])
async def test_a_withdrawal_that_comes_after_the_end_deletes_as_one_during_the_call(
    engine: AsyncEngine, of: str, *, meanwhile: bool
) -> None:
    """Also one that comes while the end is being stored."""
    withdrawal = event(ControlKind.CONSENT_CHANGED, 3, of, consent="no")
    results = Results(engine)
    scene = bench(engine, SpyScorer(), results)
    told = event(ControlKind.PARTICIPANT_JOINED, 0, role="customer", tracks="audio")
    sound = [record for record in media() if isinstance(record, AudioChunk)]
    complete = sound[-1].evolve(
        kind=Kind.END, sequence=LENGTH_S, start_ns=START_NS + LENGTH_S * SECOND_NS, payload=b""
    )
    over = event(ControlKind.ENDED, LENGTH_S, "-")
    scene.feed(notice(notice="yes"), told, *sound, complete, over)
    if meanwhile:
        results.meanwhile = partial(scene.feed, withdrawal)
    async with asyncio.timeout(30), scene.running():
        await results.end_stored.get()
        while scene.partitions.conversations:
            await asyncio.sleep(0.001)
        if not meanwhile:
            scene.feed(withdrawal)
        while scene.partitions.conversations:
            await asyncio.sleep(0.001)
    assert await refused(engine) == [(of, 5)], "windows that end at 4 to 8 s"
    scores = await read_scores(engine, KEY, "live")
    assert [(score.end_ns - START_NS) // SECOND_NS for score in scores] == [1, 2, 3]
    control = scene.partitions.committable(topics.CONTROL, 0)
    assert control == scene.offsets[topics.CONTROL]
    assert scene.sink.letters == []


async def refused(engine: AsyncEngine) -> list[tuple[str, int]]:
    """Who said no, and how many windows that deleted."""
    found = await list_consents(engine, KEY.tenant, conversation=KEY.conversation, limit=10)
    return [
        (one.change.participant, one.deleted_windows) for one in found if one.change.consent == "no"
    ]
