"""What a search costs: 100 000 windows of 500 conversations, ranked and read back.

`make bench` runs it on SQLite with the index in memory. `--database URL` names an empty PostgreSQL
database instead: it is filled, and where its server offers pgvector that is measured beside the
index in memory. Vectors are random but for what neighbouring windows share.
"""

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from inference.labels import EMOTIONS, Emotion, Role
from inference.projection import SIZE
from inference.units import SECOND_NS
from storage import pgvector, schema
from storage.engine import open_engine, transaction
from storage.moment_search import MomentSearch, Size
from storage.moments import MomentFilter, Vector
from storage.upgrade import upgrade
from storage.values import LIVE_RUN

TENANT, SPACE = "bench", "bench-1"
TIMELINE_WINDOWS = 200
START_NS = 1_764_000_000 * SECOND_NS
LENGTH = Size(20, per_conversation=3)
TARGET_MS = 50.0
FILTERS = {
    "none": MomentFilter(),
    "anger": MomentFilter(emotion=Emotion.ANGER),
    "one queue, distressed": MomentFilter(queue="queue-1", min_distress=0.7),
    "one hour": MomentFilter(from_ns=START_NS, to_ns=START_NS + 3_600 * SECOND_NS),
}
ROWS_AT_ONCE = 4_000


