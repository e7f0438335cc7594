"""Files flow end to end, and the scores are those that the same files give at rest."""

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaConsumer, KafkaProducer
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from inference.contract import format_time, to_json
from storage.aggregates import read_aggregates
from storage.cache import open_cache
from storage.engine import open_engine, snapshot
from storage.rollups import read_rollups, recount
from storage.schema import conversations, outbox, window_scores
from storage.scores import read_scores
from storage.values import ConversationFacts, ConversationKey
from streams import topics
from streams.worker.dead_letters import OFFSET_HEADER, REASON_HEADER, TOPIC_HEADER
from tests.e2e.running import Deployment, until

LIVE = "live"
pytestmark = pytest.mark.timeout(600)
"""Three processes start, and a group of a killed worker takes ten seconds to notice."""


def stored(deployment: Deployment, table: Any) -> list[dict[str, Any]]:
    """Every row of a table."""

    async def read(engine: AsyncEngine) -> list[dict[str, Any]]:
        async with snapshot(engine) as connection:
            return [dict(row) for row in (await connection.execute(select(table))).mappings()]

    async def opened() -> list[dict[str, Any]]:
        engine = open_engine(deployment.database_url)
        try:
            return await read(engine)
        finally:
            await engine.dispose()

    return asyncio.run(opened())


def all_ended(deployment: Deployment, ids: Sequence[str]) -> bool:
    ended = {
        row["conversation"]
        for row in stored(deployment, conversations)
        if row["ended_ns"] is not None
    }
    return set(ids) <= ended and not stored(deployment, outbox)


def ingest(deployment: Deployment, files: Sequence[Path]) -> list[str]:
    """Publish at ten times real time; returns the conversations' ids in the files' order."""
    return deployment.run("ingest", *files, "--speed", "10").stdout.split()


def at_rest(
    deployment: Deployment, file: Path, conversation: str, options: Sequence[str] = ()
) -> list[str]:
    """What `affectstream score` says of the file, begun when the conversation did."""
    (row,) = (
        row for row in stored(deployment, conversations) if row["conversation"] == conversation
    )
    start = format_time(row["started_ns"])
    whole = ("--json", "--conversation", conversation, "--start", start, *options)
    done = deployment.run("score", file, *whole)
    return done.stdout.splitlines()


def check_everything_agrees(
    deployment: Deployment,
    files: Sequence[Path],
    ids: Sequence[str],
    options: Sequence[str] = (),
) -> None:
    """SQL equals `score`, rollups equal a recount, Redis equals SQL."""

    async def check() -> None:
        engine = open_engine(deployment.database_url)
        cache = open_cache(deployment.cache_url)
        try:
            for conversation in ids:
                key = ConversationKey("acme", conversation)
                facts = ConversationFacts(tenant="acme", conversation=conversation, started_ns=0)
                assert await read_rollups(engine, key, LIVE) == await recount(
                    engine, key, LIVE, facts
                )
            everybody = await read_aggregates(engine)
            assert await cache.aggregates("acme") == [
                one for one in everybody if one.tenant == "acme"
            ]
            scores = {
                conversation: [
                    to_json(score).decode()
                    for score in await read_scores(
                        engine, ConversationKey("acme", conversation), LIVE
                    )
                ]
                for conversation in ids
            }
        finally:
            await cache.close()
            await engine.dispose()
        for file, conversation in zip(files, ids, strict=True):
            expected = await asyncio.to_thread(at_rest, deployment, file, conversation, options)
            assert scores[conversation] == expected, file.name
            assert len(expected) > 3

    asyncio.run(check())


def test_what_flows_through_kafka_equals_what_the_files_give_at_rest(
    deployment: Deployment, three_files: list[Path]
) -> None:
    before = deployment.ends([topics.SCORES])
    with deployment.started("worker", name="worker") as worker:
        ids = ingest(deployment, three_files)
        until(lambda: all_ended(deployment, ids), "every conversation ended", worker)
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(30) == 0
    check_everything_agrees(deployment, three_files, ids)
    published = new_records(deployment, [topics.SCORES], before)
    rows = stored(deployment, window_scores)
    assert len(published) == len(rows)
    assert {json.loads(record.value)["conversation"] for record in published} == set(ids)
    committed, ends = deployment.committed(), deployment.ends(topics.INPUTS)
    assert {place: committed.get(place, ends[place]) for place in ends} == ends


def test_a_worker_killed_in_the_middle_and_started_again_leaves_the_same_rows(
    deployment: Deployment, three_files: list[Path]
) -> None:
    with deployment.started("worker", name="first") as first:
        sender = start_ingest(deployment, three_files)
        until(lambda: len(stored(deployment, window_scores)) > 5, "some windows stored", first)
        first.kill()
        first.wait()
    with deployment.started("worker", name="second") as second:
        out, _ = sender.communicate(timeout=60)
        assert sender.returncode == 0
        ids = out.split()
        until(lambda: all_ended(deployment, ids), "every conversation ended", second)
    check_everything_agrees(deployment, three_files, ids)


def start_ingest(deployment: Deployment, files: Sequence[Path]) -> subprocess.Popen[str]:
    """Slow enough to be killed beside."""
    return subprocess.Popen(
        [sys.executable, "-m", "streams.cli", "ingest", *map(str, files), "--speed", "3"],
        env=deployment.environment,
        cwd=deployment.folder,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_corrupted_records_go_to_their_dead_letter_topics_and_disturb_nobody(
    deployment: Deployment, three_files: list[Path]
) -> None:
    letters = [topics.dead_letters(topic) for topic in topics.INPUTS]
    before = deployment.ends(letters)
    garbage = [bytes([number]) * (number + 1) for number in range(19)] + [b""]
    with deployment.started("worker", name="worker") as worker:
        producer = KafkaProducer(bootstrap_servers=deployment.kafka)
        sent = [
            producer.send(topics.INPUTS[number % 4], key=b"acme/x", value=value)
            for number, value in enumerate(garbage)
        ]
        ids = ingest(deployment, three_files[:1])
        sent += [
            producer.send(topics.INPUTS[number % 4], key=b"acme/x", value=value)
            for number, value in enumerate(garbage)
        ]
        producer.flush()
        until(lambda: all_ended(deployment, ids), "the conversation ended", worker)
        until(
            lambda: len(new_records(deployment, letters, before)) >= 40,
            "every corrupted record delivered",
            worker,
        )
        producer.close()
    found = new_records(deployment, letters, before)
    places = [future.get(10) for future in sent]
    expected = {(place.topic, place.offset) for place in places}
    headers = [dict(record.headers) for record in found]
    assert {
        (header[TOPIC_HEADER].decode(), int(header[OFFSET_HEADER])) for header in headers
    } == expected
    assert {header[REASON_HEADER] for header in headers} == {b"undecodable"}
    assert sorted(record.value or b"" for record in found) == sorted(garbage * 2)
    check_everything_agrees(deployment, three_files[:1], ids)


def new_records(deployment: Deployment, names: Sequence[str], before: Any) -> list[Any]:
    """Records of these topics since `before`."""
    ends = deployment.ends(names)
    consumer = KafkaConsumer(bootstrap_servers=deployment.kafka)
    try:
        consumer.assign(list(ends))
        for place, offset in before.items():
            consumer.seek(place, offset)
        wanted = sum(ends[place] - before[place] for place in ends)
        found: list[Any] = []
        while len(found) < wanted:
            for records in consumer.poll(timeout_ms=1000).values():
                found += records
    finally:
        consumer.close()
    return found
