"""The pages in a real browser, over a real database: what a supervisor sees."""

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page, expect
from sqlalchemy.ext.asyncio import AsyncEngine

from inference.labels import Role
from storage.cache import MemoryCache
from storage.engine import open_engine
from storage.upgrade import upgrade
from streams.serving.access.caller import everyone
from streams.serving.api.service import build_api
from streams.serving.server import running
from tests.browser.screens import CHROMIUM, browsing, picture
from tests.browser.story import TENANT, calm, end, relay, rising, store, whole_second_ago
from tests.scores import SECOND_NS

COUNT = 60
pytestmark = pytest.mark.skipif(
    not Path(CHROMIUM).exists(), reason="no chromium: apt-get install chromium"
)
CHART = "el => getElement(Number(el.id.slice(1))).chart.getOption().series"


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[AsyncEngine]:
    engine = open_engine(f"sqlite+aiosqlite:///{tmp_path}/a.db")
    await upgrade(engine)
    yield engine
    await engine.dispose()


@asynccontextmanager
async def api(engine: AsyncEngine, cache: MemoryCache, port: int = 0) -> AsyncIterator[str]:
    built = build_api(engine, cache, everyone(TENANT))
    async with running(
        built.app, "127.0.0.1", port, option="-", before_drain=built.feed.close
    ) as url:
        yield url


@asynccontextmanager
async def dashboard(api_url: str) -> AsyncIterator[str]:
    """The command as a process of its own; ends on SIGTERM with code 0."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "streams.cli", "dashboard",
        "--dashboard-port", "0", "--api-url", api_url,
        stdout=asyncio.subprocess.PIPE,
        env=os.environ | {"PYTHONWARNINGS": "default"},
    )  # fmt: skip
    assert process.stdout is not None
    try:
        line = await asyncio.wait_for(process.stdout.readline(), 60)
        yield line.decode().strip()
    finally:
        if process.returncode is None:
            process.terminate()
        code = await asyncio.wait_for(process.wait(), 20)
    assert code == 0


async def series(page: Page, which: int = 0) -> dict[str, list[Any]]:
    """Points of one chart by line, once it has drawn any."""
    chart = page.locator(".chart").nth(which)
    await expect(chart).to_have_attribute("data-points", re.compile(r"^[1-9]\d*$"), timeout=15_000)
    drawn = await chart.evaluate(CHART)
    return {line["name"]: line["data"] for line in drawn}


async def click_point(page: Page, at: int) -> None:
    """Click the smoothed line of the first chart where it stands at `at`."""
    chart = page.locator(".chart").first
    x, y = await chart.evaluate(
        """(el, at) => {
            const chart = getElement(Number(el.id.slice(1))).chart;
            const line = chart.getOption().series.find(one => one.id === "smoothed");
            return chart.convertToPixel("grid", line.data.find(point => point[0] === at));
        }""",
        at,
    )
    await chart.hover(position={"x": x, "y": y})
    await chart.click(position={"x": x, "y": y})


async def test_a_call_that_turns_angry_rises_on_both_pages_while_it_runs(
    engine: AsyncEngine, tmp_path: Path
) -> None:
    begin_ns = whole_second_ago(COUNT + 2)
    customer = rising("c-42", "p-1", begin_ns, COUNT)
    early, late = customer[:-5], customer[-5:]
    progress = await store(engine, early, queue="billing")
    await store(engine, calm("c-42", "p-2", begin_ns, COUNT, Role.AGENT), queue="billing")
    await store(
        engine, calm("c-7", "p-1", begin_ns - 90 * SECOND_NS, 150, Role.CUSTOMER), queue="sales"
    )
    over = calm("c-3", "p-1", begin_ns - 300 * SECOND_NS, 120, Role.CUSTOMER)
    await store(engine, over, queue="billing")
    await end(engine, over, queue="billing")
    cache = MemoryCache()
    async with (
        api(engine, cache) as api_url,
        dashboard(api_url) as url,
        browsing() as (page, errors),
    ):
        await page.goto(url)
        row = page.locator("tr[data-key='c-42/p-1']")
        await expect(row).to_contain_text("c-42", timeout=20_000)
        keys = page.locator("tr[data-key]")
        assert await keys.evaluate_all("rows => rows.map(row => row.dataset.key)") == [
            "c-42/p-1",
            "c-42/p-2",
            "c-7/p-1",
        ]
        before = await row.locator(".number").inner_text()

        await store(engine, late, queue="billing", after=progress)
        await relay(engine, cache, late)
        await expect(row.locator(".number")).not_to_have_text(before)
        await expect(row.locator(".says")).to_have_text("anger")
        await expect(page.locator("tr[data-ended='c-3']")).to_contain_text("2 min")
        await page.set_viewport_size({"width": 1280, "height": 640})
        await picture(page, tmp_path / "live.png")

        await row.get_by_role("link", name="c-42").click()
        lines = await series(page)
        assert list(lines)[:3] == ["distress, smoothed", "distress, each window", "anger"]
        values = [value for _, value in lines["distress, smoothed"]]
        assert len(values) == COUNT
        assert values.count(None) == sum(score.distress is None for score in customer)
        known = [value for value in values if value is not None]
        assert sum(known[-15:]) / 15 > sum(known[:15]) / 15 + 40
        times = [at for at, _ in lines["distress, smoothed"]]
        assert times == [score.end_ns // 1_000_000 for score in customer]
        card = page.locator("section").first
        await expect(card).to_contain_text("customer p-1")
        await expect(card).to_contain_text("complaint phrase")
        await expect(card).to_contain_text("no camera")
        await click_point(page, at=times[3])
        await expect(card).to_contain_text("No single cue stands out")
        await card.get_by_role("button", name="Back to the newest").click()
        await expect(card).to_contain_text("complaint phrase")
        await expect(page.locator(".page")).to_contain_text("how listeners would describe")
        await page.set_viewport_size({"width": 1280, "height": 1000})
        await picture(page, tmp_path / "conversation.png")
    assert errors == []


async def test_an_api_that_is_away_is_said_and_waited_out(
    engine: AsyncEngine, tmp_path: Path
) -> None:
    async with api(engine, MemoryCache()) as api_url:
        port = int(api_url.rsplit(":", 1)[1])
    async with dashboard(api_url) as url, browsing() as (page, errors):
        await page.goto(url)
        await expect(page.locator(".state")).to_have_text("API away", timeout=20_000)
        await expect(page.locator(".trouble")).to_be_visible()
        await picture(page, tmp_path / "away.png")
        async with api(engine, MemoryCache(), port):
            await expect(page.locator(".state")).to_have_text("connected", timeout=20_000)
            await expect(page.locator(".empty")).to_contain_text("Nobody is talking")
            await expect(page.locator(".trouble")).to_be_hidden()
            await picture(page, tmp_path / "empty.png")
            await page.goto(f"{url}/conversations/nobody")
            await expect(page.locator(".empty")).to_contain_text("not known")
    assert errors == []