def main() -> None:
    """Measure and print; says what is over the target."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--windows", type=int, default=100_000)
    parser.add_argument("--questions", type=int, default=200, help="of each kind")
    parser.add_argument("--database", default="", help="an empty PostgreSQL database")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    asked = parser.parse_args()
    report = asyncio.run(_measured(asked))
    print(json.dumps(report, indent=2) if asked.json else _told(report))


async def _measured(asked: argparse.Namespace) -> dict[str, Any]:
    generator = np.random.default_rng(asked.seed)
    async with _database(asked.database) as engine:
        await upgrade(engine)
        stored_s = await _fill(engine, asked.windows, generator)
        report: dict[str, Any] = {
            "windows": asked.windows,
            "questions": asked.questions,
            "seed": asked.seed,
            "database": engine.dialect.name,
            "store_s": round(stored_s, 1),
            "in memory": await _asked(engine, asked.questions, generator),
        }
        if asked.database:
            began_s = time.perf_counter()
            version = await _prepared(asked.database)
            report["prepared_s"] = round(time.perf_counter() - began_s, 1)
            if version is not None:
                report[f"pgvector {version}"] = await _asked(engine, asked.questions, generator)
        return report


async def _prepared(url: str) -> str | None:
    """As `affectstream db upgrade` does it."""
    engine = open_engine(url, statement_timeout_s=None)
    try:
        return await pgvector.prepare(engine)
    finally:
        await engine.dispose()


@asynccontextmanager
async def _database(url: str) -> AsyncIterator[AsyncEngine]:
    with tempfile.TemporaryDirectory() as folder:
        engine = open_engine(url or f"sqlite+aiosqlite:///{Path(folder) / 'bench.db'}")
        try:
            yield engine
        finally:
            await engine.dispose()


async def _asked(
    engine: AsyncEngine, questions: int, generator: np.random.Generator
) -> dict[str, Any]:
    """Milliseconds of the first question, which reads the index, and of others by filter."""
    search = MomentSearch(engine, SPACE)
    found: dict[str, Any] = {}
    began_s = time.perf_counter()
    ranking = await search.find(TENANT, _unit(generator), MomentFilter(), LENGTH)
    found["first_s"] = round(time.perf_counter() - began_s, 2)
    found["indexed"] = ranking.indexed
    for name, wanted in FILTERS.items():
        wall_ms, cpu_ms = [], []
        for _ in range(questions):
            query = _unit(generator)
            began_s, busy_s = time.perf_counter(), time.process_time()
            await search.find(TENANT, query, wanted, LENGTH)
            wall_ms.append(1_000 * (time.perf_counter() - began_s))
            cpu_ms.append(1_000 * (time.process_time() - busy_s))
        found[name] = {"wall_ms": _spread(wall_ms), "cpu_ms": _spread(cpu_ms)}
    return found


def _spread(times_ms: list[float]) -> dict[str, float]:
    return {
        "p50": round(statistics.median(times_ms), 1),
        "p95": round(float(np.percentile(times_ms, 95)), 1),
        "max": round(max(times_ms), 1),
    }


async def _fill(engine: AsyncEngine, windows: int, generator: np.random.Generator) -> float:
    """Store so many windows; gives the seconds that it took."""
    began_s = time.perf_counter()
    tables = (schema.conversations, schema.progress, schema.window_scores, schema.moments)
    for part in _conversations(windows, generator):
        async with transaction(engine) as connection:
            for table in tables:
                rows = part[table.name]
                for first in range(0, len(rows), ROWS_AT_ONCE):
                    await connection.execute(insert(table), rows[first : first + ROWS_AT_ONCE])
    return time.perf_counter() - began_s


def _conversations(
    windows: int, generator: np.random.Generator
) -> Iterator[dict[str, list[dict[str, Any]]]]:
    """Rows of ten conversations at a time, of one participant each."""
    part: dict[str, list[dict[str, Any]]] = {}
    total = -(-windows // TIMELINE_WINDOWS)
    for number in range(total):
        many = min(TIMELINE_WINDOWS, windows - number * TIMELINE_WINDOWS)
        for name, rows in _conversation(number, many, generator).items():
            part.setdefault(name, []).extend(rows)
        if number % 10 == 9 or number == total - 1:  # noqa: PLR2004 - every tenth, and the last
            yield part
            part = {}


def _conversation(
    number: int, windows: int, generator: np.random.Generator
) -> dict[str, list[dict[str, Any]]]:
    whose = {"tenant": TENANT, "conversation": f"c-{number:06}"}
    who = whose | {"participant": "p-1"}
    began_ns = START_NS + number * 60 * SECOND_NS
    place = 1.5 * _unit(generator)
    vectors = place + generator.standard_normal((windows, SIZE)) / np.sqrt(SIZE)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    starts = [began_ns + at * SECOND_NS for at in range(windows)]
    distress = generator.random(windows).round(4)
    call = {
        "queue": f"queue-{number % 8}", "language": "en", "region": "eu", "purpose": "service",
        "channel": "telephone", "started_ns": began_ns, "ended_ns": starts[-1] + 3 * SECOND_NS,
    }  # fmt: skip
    progress = {
        "run": LIVE_RUN, "closed_until_ns": starts[-1] + 3 * SECOND_NS, "flushed_until_ns": 0,
        "state": b"", "state_version": 1, "alerts": b"",
    }  # fmt: skip
    scores = [
        who
        | {
            "run": LIVE_RUN,
            "start_ns": start,
            "end_ns": start + 3 * SECOND_NS,
            "role": Role.CUSTOMER.value,
            "emotions": None,
            "distress": float(share),
            "distress_smoothed": float(share),
            "arousal": 0.5,
            "valence": 0.0,
            "label": EMOTIONS[int(label)].value,
            "label_set": [],
            "coverage": 0.9,
            "abstained": False,
            "conflict": 0.0,
            "vacuity": 0.2,
            "partial": False,
            "shed": [],
            "versions": {"scorer": "b", "calibration": "b", "fusion": "b", "config": "b"},
            "change": None,
        }
        for start, share, label in zip(
            starts, distress, generator.integers(0, len(EMOTIONS), windows), strict=True
        )
    ]
    moments = [
        who
        | {
            "start_ns": start,
            "end_ns": start + 3 * SECOND_NS,
            "vector": vector.astype(np.float32),
            "imputed": False,
            "space": SPACE,
            **{name: score[name] for name in ("role", "label", "distress")},
        }
        for start, vector, score in zip(starts, vectors, scores, strict=True)
    ]
    return {
        "conversations": [whose | call],
        "progress": [who | progress],
        "window_scores": scores,
        "moments": moments,
    }


def _unit(generator: np.random.Generator) -> Vector:
    vector = generator.standard_normal(SIZE)
    return (vector / np.linalg.norm(vector)).astype(np.float32)


def _told(report: dict[str, Any]) -> str:
    material = f"{report['windows']} windows on {report['database']}"
    asked = f"{report['questions']} questions of each kind, the nearest {LENGTH.most}"
    asked += f" and {LENGTH.per_conversation} of a conversation"
    lines = [f"{material}, {asked}, seed {report['seed']}; stored in {report['store_s']} s"]
    for how, figures in report.items():
        if not isinstance(figures, dict):
            continue
        lines.append(f"{how}: {figures['indexed']} indexed, first {figures['first_s']} s")
        for name in FILTERS:
            wall, cpu = figures[name]["wall_ms"], figures[name]["cpu_ms"]
            verdict = "" if wall["p95"] < TARGET_MS else f"  over {TARGET_MS:g} ms"
            lines.append(
                f"  filter {name:22} p50 {wall['p50']:6.1f}  p95 {wall['p95']:6.1f}  "
                f"max {wall['max']:6.1f} ms, of CPU p95 {cpu['p95']:6.1f} ms{verdict}"
            )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
