"""The pages in a real browser, over a real database: what a supervisor sees."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from playwright.async_api import Page, expect
from sqlalchemy.ext.asyncio import AsyncEngine

from inference.contract import format_time
from inference.labels import Role
from storage.cache import MemoryCache
from storage.engine import open_engine
from storage.upgrade import upgrade
from streams.serving.access.caller import everyone
from streams.serving.api.service import build_api
from streams.serving.server import running
from tests.browser.pages_process import dashboard
from tests.browser.screens import CHROMIUM, browsing, picture
from tests.browser.story import (
    TENANT,
    calm,
    end,
    relay,
    rising,
    spoken,
    store,
    whole_second_ago,
)
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


async def series(page: Page, which: int = 0) -> dict[str, list[Any]]:
    """Points of one chart by line, once it has drawn any."""
    chart = page.locator(".chart").nth(which)
    await expect(chart).to_have_attribute("data-points", re.compile(r"^[1-9]\d*$"))
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


async def shown(page: Page) -> set[str]:
    """Emotions that the first chart draws."""
    selected: dict[str, bool] = await page.locator(".chart").first.evaluate(
        "el => getElement(Number(el.id.slice(1))).chart.getOption().legend[0].selected"
    )
    return {name for name, drawn in selected.items() if drawn}


async def choose_a_second(page: Page, times: list[int]) -> None:
    """By the mouse, by the address and by keys; and back to the newest."""
    card = page.locator("section:visible").first
    await click_point(page, at=times[3])
    await expect(card).to_contain_text("No single cue stands out")
    assert f"at={time_of(times[3])}" in page.url
    await page.reload()
    await series(page)
    await expect(card).to_contain_text("No single cue stands out")
    await page.locator(".chart").first.press("End")
    await expect(card).to_contain_text("complaint phrase")
    await page.locator(".chart").first.press("ArrowLeft")
    assert f"at={time_of(times[-2])}" in page.url
    await card.get_by_role("button", name="Back to the newest").click()
    await expect(card).to_contain_text("complaint phrase")


def time_of(at_ms: int) -> str:
    """As an address has it."""
    moment = datetime.fromtimestamp(at_ms / 1000, UTC)
    return quote(f"{moment:%Y-%m-%dT%H:%M:%S}.{at_ms % 1000:03}Z", safe="")


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
        row = page.locator("[data-key='c-42/p-1']")
        await expect(row).to_contain_text("c-42")
        keys = page.locator("[data-key]")
        assert await keys.evaluate_all("rows => rows.map(row => row.dataset.key)") == [
            "c-42/p-1",
            "c-42/p-2",
            "c-7/p-1",
        ]
        await expect(row.locator("polyline").first).to_be_attached()
        before = await row.locator(".number").inner_text()

        await store(engine, late, queue="billing", after=progress)
        await relay(engine, cache, late)
        await expect(row.locator(".number")).not_to_have_text(before)
        await expect(row.locator(".says")).to_have_text("anger")
        await expect(page.locator("[data-ended='c-3']")).to_contain_text("2 min")
        await page.set_viewport_size({"width": 1280, "height": 640})
        await picture(page, tmp_path / "live.png")

        await row.get_by_role("link", name="billing").click()
        await expect(page.locator(".h1")).to_have_text("billing: customer p-1 and agent p-2")
        lines = await series(page)
        assert list(lines)[:3] == ["distress, smoothed", "distress, each window", "anger"]
        assert {"neutral", "valence", "arousal", "conflict", "words"} <= set(lines)
        assert await shown(page) == {"anger", "joy"}
        values = [value for _, value in lines["distress, smoothed"]]
        assert len(values) == COUNT
        assert values.count(None) == sum(score.distress is None for score in customer)
        known = [value for value in values if value is not None]
        assert sum(known[-15:]) / 15 > sum(known[:15]) / 15 + 40
        times = [at for at, _ in lines["distress, smoothed"]]
        assert times == [score.end_ns // 1_000_000 for score in customer]
        card = page.locator("section:visible").first
        await expect(card).to_contain_text("customer p-1")
        await expect(card).to_contain_text("complaint phrase")
        await expect(card).to_contain_text("no camera")
        await choose_a_second(page, times)
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
        await expect(page.locator(".state")).to_have_text("API away")
        await expect(page.locator("#live-stale")).to_contain_text("has not answered since")
        await picture(page, tmp_path / "away.png")
        async with api(engine, MemoryCache(), port):
            await expect(page.locator(".state")).to_have_text("connected")
            await expect(page.locator("#live-none")).to_contain_text("Nobody is talking")
            await expect(page.locator("#live-stale")).to_be_hidden()
            await picture(page, tmp_path / "empty.png")
            await page.goto(f"{url}/conversations/nobody")
            await expect(page.locator(".empty")).to_contain_text("not known")
    assert errors == []


async def order(page: Page) -> list[str]:
    """Calls that are shown, from the top."""
    shown = page.locator(".call:not([hidden])")
    found: list[str] = await shown.evaluate_all("calls => calls.map(call => call.dataset.call)")
    return found


async def test_rows_hold_still_under_the_pointer_and_the_filter_stands_in_the_address(
    engine: AsyncEngine, tmp_path: Path
) -> None:
    begin_ns = whole_second_ago(40)
    first = await store(engine, calm("c-1", "p-1", begin_ns, 30, Role.CUSTOMER), queue="billing")
    await store(engine, rising("c-2", "p-1", begin_ns, 30), queue="sales")
    worse = [spoken("c-1", "p-1", begin_ns + n * SECOND_NS, 0.97) for n in range(30, 34)]
    cache = MemoryCache()
    async with (
        api(engine, cache) as api_url,
        dashboard(api_url) as url,
        browsing() as (page, errors),
    ):
        await page.goto(url)
        await expect(page.locator(".call").first).to_be_visible()
        assert await order(page) == ["c-2", "c-1"]
        await page.locator(".call").first.hover()
        await store(engine, worse, queue="billing", after=first)
        await relay(engine, cache, worse)
        await expect(page.locator("#live-held")).to_be_visible()
        assert await order(page) == ["c-2", "c-1"]
        await page.mouse.move(0, 0)
        await expect(page.locator("#live-held")).to_be_hidden()
        assert await order(page) == ["c-1", "c-2"]

        await page.keyboard.press("j")
        await expect(page.locator("[data-call='c-1'] a.id")).to_be_focused()
        await page.keyboard.press("j")
        await expect(page.locator("[data-call='c-2'] a.id")).to_be_focused()
        await page.keyboard.press("k")
        await expect(page.locator("[data-call='c-1'] a.id")).to_be_focused()
        await page.keyboard.press("?")
        await expect(page.locator("#live-help")).to_be_visible()
        await page.keyboard.press("Escape")
        await page.keyboard.press("/")
        await page.keyboard.type("SAL")
        assert await order(page) == ["c-2"]
        await expect(page.locator("#live-lead")).to_have_text("1 of 2 conversations now")
        await page.reload()
        await expect(page.locator("#live-lead")).to_have_text("1 of 2 conversations now")
        await page.locator("#live-filter").fill("nobody")
        await expect(page.locator("#live-unmatched")).to_be_visible()
        await page.keyboard.press("Escape")
        assert "queue" not in page.url
        await page.keyboard.press("Escape")
        await page.keyboard.press("j")
        await page.keyboard.press("Enter")
        await expect(page.locator(".h1")).to_have_text("billing: customer p-1")
    assert errors == []


async def test_two_hundred_calls_are_all_there_and_narrow_to_one_queue(
    engine: AsyncEngine,
) -> None:
    begin_ns = whole_second_ago(10)
    queues = ("billing", "sales", "support", "technical")
    for n in range(200):
        (score,) = calm(f"c-{n:03}", "p-1", begin_ns, 1, Role.CUSTOMER)
        await store(engine, [score], queue=queues[n % 4])
    async with (
        api(engine, MemoryCache()) as api_url,
        dashboard(api_url) as url,
        browsing() as (page, errors),
    ):
        await page.goto(f"{url}/?queue=sales")
        await expect(page.locator("#live-lead")).to_have_text("50 of 200 conversations now")
        assert len(await order(page)) == 50
        await page.locator("#live-filter").fill("")
        await expect(page.locator("#live-lead")).to_have_text("200 conversations now")
        assert sorted(await order(page)) == [f"c-{n:03}" for n in range(200)]
    assert errors == []


async def test_pages_fit_a_phone_and_follow_the_theme_while_they_are_open(
    engine: AsyncEngine, tmp_path: Path
) -> None:
    await store(engine, rising("c-2", "p-1", whole_second_ago(40), 30), queue="sales")
    wide = "document.documentElement.scrollWidth - innerWidth"
    tint = "el => getElement(Number(el.id.slice(1))).chart.getOption().series[0].itemStyle.color"
    async with (
        api(engine, MemoryCache()) as api_url,
        dashboard(api_url) as url,
        browsing(390, 844) as (page, errors),
    ):
        for path in ("", "/conversations/c-2"):
            await page.goto(url + path)
            await expect(page.locator(".call, .chart canvas").first).to_be_visible()
            assert (
                await page.locator(".page").evaluate("el => el.scrollWidth - el.clientWidth") == 0
            )
            await picture(page, tmp_path / f"phone{path.count('/')}.png")
        assert await page.evaluate(wide) <= 1
        await series(page)
        chart = page.locator(".chart").first
        light = await chart.evaluate(tint)
        await page.emulate_media(color_scheme="dark")
        # the chart hears of the theme a moment later; a tint that stays ends in a timeout
        await page.wait_for_function(f"({tint})(document.querySelector('.chart')) !== '{light}'")
        await page.evaluate("document.documentElement.dataset.theme = 'light'")
        await page.wait_for_function(f"({tint})(document.querySelector('.chart')) === '{light}'")
    assert errors == []


async def test_an_alert_is_marked_on_its_call_and_on_the_axis(
    engine: AsyncEngine, tmp_path: Path
) -> None:
    """The API tells of alerts by the live stream and by two lists."""
    scores = rising("c-2", "p-1", whole_second_ago(40), 30)
    await store(engine, calm("c-1", "p-1", scores[0].start_ns, 30, Role.CUSTOMER), queue="sales")
    await store(engine, scores, queue="sales")
    fired = {
        "id": "a-1",
        "conversation": "c-1",
        "participant": "p-1",
        "rule": "sharp-rise",
        "severity": "critical",
        "state": "firing",
        "since": format_time(scores[9].end_ns),
        "fired": format_time(scores[10].end_ns),
    }
    built = build_api(engine, MemoryCache(), everyone(TENANT))

    @built.app.get("/v1/alerts")
    async def alerts() -> dict[str, Any]:
        return {"items": [fired], "next": None}

    # the same path of the API itself, where it has one, comes after
    built.app.router.routes.insert(0, built.app.router.routes.pop())
    async with (
        running(built.app, "127.0.0.1", 0, option="-", before_drain=built.feed.close) as api_url,
        dashboard(api_url) as url,
        browsing() as (page, errors),
    ):
        await page.goto(url)
        mark = page.locator("[data-call='c-1'] .mark-alert")
        await expect(mark).to_contain_text("sharp rise")
        assert await order(page) == ["c-1", "c-2"]
        await mark.click()
        await expect(page.locator(".alerts li")).to_contain_text("sharp rise, customer p-1")
        lines = await series(page)
        assert lines["alerts"][0] == [scores[10].end_ns // 1_000_000, 100]
        assert quote(str(fired["fired"])) in page.url
        await picture(page, tmp_path / "alert.png")
    assert errors == []
