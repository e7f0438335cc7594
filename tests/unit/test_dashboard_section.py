"""A part of a page that is read from the API: what it shows of reads that overlap."""

import asyncio
from datetime import UTC

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nicegui import ui

from streams.serving.dashboard.client import ApiUnavailableError
from streams.serving.dashboard.shell.section import Section
from tests.drawn import blank_page, labels

COUNT = 3


def place(found: str) -> None:
    ui.label(f"found {found}")


@given(
    order=st.permutations(range(COUNT)),
    lost=st.sets(st.integers(0, COUNT - 2)),
)
async def test_of_reads_that_overlap_the_last_to_begin_is_shown(
    order: list[int], lost: set[int]
) -> None:
    """Whichever answer comes last, and whatever came of those before."""
    answers = [asyncio.Future[str]() for _ in range(COUNT)]
    waiting = iter(answers)

    async def read() -> str:
        return await next(waiting)

    with pytest.MonkeyPatch.context() as patch, blank_page(patch) as drawn:
        section = Section(read, place, UTC)
        reads = []
        for _ in answers:
            reads.append(asyncio.create_task(section.load()))
            await asyncio.sleep(0)
        for number in order:
            if number in lost:
                answers[number].set_exception(ApiUnavailableError("nobody answers"))
            else:
                answers[number].set_result(str(number))
            await asyncio.sleep(0)
        await asyncio.gather(*reads)
        assert [text for text in labels(drawn) if text] == [f"found {COUNT - 1}"]
