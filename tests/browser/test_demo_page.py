"""The demo as a stranger meets it: one command, and a page on which a call turns angry."""

import time
from pathlib import Path

import httpx
import pytest
from playwright.async_api import expect

from tests.browser.demo_process import demo
from tests.browser.screens import CHROMIUM, browsing, picture

pytestmark = [
    pytest.mark.skipif(not Path(CHROMIUM).exists(), reason="no chromium: apt-get install chromium"),
    pytest.mark.slow,
    pytest.mark.timeout(300),
]
SCREENSHOTS = Path(__file__).parents[2] / "screenshots"
ANGRY_FROM_S, ANGRY_UNTIL_S = 25, 48
"""Where streams/demo/build_conversation.py put the angry recordings of the customer."""
FIRST_SCORE_S = 15
CHART = "el => getElement(Number(el.id.slice(1))).chart.getOption().series"


async def test_the_page_shows_the_distress_rise_where_the_call_turns_angry(tmp_path: Path) -> None:
    began_s = time.monotonic()
    async with demo(tmp_path) as (page_url, api_url, lines):
        first = await lines.readline()
        assert first, "a score"
        waited_s = time.monotonic() - began_s
        async for line in lines:
            if "call is over" in line.decode():
                break
        async with httpx.AsyncClient(base_url=f"{api_url}/v1") as api:
            (call,) = (await api.get("/conversations", params={"state": "ended"})).json()["items"]
        async with browsing(1280, 900) as (page, errors):
            await page.goto(f"{page_url}/conversations/{call['id']}")
            chart = page.locator(".chart").first
            await expect(chart.locator("canvas").first).to_be_visible()
            await page.wait_for_function(f"({CHART})(document.querySelector('.chart')).length > 1")
            drawn = {one["id"]: one["data"] for one in await chart.evaluate(CHART)}
            SCREENSHOTS.mkdir(exist_ok=True)
            await picture(page, SCREENSHOTS / "demo.png")
            assert errors == []
    zero_ms = min(point[0] for point in drawn["smoothed"]) - 1_000

    def mean(from_s: int, until_s: int) -> float:
        values = [
            value
            for at_ms, value in drawn["smoothed"]
            if value is not None and from_s <= (at_ms - zero_ms) / 1000 < until_s
        ]
        return sum(values) / len(values)

    assert mean(ANGRY_FROM_S + 8, ANGRY_UNTIL_S) > 2 * mean(0, ANGRY_FROM_S - 5)
    assert waited_s < 4 * FIRST_SCORE_S, "fifteen seconds on a quiet machine"
