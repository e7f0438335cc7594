"""How a tenant's system is doing, read from either database, and as the API says it."""

from collections.abc import Sequence
from dataclasses import replace

import httpx
import msgspec
from fastapi import FastAPI
from jsonschema import Draft202012Validator
from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncEngine

from inference.labels import AbsenceReason, Modality
from inference.score import ModalityReport, WindowScore
from storage.engine import transaction
from storage.results import SINKS, ResultStore
from storage.schema import deliveries
from storage.system import MOST_STALE, STALE_AFTER_NS, SystemState, read_outbox, read_system
from streams.serving import problems
from streams.serving.access.caller import everyone
from streams.serving.api import system
from streams.serving.api.bodies_system import LATELY_NS
from streams.serving.api.schemas import Documented
from tests.scores import SECOND_NS, START_NS, VERSIONS, batch, distressed

NOW_NS = START_NS + 100 * SECOND_NS
"""Seven seconds after the end of the window that begins at 90 s."""


async def store(engine: AsyncEngine, *scores: WindowScore) -> None:
    result = await ResultStore(engine).commit([batch(scores, None)])
    assert not result.rejected
    assert not result.failed


async def state(engine: AsyncEngine, tenant: str = "acme") -> SystemState:
    return await read_system(engine, tenant, now_ns=NOW_NS, since_ns=NOW_NS - LATELY_NS)


def missing(score: WindowScore, reason: AbsenceReason | None) -> WindowScore:
    absent = ModalityReport(present=False, reason=reason)
    return msgspec.structs.replace(
        score,
        modalities={**score.modalities, Modality.SPEECH: absent},
        decision=msgspec.structs.replace(score.decision, abstained=True),
    )


async def test_an_empty_database_has_nothing_to_say(engine: AsyncEngine) -> None:
    found = await state(engine)
    assert (found.live, found.windows, found.delay, found.stale) == (0, 0, None, ())
    assert (found.modalities, found.versions, found.shed, found.outbox) == ({}, (), {}, {})
    assert await read_outbox(engine) == {}


async def test_delay_is_of_those_that_move_and_the_others_are_named(engine: AsyncEngine) -> None:
    for conversation, second in (("c-1", 96), ("c-2", 94), ("c-3", 90), ("c-dead", 10)):
        await store(engine, distressed(second, conversation=conversation))
    ended = replace(batch([distressed(0, conversation="c-over")], None).conversation)
    await ResultStore(engine).end_conversation(ended, NOW_NS)
    found = await state(engine)
    assert found.live == 4
    assert found.delay is not None
    assert (found.delay.median_s, found.delay.max_s) == (3.0, 7.0)
    assert [item.conversation for item in found.stale] == ["c-dead"]
    assert NOW_NS - found.stale[0].closed_until_ns > STALE_AFTER_NS


async def test_the_median_of_two_lies_between_them_and_a_clock_ahead_is_no_delay(
    engine: AsyncEngine,
) -> None:
    await store(engine, distressed(90))
    await store(engine, distressed(200, conversation="c-ahead"))
    found = await state(engine)
    assert found.delay is not None
    assert (found.delay.median_s, found.delay.max_s) == (0.0, 7.0)


async def test_no_more_of_those_that_stand_still_are_named_than_anybody_reads(
    engine: AsyncEngine,
) -> None:
    batches = [batch([distressed(0, conversation=f"c-{n}")], None) for n in range(MOST_STALE + 1)]
    await ResultStore(engine).commit(batches)
    found = await state(engine)
    assert len(found.stale) == MOST_STALE
    assert found.delay is None


