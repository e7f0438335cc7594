"""Trends are what a recount of the scores gives, add up, and say nothing of the few."""

import asyncio
import itertools
import shutil
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy.ext.asyncio import AsyncEngine

from inference.contract import format_time
from inference.labels import EMOTIONS, Role
from inference.units import DAY_NS, HOUR_NS, MINUTE_NS
from storage.cache import MemoryCache
from storage.engine import open_engine
from storage.trends import Cell, Group, Stretch, read_cells
from storage.upgrade import upgrade
from streams.serving.access.caller import everyone
from streams.serving.api.service import build_api
from streams.serving.trends import withheld
from tests.calls import MIDNIGHT_NS, Call, scores_of, store_calls

NUMBERS = itertools.count()
VALUES = st.none() | st.integers(0, 10_000).map(lambda value: value / 10_000)
CALLS = st.lists(
    st.builds(
        Call,
        queue=st.sampled_from(["billing", "sales"]),
        language=st.sampled_from(["en", "de"]),
        start_ns=st.integers(0, 180).map(lambda minute: MIDNIGHT_NS + minute * MINUTE_NS),
        values=st.lists(VALUES, min_size=1, max_size=4),
        agents=st.sampled_from([(), ("ann",), ("ann", "bob")]),
        run=st.sampled_from(["live", "live", "again"]),
        step_ns=st.sampled_from([MINUTE_NS // 4, MINUTE_NS, HOUR_NS]),
    ),
    min_size=1,
    max_size=8,
)


async def database(folder: Path, calls: Sequence[Call]) -> AsyncEngine:
    """A new database with `calls` in it; its tables are made once a test."""
    empty = folder / "empty.db"
    if not empty.exists():
        engine = open_engine(f"sqlite+aiosqlite:///{empty}")
        await upgrade(engine)
        await engine.dispose()
    path = shutil.copy(empty, folder / f"{next(NUMBERS)}.db")
    engine = open_engine(f"sqlite+aiosqlite:///{path}")
    await store_calls(engine, calls)
    return engine


def recount(calls: Sequence[Call], stretch: Stretch) -> dict[tuple[str, int], dict[str, Any]]:
    """Cells by the definition, from the scores themselves."""
    found: dict[tuple[str, int], dict[str, Any]] = defaultdict(lambda: defaultdict(list))
    for number, call in enumerate(calls):
        keys = {
            Group.QUEUE: [call.queue],
            Group.LANGUAGE: [call.language],
            Group.AGENT: list(call.agents),
        }.get(stretch.group)
        for score in scores_of(call, f"c-{number}"):
            if score.run != "live" or (stretch.role and score.role is not stretch.role):
                continue
            start_ns = score.start_ns // stretch.width_ns * stretch.width_ns
            for key in [score.role.value] if keys is None else keys:
                cell = found[key, start_ns]
                cell["windows"].append(score)
                if score.emotions is not None:
                    cell[f"calls/{number}"].append(score)
                    cell["scored"].append(score)
    return found


def jackknife(cell: dict[str, Any]) -> float:
    """Leave out one conversation at a time."""
    calls = [value for name, value in cell.items() if name.startswith("calls/")]
    if len(calls) < 2:
        return 0.0
    mean = mean_distress(cell["scored"])
    rests = [[s for other in calls if other is not one for s in other] for one in calls]
    shifts = [(mean_distress(rest) - mean) ** 2 for rest in rests]
    return (len(calls) - 1) / len(calls) * sum(shifts)


def mean_distress(scores: Sequence[Any]) -> float:
    return float(sum(score.distress.probability for score in scores) / len(scores))


def test_trends_are_what_a_recount_of_the_scores_gives(tmp_path: Path) -> None:
    with asyncio.Runner() as runner:

        @settings(max_examples=40, deadline=None)
        @given(
            CALLS,
            st.sampled_from(Group),
            st.sampled_from([MINUTE_NS, HOUR_NS, DAY_NS]),
            st.sampled_from([None, Role.CUSTOMER]),
        )
        def check(calls: list[Call], group: Group, width_ns: int, role: Role | None) -> None:
            stretch = Stretch(
                tenant="acme",
                group=group,
                from_ns=MIDNIGHT_NS,
                to_ns=MIDNIGHT_NS + 2 * DAY_NS,
                width_ns=width_ns,
                role=Role.CUSTOMER if group is Group.AGENT else role,
            )
            expected = recount(calls, stretch)
            [cells] = runner.run(cells_of(tmp_path, calls, stretch))
            assert [(cell.start_ns, cell.key) for cell in cells] == sorted(
                (start_ns, key) for key, start_ns in expected
            )
            for cell in cells:
                right = expected[cell.key, cell.start_ns]
                scored = right.get("scored", [])
                assert cell.end_ns == cell.start_ns + width_ns
                assert cell.windows == len(right["windows"])
                assert cell.scored == len(scored)
                assert cell.conversations == sum(name.startswith("calls/") for name in right)
                assert cell.distress_variance == pytest.approx(jackknife(right), abs=1e-12)
                if not scored:
                    assert (cell.distress, cell.emotions, cell.arousal, cell.valence) == (None,) * 4
                    continue
                assert cell.distress == pytest.approx(mean_distress(scored))
                assert cell.arousal == pytest.approx(sum(s.arousal for s in scored) / len(scored))
                assert cell.valence == pytest.approx(sum(s.valence for s in scored) / len(scored))
                assert cell.emotions == pytest.approx(
                    {e: sum(s.emotions[e] for s in scored) / len(scored) for e in EMOTIONS}
                )

        check()


async def cells_of(folder: Path, calls: Sequence[Call], *stretches: Stretch) -> list[list[Cell]]:
    engine = await database(folder, calls)
    try:
        return [await read_cells(engine, one) for one in stretches]
    finally:
        await engine.dispose()


def test_buckets_add_up_to_the_larger_bucket(tmp_path: Path) -> None:
    with asyncio.Runner() as runner:

        @settings(max_examples=12, deadline=None)
        @given(CALLS, st.sampled_from(Group))
        def check(calls: list[Call], group: Group) -> None:
            stretches = [
                Stretch(
                    tenant="acme",
                    group=group,
                    from_ns=MIDNIGHT_NS,
                    to_ns=MIDNIGHT_NS + DAY_NS,
                    width_ns=width_ns,
                )
                for width_ns in (MINUTE_NS, HOUR_NS, DAY_NS)
            ]
            sums = []
            for cells in runner.run(cells_of(tmp_path, calls, *stretches)):
                total: dict[str, list[float]] = defaultdict(lambda: [0, 0, 0.0])
                for cell in cells:
                    one = total[cell.key]
                    one[0] += cell.windows
                    one[1] += cell.scored
                    one[2] += (cell.distress or 0.0) * cell.scored
                sums.append({key: pytest.approx(value) for key, value in total.items()})
            for smaller, larger in itertools.pairwise(sums):
                assert smaller.keys() == larger.keys()
                assert all(smaller[key].expected == larger[key] for key in smaller)

        check()


def test_below_the_floor_an_answer_is_the_same_whatever_was_said(tmp_path: Path) -> None:
    """Two worlds that differ in what four customers expressed, and in nothing else."""
    crowd = [Call(queue="sales", values=(0.3, 0.4)) for _ in range(9)]
    paths = [
        f"/v1/trends{path}group={group}&from={format_time(MIDNIGHT_NS)}"
        f"&to={format_time(MIDNIGHT_NS + DAY_NS)}"
        for group in ("queue", "language", "agent")
        for path in ("?bucket=1m&", "?bucket=1h&", "?bucket=1d&", "/changes?")
    ]

    async def answers(values: Sequence[float]) -> list[bytes]:
        few = [Call(language="de", agents=("ann",), values=(value, value)) for value in values]
        engine = await database(tmp_path, [*crowd, *few])
        before = [
            Call(queue=queue, language=language, start_ns=MIDNIGHT_NS - 7 * DAY_NS)
            for queue, language in (("sales", "en"), ("billing", "de"))
            for _ in range(6)
        ]
        await store_calls(engine, before, "b")
        app = build_api(engine, MemoryCache(), everyone("acme")).app
        transport = httpx.ASGITransport(app)
        try:
            async with httpx.AsyncClient(transport=transport, base_url="http://api") as client:
                return [(await client.get(path)).raise_for_status().content for path in paths]
        finally:
            await engine.dispose()

    with asyncio.Runner() as runner:
        nothing = runner.run(answers((0.0, 0.0, 0.0, 0.0)))
        assert all(b'"withheld":true' in answer for answer in nothing)

        @settings(max_examples=8, deadline=None)
        @given(st.lists(st.integers(0, 10_000).map(lambda v: v / 10_000), min_size=4, max_size=4))
        def check(values: list[float]) -> None:
            assert runner.run(answers(values)) == nothing

        check()


@st.composite
def any_cells(draw: st.DrawFn) -> list[Cell]:
    """Any groups in any minutes of two hours."""
    places = st.tuples(st.sampled_from("abcd"), st.integers(0, 119))
    found = draw(st.dictionaries(places, st.integers(0, 12), max_size=12))
    return [
        Cell(
            key=key,
            start_ns=minute * MINUTE_NS,
            end_ns=(minute + 1) * MINUTE_NS,
            conversations=conversations,
            windows=conversations,
            scored=conversations,
            distress=None,
            distress_variance=0.0,
            emotions=None,
            arousal=None,
            valence=None,
        )
        for (key, minute), conversations in found.items()
    ]


@given(found=any_cells(), floor=st.integers(2, 8), shared=st.booleans())
def test_what_remains_of_a_total_is_never_below_the_floor(
    *, found: list[Cell], floor: int, shared: bool
) -> None:
    hidden = withheld(found, floor, parent_ns=HOUR_NS, shared=shared)
    lines: dict[Any, list[Cell]] = defaultdict(list)
    for cell in found:
        lines["bucket", cell.start_ns].append(cell)
        lines["hour", cell.key, cell.start_ns // HOUR_NS].append(cell)
    for name, line in lines.items():
        away = [cell for cell in line if (cell.key, cell.start_ns) in hidden]
        assert all(cell in away for cell in line if cell.conversations < floor)
        if away and len(away) < len(line):
            counts = [cell.conversations for cell in away]
            certain = max if shared or name[0] == "hour" else sum
            assert certain(counts) >= floor
