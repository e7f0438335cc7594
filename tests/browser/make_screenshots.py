"""Takes the pictures of docs/dashboard.md: every page, light and dark, wide and on a phone.

The top of the conversation, light and wide, is `conversation.png` of the README, too.

`python -m tests.browser.make_screenshots docs/images [PAGE ...]`
"""

import asyncio
import io
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path

import numpy as np
from PIL import Image
from playwright.async_api import Page, expect

from tests.browser.screens import browsing
from tests.browser.stage import Stage, stage

WIDTHS = {1280: 900, 390: 844}
THEMES = ("light", "dark")
README_TALL = 1_120
COLOURS = 256
"""Of a picture: pages have few, and text stays sharp."""
EXACT = 48
"""So many of them are the most frequent ones."""
NEAR = 14
"""Steps of a channel that nobody sees in the edge of a letter."""
TALLEST = {1280: 2_300, 390: 1_800}
"""A picture shows so much of a long page, in CSS pixels."""


async def live(page: Page) -> None:
    """Every call is there."""
    await expect(page.locator(".call").nth(10)).to_be_visible()


async def conversation(page: Page) -> None:
    """The charts have drawn, and a moment with evidence is chosen."""
    chart = page.locator(".chart").first
    await expect(chart.locator("canvas").first).to_be_visible()
    await expect(page.locator("[data-points]").first).to_be_attached()


async def alerts(page: Page) -> None:
    """The queue, with the evidence of the first alert open."""
    card = page.locator("[data-alert]").first
    await expect(card).to_be_visible()
    await card.locator("summary").click()


async def rules(page: Page) -> None:
    """A rule in the editor, with its back-test."""
    await page.get_by_role("button", name="Edit sustained-distress").click()
    await page.get_by_label("Wanted alerts an hour").fill("2")
    await page.get_by_role("button", name="Run back-test").click()
    await expect(page.locator(".plot canvas").first).to_be_visible()


async def search(page: Page) -> None:
    """A label with moments to judge, and the form of another one."""
    await page.get_by_role("button", name="Show moments of fed-up").click()
    await expect(page.locator(".moment").first).to_be_visible()


async def trends(page: Page) -> None:
    """Courses and changes."""
    await expect(page.locator(".course").first).to_be_visible()
    await expect(page.locator(".whisker").first).to_be_attached()


async def calls(page: Page) -> None:
    """The calls behind a figure."""
    await trends(page)
    await page.get_by_role("link", name="billing").first.click()
    await expect(page.locator("td").first).to_be_visible()


async def privacy(page: Page) -> None:
    """All lists."""
    await expect(page.locator("td").nth(8)).to_be_visible()


async def system(page: Page) -> None:
    """All figures."""
    await expect(page.locator(".tile").first).to_be_visible()


PAGES: dict[str, tuple[str, str, Callable[[Page], Awaitable[None]]]] = {
    "live": ("/", "alice", live),
    "conversation": ("/conversations/c-2001", "alice", conversation),
    "alerts": ("/alerts", "alice", alerts),
    "search": ("/search", "alice", search),
    "rules": ("/rules", "alice", rules),
    "trends": ("/trends", "alice", trends),
    "calls": ("/trends", "alice", calls),
    "privacy": ("/privacy", "ada", privacy),
    "system": ("/system", "alice", system),
}
"""Path, whose key, and what is waited for."""


async def sign_in(page: Page, url: str, key: str, path: str = "/") -> None:
    """As somebody does by hand."""
    await page.context.clear_cookies()
    await page.goto(url + path)
    await page.get_by_label("API key or token").fill(key)
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.locator(".state")).to_have_text("connected")


async def take(page: Page, path: Path, width: int) -> None:
    """Save what a page shows, in few colours."""
    await page.wait_for_timeout(1_200)  # charts draw, and what had opened fades
    await page.mouse.move(0, 0)
    await page.evaluate("document.activeElement?.blur(); scrollTo(0, 0)")
    tall = await page.evaluate("document.documentElement.scrollHeight")
    # the page itself as tall as the picture: nothing that sticks is drawn twice
    await page.set_viewport_size({"width": width, "height": min(tall, TALLEST[width])})
    await page.wait_for_timeout(400)
    shot = await page.screenshot(animations="disabled", scale="css")
    picture = palette_of(Image.open(io.BytesIO(shot)).convert("RGB"))
    picture.save(path, optimize=True)
    if path.name == f"conversation-light-{width}.png" and width == max(WIDTHS):
        picture.crop((0, 0, width, README_TALL)).save(path.with_name("conversation.png"))
    await page.set_viewport_size({"width": width, "height": WIDTHS[width]})


def palette_of(picture: Image.Image) -> Image.Image:
    """The same in few colours: the frequent ones as they are, and one near each other one."""
    pixels = np.asarray(picture).reshape(-1, 3)
    packed = pixels.astype(np.int64) @ np.array([1 << 16, 1 << 8, 1])
    known, where, counts = np.unique(packed, return_inverse=True, return_counts=True)
    colours = np.stack([known >> 16, known >> 8 & 255, known & 255], axis=1)
    order = np.argsort(-counts, kind="stable")
    chosen = list(order[:EXACT])
    gap = np.abs(colours[:, None] - colours[chosen]).max(axis=2).min(axis=1)
    for index in order[EXACT:]:
        if len(chosen) < COLOURS and gap[index] > NEAR:
            chosen.append(index)
            gap = np.minimum(gap, np.abs(colours - colours[index]).max(axis=1))
    nearest = np.abs(colours[:, None] - colours[chosen]).sum(axis=2).argmin(axis=1)
    indices = nearest[where].astype(np.uint8).reshape(picture.height, picture.width)
    few = Image.fromarray(indices, "P")
    few.putpalette(colours[chosen].astype(np.uint8).tobytes())
    return few


async def pictures(set_up: Stage, folder: Path, wanted: list[str]) -> list[str]:
    """Take them; returns what the browser complained about."""
    url, told = set_up.page_url, []
    for width, height in WIDTHS.items():
        async with browsing(width, height) as (page, errors):
            for theme in THEMES:
                await page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
                who = ""
                if not wanted or "signin" in wanted:
                    await page.context.clear_cookies()
                    await page.goto(f"{url}/signin")
                    await take(page, folder / f"signin-{theme}-{width}.png", width)
                for name, (path, needed, ready) in PAGES.items():
                    if wanted and name not in wanted:
                        continue
                    if needed != who:
                        await sign_in(page, url, set_up.keys[needed])
                        who = needed
                    await page.goto(url + path)
                    await ready(page)
                    await take(page, folder / f"{name}-{theme}-{width}.png", width)
            told += errors
    return told


async def _main(folder: str, *wanted: str) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        async with stage(Path(scratch)) as set_up:
            for error in await pictures(set_up, Path(folder), list(wanted)):
                sys.stderr.write(f"{error}\n")


if __name__ == "__main__":
    asyncio.run(_main(*sys.argv[1:]))