async def test_windows_are_counted_by_what_they_rest_on(engine: AsyncEngine) -> None:
    other = msgspec.structs.replace(VERSIONS, methods={"context": "filter-1"})
    scores: Sequence[WindowScore] = (
        distressed(0),
        missing(distressed(1), AbsenceReason.SILENCE),
        missing(distressed(2), None),
        msgspec.structs.replace(
            distressed(3), versions=other, partial=True, shed=("face", "provisional")
        ),
        msgspec.structs.replace(distressed(4), shed=("face",)),
    )
    await store(engine, *scores)
    found = await state(engine)
    assert found.windows == 5
    assert found.modalities == {
        "speech": {"present": 3, "silence": 1, "unknown": 1},
        "text": {"no_track": 5},
        "face": {"no_camera": 5},
    }
    assert (found.partial, found.abstained) == (1, 2)
    assert found.shed == {"face": 2, "provisional": 1}
    assert [(item.versions, item.windows) for item in found.versions] == [(VERSIONS, 4), (other, 1)]


async def test_what_is_older_and_what_another_run_scored_is_left_out(engine: AsyncEngine) -> None:
    await store(engine, distressed(0, start_ns=NOW_NS - LATELY_NS - SECOND_NS))
    await store(engine, distressed(0, conversation="c-2", run="again"))
    found = await state(engine)
    assert (found.windows, found.modalities) == (0, {})


async def test_each_sink_says_what_waits_and_what_was_given_up(engine: AsyncEngine) -> None:
    await store(engine, distressed(3), distressed(4))
    first = deliveries.c.at_ns == START_NS + 3 * SECOND_NS
    async with transaction(engine) as connection:
        await connection.execute(
            update(deliveries).where(deliveries.c.sink == "kafka", first).values(dead=True)
        )
        await connection.execute(
            update(deliveries).where(deliveries.c.sink == "cache").values(dead=True)
        )
    outbox = (await state(engine)).outbox
    assert outbox == await read_outbox(engine)
    assert set(outbox) == set(SINKS["score"])
    assert (outbox["kafka"].waiting, outbox["kafka"].dead) == (1, 1)
    assert outbox["kafka"].oldest_ns == START_NS + 4 * SECOND_NS
    assert (outbox["cache"].waiting, outbox["cache"].oldest_ns, outbox["cache"].dead) == (
        0,
        None,
        2,
    )
    assert (outbox["feed"].waiting, outbox["feed"].dead) == (2, 0)


async def test_another_tenant_sees_nothing_of_it(engine: AsyncEngine) -> None:
    await store(engine, distressed(90))
    theirs = await state(engine, "rival")
    assert (theirs.live, theirs.windows, theirs.modalities, theirs.outbox) == (0, 0, {}, {})
    assert await read_outbox(engine)


async def test_the_api_says_it_in_shares_and_as_its_document_says(engine: AsyncEngine) -> None:
    await store(engine, distressed(90), missing(distressed(91), AbsenceReason.SILENCE))
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app_of(engine)), base_url="http://api"
    ) as client:
        response = await client.get("/v1/system")
        document = (await client.get("/openapi.json")).json()
    body = response.json()
    schema = {"components": document["components"], "$ref": "#/components/schemas/SystemBody"}
    assert list(Draft202012Validator(schema).iter_errors(body)) == []
    assert (body["live"], body["windows"], body["abstained"]) == (1, 2, 0.5)
    assert body["delay_s"] == {"median": 6.0, "max": 6.0}
    assert body["modalities"]["speech"] == {"present": 0.5, "silence": 0.5}
    assert body["versions"] == [{**msgspec.to_builtins(VERSIONS), "methods": {}, "windows": 2}]
    assert body["outbox"]["kafka"] == {"waiting": 2, "oldest_s": 10.0, "dead": 0}
    assert body["stale"] == []
    assert body["schema"]


async def test_an_empty_system_is_an_answer_too(engine: AsyncEngine) -> None:
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app_of(engine)), base_url="http://api"
    ) as client:
        body = (await client.get("/v1/system")).json()
    assert (body["delay_s"], body["partial"], body["abstained"]) == (None, 0.0, 0.0)


def app_of(engine: AsyncEngine) -> FastAPI:
    app = Documented()
    app.state.authenticate = everyone("acme")
    problems.install(app)
    app.include_router(system.router(engine, lambda: NOW_NS))
    return app
