"""Trends on both databases: the same figures, bound to a tenant, and from rollups alone."""

import math

import pytest
from sqlalchemy import delete
from sqlalchemy.ext.asyncio import AsyncEngine

from inference.labels import EMOTIONS, Role
from inference.units import DAY_NS, HOUR_NS
from storage.engine import transaction
from storage.schema import window_evidence, window_scores
from storage.trends import Group, Stretch, read_cells
from tests.calls import MIDNIGHT_NS, Call, store_calls

CALLS = (
    Call(values=(0.2, 0.4, None), agents=("ann",)),
    Call(values=(0.6,), agents=("ann", "bob")),
    Call(values=(None, None)),
    Call(queue="sales", language="de", values=(0.1, 0.3), start_ns=MIDNIGHT_NS + HOUR_NS),
    Call(values=(1.0,), run="again"),
    Call(values=(1.0,), tenant="other"),
    Call(values=(1.0,), start_ns=MIDNIGHT_NS + 2 * DAY_NS),
)


def stretch(group: Group, role: Role | None = Role.CUSTOMER, queue: str | None = None) -> Stretch:
    return Stretch(
        tenant="acme",
        group=group,
        from_ns=MIDNIGHT_NS,
        to_ns=MIDNIGHT_NS + DAY_NS,
        width_ns=HOUR_NS,
        role=role,
        queue=queue,
    )


async def test_cells_are_means_over_windows_and_count_calls_that_were_scored(
    engine: AsyncEngine,
) -> None:
    await store_calls(engine, CALLS)
    async with transaction(engine) as connection:  # rollups are all that is read
        await connection.execute(delete(window_evidence))
        await connection.execute(delete(window_scores))
    billing, sales = await read_cells(engine, stretch(Group.QUEUE))
    assert (billing.key, billing.start_ns) == ("billing", MIDNIGHT_NS)
    assert (billing.conversations, billing.windows, billing.scored) == (2, 6, 3)
    assert billing.distress == pytest.approx(0.4)
    without = (0.6, 0.3)  # the mean, with one call left out
    variance = sum((rest - 0.4) ** 2 for rest in without) / 2
    assert math.isclose(billing.distress_variance, variance)
    assert billing.emotions is not None
    assert set(billing.emotions) == set(EMOTIONS)
    assert billing.arousal == pytest.approx(0.5)
    assert billing.valence == pytest.approx(-0.25)
    assert (sales.key, sales.start_ns) == ("sales", MIDNIGHT_NS + HOUR_NS)
    assert (sales.conversations, sales.distress_variance) == (1, 0.0)


async def test_groups_by_role_language_and_agent(engine: AsyncEngine) -> None:
    await store_calls(engine, CALLS)
    roles = await read_cells(engine, stretch(Group.ROLE, role=None))
    assert [(cell.key, cell.windows) for cell in roles] == [
        ("agent", 5), ("customer", 6), ("customer", 2),
    ]  # fmt: skip
    languages = await read_cells(engine, stretch(Group.LANGUAGE, queue="billing"))
    assert [(cell.key, cell.windows) for cell in languages] == [("en", 6)]
    agents = await read_cells(engine, stretch(Group.AGENT))
    assert [(cell.key, cell.windows) for cell in agents] == [("ann", 4), ("bob", 1)]
    assert agents[0].distress == pytest.approx(0.4), "of customers: the agents' own is 0.9"


async def test_a_cell_in_which_nobody_was_scored_has_counts_and_nothing_else(
    engine: AsyncEngine,
) -> None:
    await store_calls(engine, [Call(values=(None, None))])
    [cell] = await read_cells(engine, stretch(Group.QUEUE))
    assert (cell.conversations, cell.windows, cell.scored) == (0, 2, 0)
    assert (cell.distress, cell.emotions, cell.arousal, cell.valence) == (None,) * 4
    assert cell.distress_variance == 0.0
